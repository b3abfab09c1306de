// A dashboard page: loads the dashboard, keeps its time range and variables in the address, refreshes in real time.

import { sectionView, sections } from "./board.js";
import { el } from "./dom.js";
import { Events } from "./events.js";
import { duration, fullTime, instant } from "./times.js";
import { hideTip } from "./tip.js";
import { Variables } from "./variables.js";

const REFRESH_MS = 2000;
const RANGES = [["now-1m", "Last minute"], ["now-5m", "Last 5 minutes"], ["now-15m", "Last 15 minutes"], ["now-30m", "Last 30 minutes"], ["now-1h", "Last hour"]];
const main = document.getElementById("dashboard");
const trouble = document.getElementById("trouble");
const root = document.documentElement;

class Board {
  constructor(model, parameters) {
    this.model = model;
    this.scrape = main.dataset.scrape;
    this.from = parameters.get("from") || model.time?.from || "now-5m";
    this.to = parameters.get("to") || "now";
    this.variables = new Variables(model.templating?.list ?? [], parameters, { observer: location.origin });
    this.annotations = new Events(model.annotations?.list, document.getElementById("annotations"));
    this.paused = false;
    this.setRange();
  }

  get events() { return this.annotations.list; }

  fillIn(text, scope = {}, format = undefined) {
    const own = {
      __from: String(this.range.from), __to: String(this.range.to), __url_time_range: `from=${this.from}&to=${this.to}`,
      __all_variables: this.variables.query.join("&"),
    };
    return this.variables.fillIn(text, { ...own, ...scope }, format);
  }

  setRange() {
    const now = Date.now();
    const to = instant(this.to, now) ?? now;
    this.range = { from: instant(this.from, now) ?? to - 300e3, to };
    if (!(this.range.from < to)) this.range.from = to - 300e3;
  }

  build() {
    const made = sections(this.model.panels).map((one) => sectionView(one, this, () => this.refresh()));
    this.views = made.flatMap(({ views }) => views);
    this.headings = made.flatMap(({ name }) => name ?? []);
    const seen = new IntersectionObserver((entries) => {
      const came = entries.filter(({ target, isIntersecting }) => this.mark(target, isIntersecting));
      if (came.length && this.ready) this.refresh();
    }, { rootMargin: "200px" });
    document.getElementById("grid").replaceChildren(...made.flatMap(({ elements }) => elements));
    this.views.forEach((one) => { one.head(); seen.observe(one.root); });
    this.annotations.show(() => this.refresh());
  }

  // Whether a panel has just come near the window.
  mark(target, near) {
    const view = this.views.find((one) => one.root === target);
    const came = near && !view.near;
    view.near = near;
    return came && view.root.dataset.state === "waiting";
  }

  async start() {
    this.build();
    await this.reload();
    this.ready = true;
    const ticking = async () => {
      if (!this.paused && !document.hidden) await this.refresh();
      setTimeout(ticking, REFRESH_MS);
    };
    setTimeout(ticking, REFRESH_MS);
  }

  // After a choice: what variables offer may have changed, and everything is asked again.
  async reload() {
    this.setRange();
    await this.loadVariables();
    history.replaceState(null, "", `?${this.address}`);
    for (const one of document.querySelectorAll("[data-keep]")) one.search = one.dataset.keep === "traces" ? this.fillIn("cluster=$cluster&agent=$agent&protocol=$protocol", {}, "raw") : this.address;
    await this.refresh(true);
  }

  async loadVariables() {
    try {
      await this.variables.load(this.range);
      this.unloaded = "";
    } catch (error) {
      this.unloaded = error.message;
    }
    this.variables.show(document.getElementById("variables"), () => this.reload());
  }

  get address() {
    const theme = new URLSearchParams(location.search).get("theme");
    return [...this.variables.query, `from=${this.from}`, `to=${this.to}`, ...(theme ? [`theme=${theme}`] : [])].join("&");
  }

  // One round at a time; a new choice ends the round before it.
  async refresh(anew = false) {
    if (this.busy && !anew) return this.busy;
    this.aborting?.abort();
    this.aborting = new AbortController();
    this.signal = this.aborting.signal;
    this.busy = this.round().finally(() => { this.busy = null; });
    return this.busy;
  }

  async round() {
    this.setRange();
    const failed = await this.annotations.refresh(this);
    this.headings.forEach((name) => name());
    const views = this.views.filter((one) => one.near && one.root.offsetParent !== null);
    await Promise.all(views.map((one) => one.refresh()));
    this.tell([this.unloaded, ...failed].filter(Boolean));
    await this.again();
    root.dataset.drawn = String(Number(root.dataset.drawn || 0) + 1);
  }

  // What a variable offers may be new while nothing was chosen yet.
  async again() {
    const waiting = this.variables.all.some((one) => one.model.type === "query" && !one.options.length);
    if (waiting) await this.loadVariables();
  }

  tell(texts) {
    trouble.hidden = !texts.length;
    trouble.textContent = texts.join(" · ");
    document.getElementById("state").textContent = this.paused ? `paused at ${fullTime(this.range.to).slice(11)}` : `live, ${fullTime(Date.now()).slice(11)}`;
  }

  zoom(from, to) {
    [this.from, this.to] = [String(Math.round(from)), String(Math.round(to))];
    this.showRange();
    this.reload();
  }

  showRange() {
    const chooser = document.getElementById("range");
    const own = RANGES.some(([from]) => from === this.from) && this.to === "now";
    const text = /^\d+$/.test(this.from) ? `${fullTime(Number(this.from)).slice(11)} to ${fullTime(this.range.to).slice(11)}` : `${this.from} to ${this.to}`;
    const options = own ? RANGES : [[this.from, text], ...RANGES];
    chooser.replaceChildren(...options.map(([value, label]) => el("option", { value, text: label, selected: value === this.from })));
  }

  listen() {
    const chooser = document.getElementById("range");
    chooser.addEventListener("change", () => {
      [this.from, this.to] = [chooser.value, duration(chooser.value.slice(4)) ? "now" : this.to];
      this.showRange();
      this.reload();
    });
    const button = document.getElementById("pause");
    button.addEventListener("click", () => {
      this.paused = !this.paused;
      button.textContent = this.paused ? "Go on" : "Pause";
      this.tell([]);
    });
    const redraw = () => { hideTip(); this.views.forEach((one) => one.redraw()); };
    addEventListener("scheme", redraw);
    let waiting;
    addEventListener("resize", () => { clearTimeout(waiting); waiting = setTimeout(redraw, 100); });
  }
}

const open = async () => {
  const response = await fetch(`/dashboards/${encodeURIComponent(main.dataset.uid)}`);
  const board = new Board(await response.json(), new URLSearchParams(location.search));
  board.showRange();
  board.listen();
  await board.start();
};

open().catch((error) => {
  trouble.hidden = false;
  trouble.textContent = error.message;
  throw error;
});
