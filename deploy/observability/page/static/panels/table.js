// Table: the columns of one frame, sorted, with cells in colour or as a bar.

import { css, faded, inkOn } from "../colours.js";
import { el } from "../dom.js";
import { display, links } from "../fields.js";
import { anchor, linkList } from "../links.js";

const ROWS_MAX = 500;

export const table = (place, panel, frames, context) => {
  const options = panel.options ?? {};
  const frame = frames[options.frameIndex ?? 0] ?? frames[0];
  const fields = (frame?.fields ?? []).filter((field) => !field.config.custom?.hidden);
  const rows = frame?.fields[0]?.values.length ?? 0;
  if (!fields.length || !rows) return false;
  const sort = context.state.sort ??= { ...options.sortBy?.[0] };
  const redraw = () => table(place, panel, frames, context);
  const order = sorted(fields, rows, sort).slice(0, ROWS_MAX);
  const head = el("thead", {}, el("tr", {}, ...fields.map((field) => heading(field, sort, redraw))));
  const body = el("tbody", {}, ...order.map((row) => el("tr", {}, ...fields.map((field) => cell(field, row, frame, context)))));
  const columns = el("colgroup", {}, ...fields.map((field) => el("col", { style: { width: field.config.custom?.width ? `${field.config.custom.width}px` : "" } })));
  place.replaceChildren(el("div", { class: "scrolls" }, el("table", { class: `data ${options.cellHeight ?? "sm"}` }, columns, options.showHeader === false ? "" : head, body),
    rows > ROWS_MAX ? el("p", { class: "muted", text: `the first ${ROWS_MAX} of ${rows} rows` }) : ""));
  return true;
};

const sorted = (fields, rows, { displayName, desc }) => {
  const order = Array.from({ length: rows }, (_, row) => row);
  const by = fields.find((field) => field.title === displayName);
  if (!by) return order;
  const sign = desc ? -1 : 1;
  const compare = (a, b) => {
    if (a === null || b === null || a === undefined || b === undefined) return (a === null || a === undefined) - (b === null || b === undefined);
    if (typeof a === "number" && typeof b === "number") return sign * (a - b);
    return sign * String(a).localeCompare(String(b), "en", { numeric: true });
  };
  return order.sort((a, b) => compare(by.values[a], by.values[b]));
};

const side = (field) => {
  const { align = "auto" } = field.config.custom ?? {};
  return align === "auto" ? (field.type === "number" ? "right" : "left") : align;
};

const heading = (field, sort, redraw) => {
  const here = sort.displayName === field.title;
  const turn = () => {
    Object.assign(sort, { displayName: field.title, desc: here ? !sort.desc : field.type === "number" });
    redraw();
  };
  return el("th", { style: { textAlign: side(field) } }, el("button", { onclick: turn, text: `${field.title}${here ? (sort.desc ? " ↓" : " ↑") : ""}` }));
};

const cell = (field, row, frame, context) => {
  const value = field.values[row];
  const { text, suffix, colour } = display(field, value);
  const { type = "auto", mode } = field.config.custom?.cellOptions ?? {};
  const style = { textAlign: side(field) };
  if (type === "color-text") style.color = colour;
  if (type === "color-background") Object.assign(style, { background: mode === "gradient" ? `linear-gradient(120deg, ${faded(colour, 0.65)}, ${colour})` : colour, color: inkOn(colour) });
  const found = links(field, context.fillIn, { frame, row, value });
  const words = text + suffix;
  const inner = found.length === 1 ? anchor(found[0], words)
    : found.length ? el("button", { class: "link", text: words, onclick: (event) => linkList(event, found) }) : words;
  if (type === "gauge") return el("td", {}, gauge(field, value, words, colour));
  return el("td", { style, title: words }, inner);
};

const gauge = (field, value, words, colour) => {
  const numbers = field.values.filter((one) => Number.isFinite(one));
  const low = field.config.min ?? Math.min(0, ...numbers);
  const high = field.config.max ?? Math.max(...numbers);
  const share = high > low && Number.isFinite(value) ? Math.min(1, Math.max(0, (value - low) / (high - low))) : 0;
  return el("div", { class: "cell-gauge" }, el("div", { class: "track" }, el("div", { class: "level", style: { width: `${share * 100}%`, background: colour } })),
    el("span", { text: words, style: { color: colour === "transparent" ? css("text") : colour } }));
};
