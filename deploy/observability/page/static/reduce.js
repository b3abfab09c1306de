// Frames reduced to single values, as stats and bar gauges show them.

import { calculate } from "./fields.js";

const VALUES_MAX = 50;

const wanted = (fields) => {
  if (!fields) return (field) => field.type === "number";
  const [, rule, flags] = /^\/(.*)\/(\w*)$/.exec(fields) || [null, `^${fields}$`, ""];
  const regexp = new RegExp(rule, flags);
  return (field) => field.type !== "time" && regexp.test(field.title ?? field.name);
};

// [{field, title, value, values, frame, row}]: one per field, or one per row where `values` is asked for.
export const reduce = (frames, { calcs = ["lastNotNull"], fields = "", values = false, limit = VALUES_MAX } = {}) => {
  const matches = wanted(fields);
  const found = [];
  for (const frame of frames) {
    const texts = frame.fields.filter((field) => field.type === "string");
    for (const field of frame.fields.filter(matches)) {
      if (!values) {
        const value = field.type === "number" ? calculate(calcs[0] ?? "lastNotNull", field.values) : field.values.at(-1);
        found.push({ field, title: field.title, value, values: field.values, frame, row: field.values.length - 1 });
        continue;
      }
      field.values.slice(0, limit).forEach((value, row) => {
        const title = texts.filter((one) => one !== field).map((one) => one.values[row]).join(" ") || field.title;
        found.push({ field, title, value, values: [], frame, row });
      });
    }
  }
  return found.slice(0, VALUES_MAX);
};
