// What a panel's queries gave, as Grafana's frames: {refId, fields: [{name, type, labels, values}]}.

import { queryInstant, queryRange } from "./api.js";
import { duration, intervals, written } from "./times.js";

const TARGET_KEYS = ["refId", "expr", "legendFormat", "format", "instant", "range", "interval", "datasource", "hide",
  "editorMode", "intervalFactor", "queryType", "exemplar", "maxDataPoints", "useBackend", "key", "fullMetaSearch",
  "includeNullMetadata", "disableTextWrap"];
const HEATMAP_POINTS_MAX = 160;

// Names of a target's options that mean something and are not understood here.
export const strangers = (target) => [
  ...Object.keys(target).filter((key) => !TARGET_KEYS.includes(key)).map((key) => `target.${key}`),
  ...(target.exemplar ? ["target.exemplar"] : []),
];

// The frames of one target; `points` is how many fit into the panel's width.
export const ask = async (target, panel, board, points) => {
  const { range, variables, scrape } = board;
  const kind = target.format || "time_series";
  const span = range.to - range.from;
  const least = duration(variables.fillIn(target.interval || panel.interval || "")) ?? undefined;
  const wanted = panel.maxDataPoints || (kind === "heatmap" ? Math.min(points, HEATMAP_POINTS_MAX) : points);
  const found = intervals(span, wanted, least, duration(scrape));
  const step = found.step * (target.intervalFactor || 1);
  const expr = variables.fillIn(target.expr, scoped(found, step, span, range));
  const refId = target.refId || "A";
  if (target.instant && !target.range) return shape(kind, refId, target, await queryInstant(expr, range.to, board.signal), expr);
  return shape(kind, refId, target, await queryRange(expr, range, step, board.signal), expr, step);
};

const scoped = (found, step, span, range) => ({
  __interval: written(step), __interval_ms: String(step), __rate_interval: written(found.rateInterval),
  __range: `${Math.round(span / 1000)}s`, __range_s: String(Math.round(span / 1000)), __range_ms: String(span),
  __from: String(range.from), __to: String(range.to),
});

// One target's answer as frames; `kind` is its format, "step" in ms.
export const shape = (kind, refId, target, series, expr, step) => {
  if (kind === "table") return series.length ? [table(refId, series)] : [];
  if (kind === "heatmap") return series.length ? [heatmap(refId, series, step)] : [];
  const common = shared(series);
  return series.map((one) => frame(refId, one, name(target, one.metric, common, expr), step));
};

const field = (fieldName, type, values, more = {}) => ({ name: fieldName, type, values, labels: {}, config: {}, ...more });

const frame = (refId, { metric, values }, displayName, step) => {
  const { __name__: _, ...labels } = metric;
  return {
    refId, step, name: displayName,
    fields: [
      field("Time", "time", values.map(([at]) => at)),
      field("Value", "number", values.map(([, value]) => value), { labels, displayName }),
    ],
  };
};

const shared = (series) => {
  const [first, ...rest] = series.map((one) => one.metric);
  return Object.keys(first || {}).filter((key) => rest.length && rest.every((one) => one[key] === first[key]));
};

// The legend of a series, as legendFormat says; "__auto" names what tells series apart.
const name = ({ legendFormat }, metric, common, expr) => {
  const { __name__: metricName, ...labels } = metric;
  if (legendFormat && legendFormat !== "__auto") {
    return legendFormat.replace(/\{\{\s*(.+?)\s*\}\}/g, (_, key) => metric[key] ?? "");
  }
  const telling = Object.keys(labels).filter((key) => !common.includes(key));
  if (legendFormat === "__auto" && telling.length === 1) return labels[telling[0]];
  const text = Object.entries(labels).map(([key, value]) => `${key}="${value}"`).join(", ");
  return text ? `${metricName ?? ""}{${text}}` : metricName ?? expr;
};

// One row per series and instant, one column per label.
const table = (refId, series) => {
  const names = [...new Set(series.flatMap(({ metric }) => Object.keys(metric)))].sort();
  const rows = series.flatMap(({ metric, values }) => values.map(([at, value]) => [at, metric, value]));
  return {
    refId, name: refId,
    fields: [
      field("Time", "time", rows.map(([at]) => at)),
      ...names.map((key) => field(key, "string", rows.map(([, metric]) => metric[key] ?? ""))),
      field("Value", "number", rows.map(([, , value]) => value)),
    ],
  };
};

const bound = (metric) => (metric.le === "+Inf" ? Infinity : Number(metric.le));

// A field per bucket, with what fell into it alone: Prometheus' buckets hold those below as well.
const heatmap = (refId, series, step) => {
  const buckets = [...series].sort((a, b) => bound(a.metric) - bound(b.metric));
  const times = [...new Set(buckets.flatMap(({ values }) => values.map(([at]) => at)))].sort((a, b) => a - b);
  const columns = buckets.map(({ values }) => new Map(values));
  const alone = (number, at) => {
    const here = columns[number].get(at);
    return here === undefined ? null : Math.max(0, here - (number ? columns[number - 1].get(at) ?? 0 : 0));
  };
  return {
    refId, step, name: refId, heatmap: true,
    fields: [
      field("Time", "time", times),
      ...buckets.map(({ metric }, number) => field(metric.le ?? String(number), "number",
        times.map((at) => alone(number, at)), { labels: metric, bound: bound(metric) })),
    ],
  };
};
