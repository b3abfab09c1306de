// Heatmap: how many fell into each bucket, over time, by colour.

import { ramp } from "../colours.js";
import { el, isDark, svg } from "../dom.js";
import { drawEvents, frame, watch } from "../plot.js";
import { fullTime } from "../times.js";
import { write } from "../units.js";

export const heatmap = (place, panel, frames, context) => {
  const options = panel.options ?? {};
  const one = frames.find((other) => other.heatmap);
  const buckets = (one?.fields ?? []).filter((field) => field.type === "number");
  if (!buckets.length) return false;
  const times = one.fields[0].values;
  const floor = options.filterValues?.le ?? 1e-9;
  const found = buckets.flatMap((field) => field.values).filter((value) => value !== null && value > floor);
  const colours = scheme(options.color ?? {}, found);
  const unit = options.yAxis?.unit ?? buckets[0].config.unit;
  const names = buckets.map((field) => (field.bound === Infinity ? "+Inf" : Number.isFinite(field.bound) ? write(field.bound, unit, options.yAxis?.decimals) : field.title));
  const plot = el("div", { class: "plot" });
  place.replaceChildren(el("div", { class: "above" }, plot, options.legend?.show === false ? "" : scale(colours, options, buckets[0])));
  const every = Math.ceil(buckets.length / Math.max(1, (plot.clientHeight - 40) / 16));
  const axis = { side: "left", title: options.yAxis?.axisLabel, rows: names.map((name, at) => [(at + 1) / names.length, name]).filter((_, at) => (names.length - 1 - at) % every === 0) };
  const chart = frame(plot.clientWidth, plot.clientHeight, context.range, [axis]);
  const cells = { chart, step: one.step, tall: (chart.box.bottom - chart.box.top) / buckets.length, gap: options.cellGap ?? 1 };
  buckets.forEach((field, row) => times.forEach((ms, at) => {
    if (field.values[at] !== null && field.values[at] > floor) cell(cells, row, ms, colours.of(field.values[at]));
  }));
  drawEvents(chart, context.events);
  watch(chart, (ms, y) => under(chart, cells, buckets, names, times, ms, y), context.zoom);
  plot.append(chart.root);
  return true;
};

// Light is few and dark is many on white paper; on dark paper the other way round.
const scheme = ({ scheme: name = "Oranges", exponent = 0.5, scale: kind = "exponential", steps = 64, reverse = false, min, max }, values) => {
  const low = min ?? 0;
  const high = max ?? Math.max(...values, low + 1e-12);
  const turned = isDark() !== Boolean(reverse) && name !== "Spectral" && name !== "Turbo" && name !== "Viridis";
  const of = (value) => {
    const share = Math.min(1, Math.max(0, (value - low) / (high - low || 1)));
    const bent = kind === "exponential" ? share ** exponent : share;
    const even = Math.round(bent * (steps - 1)) / (steps - 1);
    return ramp(name, 0.12 + even * 0.88, turned);
  };
  return { of, low, high };
};

const cell = ({ chart, step, tall, gap }, row, ms, fill) => {
  const left = Math.max(chart.box.left, chart.x(ms - step));
  const width = Math.min(chart.box.right, chart.x(ms)) - left;
  if (width <= 0) return;
  const y = chart.box.bottom - (row + 1) * tall;
  chart.layer.append(svg("rect", { x: left, y, width: Math.max(0.5, width - gap + 0.4), height: Math.max(0.5, tall - gap + 0.2), fill, class: "cell" }));
};

const scale = (colours, options, field) => {
  const { unit = "short", decimals } = options.cellValues ?? {};
  const shades = Array.from({ length: 24 }, (_, at) => el("i", { style: { background: colours.of(colours.low + (colours.high - colours.low) * (at / 23)) } }));
  return el("div", { class: "legend ramp", title: field.title }, el("span", { text: write(colours.low, unit, decimals) }), ...shades, el("span", { text: write(colours.high, unit, decimals) }));
};

const under = (chart, { tall, step }, buckets, names, times, ms, y) => {
  const row = Math.floor((chart.box.bottom - y) / tall);
  const at = times.findIndex((time) => ms > time - step && ms <= time);
  const value = buckets[row]?.values[at];
  if (value === null || value === undefined) return null;
  const range = `${row ? names[row - 1] : "0"} to ${names[row]}`;
  return { heading: fullTime(times[at]), lines: [{ name: range, value: write(value, "short") }] };
};
