// Stat: one large number per value, its colour by thresholds, and how it went below it.

import { css, faded, inkOn } from "../colours.js";
import { el, svg, widthOf } from "../dom.js";
import { display, links } from "../fields.js";
import { anchor } from "../links.js";
import { reduce } from "../reduce.js";

const LARGEST = 64;
const FACE = "Inter, 'DejaVu Sans', sans-serif";

export const stat = (place, panel, frames, context) => {
  const options = panel.options ?? {};
  const values = reduce(frames, options.reduceOptions);
  if (!values.length) return false;
  const cells = el("div", { class: "stats" });
  place.replaceChildren(cells);
  const wide = cells.clientWidth >= cells.clientHeight;
  const along = options.orientation === "vertical" || (options.orientation !== "horizontal" && !wide) ? "column" : "row";
  cells.style.flexDirection = along;
  const room = [cells.clientWidth, cells.clientHeight].map((one, at) => ((at === 0) === (along === "row") ? one / values.length - 4 : one));
  const named = options.textMode === "value_and_name" || options.textMode === "name" || (values.length > 1 && options.textMode !== "value" && options.textMode !== "none");
  const size = sizeOf(values, options, room, named);
  cells.append(...values.map((one) => cell(one, options, room, size, named, context)));
  return true;
};

// The largest size at which every value fits.
const sizeOf = (values, options, [width, height], named) => {
  if (options.text?.valueSize) return options.text.valueSize;
  const most = Math.max(...values.map((one) => {
    const { text, suffix } = display(one.field, one.value);
    return widthOf(text, `500 100px ${FACE}`) + widthOf(suffix, `500 60px ${FACE}`);
  }));
  const graph = options.graphMode === "area" ? 0.62 : 0.8;
  return Math.max(11, Math.min(LARGEST, (width - 20) / most * 100, (height - (named ? 18 : 0)) * graph));
};

const cell = (one, options, room, size, named, context) => {
  const { text, suffix, colour } = display(one.field, one.value);
  const mode = options.colorMode ?? "value";
  const filled = mode.startsWith("background");
  const ink = filled ? inkOn(colour) : mode === "none" ? css("text") : colour;
  const number = el("div", { class: "value", style: { fontSize: `${size}px`, color: ink } },
    options.textMode === "name" ? one.title : text, el("span", { class: "suffix", text: options.textMode === "name" ? "" : suffix }));
  const [first] = links(one.field, context.fillIn, one);
  const centre = options.justifyMode !== "auto" && options.justifyMode ? "center" : named ? "flex-start" : "center";
  return el("div", { class: "stat", "data-value": one.value, "data-title": one.title, style: { background: filled ? colour : "", alignItems: centre, color: ink } },
    options.graphMode === "area" && one.values.length > 1 ? spark(one, room, filled ? ink : colour) : null,
    named && options.textMode !== "name" ? el("div", { class: "name", text: one.title, title: one.title }) : null,
    first ? el("a", { href: first.href, title: first.title, class: "cover" }, number) : number);
};

const spark = (one, [width, height], colour) => {
  const { config } = one.field;
  const there = one.values.map((value, at) => [at, value]).filter(([, value]) => Number.isFinite(value));
  const low = config.min ?? Math.min(...there.map(([, value]) => value));
  const high = config.max ?? Math.max(...there.map(([, value]) => value));
  const tall = height * 0.35;
  const x = (at) => (at / (one.values.length - 1) * width).toFixed(1);
  const y = (value) => (tall - 2 - (high > low ? (value - low) / (high - low) : 0) * (tall - 4)).toFixed(1);
  const path = there.map(([at, value], number) => `${number ? "L" : "M"}${x(at)},${y(value)}`).join("");
  const [start, end] = [there[0]?.[0] ?? 0, there.at(-1)?.[0] ?? 0];
  return svg("svg", { class: "spark", width, height: tall, preserveAspectRatio: "none" },
    svg("path", { d: `${path}L${x(end)},${tall}L${x(start)},${tall}Z`, fill: faded(colour, 0.25) }),
    svg("path", { d: path, fill: "none", stroke: colour, "stroke-width": 1.2 }));
};
