// Grafana's transformations, as far as dashboards here use them. Another one is an error in the panel.

import { calculate, CALC_NAMES } from "./fields.js";

const rowsOf = (frame) => frame.fields[0]?.values.length ?? 0;

const copy = (field, values, more = {}) => ({ ...field, values, ...more });

// All frames in one table: rows whose common columns are equal become one.
const merge = (frames) => {
  if (frames.length < 2) return frames;
  const named = frames.map((frame) => ({ ...frame, fields: frame.fields.map((field) => valueNamed(field, frame, frames)) }));
  const names = [...new Set(named.flatMap((frame) => frame.fields.map((field) => field.name)))];
  const common = names.filter((name) => named.every((frame) => frame.fields.some((field) => field.name === name)));
  const merged = new Map();
  for (const frame of named) {
    for (let row = 0; row < rowsOf(frame); row += 1) {
      const cells = Object.fromEntries(frame.fields.map((field) => [field.name, field.values[row]]));
      const key = JSON.stringify(common.map((name) => cells[name]));
      const same = merged.get(key) ?? merged.set(key, []).get(key);
      const free = same.find((other) => Object.keys(cells).every((name) => common.includes(name) || other[name] === undefined || other[name] === cells[name]));
      if (free) Object.assign(free, cells);
      else same.push(cells);
    }
  }
  const rows = [...merged.values()].flat();
  const model = (name) => named.flatMap((frame) => frame.fields).find((field) => field.name === name);
  return [{ refId: frames[0].refId, name: "merged", fields: names.map((name) => copy(model(name), rows.map((row) => row[name] ?? null))) }];
};

const valueNamed = (field, frame, frames) => {
  if (field.type !== "number" || field.name !== "Value") return field;
  const several = new Set(frames.map((one) => one.refId)).size > 1;
  return { ...field, name: several ? `Value #${frame.refId}` : "Value", displayName: several ? undefined : field.displayName };
};

const organize = (frames, { excludeByName = {}, indexByName = {}, renameByName = {}, includeByName = {} }) => frames.map((frame) => {
  const included = Object.entries(includeByName).filter(([, yes]) => yes).map(([name]) => name);
  const name = (field) => field.displayName ?? field.name;
  const is = (table, field) => table[name(field)] ?? table[field.name];
  const kept = frame.fields.filter((field) => !is(excludeByName, field) && (!included.length || included.includes(name(field))));
  const place = (field) => is(indexByName, field) ?? 1e6;
  return { ...frame, fields: [...kept].sort((a, b) => place(a) - place(b)).map((field) => ({ ...field, displayName: is(renameByName, field) || field.displayName })) };
});

const sortBy = (frames, { sort = [] }) => frames.map((frame) => {
  const by = frame.fields.find((field) => [field.displayName, field.name].includes(sort[0]?.field));
  if (!by) return frame;
  const sign = sort[0].desc ? -1 : 1;
  const order = by.values.map((_, row) => row).sort((a, b) => (by.values[a] < by.values[b] ? -sign : by.values[a] > by.values[b] ? sign : 0));
  return { ...frame, fields: frame.fields.map((field) => copy(field, order.map((row) => field.values[row]))) };
});

const limit = (frames, { limitField = 10 }) => frames.map((frame) => ({ ...frame, fields: frame.fields.map((field) => copy(field, field.values.slice(0, Number(limitField)))) }));

const filterFieldsByName = (frames, { include = {}, exclude = {} }) => {
  const matches = ({ names = [], pattern }, field) => names.includes(field.displayName ?? field.name) || (pattern && new RegExp(pattern.replace(/^\/|\/$/g, "")).test(field.displayName ?? field.name));
  const kept = (field) => (!(include.names || include.pattern) || matches(include, field)) && !matches(exclude, field);
  return frames.map((frame) => ({ ...frame, fields: frame.fields.filter(kept) }));
};

const labelsToFields = (frames, { mode = "columns", valueLabel }) => {
  if (mode !== "columns") throw new Error(`labelsToFields by ${mode} is not supported by the preview`);
  return frames.map((frame) => {
    const value = frame.fields.find((field) => field.type === "number");
    const column = (name, text) => ({ name, type: "string", values: value.values.map(() => text), labels: {}, config: {} });
    const labels = Object.entries(value.labels).filter(([name]) => name !== valueLabel).map(([name, text]) => column(name, text));
    const named = valueLabel ? { displayName: value.labels[valueLabel] } : { displayName: undefined };
    return { ...frame, fields: [frame.fields[0], ...labels, { ...value, ...named, labels: {} }] };
  });
};

// A row per series, a column per calculation.
const reduceRows = (frames, { reducers = ["max"], mode = "seriesToRows", labelsToFields: asFields = false }) => {
  if (mode !== "seriesToRows") throw new Error(`reduce by ${mode} is not supported by the preview`);
  const series = frames.flatMap((frame) => frame.fields.filter((field) => field.type === "number"));
  const column = (name, type, values) => ({ name, type, values, labels: {}, config: {} });
  const labels = asFields ? [...new Set(series.flatMap((one) => Object.keys(one.labels)))] : [];
  const first = asFields && labels.length ? labels.map((name) => column(name, "string", series.map((one) => one.labels[name] ?? "")))
    : [column("Field", "string", series.map((one) => one.displayName ?? one.name))];
  return [{ refId: frames[0]?.refId, name: "reduced", fields: [...first,
    ...reducers.map((calc) => column(CALC_NAMES[calc] ?? calc, "number", series.map((one) => calculate(calc, one.values))))] }];
};

const joinByField = (frames, { byField, mode = "outer" }) => {
  if (frames.length < 2) return frames;
  const key = (frame) => frame.fields.find((field) => field.name === byField || (!byField && field.type === "time"));
  const joined = frames.filter(key).map((frame) => [frame, new Map(key(frame).values.map((value, row) => [value, row]))]);
  const values = [...new Set(joined.flatMap(([, rows]) => [...rows.keys()]))].filter((value) => mode !== "inner" || joined.every(([, rows]) => rows.has(value)));
  const others = joined.flatMap(([frame, rows]) => frame.fields.filter((field) => field !== key(frame))
    .map((field) => valueNamed(copy(field, values.map((value) => (rows.has(value) ? field.values[rows.get(value)] : null))), frame, frames)));
  return [{ refId: frames[0].refId, name: "joined", fields: [copy(key(joined[0][0]), values), ...others] }];
};

const TRANSFORMS = { merge, organize, sortBy, limit, filterFieldsByName, labelsToFields, reduce: reduceRows, joinByField,
  seriesToColumns: joinByField };

export const strangers = (wanted) => wanted.filter(({ id, disabled }) => !disabled && !TRANSFORMS[id]).map(({ id }) => `transformation ${id}`);

export const transform = (frames, wanted = []) => wanted.filter((one) => !one.disabled && TRANSFORMS[one.id])
  .reduce((before, { id, options }) => TRANSFORMS[id](before, options ?? {}), frames);
