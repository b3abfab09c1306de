// One dashboard on the page: its grid of panels, and the rhythm in which they ask again.

import { ask, strangers as strangeTargets } from "./frames.js";
import { el, safeHref } from "./dom.js";
import { configure, strangers as strangeFields } from "./fields.js";
import { anchor } from "./links.js";
import { PANELS } from "./panels.js";
import { strangers as strangeOptions } from "./supported.js";
import { strangers as strangeTransforms, transform } from "./transforms.js";

const ROW_PX = 30;
const APART_PX = 8;

// Rows with the panels under them: [{row, panels}]; what stands above the first row has none. A collapsed row has
// its panels in itself.
export const sections = (panels) => {
  const found = [{ row: null, panels: [] }];
  for (const panel of [...panels].sort((a, b) => a.gridPos.y - b.gridPos.y || a.gridPos.x - b.gridPos.x)) {
    if (panel.type === "row") found.push({ row: panel, panels: [...(panel.panels ?? [])] });
    else found.at(-1).panels.push(panel);
  }
  return found.filter(({ row, panels: own }) => row || own.length);
};

class PanelView {
  constructor(panel, board) {
    this.panel = panel;
    this.board = board;
    this.state = {};
    this.near = false;
    this.body = el("div", { class: "body" });
    this.notes = el("span", { class: "notes" });
    this.title = el("h2", {});
    this.root = el("section", { class: "panel", "data-panel": panel.id, "data-type": panel.type, "data-state": "waiting" },
      el("div", { class: "head" }, this.title, this.notes), this.body);
    const { x, y, w, h } = panel.gridPos;
    const place = { "--x": x + 1, "--w": w, "--h": h };
    for (const [name, value] of Object.entries(place)) this.root.style.setProperty(name, value);
    this.root.style.height = `${h * ROW_PX + (h - 1) * APART_PX}px`;
    this.y = y;
    if (panel.transparent) this.root.classList.add("transparent");
  }

  fillIn = (text, scope = {}, format = undefined) => this.board.fillIn(text, scope, format ?? "text");

  get strangers() {
    const { panel } = this;
    return [...(PANELS[panel.type] ? [] : [`panel type ${panel.type}`]), ...strangeOptions(panel), ...strangeFields(panel.fieldConfig),
      ...strangeTransforms(panel.transformations ?? []), ...(panel.targets ?? []).flatMap(strangeTargets),
      ...["repeat", "libraryPanel", "timeShift", "timeFrom"].filter((key) => panel[key])];
  }

  head() {
    const { panel } = this;
    this.title.textContent = this.fillIn(panel.title ?? "");
    this.title.title = panel.description ? this.fillIn(panel.description) : "";
    const strange = this.strangers;
    this.root.dataset.unsupported = strange.join("; ");
    const targets = (panel.links ?? []).map((one) => ({ title: this.fillIn(one.title), href: safeHref(this.fillIn(one.url, {}, "raw")), blank: one.targetBlank })).filter((one) => one.href);
    this.notes.replaceChildren(
      panel.description ? el("span", { class: "note info", title: this.fillIn(panel.description), text: "i" }) : "",
      ...targets.map((one) => anchor(one, "↗")),
      strange.length ? el("span", { class: "note warn", title: `The preview does not know: ${strange.join("; ")}`, text: "⚠ not all of it is drawn" }) : "");
  }

  async refresh() {
    this.head();
    const draw = PANELS[this.panel.type];
    if (!draw) return this.say("unsupported", `The preview cannot draw a panel of type “${this.panel.type}”.`);
    try {
      const points = Math.max(50, Math.floor(this.body.clientWidth || 300));
      const asked = (this.panel.targets ?? []).filter((one) => !one.hide && one.expr);
      const answers = await Promise.all(asked.map((one) => ask(one, this.panel, this.board, points)));
      this.answered = { frames: answers.flat(), range: this.board.range };
      this.redraw();
    } catch (error) {
      if (error.name !== "AbortError") this.say("error", error.message);
    }
  }

  redraw() {
    if (!this.answered) return;
    const { panel, board } = this;
    const frames = configure(transform(this.answered.frames, panel.transformations), panel.fieldConfig ?? {}, this.fillIn);
    const context = { fillIn: this.fillIn, range: this.answered.range, events: board.events, state: this.state,
      zoom: (from, to) => board.zoom(from, to) };
    const scrolled = [...this.body.querySelectorAll(".scrolls, .legend")].map((one) => one.scrollTop);
    const drawn = PANELS[panel.type](this.body, panel, frames, context);
    if (!drawn) return this.say("empty", panel.fieldConfig?.defaults?.noValue || "No data");
    [...this.body.querySelectorAll(".scrolls, .legend")].forEach((one, at) => { one.scrollTop = scrolled[at] ?? 0; });
    this.root.dataset.state = "drawn";
    return undefined;
  }

  say(state, text) {
    this.root.dataset.state = state;
    this.body.replaceChildren(el("p", { class: `said ${state}`, text }));
  }
}

// A row's heading and the grid under it, or the grid alone.
export const sectionView = ({ row, panels }, board, changed) => {
  const views = panels.map((panel) => new PanelView(panel, board));
  const first = Math.min(...views.map((one) => one.y));
  for (const one of views) one.root.style.setProperty("--y", one.y - first + 1);
  const grid = el("div", { class: "grid" }, ...views.map((one) => one.root));
  if (!row) return { views, elements: [grid] };
  const sign = el("span", {});
  const title = el("span", {});
  const head = el("button", { class: "row", onclick: () => { show(grid.hidden); changed(); } }, sign, title);
  const name = () => { title.textContent = board.fillIn(row.title ?? "", {}, "text"); };
  const show = (open) => {
    grid.hidden = !open;
    sign.textContent = open ? "▾" : "▸";
    head.setAttribute("aria-expanded", String(open));
  };
  show(!row.collapsed);
  name();
  return { views, name, elements: [head, grid] };
};
