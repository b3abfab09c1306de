// Which panel types there are. Each draws frames into a place, and says false when there is nothing to draw.

import { stat } from "./panels/stat.js";
import { timeseries } from "./panels/timeseries.js";

export const PANELS = { timeseries, stat };
