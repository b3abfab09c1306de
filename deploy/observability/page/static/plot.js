// The frame of a chart over time: axes, grid, annotations, pointer. What is drawn in it is its caller's.

import { css, faded } from "./colours.js";
import { svg, widthOf } from "./dom.js";
import { fullTime, timeTicks } from "./times.js";
import { hideTip, showTip } from "./tip.js";
import { ticks, tickText } from "./units.js";

const TIME_HEIGHT = 22;
const TOP = 8;
const TICK_APART = 38;

// A value scale from `low` to `high` on so many pixels: {at(value), ticks: [[value, text]]}.
export const scaleOf = ({ low, high, unit, decimals, log }, pixels) => {
  if (log) return logScale(low, high, unit, decimals, pixels);
  const values = ticks(low, high, Math.max(2, Math.floor(pixels / TICK_APART)), unit);
  const texts = tickText(values, unit, decimals);
  return { at: (value) => (value - low) / (high - low || 1), ticks: values.map((value, at) => [value, texts[at]]) };
};

const logScale = (low, high, unit, decimals, pixels) => {
  const base = log10(high / low) > 1 ? 10 : 2;
  const span = Math.log(high / low) || 1;
  const first = Math.ceil(Math.log(low) / Math.log(base) - 1e-9);
  const values = [];
  for (let power = first; base ** power <= high * 1.0001; power += 1) values.push(base ** power);
  const every = Math.ceil(values.length / Math.max(2, pixels / TICK_APART));
  const shown = values.filter((_, at) => at % every === 0);
  return { at: (value) => Math.log(Math.max(value, low) / low) / span, ticks: shown.map((value) => [value, tickText([value], unit, decimals)[0]]) };
};
const log10 = Math.log10;

const axisWidth = (texts, title) => Math.ceil(Math.max(18, ...texts.map((text) => widthOf(text)))) + 10 + (title ? 16 : 0);

// An empty chart: {root, box, x, ys, layer}. `axes` are {low, high, unit, ..., title, side}, or {rows: [[share, text]]}.
export const frame = (width, height, range, axes) => {
  const box = { top: TOP, bottom: height - TIME_HEIGHT, left: 4, right: width - 12 };
  const pixels = Math.max(1, box.bottom - box.top);
  const ys = axes.map((axis) => (axis.rows ? { at: null, ticks: axis.rows } : scaleOf(axis, pixels)));
  const room = (side) => Math.max(0, ...axes.map((axis, at) => (axis.side === side && !axis.hidden ? axisWidth(ys[at].ticks.map(([, text]) => text), axis.title) : 0)));
  box.left = Math.min(width / 2.5, Math.max(box.left, room("left")));
  box.right = width - Math.max(12, room("right"));
  box.width = Math.max(1, box.right - box.left);
  const x = (ms) => box.left + (ms - range.from) / (range.to - range.from) * box.width;
  const root = svg("svg", { width, height, class: "chart" });
  drawTimes(root, box, range, x, height);
  axes.forEach((axis, at) => { if (!axis.hidden) drawAxis(root, box, axis, ys[at], pixels, width, at); });
  const layer = svg("g", {});
  root.append(layer);
  const scale = (at) => (value) => box.bottom - ys[at].at(value) * pixels;
  return { root, box, x, y: scale, layer, range, width, height };
};

const drawTimes = (root, box, range, x, height) => {
  for (const [at, text] of timeTicks(range.from, range.to, Math.max(2, Math.floor(box.width / 80)))) {
    const here = x(at);
    root.append(svg("line", { x1: here, x2: here, y1: box.top, y2: box.bottom, class: "grid" }));
    const half = widthOf(text) / 2;
    if (here - half < box.left - 20 || here + half > root.getAttribute("width")) continue;
    root.append(svg("text", { x: here, y: height - 6, "text-anchor": "middle", class: "tick", text }));
  }
};

const drawAxis = (root, box, axis, scale, pixels, width, number) => {
  const left = axis.side === "left";
  const rows = Boolean(axis.rows);
  for (const [value, text] of scale.ticks) {
    const y = rows ? box.bottom - value * pixels : box.bottom - scale.at(value) * pixels;
    if (y < box.top - 1 || y > box.bottom + 1) continue;
    if (number === 0 && !rows) root.append(svg("line", { x1: box.left, x2: box.right, y1: y, y2: y, class: "grid" }));
    root.append(svg("text", { x: left ? box.left - 6 : box.right + 6, y: y + 4, "text-anchor": left ? "end" : "start", class: "tick", text }));
  }
  if (!axis.title) return;
  const at = left ? 11 : width - 5;
  const middle = (box.top + box.bottom) / 2;
  root.append(svg("text", { x: at, y: middle, "text-anchor": "middle", class: "tick", transform: `rotate(-90 ${at} ${middle})`, text: axis.title }));
};

