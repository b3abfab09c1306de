// Bar gauge: one horizontal bar per value, on a common scale.

import { css, faded } from "../colours.js";
import { el, widthOf } from "../dom.js";
import { display, links } from "../fields.js";
import { anchor, linkList } from "../links.js";
import { reduce } from "../reduce.js";

const TALLEST = 34;
const SHORTEST = 20;

export const bargauge = (place, panel, frames, context) => {
  const options = panel.options ?? {};
  const values = reduce(frames, options.reduceOptions);
  if (!values.length) return false;
  const numbers = values.map((one) => one.value).filter((value) => Number.isFinite(value));
  const ends = { low: Math.min(0, ...numbers), high: Math.max(...numbers, 0) };
  const list = el("div", { class: "bars scrolls" });
  place.replaceChildren(list);
  const apart = 4;
  const tall = Math.max(SHORTEST, Math.min(options.maxVizHeight || TALLEST, TALLEST, list.clientHeight / values.length - apart));
  const above = options.namePlacement === "top" || (options.namePlacement !== "left" && tall >= TALLEST && list.clientHeight / values.length > 2 * TALLEST);
  const shown = values.map((one) => ({ ...one, shown: display(one.field, one.value) }));
  const nameWidth = Math.min(list.clientWidth * 0.42, Math.max(...values.map((one) => widthOf(one.title, "12px Inter, 'DejaVu Sans', sans-serif"))) + 10);
  const valueWidth = options.valueMode === "hidden" ? 0 : Math.max(...shown.map((one) => widthOf(one.shown.text + one.shown.suffix, "13px Inter, 'DejaVu Sans', sans-serif"))) + 12;
  list.append(...shown.map((one) => bar(one, ends, { above, tall, nameWidth, valueWidth, options }, context)));
  return true;
};

const bar = (one, ends, { above, tall, nameWidth, valueWidth, options }, context) => {
  const { config } = one.field;
  const low = config.min ?? ends.low;
  const high = config.max ?? (ends.high > low ? ends.high : low + 1);
  const share = Number.isFinite(one.value) ? Math.min(1, Math.max(0, (one.value - low) / (high - low || 1))) : 0;
  const { text, suffix, colour } = one.shown;
  const found = links(one.field, context.fillIn, one);
  const name = found.length === 1 ? anchor(found[0], one.title) : found.length ? el("button", { class: "link", text: one.title, onclick: (event) => linkList(event, found) }) : one.title;
  const style = { width: `${share * 100}%`, background: options.displayMode === "basic" ? colour : `linear-gradient(90deg, ${faded(colour, 0.35)}, ${colour})` };
  return el("div", { class: above ? "bar-line above-bar" : "bar-line", "data-value": one.value, "data-title": one.title },
    el("div", { class: "name", title: one.title, style: { width: above ? "" : `${nameWidth}px` } }, name),
    el("div", { class: "of" },
      el("div", { class: options.showUnfilled === false ? "track bare" : "track", style: { height: `${tall}px` } }, el("div", { class: `level ${options.displayMode ?? "gradient"}`, style })),
      valueWidth ? el("div", { class: "reading", text: text + suffix, style: { width: `${valueWidth}px`, color: options.valueMode === "text" ? css("text") : colour } }) : null));
};
