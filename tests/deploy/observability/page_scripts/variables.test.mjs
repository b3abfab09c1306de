// A dashboard's variables in queries, links and titles.

import assert from "node:assert/strict";
import { afterEach, test } from "node:test";

import { Variables } from "../static/variables.js";

const RANGE = { from: 0, to: 1000 };
const textbox = { name: "observer", type: "textbox", query: "http://127.0.0.1:9464" };
const custom = (name, chosen, more = {}) => ({ name, type: "custom", query: "a,b.c,d", multi: true, includeAll: true, current: { value: chosen }, ...more });
const agents = { name: "agent", type: "query", query: "query_result(x)", sort: 7, multi: true, includeAll: true, allValue: ".*",
  regex: '/agent="(?<value>[^"]*)".*name="(?<text>[^"]*)"/', current: { value: "$__all" } };
const made = (models, address = "", fixed = {}) => new Variables(models, new URLSearchParams(address), fixed);

const answering = (data) => { globalThis.fetch = async () => ({ json: async () => ({ status: "success", data }) }); };
const row = (agent, name) => ({ metric: { agent, name }, value: [1, "1"] });
const real = globalThis.fetch;
afterEach(() => { globalThis.fetch = real; });

test("one value is escaped for a regular expression, several are alternatives", () => {
  assert.equal(made([custom("v", ["b.c"])]).fillIn('x=~"$v"'), 'x=~"b\\\\.c"');
  assert.equal(made([custom("v", ["a", "b.c"])]).fillIn('x=~"$v"'), 'x=~"(a|b\\\\.c)"');
});

test("all of them: the variable's own text for it, else every option", async () => {
  const [own, every] = [made([custom("v", "$__all", { allValue: ".*" })]), made([custom("v", "$__all")])];
  await every.load(RANGE);
  assert.equal(own.fillIn("$v"), ".*");
  assert.equal(every.fillIn("${v}"), "(a|b\\\\.c|d)");
});

test("forms of a value", () => {
  const found = made([custom("v", ["a", "b.c"])]);
  for (const [format, text] of [["csv", "a,b.c"], ["pipe", "a|b.c"], ["raw", "a,b.c"], ["percentencode", "a%2Cb.c"], ["text", "a + b.c"], ["queryparam", "var-v=a&var-v=b.c"]]) {
    assert.equal(found.fillIn(`\${v:${format}}`), text, format);
  }
  assert.equal(found.fillIn("[[v:csv]]"), "a,b.c");
});

test("what nobody knows stays, and Grafana's own names are given", () => {
  const found = made([custom("v", ["a"])]);
  assert.equal(found.fillIn("$w [$__range] ${__from}", { __range: "60s", __from: "5" }), "$w [60s] 5");
});

test("the address chooses, also Grafana's word for all", () => {
  assert.equal(made([custom("v", ["a"])], "var-v=d").fillIn("$v"), "d");
  assert.equal(made([custom("v", ["a"], { allValue: ".*" })], "var-v=All").fillIn("$v"), ".*");
});

test("links lead to this page wherever it listens, whatever the address says", () => {
  const own = { observer: "http://127.0.0.1:40001" };
  const found = made([textbox], "var-observer=http%3A%2F%2F127.0.0.1%3A9464", own);
  assert.equal(found.fillIn("${observer}/traces", {}, "raw"), "http://127.0.0.1:40001/traces");
  assert.equal(found.fillIn("${observer:queryparam}"), "var-observer=http%3A%2F%2F127.0.0.1%3A40001");
  assert.deepEqual(found.query, []);
  assert.equal(made([textbox]).fillIn("${observer}", {}, "raw"), "http://127.0.0.1:9464");
});

test("an option is asked for by its value and shown by its text, in the order of numbers", async () => {
  answering({ resultType: "vector", result: [row("10", "10 late"), row("3", "3 ivi"), row("7", "7")] });
  const found = made([agents], "var-agent=3");
  await found.load(RANGE);
  const [agent] = found.all;
  assert.deepEqual(agent.options, ["3", "7", "10"]);
  assert.deepEqual(agent.options.map((one) => agent.label(one)), ["3 ivi", "7", "10 late"]);
  assert.equal(found.fillIn('agent=~"$agent"'), 'agent=~"3"');
  assert.equal(found.fillIn("${agent:text}"), "3 ivi");
});

test("a value that is not offered is not chosen, unless the address asks for it", async () => {
  answering({ resultType: "vector", result: [row("3", "3 ivi")] });
  const [chosen, asked] = [made([{ ...agents, current: { value: ["9"] } }]), made([agents], "var-agent=9")];
  await chosen.load(RANGE);
  await asked.load(RANGE);
  assert.equal(chosen.fillIn("$agent"), ".*");
  assert.equal(asked.fillIn("$agent"), "9");
});

test("a variable's query looks at all of the picture's range", async () => {
  const asked = [];
  globalThis.fetch = async (url) => {
    asked.push(decodeURIComponent(url));
    return { json: async () => ({ status: "success", data: { resultType: "vector", result: [] } }) };
  };
  await made([{ ...agents, query: "query_result(last_over_time(x[$__range]))" }]).load({ from: 0, to: 60_000 });
  assert.match(asked[0], /last_over_time\(x\[60s\]\)/);
});
