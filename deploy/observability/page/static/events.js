// Annotations: what happened, asked of Prometheus, as instants and spans of time.

import { queryRange } from "./api.js";
import { css } from "./colours.js";
import { el } from "./dom.js";
import { duration, intervals } from "./times.js";

const POINTS = 600;
const STEP_MS = 60e3; // Grafana's, where an annotation names none
const EVENTS_MAX = 200;

const isPrometheus = ({ datasource, expr, target }) => Boolean((expr || target?.expr) && datasource?.type !== "grafana");

const named = (template, metric) => (template || "").replace(/\{\{\s*(.+?)\s*\}\}/g, (_, key) => metric[key] ?? "");

const eventsOf = (model, { metric, values }, stepMs) => {
  const found = [];
  const tags = (model.tagKeys || "").split(",").map((key) => key.trim()).filter(Boolean).map((key) => metric[key]).filter(Boolean);
  const title = named(model.titleFormat || "{{alertname}}", metric) || model.name;
  const text = named(model.textFormat, metric);
  for (const [at, value] of values) {
    if (!(value > 0)) continue;
    const ms = model.useValueForTime ? value : at;
    const last = found.at(-1);
    if (last && !model.useValueForTime && ms - last.to <= stepMs * 1.5) last.to = ms;
    else found.push({ from: ms, to: ms, title, lines: [text, tags.join(", ")].filter(Boolean), name: model.name, colour: css(model.iconColor || "red") });
  }
  return found;
};

// The annotations of a dashboard: which are switched on, and their events.
export class Events {
  constructor(models, place) {
    this.models = (models || []).filter((one) => isPrometheus(one));
    this.on = new Set(this.models.filter((one) => one.enable !== false).map((one) => one.name));
    this.place = place;
    this.list = [];
  }

  show(changed) {
    this.place.replaceChildren(...this.models.filter((one) => one.hide !== true).map((one) => {
      const box = el("input", { type: "checkbox", checked: this.on.has(one.name), onchange: () => {
        if (box.checked) this.on.add(one.name);
        else this.on.delete(one.name);
        changed();
      } });
      return el("label", { class: "annotation", style: { borderColor: css(one.iconColor || "red") } }, box, one.name);
    }));
  }

  // A failed query is told beside the annotation's name, and costs nothing else.
  async refresh({ range, variables, scrape, signal }) {
    const asked = this.models.filter((one) => this.on.has(one.name)).map(async (one) => {
      const { step, rateInterval } = intervals(range.to - range.from, POINTS, duration(one.step || one.target?.interval) ?? STEP_MS, duration(scrape));
      const span = `${Math.round((range.to - range.from) / 1000)}s`;
      const expr = variables.fillIn(one.expr || one.target.expr, { __rate_interval: `${rateInterval}ms`, __interval: `${step}ms`, __range: span });
      return (await queryRange(expr, range, step, signal)).flatMap((series) => eventsOf(one, series, step));
    });
    const answers = await Promise.allSettled(asked);
    const failed = answers.filter((one) => one.status === "rejected" && one.reason.name !== "AbortError");
    this.list = answers.flatMap((one) => one.value ?? []).slice(-EVENTS_MAX);
    return failed.map((one) => one.reason.message);
  }
}
