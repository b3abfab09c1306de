// The legend of a chart: a list or a table with calculations. A click shows one series alone, with Ctrl it hides one.

import { CALC_NAMES, calculate, textOf } from "./fields.js";
import { el } from "./dom.js";

const swatch = (colour) => el("i", { class: "swatch", style: { background: colour } });

// `series`: [{field, colour, title, values}]; `hidden`: a Set of titles, kept by the caller over refreshes.
export const legend = (series, options = {}, hidden, redraw) => {
  if (options.showLegend === false || options.displayMode === "hidden" || !series.length) return null;
  const calcs = options.calcs || [];
  const choose = (title) => (event) => {
    const others = series.map((one) => one.title).filter((one) => one !== title);
    if (event.ctrlKey || event.metaKey) hidden.has(title) ? hidden.delete(title) : hidden.add(title);
    else if (others.every((one) => hidden.has(one)) && !hidden.has(title)) hidden.clear();
    else { hidden.clear(); others.forEach((one) => hidden.add(one)); }
    redraw();
  };
  const calculated = (one, calc) => {
    const value = calculate(calc, one.values);
    return value === null ? "-" : textOf(one.field, value);
  };
  if (options.displayMode === "table") return table(sorted(series, options), calcs, choose, calculated, hidden);
  return el("div", { class: "legend list" }, ...series.map((one) =>
    el("button", { class: hidden.has(one.title) ? "off" : "", onclick: choose(one.title), title: one.title }, swatch(one.colour), el("span", { text: one.title }),
      ...calcs.map((calc) => el("b", { text: `${CALC_NAMES[calc] || calc}: ${calculated(one, calc)}` })))));
};

// The series as the legend lists them.
export const sorted = (series, { sortBy, sortDesc }) => {
  const calc = Object.keys(CALC_NAMES).find((one) => CALC_NAMES[one] === sortBy);
  if (!calc) return series;
  const key = (one) => calculate(calc, one.values) ?? -Infinity;
  return [...series].sort((a, b) => (key(a) - key(b)) * (sortDesc ? -1 : 1));
};

const table = (series, calcs, choose, calculated, hidden) => el("div", { class: "legend" }, el("table", {},
  el("thead", {}, el("tr", {}, el("th", { text: "Name" }), ...calcs.map((calc) => el("th", { class: "number", text: CALC_NAMES[calc] || calc })))),
  el("tbody", {}, ...series.map((one) => el("tr", { class: hidden.has(one.title) ? "off" : "" },
    el("td", {}, el("button", { onclick: choose(one.title), title: one.title }, swatch(one.colour), el("span", { text: one.title }))),
    ...calcs.map((calc) => el("td", { class: "number", text: calculated(one, calc) })))))));
