// Time series: lines, areas, bars and points, stacked or not, on one or two axes.

import { axesOf, stack } from "../axes.js";
import { faded } from "../colours.js";
import { el, svg } from "../dom.js";
import { calculate, links, seriesColour, textOf } from "../fields.js";
import { legend } from "../legend.js";
import { drawEvents, drawThresholds, frame, watch } from "../plot.js";
import { linkList } from "../links.js";

const GAP = 1.9; // steps without a value after which a line is interrupted

export const timeseries = (place, panel, frames, context) => {
  const series = seriesOf(frames);
  if (!series.length) return false;
  const hidden = context.state.hidden ??= new Set();
  const redraw = () => timeseries(place, panel, frames, context);
  const plot = el("div", { class: "plot" });
  const right = panel.options?.legend?.placement === "right";
  place.replaceChildren(el("div", { class: right ? "beside" : "above" }, plot, legend(series, panel.options?.legend, hidden, redraw) ?? ""));
  const shown = series.filter((one) => !hidden.has(one.title));
  stack(shown);
  const axes = axesOf(shown);
  const chart = frame(plot.clientWidth, plot.clientHeight, context.range, axes);
  const defaults = panel.fieldConfig?.defaults ?? {};
  drawThresholds(chart, 0, defaults.custom?.thresholdsStyle, defaults.thresholds);
  for (const one of shown) draw(chart, one);
  drawEvents(chart, context.events);
  watch(chart, (ms) => nearest(shown, ms, panel.options?.tooltip), context.zoom);
  plot.append(chart.root);
  openLinks(chart, shown, context);
  return true;
};

const seriesOf = (frames) => frames.flatMap((one) => {
  const times = one.fields.find((field) => field.type === "time");
  return one.fields.filter((field) => field.type === "number" && times && !field.config.custom?.hideFrom?.viz).map((field) => {
    const custom = field.config.custom ?? {};
    const last = calculate("lastNotNull", field.values);
    return { field, title: field.title, times: times.values, values: field.values, step: one.step, custom, colour: seriesColour(field, last), frame: one };
  });
});

// Runs of points that belong together: [[x, yHigh, yLow], ...].
const runs = (chart, one) => {
  const y = chart.y(one.axis);
  const span = one.custom.spanNulls === true;
  const gap = typeof one.custom.spanNulls === "number" ? one.custom.spanNulls : one.step * GAP;
  const zero = Math.min(chart.box.bottom, Math.max(chart.box.top, y(0)));
  const found = [];
  let before = -Infinity;
  one.times.forEach((ms, at) => {
    const value = one.high[at];
    if (value === null || !Number.isFinite(value)) return;
    if (one.stacked && !one.values[at]) return; // it adds nothing: its line would hide the one below it
    if (!found.length || (!span && ms - before > gap)) found.push([]);
    found.at(-1).push([chart.x(ms), y(value), one.stacked ? y(one.low[at]) : Number.isFinite(zero) ? zero : chart.box.bottom]);
    before = ms;
  });
  return found;
};

const line = (points, how) => points.map(([x, y], at) => {
  if (!at) return `M${x.toFixed(1)},${y.toFixed(1)}`;
  const [beforeX, beforeY] = points[at - 1];
  if (how === "stepAfter") return `H${x.toFixed(1)}V${y.toFixed(1)}`;
  if (how === "stepBefore") return `V${y.toFixed(1)}H${x.toFixed(1)}`;
  if (how === "smooth") {
    const middle = ((beforeX + x) / 2).toFixed(1);
    return `C${middle},${beforeY.toFixed(1)} ${middle},${y.toFixed(1)} ${x.toFixed(1)},${y.toFixed(1)}`;
  }
  return `L${x.toFixed(1)},${y.toFixed(1)}`;
}).join("");

const draw = (chart, one) => {
  const { drawStyle = "line", lineWidth = 1, fillOpacity = 0, lineInterpolation = "linear", showPoints = "auto", pointSize = 5 } = one.custom;
  const group = svg("g", { class: "series", "data-title": one.title });
  const pieces = runs(chart, one);
  if (drawStyle === "bars") bars(chart, one, pieces, group, fillOpacity);
  for (const points of drawStyle === "bars" ? [] : pieces) {
    if (drawStyle === "line") {
      const path = line(points, lineInterpolation);
      if (fillOpacity) {
        const back = line(points.map(([x, , low]) => [x, low]).reverse(), lineInterpolation === "linear" ? "linear" : { stepAfter: "stepBefore", stepBefore: "stepAfter" }[lineInterpolation] ?? "smooth");
        group.append(svg("path", { d: `${path}L${back.slice(1)}Z`, fill: faded(one.colour, fillOpacity / 100), class: "area" }));
      }
      if (lineWidth) group.append(svg("path", { d: path, fill: "none", stroke: one.colour, "stroke-width": lineWidth, "stroke-dasharray": dashes(one.custom.lineStyle), class: "line" }));
    }
    const sparse = points.length === 1 || (points.length > 1 && (points.at(-1)[0] - points[0][0]) / points.length > 4 * pointSize);
    if (drawStyle === "points" || showPoints === "always" || (showPoints === "auto" && sparse)) {
      points.forEach(([cx, cy]) => group.append(svg("circle", { cx, cy, r: pointSize / 2, fill: one.colour })));
    }
  }
  chart.layer.append(group);
};

const dashes = (style) => (style?.fill === "dash" ? (style.dash ?? [10, 10]).join(" ") : style?.fill === "dot" ? (style.dash ?? [0, 10]).join(" ") : undefined);

const bars = (chart, one, pieces, group, fillOpacity) => {
  const wide = Math.max(1, one.step / (chart.range.to - chart.range.from) * chart.box.width * 0.7);
  for (const [x, high, low] of pieces.flat()) {
    group.append(svg("rect", { x: x - wide / 2, y: Math.min(high, low), width: wide, height: Math.abs(low - high), fill: faded(one.colour, fillOpacity / 100), stroke: one.colour, class: "bar" }));
  }
};

const nearest = (series, ms, { mode = "single", sort = "none" } = {}) => {
  if (mode === "none") return null;
  const found = series.map((one) => {
    const at = one.times.reduce((best, time, here) => (Math.abs(time - ms) < Math.abs(one.times[best] - ms) ? here : best), 0);
    return { one, at, value: one.values[at], time: one.times[at] };
  }).filter(({ value, time, one }) => value !== null && value !== undefined && Math.abs(time - ms) <= Math.max(one.step, 1000) * GAP);
  if (!found.length) return null;
  if (sort !== "none") found.sort((a, b) => (a.value - b.value) * (sort === "desc" ? -1 : 1));
  const lines = found.slice(0, 30).map(({ one, value }) => ({ colour: one.colour, name: one.title, value: textOf(one.field, value) }));
  return { at: found[0].time, lines };
};

// A click on the plot offers the links of the series that is nearest.
const openLinks = (chart, series, context) => {
  if (!series.some((one) => one.field.config.links?.length)) return;
  chart.root.addEventListener("click", (event) => {
    const area = chart.root.getBoundingClientRect();
    const [x, y] = [event.clientX - area.left, event.clientY - area.top];
    const away = (one) => Math.min(...runs(chart, one).flat().map(([pointX, pointY]) => Math.hypot(pointX - x, pointY - y)));
    const [best] = series.map((one) => [away(one), one]).filter(([far]) => far < 30).sort(([a], [b]) => a - b);
    if (best) linkList(event, links(best[1].field, context.fillIn, { frame: best[1].frame, row: 0, value: best[1].values.at(-1) }));
  });
};
