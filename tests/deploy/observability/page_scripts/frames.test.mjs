// What Prometheus answers, as frames.

import assert from "node:assert/strict";
import { test } from "node:test";

import { shape } from "../static/frames.js";
import { reduce } from "../static/reduce.js";

const series = (metric, ...values) => ({ metric, values: values.map((value, at) => [at * 1000, value]) });
const names = (target, ...found) => shape("time_series", "A", target, found, "sum(up)", 1000).map((one) => one.name);

test("series are called what the dashboard says; a label that is missing is empty", () => {
  const found = series({ domain: "ivi", agent: "3", cluster: "c1" }, 1);
  assert.deepEqual(names({ legendFormat: "{{domain}}({{ agent }}) · {{cluster}}{{nobody}}" }, found), ["ivi(3) · c1"]);
});

test("without a name they are called what tells them apart", () => {
  const [one, other] = [series({ __name__: "up", job: "x", agent: "3" }, 1), series({ __name__: "up", job: "x", agent: "4" }, 1)];
  assert.deepEqual(names({ legendFormat: "__auto" }, one, other), ["3", "4"]);
  assert.deepEqual(names({}, one), ['up{job="x", agent="3"}']);
  assert.deepEqual(names({}, series({}, 1)), ["sum(up)"]);
});

test("a heat map's bucket holds what fell into it alone, the lowest first", () => {
  const buckets = [series({ le: "+Inf" }, 7, 7), series({ le: "0.5" }, 1, 4), series({ le: "1" }, 5, 3)];
  const [{ fields: [time, ...found] }] = shape("heatmap", "A", {}, buckets, "", 1000);
  assert.deepEqual(time.values, [0, 1000]);
  assert.deepEqual(found.map(({ name, values }) => [name, values]), [["0.5", [1, 4]], ["1", [4, 0]], ["+Inf", [2, 4]]]);
});

test("a table has a column per label, also one that some rows lack", () => {
  const [{ fields }] = shape("table", "A", {}, [series({ b: "1" }, 5), series({ a: "2" }, 6)], "");
  assert.deepEqual(fields.map(({ name, values }) => [name, values]), [["Time", [0, 0]], ["a", ["", "2"]], ["b", ["1", ""]], ["Value", [5, 6]]]);
  assert.deepEqual(shape("table", "A", {}, [], ""), []);
});

test("a single value is the last that is there", () => {
  const found = reduce(shape("time_series", "A", { legendFormat: "x" }, [series({}, 1, 3, null)], "", 1000));
  assert.deepEqual(found.map(({ value }) => value), [3]);
});
