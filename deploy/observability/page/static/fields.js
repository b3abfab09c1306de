// Field configuration: what defaults and overrides make of a field, and a value as text and colour.

import { classic, css, hasRamp, ramp } from "./colours.js";
import { safeHref } from "./dom.js";
import { known, split } from "./units.js";

const COLOUR_MODES = ["thresholds", "palette-classic", "palette-classic-by-name", "fixed", "shades"];
const MATCHERS = {
  byName: (wanted) => (field) => field.displayName === wanted || field.name === wanted,
  byRegexp: (wanted) => {
    const [, rule, flags] = /^\/(.*)\/(\w*)$/s.exec(wanted) || [null, wanted, ""];
    const regexp = new RegExp(rule, flags);
    return (field) => regexp.test(field.displayName ?? field.name);
  },
  byType: (wanted) => (field) => field.type === wanted,
  byFrameRefID: (wanted) => (field) => field.refId === wanted,
  byNames: ({ names }) => (field) => names.includes(field.displayName ?? field.name),
};

// What of a field configuration is not understood: overrides' matchers, units, colours, mappings.
export const strangers = ({ defaults = {}, overrides = [] } = {}) => {
  const changed = overrides.map(({ properties }) => Object.fromEntries(properties.map(({ id, value }) => [id, value])));
  const matchers = overrides.filter(({ matcher }) => !(matcher.id in MATCHERS)).map(({ matcher }) => `override ${matcher.id}`);
  return [...matchers, ...[defaults, ...changed].flatMap(troubles)];
};

const put = (config, id, value) => {
  const [key, rest] = id.startsWith("custom.") ? ["custom", id.slice(7)] : [id, ""];
  if (!rest) return { ...config, [key]: value };
  const parts = rest.split(".");
  const custom = { ...config.custom };
  let at = custom;
  for (const part of parts.slice(0, -1)) {
    at[part] = { ...at[part] };
    at = at[part];
  }
  at[parts.at(-1)] = value;
  return { ...config, custom };
};

const rangeOf = (values) => values.filter(Number.isFinite).reduce(([low, high], one) => [Math.min(low, one), Math.max(high, one)], [Infinity, -Infinity]);

// Gives each field of the frames its `config` and `title`, numbers the series and resolves their colours.
// `range`: of all numbers of the panel, for ramps that have no ends of their own.
export const configure = (frames, { defaults = {}, overrides = [] }, fillIn) => {
  const rules = overrides.filter(({ matcher }) => matcher.id in MATCHERS)
    .map(({ matcher, properties }) => [MATCHERS[matcher.id](matcher.options), properties]);
  let series = 0;
  for (const frame of frames) {
    for (const field of frame.fields) {
      field.refId = field.refId ?? frame.refId;
      const basic = field.type === "time" ? { ...defaults, unit: undefined, decimals: undefined, color: undefined } : defaults;
      field.config = { ...basic, ...field.config };
      for (const [matches, properties] of rules) {
        if (!matches(field)) continue;
        for (const { id, value } of properties) field.config = put(field.config, id, value);
      }
      const named = field.config.displayName;
      field.title = named ? fillIn(named, fieldScope(field)) : field.displayName ?? field.name;
      if (field.type === "number") field.number = series++;
    }
  }
  const numbers = frames.flatMap(({ fields }) => fields.filter(({ type }) => type === "number"));
  const range = rangeOf(numbers.flatMap(({ values }) => values));
  for (const field of numbers) field.range = range;
  return frames;
};

// For ${__field...} and ${__series...} in titles and links.
const fieldScope = (field) => {
  const parts = (path) => {
    if (!path || path === "name" || path === "displayName") return field.title ?? field.displayName ?? field.name;
    const label = /^labels(?:\.(.+)|\["(.+)"\])$/.exec(path);
    return label ? field.labels[label[1] ?? label[2]] ?? "" : undefined;
  };
  return { __field: parts, __series: parts };
};

const troubles = (config) => {
  const mode = config.color?.mode;
  const found = [];
  if (!known(config.unit)) found.push(`unit ${config.unit}`);
  if (mode && !COLOUR_MODES.includes(mode) && !hasRamp(mode)) found.push(`color ${mode}`);
  for (const one of config.mappings || []) {
    if (!["value", "range", "special", "regex"].includes(one.type)) found.push(`mapping ${one.type}`);
  }
  return found;
};

const SPECIAL = {
  null: (value) => value === null || value === undefined, nan: (value) => Number.isNaN(value), true: (value) => value === true,
  false: (value) => value === false, empty: (value) => value === "",
};
SPECIAL["null+nan"] = (value) => SPECIAL.null(value) || SPECIAL.nan(value);

