// Which panel types there are. Each draws frames into a place, and says false when there is nothing to draw.

import { bargauge } from "./panels/bargauge.js";
import { heatmap } from "./panels/heatmap.js";
import { stat } from "./panels/stat.js";
import { statetimeline } from "./panels/statetimeline.js";
import { table } from "./panels/table.js";
import { text } from "./panels/text.js";
import { timeseries } from "./panels/timeseries.js";

export const PANELS = { timeseries, stat, table, bargauge, heatmap, "state-timeline": statetimeline, text };
