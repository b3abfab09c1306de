// Time ranges and the intervals that Grafana derives from them.

const UNITS_MS = { ms: 1, s: 1000, m: 60e3, h: 3600e3, d: 86400e3, w: 604800e3, y: 31536000e3 };
const ROUND = [[10, 1], [15, 10], [35, 20], [75, 50], [150, 100], [350, 200], [750, 500], [1500, 1e3], [3500, 2e3],
  [7500, 5e3], [12500, 10e3], [17500, 15e3], [25e3, 20e3], [45e3, 30e3], [90e3, 60e3], [210e3, 120e3], [450e3, 300e3],
  [750e3, 600e3], [1050e3, 900e3], [1500e3, 1200e3], [2700e3, 1800e3], [5400e3, 3600e3], [9000e3, 7200e3],
  [16200e3, 10800e3], [32400e3, 21600e3], [86400e3, 43200e3], [604800e3, 86400e3]];
const POINTS_MAX = 11000; // of one series, as Prometheus allows

// "90s", "1m30s" in ms; undefined for what is no duration.
export const duration = (text) => {
  const parts = [...String(text || "").matchAll(/(\d+(?:\.\d+)?)(ms|[smhdwy])/g)];
  if (!parts.length || parts.map(([whole]) => whole).join("") !== String(text).trim()) return undefined;
  return parts.reduce((sum, [, number, unit]) => sum + Number(number) * UNITS_MS[unit], 0);
};

// As Prometheus writes a duration.
export const written = (ms) => {
  const unit = ["d", "h", "m", "s"].find((one) => ms >= UNITS_MS[one] && ms % UNITS_MS[one] === 0) || "ms";
  return `${Math.round(ms / UNITS_MS[unit])}${unit}`;
};

// "now-5m" or milliseconds since 1970; undefined for anything else.
export const instant = (text, nowMs) => {
  if (/^\d{12,14}$/.test(text)) return Number(text);
  const [, offset] = /^now(?:-(\w+))?$/.exec(text) || [null, null];
  if (offset === null) return undefined;
  return offset === undefined ? nowMs : nowMs - (duration(offset) ?? NaN) || undefined;
};

export const rounded = (ms) => (ROUND.find(([below]) => ms < below) || [0, 604800e3])[1];

// {step, interval, rateInterval} in ms for a query over a range, drawn on so many points. `least` is the query's
// or panel's own smallest interval (or undefined), `scrape` that of the data source.
export const intervals = (rangeMs, points, least, scrape) => {
  const low = least ?? scrape;
  const interval = Math.max(rounded(rangeMs / Math.max(1, points)), low);
  const step = Math.max(interval, rounded(rangeMs / POINTS_MAX));
  return { step, interval, rateInterval: Math.max(step + low, 4 * low) };
};

// Ticks of a time axis: round local times, and how they are written.
const TICKS = [1e3, 2e3, 5e3, 10e3, 15e3, 30e3, 60e3, 120e3, 300e3, 600e3, 900e3, 1800e3, 3600e3, 7200e3, 10800e3,
  21600e3, 43200e3, 86400e3, 604800e3];

export const timeTicks = (fromMs, toMs, wanted) => {
  const rough = (toMs - fromMs) / Math.max(1, wanted);
  const step = TICKS.find((one) => one >= rough) || 2592000e3;
  const zone = new Date(fromMs).getTimezoneOffset() * 60e3;
  const found = [];
  for (let at = Math.ceil((fromMs - zone) / step) * step + zone; at <= toMs; at += step) {
    found.push([at, timeText(at, step)]);
  }
  return found;
};

const two = (number) => String(number).padStart(2, "0");

export const timeText = (ms, step) => {
  const at = new Date(ms);
  if (step >= 86400e3) return `${two(at.getMonth() + 1)}/${two(at.getDate())}`;
  const minutes = `${two(at.getHours())}:${two(at.getMinutes())}`;
  return step >= 60e3 ? minutes : `${minutes}:${two(at.getSeconds())}`;
};

export const fullTime = (ms) => {
  const at = new Date(ms);
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${timeText(ms, 1)}`;
};
