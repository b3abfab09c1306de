// Numbers as Grafana writes them: units, decimals, ticks.

import assert from "node:assert/strict";
import { test } from "node:test";

import { known, split, ticks, tickText, write } from "../static/units.js";

const WRITTEN = [
  [0.0042, "s", undefined, "4.20 ms"], [0.05, "s", undefined, "50 ms"], [0.999, "s", undefined, "999 ms"], [1, "s", undefined, "1 s"],
  [59.9, "s", 0, "60 s"], [90, "s", undefined, "1.50 min"], [0, "s", undefined, "0 s"], [2e-7, "s", undefined, "200 ns"],
  [0.051, "percentunit", 1, "5.1%"], [1, "percentunit", undefined, "100%"],
  [999, "cps", undefined, "999 c/s"], [1000, "cps", undefined, "1K c/s"], [1234567, "short", undefined, "1.23 Mil"],
  [1023, "bytes", undefined, "1023 B"], [1024, "bytes", undefined, "1 KiB"], [1536, "bytes", undefined, "1.50 KiB"],
  [1000, "Bps", undefined, "1 kB/s"], [3.3, "hertz", 1, "3.3 Hz"], [0.0033, "volt", 1, "3.3 mV"],
  [5, "suffix: x", undefined, "5 x"], [5, "prefix:~", undefined, "~5"], [5, "weird", undefined, "5 weird"],
  [Infinity, "s", undefined, "∞"], [-Infinity, "s", undefined, "-∞"], [NaN, "s", undefined, ""], [null, "s", undefined, ""],
];

for (const [value, unit, decimals, text] of WRITTEN) {
  test(`${value} in ${unit} is ${JSON.stringify(text)}`, () => assert.equal(write(value, unit, decimals), text));
}

test("number and unit come apart", () => assert.deepEqual(split(0.0042, "s", 1), ["4.2", " ms"]));

test("a unit that it does not know it says", () => {
  assert.equal(known("cps"), true);
  assert.equal(known("suffix:x"), true);
  assert.equal(known("furlong"), false);
});

test("ticks are round and inside", () => {
  assert.deepEqual(ticks(0, 1, 5), [0, 0.2, 0.4, 0.6, 0.8, 1]);
  assert.deepEqual(ticks(0, 0.05, 5), [0, 0.01, 0.02, 0.03, 0.04, 0.05]);
  assert.deepEqual(ticks(3, 3, 5), [3]);
  assert.deepEqual(ticks(0, 4096, 4, "bytes"), [0, 1024, 2048, 3072, 4096]);
  assert.deepEqual(ticks(0, 300, 5, "s"), [0, 60, 120, 180, 240, 300]);
});

test("ticks have the decimals that keep them apart, and no more", () => {
  assert.deepEqual(tickText([0, 0.005, 0.01], "s"), ["0 s", "5 ms", "10 ms"]);
  assert.deepEqual(tickText([0, 0.25, 0.5], "none"), ["0.00", "0.25", "0.50"]);
  assert.deepEqual(tickText([0, 0.5, 1], "percentunit"), ["0%", "50%", "100%"]);
});

test("a time says its date, unless it is today's and shall not", () => {
  const then = new Date(2001, 1, 3, 4, 5, 6).getTime();
  const today = new Date(new Date().setHours(4, 5, 6)).getTime();
  assert.equal(write(then, "dateTimeAsIso"), "2001-02-03 04:05:06");
  assert.equal(write(then, "dateTimeAsIsoNoDateIfToday"), "2001-02-03 04:05:06");
  assert.equal(write(today, "dateTimeAsIsoNoDateIfToday"), "04:05:06");
});
