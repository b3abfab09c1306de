// The dashboard's variables: their values from Prometheus, what the user chose, and texts with them filled in.

import { labelValues, queryInstant } from "./api.js";
import { el } from "./dom.js";

const ALL = "$__all";
const USE = /\$(\w+)|\[\[(\w+?)(?::(\w+))?\]\]|\$\{(\w+)(?:\.([^:^}]+))?(?::([^}]+))?\}/g;
const TYPES = ["datasource", "query", "custom", "textbox", "constant", "interval"];
const SORTS = [null, [1, "text"], [-1, "text"], [1, "number"], [-1, "number"], [1, "lower"], [-1, "lower"], [1, "natural"], [-1, "natural"]];
const { compare } = new Intl.Collator("en", { numeric: true });

const escaped = (text) => String(text).replace(/[\\^$*+?.()|[\]{}]/g, "\\$&").replace(/\\/g, "\\\\");

class Variable {
  constructor(model, parameters, fixed) {
    this.model = model;
    this.name = model.name;
    this.options = [];
    this.shown = new Map(); // what is shown for an option, where that is not the option itself
    this.fixed = fixed[this.name];
    const given = parameters.getAll(`var-${this.name}`);
    this.given = given; // stays chosen even if it is not there now: all others are not what was asked for
    this.chosen = given.length ? given : [model.current?.value ?? model.query ?? ""].flat().map(String);
    if (given.includes("All")) this.chosen = [ALL];
    if (this.fixed !== undefined) this.chosen = [this.fixed];
    this.unsupported = !TYPES.includes(model.type);
  }

  get many() { return Boolean(this.model.multi || this.model.includeAll); }

  get hidden() { return this.model.hide === 2 || ["datasource", "constant"].includes(this.model.type) || this.fixed !== undefined; }

  get isAll() { return this.chosen.includes(ALL); }

  // What stands for it: all options for "All", unless the variable has a text for that.
  get values() { return this.isAll ? this.options : this.chosen; }

  async load(board) {
    const { type } = this.model;
    if (type === "query") this.offer(await this.ask(board));
    else if (type === "custom" || type === "interval") this.options = commaSeparated(this.model.query);
    else return;
    const there = this.chosen.filter((one) => one === ALL || this.options.includes(one) || this.given.includes(one));
    const first = this.model.includeAll ? ALL : this.options[0] ?? "";
    this.chosen = there.length ? there : [first];
  }

  async ask({ fillIn, range }) {
    const query = typeof this.model.query === "string" ? this.model.query : this.model.query?.query ?? "";
    const filled = fillIn(query).trim();
    const labels = /^label_values\((?:(.+),\s*)?([a-zA-Z_]\w*)\s*\)$/s.exec(filled);
    if (labels) return labelValues(labels[2], labels[1], range);
    const result = /^query_result\((.+)\)$/s.exec(filled);
    if (result) return (await queryInstant(result[1], range.to)).map(seriesText);
    throw new Error(`variable ${this.name}: ${query}: the preview knows label_values and query_result`);
  }

  // Of what was found: the options, and what is shown for each.
  offer(values) {
    this.shown = new Map(this.matching(values));
    this.options = this.sorted([...this.shown.keys()]);
  }

  // [[value, what is shown for it], ...]
  matching(values) {
    if (!this.model.regex) return values.map((value) => [value, value]);
    const wanted = /^\/(.*)\/(\w*)$/s.exec(this.model.regex);
    const rule = wanted ? new RegExp(wanted[1], wanted[2]) : new RegExp(this.model.regex);
    return values.map((value) => rule.exec(value)).filter(Boolean).map((match) => {
      const value = match.groups?.value ?? match[1] ?? match.input;
      return [value, match.groups?.text ?? value];
    });
  }

  sorted(values) {
    const [direction, by] = SORTS[this.model.sort] || [0];
    if (!direction) return values;
    if (by === "natural") return [...values].sort((a, b) => direction * compare(this.label(a), this.label(b)));
    const key = { text: (one) => one, lower: (one) => one.toLowerCase(), number: (one) => Number(/\d+/.exec(one)) }[by];
    const order = (a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0);
    return [...values].sort((a, b) => direction * order(this.label(a), this.label(b)));
  }

  label(value) { return value === ALL ? "All" : this.shown.get(value) ?? value; }

  get labels() { return this.isAll ? "All" : this.chosen.map((one) => this.label(one)).join(" + "); }

