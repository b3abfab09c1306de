// Stacks, axes and scales of charts.

import assert from "node:assert/strict";
import { test } from "node:test";

import { axesOf, stack } from "../static/axes.js";
import { scaleOf } from "../static/plot.js";

const series = (values, { unit = "s", config = {}, ...custom } = {}) => ({
  times: values.map((_, at) => at), values, custom, field: { config: { unit, ...config } } });
const drawn = (...all) => { stack(all); return axesOf(all); };
const STACKED = { stacking: { mode: "normal", group: "A" } };

test("what is stacked stands on what was before it, where that has a value", () => {
  const [below, above] = [series([1, 2, null], STACKED), series([10, null, 30], STACKED)];
  stack([below, above]);
  assert.deepEqual([below.low, below.high], [[0, 0, 0], [1, 2, 0]]);
  assert.deepEqual([above.low, above.high], [[1, 2, 0], [11, 2, 30]]);
});

test("a stack of percents adds up to 1", () => {
  const percent = { stacking: { mode: "percent", group: "A" } };
  const [below, above] = [series([1], percent), series([3], percent)];
  assert.equal(drawn(below, above)[0].unit, "percentunit");
  assert.deepEqual([below.high, above.low, above.high], [[0.25], [0.25], [1]]);
});

test("one axis per unit, the second on the right", () => {
  const all = [series([1]), series([2]), series([3], { unit: "bytes" })];
  const axes = drawn(...all);
  assert.deepEqual(axes.map(({ unit, side }) => [unit, side]), [["s", "left"], ["bytes", "right"]]);
  assert.deepEqual(all.map((one) => one.axis), [0, 0, 1]);
});

test("an axis holds its values with some air, from 0 where lines are filled or 0 is a soft end", () => {
  const [[plain], [soft], [filled]] = [drawn(series([5, 10])), drawn(series([5, 10], { axisSoftMin: 0 })), drawn(series([5, 10], { fillOpacity: 10 }))];
  assert.ok(plain.low < 5 && plain.low > 4 && plain.high > 10 && plain.high < 11);
  assert.deepEqual([soft.low, filled.low], [0, 0]);
});

test("fixed ends hold, and nothing to draw has an axis too", () => {
  const [fixed] = drawn(series([5, 50], { config: { min: 0, max: 10 } }));
  assert.deepEqual([fixed.low, fixed.high], [0, 10]);
  const [[zero], [none], [nobody]] = [drawn(series([0, 0])), drawn(series([null])), drawn()];
  for (const { low, high } of [zero, none, nobody]) assert.ok(low === 0 && high > 0.9 && high < 1.1);
});

test("a logarithmic axis leaves out what has no logarithm", () => {
  const [axis] = drawn(series([0, 1, 100], { scaleDistribution: { type: "log" } }));
  assert.deepEqual([axis.low, axis.high, axis.log], [1, 100, true]);
});

test("a scale has its ends at 0 and 1, and ticks with units", () => {
  const scale = scaleOf({ low: 0, high: 0.01, unit: "s" }, 200);
  assert.deepEqual([0, 0.005, 0.01].map(scale.at), [0, 0.5, 1]);
  assert.deepEqual(scale.ticks.map(([, text]) => text), ["0 s", "2 ms", "4 ms", "6 ms", "8 ms", "10 ms"]);
  const log = scaleOf({ low: 1, high: 100, unit: "none", log: true }, 200);
  assert.deepEqual([log.at(1), log.at(10), log.at(100)], [0, 0.5, 1]);
  assert.deepEqual(log.ticks.map(([value]) => value), [1, 10, 100]);
});
