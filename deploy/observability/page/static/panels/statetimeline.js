// State timeline: a row per field, a block for as long as its value stays the same.

import { css, faded, inkOn } from "../colours.js";
import { el, svg, widthOf } from "../dom.js";
import { display } from "../fields.js";
import { drawEvents, frame, watch } from "../plot.js";
import { fullTime } from "../times.js";

const GAP = 1.9;
const ROWS_MAX = 64;

export const statetimeline = (place, panel, frames, context) => {
  const { rowHeight = 0.9, mergeValues = true, showValue = "auto", legend = {} } = panel.options ?? {};
  const rows = frames.flatMap((one) => {
    const times = one.fields.find((field) => field.type === "time");
    return times ? one.fields.filter((field) => field !== times).map((field) => ({ field, title: field.title, blocks: blocksOf(field, times.values, one.step, mergeValues, context.range.to) })) : [];
  }).slice(0, ROWS_MAX);
  if (!rows.length) return false;
  const plot = el("div", { class: "plot" });
  place.replaceChildren(el("div", { class: "above" }, plot, legend.showLegend === false || legend.displayMode === "hidden" ? "" : states(rows)));
  const widest = plot.clientWidth * 0.3;
  const axis = { side: "left", rows: rows.map((one, at) => [1 - (at + 0.5) / rows.length, shortened(one.title, widest)]) };
  const chart = frame(plot.clientWidth, plot.clientHeight, context.range, [axis]);
  const tall = (chart.box.bottom - chart.box.top) / rows.length;
  rows.forEach((one, at) => {
    const { fillOpacity = 70, lineWidth = 0 } = one.field.config.custom ?? {};
    for (const block of one.blocks) draw(chart, block, chart.box.top + (at + (1 - rowHeight) / 2) * tall, tall * rowHeight, { fillOpacity, lineWidth, showValue });
  });
  drawEvents(chart, context.events);
  watch(chart, (ms, y) => under(rows, chart, tall, ms, y), context.zoom);
  plot.append(chart.root);
  return true;
};

const shortened = (text, width) => {
  let kept = text;
  while (kept.length > 4 && widthOf(kept) > width) kept = kept.slice(0, -1);
  return kept === text ? text : `${kept}…`;
};

const blocksOf = (field, times, step, mergeValues, end) => {
  const blocks = [];
  times.forEach((ms, at) => {
    const value = field.values[at];
    const last = blocks.at(-1);
    if (last && ms - last.until <= step * GAP) last.to = ms;
    if (value === null || value === undefined) return;
    const shown = display(field, value);
    if (last && mergeValues && last.to === ms && last.shown.text === shown.text && last.shown.colour === shown.colour) last.until = ms;
    else blocks.push({ from: ms, until: ms, to: ms, shown });
  });
  for (const one of blocks) one.to = Math.max(one.to, Math.min(end, one.until + step));
  return blocks;
};

const draw = (chart, { from, to, shown }, y, height, { fillOpacity, lineWidth, showValue }) => {
  const left = Math.max(chart.box.left, chart.x(from));
  const width = Math.min(chart.box.right, chart.x(to)) - left;
  if (!(width > 0)) return;
  const words = shown.text + shown.suffix;
  chart.layer.append(svg("rect", { x: left, y, width, height, fill: faded(shown.colour, fillOpacity / 100), stroke: lineWidth ? shown.colour : undefined, "stroke-width": lineWidth, class: "state", "data-state": words }));
  const fits = widthOf(words) + 6 < width && height > 11;
  if (showValue === "never" || (showValue === "auto" && !fits)) return;
  chart.layer.append(svg("text", { x: left + 5, y: y + height / 2 + 4, class: "state-text", fill: fillOpacity > 50 ? inkOn(shown.colour) : css("text"), text: words }));
};

const states = (rows) => {
  const seen = new Map(rows.flatMap((one) => one.blocks).map(({ shown }) => [shown.text + shown.suffix, shown.colour]));
  return el("div", { class: "legend list" }, ...[...seen].slice(0, 20).map(([text, colour]) =>
    el("span", { class: "key" }, el("i", { class: "swatch", style: { background: colour } }), text)));
};

const under = (rows, chart, tall, ms, y) => {
  const one = rows[Math.floor((y - chart.box.top) / tall)];
  const block = one?.blocks.find(({ from, to }) => ms >= from && ms < to);
  if (!block) return null;
  const heading = `${fullTime(block.from)} to ${fullTime(block.to).slice(11)}`;
  return { heading, lines: [{ colour: block.shown.colour, name: one.title, value: block.shown.text + block.shown.suffix }] };
};
