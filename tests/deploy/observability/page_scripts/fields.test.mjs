// Overrides, thresholds, mappings, links and legends.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { calculate, configure, display, links, seriesColour, strangers } from "../static/fields.js";
import { sorted } from "../static/legend.js";
import { Variables } from "../static/variables.js";

beforeEach(() => { globalThis.document = { documentElement: { dataset: { scheme: "dark" } } }; });

const frame = (name, values, labels = {}) => ({ refId: "A", fields: [{ name: "Value", displayName: name, type: "number", values, labels, config: {} }] });
const only = (config, overrides = [], name = "ivi(3) · c1") => configure([frame(name, [1], { agent: "3", cluster: "c 1&x" })], { defaults: config, overrides }, String)[0].fields[0];
const STEPS = { steps: [{ value: null, color: "green" }, { value: 0.01, color: "orange" }, { value: 0.05, color: "red" }] };

test("an agent has the colour of its number, whatever its domain is called", () => {
  const rule = (options, fixedColor) => ({ matcher: { id: "byRegexp", options }, properties: [{ id: "color", value: { mode: "fixed", fixedColor } }] });
  const rules = [rule(String.raw`/^[^(]*\((\d*[02468])?3\)/`, "#000003"), rule(String.raw`/^[^(]*\(\d*[13579]3\)/`, "#000013")];
  assert.equal(only({}, rules).config.color.fixedColor, "#000003");
  assert.equal(only({}, rules, "d3(13) · c(3)").config.color.fixedColor, "#000013");
  assert.equal(only({}, rules, "d3(14) · c(3)").config.color, undefined);
});

test("what is not understood is named, wherever it stands", () => {
  const override = (id, value) => ({ matcher: { id: "byName", options: "x" }, properties: [{ id, value }] });
  const good = { unit: "s", color: { mode: "continuous-BlPu" }, mappings: [{ type: "value", options: {} }] };
  assert.deepEqual(strangers(undefined), []);
  assert.deepEqual(strangers({ defaults: good, overrides: [override("unit", "suffix:x"), override("displayName", "y")] }), []);
  assert.deepEqual(strangers({ defaults: { unit: "furlongs", color: { mode: "rainbow" }, mappings: [{ type: "mood" }] } }), ["unit furlongs", "color rainbow", "mapping mood"]);
  assert.deepEqual(strangers({ overrides: [override("unit", "furlongs"), { matcher: { id: "byMood" }, properties: [] }] }), ["override byMood", "unit furlongs"]);
});

test("a ramp goes from the least to the most of all series, unless it has ends of its own", () => {
  const colours = (config) => {
    const frames = configure([frame("quiet", [183, null]), frame("metered", [40, NaN])], { defaults: { color: { mode: "continuous-BlPu" }, ...config } }, String);
    return frames.map(({ fields: [field] }) => seriesColour(field, field.values[0]));
  };
  assert.deepEqual(colours({}), ["rgb(184,119,217)", "rgb(87,148,242)"]);
  assert.deepEqual(colours({ min: 40, max: 326 }), ["rgb(136,134,230)", "rgb(87,148,242)"]);
  assert.deepEqual(colours({ min: 183 }), ["rgb(87,148,242)", "rgb(87,148,242)"], "one value is no range");
});

test("an override of one option leaves its neighbours", () => {
  const field = only({ custom: { lineStyle: { fill: "solid" }, lineWidth: 1 } }, [{ matcher: { id: "byName", options: "ivi(3) · c1" }, properties: [{ id: "custom.lineStyle.fill", value: "dash" }] }]);
  assert.deepEqual(field.config.custom, { lineStyle: { fill: "dash" }, lineWidth: 1 });
});

test("thresholds judge, at both sides of each edge", () => {
  const field = only({ unit: "s", color: { mode: "thresholds" }, thresholds: STEPS });
  const colours = [0.0099, 0.01, 0.0499, 0.05].map((value) => display(field, value).colour);
  assert.equal(new Set(colours).size, 3);
  assert.equal(colours[1], colours[2]);
});

test("mappings say words, no value says what the dashboard says", () => {
  const field = only({ noValue: "no calls", mappings: [{ type: "value", options: { 2: { text: "running", color: "#112233" } } }] });
  assert.deepEqual([display(field, 2).text, display(field, 2).colour], ["running", "#112233"]);
  assert.equal(display(field, null).text, "no calls");
});

test("links are filled in with the labels of what was clicked", () => {
  const variables = new Variables([{ name: "observer", type: "textbox", query: "" }], new URLSearchParams(), { observer: "http://127.0.0.1:4" });
  const fillIn = (text, scope, format) => variables.fillIn(text, scope, format);
  const link = (url) => links(only({ links: [{ title: "go", url }] }), fillIn);
  assert.equal(link("${observer}/traces?agent=${__field.labels.agent}")[0].href, "http://127.0.0.1:4/traces?agent=3");
  assert.equal(link("/d/x?c=${__field.labels.cluster:percentencode}")[0].href, "/d/x?c=c%201%26x");
  assert.deepEqual(link("javascript:alert(1)"), []);
  assert.deepEqual(link("//elsewhere/"), []);
});

test("a link in a table's cell knows the others of its row", () => {
  const [one] = configure([{ refId: "A", fields: [
    { name: "cluster", type: "string", values: ["c1", "c2"], labels: {}, config: {} },
    { name: "agent", type: "string", values: ["3", "4"], labels: {}, config: { links: [{ title: "go", url: "/d/a?c=${__data.fields.cluster}" }] } },
  ] }], {}, String);
  const fillIn = (text, scope) => new Variables([], new URLSearchParams()).fillIn(text, scope);
  assert.equal(links(one.fields[1], fillIn, { frame: one, row: 1, value: "4" })[0].href, "/d/a?c=c2");
});

test("calculations leave out what is no number", () => {
  assert.equal(calculate("lastNotNull", [1, 3, null]), 3);
  assert.equal(calculate("max", [null, NaN, 2, 1]), 2);
  assert.equal(calculate("delta", [1, 5, 0, 2]), 6);
  assert.equal(calculate("max", [null]), null);
  assert.throws(() => calculate("mode", [1]), /mode is not supported/);
});

test("the legend has the worst first, and those without a value last", () => {
  const all = [{ title: "a", values: [1, 2] }, { title: "b", values: [9, 1] }, { title: "c", values: [null] }];
  assert.deepEqual(sorted(all, { sortBy: "Max", sortDesc: true }).map(({ title }) => title), ["b", "a", "c"]);
  assert.deepEqual(sorted(all, { sortBy: "Last *", sortDesc: true }).map(({ title }) => title), ["a", "b", "c"]);
  assert.deepEqual(sorted(all, {}), all);
});
