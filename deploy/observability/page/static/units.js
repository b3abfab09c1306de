// Numbers as Grafana writes them: units, prefixes, decimals. What it does not know it says: known().

import { fullTime } from "./times.js";

const SI = ["", "k", "M", "G", "T", "P"];
const IEC = ["", "Ki", "Mi", "Gi", "Ti", "Pi"];
const COUNT = ["", "K", "M", "B", "T"];
const SHORT = ["", " K", " Mil", " Bil", " Tri"];
const SMALL = ["", "m", "µ", "n", "p"];

// Three digits that count, and none behind the point of a whole number.
const autoDecimals = (value) => {
  if (!value || !Number.isFinite(value) || value % 1 === 0) return 0;
  return Math.min(20, Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value)))));
};

const fixed = (value, decimals) => value.toFixed(decimals ?? autoDecimals(value));

const scaled = (factor, names, suffix) => (value, decimals) => {
  let step = 0;
  let size = value;
  while (Math.abs(size) >= factor && step < names.length - 1) {
    size /= factor;
    step += 1;
  }
  return [fixed(size, decimals), `${names[step]}${suffix}`];
};

// With prefixes down to pico as well: volts, hertz.
const prefixed = (unit) => (value, decimals) => {
  let step = 0;
  let size = value;
  while (size && Math.abs(size) < 1 && step < SMALL.length - 1) {
    size *= 1000;
    step += 1;
  }
  return step ? [fixed(size, decimals), ` ${SMALL[step]}${unit}`] : spaced(1000, SI, unit)(value, decimals);
};

const spaced = (factor, names, unit) => (value, decimals) => {
  const [text, suffix] = scaled(factor, names, unit)(value, decimals);
  return [text, ` ${suffix}`];
};

const count = (unit) => (value, decimals) => {
  const [text, suffix] = scaled(1000, COUNT, "")(value, decimals);
  return [text, `${suffix} ${unit}`];
};

const plain = (unit) => (value, decimals) => [fixed(value, decimals), unit];

const TIMES = [[1e-6, 1e-9, " ns"], [1e-3, 1e-6, " µs"], [1, 1e-3, " ms"], [60, 1, " s"], [3600, 60, " min"],
  [86400, 3600, " hour"], [604800, 86400, " day"], [31536000, 604800, " week"], [Infinity, 31536000, " year"]];

const time = (unitSeconds, unit) => (value, decimals) => {
  if (value === 0) return ["0", unit];
  const seconds = Math.abs(value) * unitSeconds;
  const [, size, name] = TIMES.find(([below]) => seconds < below * (1 - 1e-12));
  return [fixed(value * unitSeconds / size, decimals), name];
};

const iso = (ms) => [fullTime(ms), ""];
const isoToday = (ms) => {
  const [day, clock] = fullTime(ms).split(" ");
  return fullTime(Date.now()).startsWith(day) ? [clock, ""] : iso(ms);
};

const fromNow = (ms) => {
  const seconds = (Date.now() - ms) / 1000;
  const [text, unit] = time(1, " s")(Math.abs(seconds), 0);
  return [seconds < 0 ? `in ${text}${unit}` : `${text}${unit} ago`, ""];
};

const UNITS = {
  none: plain(""), short: scaled(1000, SHORT, ""), string: plain(""), locale: (value) => [value.toLocaleString("en-US"), ""],
  percent: plain("%"), percentunit: (value, decimals) => [fixed(value * 100, decimals), "%"],
  ns: time(1e-9, " ns"), "µs": time(1e-6, " µs"), ms: time(1e-3, " ms"), s: time(1, " s"), m: time(60, " min"),
  bytes: spaced(1024, IEC, "B"), decbytes: spaced(1000, SI, "B"), binBps: spaced(1024, IEC, "B/s"),
  Bps: spaced(1000, SI, "B/s"), bps: spaced(1000, SI, "b/s"), binbps: spaced(1024, IEC, "b/s"),
  bits: spaced(1024, IEC, "b"), decbits: spaced(1000, SI, "b"), hertz: prefixed("Hz"), volt: prefixed("V"),
  watt: prefixed("W"), celsius: plain(" °C"), bool: (value) => [value ? "True" : "False", ""],
  bool_on_off: (value) => [value ? "On" : "Off", ""], bool_yes_no: (value) => [value ? "Yes" : "No", ""],
  ops: count("ops/s"), reqps: count("req/s"), cps: count("c/s"), rps: count("rd/s"), wps: count("wr/s"),
  iops: count("io/s"), eps: count("evt/s"), mps: count("msg/s"), recps: count("rec/s"), rowsps: count("rows/s"),
  pps: count("p/s"), opm: count("ops/min"), reqpm: count("req/min"),
  dateTimeAsIso: iso, dateTimeAsIsoNoDateIfToday: isoToday, dateTimeAsLocal: iso, dateTimeFromNow: fromNow,
};

export const known = (unit) => !unit || unit in UNITS || /^(suffix|prefix|si|count|time):/.test(unit);

const ownUnit = (unit) => {
  const [kind, rest] = [unit.slice(0, unit.indexOf(":")), unit.slice(unit.indexOf(":") + 1)];
  if (kind === "si") return spaced(1000, SI, rest);
  if (kind === "count") return count(rest);
  if (kind === "suffix") return plain(rest);
  return plain("");
};

// [number, suffix] of a value; decimals undefined: as Grafana chooses them.
export const split = (value, unit, decimals) => {
  if (value === null || value === undefined || Number.isNaN(value)) return ["", ""];
  if (!Number.isFinite(value)) return [value > 0 ? "∞" : "-∞", ""];
  const own = unit && unit.startsWith("prefix:") ? unit.slice(7) : "";
  const write = UNITS[unit || "short"] || (unit.includes(":") ? ownUnit(unit) : plain(` ${unit}`));
  const [text, suffix] = write(value, decimals ?? undefined);
  return [own + text, suffix];
};

export const write = (value, unit, decimals) => split(value, unit, decimals).join("");

// Round ticks between two values; of a unit in steps of 1024 they are round in that.
export const ticks = (low, high, wanted, unit) => {
  const span = high - low;
  if (!(span > 0) || !Number.isFinite(span)) return [low];
  const rough = span / Math.max(1, wanted);
  let base = 10 ** Math.floor(Math.log10(rough));
  let steps = [1, 2, 2.5, 5, 10];
  if (/^(bytes|binBps|binbps|bits)$/.test(unit || "")) {
    base = 2 ** Math.floor(Math.log2(rough));
    steps = [1, 2];
  }
  if (/^s$/.test(unit || "") && rough > 30) steps = [1, 3, 6, 12];
  const step = base * (steps.find((one) => one * base >= rough * 0.999) || steps.at(-1));
  const found = [];
  for (let number = Math.ceil(low / step - 1e-9); number * step <= high + step * 1e-9; number += 1) {
    found.push(Number((number * step).toPrecision(12)));
  }
  return found;
};

// As many decimals as it takes that no tick is rounded.
export const tickText = (values, unit, decimals) => {
  const exact = (digits) => values.every((value) =>
    Number(split(value, unit, digits)[0]) === Number(split(value, unit, digits + 3)[0]));
  const digits = decimals ?? [0, 1, 2, 3].find(exact);
  return values.map((value) => write(value, unit, digits));
};
