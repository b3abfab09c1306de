// Time ranges, and the intervals that queries are asked with.

import assert from "node:assert/strict";
import { test } from "node:test";

import { duration, instant, intervals, rounded, timeText, timeTicks, written } from "../static/times.js";

test("durations as Prometheus writes them", () => {
  assert.equal(duration("1m30s"), 90_000);
  assert.equal(duration("250ms"), 250);
  assert.equal(duration("2"), undefined);
  assert.equal(duration("5 m"), undefined);
  for (const text of ["250ms", "1s", "90s", "2m", "1h", "1d"]) assert.equal(duration(written(duration(text))), duration(text));
});

test("instants: now, before now, milliseconds; nothing else", () => {
  assert.equal(instant("now", 1e12), 1e12);
  assert.equal(instant("now-5m", 1e12), 1e12 - 300e3);
  assert.equal(instant("1600000000000", 0), 1.6e12);
  assert.equal(instant("yesterday", 1e12), undefined);
  assert.equal(instant("now-soon", 1e12), undefined);
});

test("a rate never looks at less than four scrapes, and covers each step", () => {
  assert.deepEqual(intervals(60e3, 600, undefined, 1e3), { step: 1e3, interval: 1e3, rateInterval: 4e3 });
  assert.deepEqual(intervals(3600e3, 600, undefined, 1e3), { step: 5e3, interval: 5e3, rateInterval: 6e3 });
  assert.equal(intervals(60e3, 600, 10e3, 1e3).step, 10e3);
  assert.equal(intervals(60e3, 0, undefined, 1e3).step, 60e3);
});

test("Prometheus is never asked for more points than it gives", () => {
  const { step } = intervals(86400e3 * 365, 1e6, 1, 1);
  assert.ok(86400e3 * 365 / step <= 11_000);
});

test("intervals are round, at both sides of an edge", () => {
  assert.deepEqual([1499, 1500, 7499, 7500].map(rounded), [1e3, 2e3, 5e3, 10e3]);
});

test("time ticks are round and inside", () => {
  const found = timeTicks(1.6e12 + 1, 1.6e12 + 60e3, 6);
  assert.ok(found.length >= 4 && found.length <= 6);
  for (const [at, text] of found) {
    assert.ok(at > 1.6e12 && at <= 1.6e12 + 60e3 && at % 10e3 === 0);
    assert.equal(text, timeText(at, 10e3));
  }
});