  // As a text of the given format; without one as PromQL wants it.
  text(format) {
    if (format === "text") return this.labels;
    if (this.isAll && this.model.allValue && format !== "queryparam") return this.model.allValue;
    const { values } = this;
    if (format === "queryparam") {
      const chosen = this.isAll ? [ALL] : values;
      return chosen.map((one) => `var-${this.name}=${encodeURIComponent(one)}`).join("&");
    }
    if (format === "percentencode") return encodeURIComponent(values.join(","));
    if (format === "pipe") return values.join("|");
    if (format === "csv" || format === "raw") return values.join(",");
    if (format === "regex") return values.length === 1 ? escaped(values[0]) : `(${values.map(escaped).join("|")})`;
    if (!this.many) return String(values[0] ?? "").replace(/\\/g, "\\\\").replace(/"/g, '\\"');
    return values.length === 1 ? escaped(values[0]) : `(${values.map(escaped).join("|")})`;
  }
}

const seriesText = ({ metric, values: [[ms, value]] }) => {
  const labels = Object.entries(metric).filter(([name]) => name !== "__name__").map(([name, one]) => `${name}="${one}"`);
  return `${metric.__name__ ?? ""}{${labels.join(",")}} ${value} ${ms}`;
};

const commaSeparated = (text) => String(text || "").split(/(?<!\\),/).map((one) => one.trim().split(" : ").at(-1));

export class Variables {
  // `fixed`: values by name that nobody can choose here.
  constructor(models, parameters, fixed = {}) {
    this.all = models.map((model) => new Variable(model, parameters, fixed));
  }

  // One after another: a query may use a variable before it.
  async load(range) {
    for (const one of this.all) await one.load({ range, fillIn: (text) => this.fillIn(text, { __range: `${Math.round((range.to - range.from) / 1000)}s` }) });
  }

  // `scoped`: further names, as {name: text or (path, format) => text}. What is unknown stays as it is.
  fillIn(text, scoped = {}, format = undefined) {
    return String(text).replace(USE, (whole, plain, old, oldFormat, name, path, given) => {
      const wanted = plain ?? old ?? name;
      if (wanted in scoped) {
        const found = scoped[wanted];
        const value = typeof found === "function" ? found(path) : path ? undefined : found;
        if (value === undefined) return whole;
        return (given ?? oldFormat) === "percentencode" ? encodeURIComponent(value) : String(value);
      }
      const variable = this.all.find((one) => one.name === wanted);
      return variable && !path ? variable.text(given ?? oldFormat ?? format) : whole;
    });
  }

  get query() {
    return this.all.filter((one) => !one.hidden && one.model.skipUrlSync !== true).map((one) => one.text("queryparam"));
  }

  show(place, changed) {
    place.replaceChildren(...this.all.filter((one) => !one.hidden).map((one) => chooser(one, changed)));
  }
}

const chooser = (variable, changed) => {
  const { model } = variable;
  const title = model.description || "";
  const label = model.hide === 1 ? null : el("span", { text: model.label || model.name });
  if (model.type === "textbox") {
    const box = el("input", { value: variable.chosen[0], onchange: () => { variable.chosen = [box.value]; changed(); } });
    return el("label", { title, class: "variable" }, label, box);
  }
  if (variable.unsupported) return el("span", { class: "unsupported", text: `variable ${model.name}: ${model.type} is not supported` });
  return el("div", { title, class: "variable" }, label, dropdown(variable, changed));
};

// One button and a list under it: ticks where several may be chosen, else one of all.
const dropdown = (variable, changed) => {
  const { model } = variable;
  const shown = variable.labels || "none";
  const options = [...(model.includeAll ? [ALL] : []), ...variable.options];
  const pick = (value) => {
    variable.chosen = chosenAfter(variable, value);
    changed();
  };
  const items = options.map((value) => {
    const ticked = variable.chosen.includes(value);
    const box = el("input", { type: model.multi ? "checkbox" : "radio", checked: ticked, onchange: () => pick(value) });
    return el("label", {}, box, variable.label(value) || "(empty)");
  });
  return el("details", { class: "choose", "data-variable": variable.name },
    el("summary", { text: shown }), el("div", { class: "options" }, ...items));
};

const chosenAfter = ({ chosen, model }, value) => {
  if (!model.multi || value === ALL) return [value];
  const others = chosen.filter((one) => one !== ALL);
  const next = others.includes(value) ? others.filter((one) => one !== value) : [...others, value];
  return next.length ? next : [model.includeAll ? ALL : value];
};
