// Which options of panels are understood. What is not in here, and says something, is told in the panel.

const ANY = true;
const REDUCE = { calcs: ANY, fields: ANY, values: ANY, limit: ANY };
const LEGEND = { showLegend: ANY, displayMode: ["list", "table", "hidden"], placement: ANY, calcs: ANY, sortBy: ANY, sortDesc: ANY };
const TOOLTIP = { mode: ANY, sort: ANY, maxHeight: ANY, maxWidth: ANY, hideZeros: [false], yHistogram: ANY, showColorScale: ANY };
const TEXT = { titleSize: ANY, valueSize: ANY };
const AXIS = { axisPlacement: ["auto", "left", "right", "hidden"], axisColorMode: ["text"], axisLabel: ANY, axisSoftMin: ANY, axisSoftMax: ANY,
  axisGridShow: ANY, axisBorderShow: ANY, axisCenteredZero: [false], axisWidth: ANY, scaleDistribution: { type: ["linear", "log"], log: ANY } };
const HIDE = { hideFrom: { viz: ANY, legend: [false], tooltip: [false] } };

const OPTIONS = {
  timeseries: { legend: LEGEND, tooltip: TOOLTIP, timezone: ["browser"] },
  stat: { reduceOptions: REDUCE, colorMode: ["value", "background", "background_solid", "none"], graphMode: ["none", "area"], justifyMode: ANY,
    orientation: ANY, textMode: ANY, wideLayout: ANY, text: TEXT, percentChangeColorMode: ANY, showPercentChange: [false] },
  table: { showHeader: ANY, sortBy: ANY, cellHeight: ANY, frameIndex: ANY, footer: { show: [false], reducer: ANY, countRows: ANY, fields: ANY, enablePagination: ANY },
    showTypeIcons: [false] },
  heatmap: { calculate: [false], calculation: ANY, cellGap: ANY, cellRadius: ANY, cellValues: { unit: ANY, decimals: ANY }, color: { mode: ["scheme"], scheme: ANY, steps: ANY,
    exponent: ANY, scale: ["exponential", "linear"], reverse: ANY, fill: ANY, min: ANY, max: ANY }, filterValues: { le: ANY, ge: ANY }, legend: { show: ANY },
    rowsFrame: { layout: ["auto", "le"], value: ANY }, showValue: ["auto", "never"], tooltip: { ...TOOLTIP, show: ANY },
    yAxis: { unit: ANY, decimals: ANY, axisPlacement: ["auto", "left"], axisLabel: ANY, reverse: [false], axisWidth: ANY }, exemplars: ANY, selectionMode: ANY },
  "state-timeline": { showValue: ANY, rowHeight: ANY, mergeValues: ANY, alignValue: ANY, legend: LEGEND, tooltip: TOOLTIP, perPage: ANY, timezone: ["browser"] },
  bargauge: { displayMode: ["basic", "gradient", "lcd"], valueMode: ["color", "text", "hidden"], namePlacement: ["auto", "left", "top"], showUnfilled: ANY, sizing: ANY,
    minVizWidth: ANY, minVizHeight: ANY, maxVizHeight: ANY, legend: { ...LEGEND, showLegend: [false] }, reduceOptions: REDUCE, text: TEXT, orientation: ["auto", "horizontal"] },
  text: { mode: ["markdown", "html"], content: ANY, code: ANY },
};
const CUSTOM = {
  timeseries: { ...AXIS, ...HIDE, drawStyle: ["line", "bars", "points"], lineInterpolation: ANY, lineWidth: ANY, fillOpacity: ANY, gradientMode: ["none", "opacity"],
    showPoints: ANY, pointSize: ANY, spanNulls: ANY, insertNulls: ANY, stacking: { mode: ANY, group: ANY }, lineStyle: { fill: ANY, dash: ANY }, barAlignment: ANY,
    barWidthFactor: ANY, thresholdsStyle: { mode: ["off", "line", "dashed", "area", "line+area", "dashed+area"] } },
  stat: HIDE,
  table: { align: ANY, width: ANY, minWidth: ANY, displayMode: ["auto"], cellOptions: { type: ["auto", "color-text", "color-background", "gauge"], mode: ANY, applyToRow: [false],
    valueDisplayMode: ANY, wrapText: ANY }, hidden: ANY, inspect: ANY, filterable: ANY, hideHeader: ANY },
  heatmap: { ...HIDE, scaleDistribution: { type: ["linear"] } },
  "state-timeline": { ...AXIS, ...HIDE, fillOpacity: ANY, lineWidth: ANY },
  bargauge: HIDE,
};
const FIELD = { unit: ANY, decimals: ANY, min: ANY, max: ANY, displayName: ANY, color: { mode: ANY, fixedColor: ANY, seriesBy: ["last"] }, thresholds: ANY, mappings: ANY,
  links: ANY, noValue: ANY, custom: ANY, description: ANY, filterable: ANY, fieldMinMax: ANY };

const isPlain = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
const saysNothing = (value) => value === null || value === undefined || value === false || value === "" || (typeof value === "object" && !Object.keys(value).length);

const walk = (value, rule, path) => {
  if (rule === ANY || saysNothing(value)) return [];
  if (rule === undefined) return [path];
  if (Array.isArray(rule)) return rule.includes(value) ? [] : [`${path}: ${JSON.stringify(value)}`];
  if (!isPlain(value)) return [path];
  return Object.entries(value).flatMap(([key, inner]) => walk(inner, rule[key], `${path}.${key}`));
};

// An override's "custom.stacking.mode" as {stacking: {mode}}.
const nested = (id, value) => id.split(".").reduceRight((inner, key) => ({ [key]: inner }), value);

// The options of a panel that are not understood, by their paths.
export const strangers = ({ type, options, fieldConfig = {} }) => {
  if (!(type in OPTIONS)) return [];
  const custom = CUSTOM[type] ?? {};
  const { defaults = {}, overrides = [] } = fieldConfig;
  const changed = overrides.flatMap(({ properties }) => properties).flatMap(({ id, value }) =>
    (id.startsWith("custom.") ? walk(nested(id.slice(7), value), custom, "custom") : walk({ [id]: value }, FIELD, "field")));
  return [...walk(options ?? {}, OPTIONS[type], "options"), ...walk(defaults, FIELD, "field"), ...walk(defaults.custom ?? {}, custom, "custom"), ...changed];
};