// Thresholds as lines or areas over the chart's first axis.
export const drawThresholds = (chart, axis, { mode = "off" } = {}, thresholds) => {
  if (mode === "off" || thresholds?.mode === "percentage") return;
  const steps = thresholds?.steps ?? [];
  const inside = (value) => Math.min(chart.box.bottom, Math.max(chart.box.top, chart.y(axis)(value)));
  steps.forEach((step, at) => {
    const colour = css(step.color);
    if (colour === "transparent") return;
    const from = step.value === null || step.value === undefined ? chart.box.bottom : inside(step.value);
    const to = at + 1 < steps.length ? inside(steps[at + 1].value) : chart.box.top;
    if (mode.includes("area")) {
      chart.layer.append(svg("rect", { x: chart.box.left, y: to, width: chart.box.width, height: Math.max(0, from - to), fill: faded(colour, 0.08) }));
    }
    if ((mode.includes("line") || mode.includes("dashed")) && at && from > chart.box.top && from < chart.box.bottom) {
      chart.layer.append(svg("line", { x1: chart.box.left, x2: chart.box.right, y1: from, y2: from, stroke: colour, class: "threshold",
        "stroke-dasharray": mode.includes("dashed") ? "8 6" : undefined }));
    }
  });
};

// What happened, as lines and bands over the whole height, each with a handle to point at.
export const drawEvents = (chart, events) => {
  for (const event of events) {
    const [from, to] = [event.from, event.to].map((ms) => Math.min(chart.range.to, Math.max(chart.range.from, ms)));
    if (event.to < chart.range.from || event.from > chart.range.to) continue;
    const [left, right] = [chart.x(from), chart.x(to)];
    const { top, bottom } = chart.box;
    if (right - left > 3) chart.layer.append(svg("rect", { x: left, y: top, width: right - left, height: bottom - top, fill: faded(event.colour, 0.09), class: "region" }));
    for (const at of right - left > 3 ? [left, right] : [left]) {
      chart.layer.append(svg("line", { x1: at, x2: at, y1: top, y2: bottom, stroke: event.colour, class: "event" }));
    }
    const handle = right - left > 3
      ? svg("rect", { x: left, y: bottom, width: right - left, height: 4, fill: event.colour, class: "handle" })
      : svg("path", { d: `M${left - 5},${bottom + 7}h10l-5,-7z`, fill: event.colour, class: "handle" });
    const when = event.to > event.from ? `${fullTime(event.from)} to ${fullTime(event.to).slice(11)}` : fullTime(event.from);
    handle.addEventListener("pointermove", (pointer) => {
      pointer.stopPropagation();
      showTip(pointer, when, [{ colour: event.colour, name: event.title, value: "" }, ...event.lines.map((name) => ({ name, value: "" }))]);
    });
    handle.addEventListener("pointerleave", () => hideTip());
    chart.root.append(handle);
  }
};

// Pointer over the plot: a cross hair and the tip's lines; a drag chooses a shorter time.
export const watch = (chart, lines, zoom) => {
  const { root, box, range } = chart;
  const hair = svg("line", { y1: box.top, y2: box.bottom, class: "hair", visibility: "hidden" });
  const band = svg("rect", { y: box.top, height: box.bottom - box.top, class: "band", visibility: "hidden" });
  root.append(band, hair);
  const timeAt = (event) => {
    const at = Math.min(box.right, Math.max(box.left, event.clientX - root.getBoundingClientRect().left));
    return [at, range.from + (at - box.left) / box.width * (range.to - range.from)];
  };
  let began = null;
  root.addEventListener("pointermove", (event) => {
    const [at, ms] = timeAt(event);
    const y = event.clientY - root.getBoundingClientRect().top;
    if (began !== null) {
      fillIn(band, { x: Math.min(at, began[0]), width: Math.abs(at - began[0]), visibility: "visible" });
    }
    const found = y <= box.bottom ? lines(ms, y) : null;
    fillIn(hair, { x1: at, x2: at, visibility: found ? "visible" : "hidden" });
    if (found) showTip(event, found.heading ?? fullTime(found.at ?? ms), found.lines, root);
    else hideTip(root);
  });
  root.addEventListener("pointerleave", () => {
    began = null;
    hideTip(root);
    for (const one of [hair, band]) one.setAttribute("visibility", "hidden");
  });
  root.addEventListener("pointerdown", (event) => { began = timeAt(event); });
  root.addEventListener("pointerup", (event) => {
    const [at, ms] = timeAt(event);
    if (began && Math.abs(at - began[0]) > 8) zoom(Math.min(ms, began[1]), Math.max(ms, began[1]));
    began = null;
  });
};

const fillIn = (made, attributes) => Object.entries(attributes).forEach(([name, value]) => made.setAttribute(name, value));