const mapped = (value, mappings) => {
  for (const { type, options } of mappings || []) {
    if (type === "value" && String(value) in options) return options[String(value)];
    if (type === "range" && typeof value === "number" && value >= (options.from ?? -Infinity) && value <= (options.to ?? Infinity)) return options.result;
    if (type === "special" && SPECIAL[options.match]?.(value)) return options.result;
    if (type === "regex" && new RegExp(options.pattern.replace(/^\/|\/$/g, "")).test(String(value))) return options.result;
  }
  return null;
};

// The colour of the highest step that the value reaches; percentages are of min..max.
const threshold = (value, config) => {
  const { mode, steps = [{ color: "green" }] } = config.thresholds || {};
  const at = mode === "percentage" ? (value - (config.min ?? 0)) / ((config.max ?? 100) - (config.min ?? 0)) * 100 : value;
  let colour = steps[0]?.color;
  for (const step of steps) {
    if (step.value === null || step.value === undefined || at >= step.value) colour = step.color;
  }
  return css(colour);
};

export const seriesColour = (field, value) => {
  const { color = {}, min = field.range?.[0] ?? 0, max = field.range?.[1] ?? 1 } = field.config;
  const mode = color.mode || "palette-classic";
  if (mode === "fixed" || mode === "shades") return css(color.fixedColor || "green");
  if (mode === "thresholds") return threshold(value, field.config);
  if (mode === "palette-classic-by-name") return classic([...field.title].reduce((sum, one) => (sum * 31 + one.charCodeAt(0)) >>> 0, 7));
  if (hasRamp(mode)) return ramp(mode, (value - min) / (max - min || 1));
  return classic(field.number ?? 0);
};

const isNothing = (value) => value === null || value === undefined || Number.isNaN(value);

// {text, prefix, suffix, colour, number} of one value of a field.
export const display = (field, value) => {
  const { config } = field;
  const found = mapped(value, config.mappings);
  const fallback = { ...config, color: { mode: "thresholds", ...config.color } };
  let colour = isNothing(value) ? css("text") : seriesColour({ ...field, config: fallback }, value);
  if (found?.color) colour = css(found.color);
  if (found?.text) return { text: found.text, suffix: "", colour, number: value, mapped: true };
  if (isNothing(value)) return { text: config.noValue ?? "", suffix: "", colour, number: null, mapped: Boolean(found) };
  if (typeof value !== "number") return { text: String(value), suffix: "", colour, number: null };
  const [text, suffix] = split(value, field.type === "time" ? config.unit || "dateTimeAsIso" : config.unit, config.decimals);
  return { text, suffix, colour, number: value, mapped: Boolean(found) };
};

export const textOf = (field, value) => {
  const { text, suffix } = display(field, value);
  return text + suffix;
};

// The data links of a value: [{title, href, blank}], filled in; what is no web address is left out.
export const links = (field, fillIn, { row, frame, value } = {}) => (field.config.links || []).map((one) => {
  const scope = {
    ...fieldScope(field),
    __value: (path) => ({ raw: value, numeric: value, text: textOf(field, value), time: "" })[path ?? "raw"],
    __data: (path) => {
      const wanted = /^fields(?:\.([^[\]"]+)|\["?(.+?)"?\])/.exec(path || "");
      const key = wanted && (wanted[1] ?? wanted[2]);
      const found = frame?.fields.find((other) => other.name === key || other.title === key) ?? frame?.fields[key];
      return found ? found.values[row] : undefined;
    },
  };
  return { title: fillIn(one.title || "Open", scope), href: safeHref(fillIn(one.url, scope, "raw")), blank: Boolean(one.targetBlank) };
}).filter((one) => one.href);

// What Grafana calls calculations, over the numbers of a field that are numbers.
const CALCS = {
  lastNotNull: (values) => values.at(-1), last: (values) => values.at(-1), firstNotNull: (values) => values[0],
  first: (values) => values[0], min: (values) => Math.min(...values), max: (values) => Math.max(...values),
  mean: (values) => CALCS.sum(values) / values.length, sum: (values) => values.reduce((sum, one) => sum + one, 0),
  count: (values) => values.length, range: (values) => CALCS.max(values) - CALCS.min(values),
  diff: (values) => values.at(-1) - values[0], delta: (values) => values.slice(1).reduce((sum, one, at) => sum + Math.max(0, one - values[at]), 0),
};
export const CALC_NAMES = { lastNotNull: "Last *", last: "Last", firstNotNull: "First *", first: "First", min: "Min", max: "Max",
  mean: "Mean", sum: "Total", count: "Count", range: "Range", diff: "Difference", delta: "Delta" };

export const calculate = (name, values) => {
  const there = values.filter((one) => !isNothing(one));
  if (!there.length) return null;
  if (!CALCS[name]) throw new Error(`calculation ${name} is not supported by the preview`);
  return CALCS[name](there);
};
