// Prometheus' API, by way of this page's own server. Errors carry Prometheus' words.

const get = async (path, parameters, signal) => {
  const response = await fetch(`/api/v1/${path}?${new URLSearchParams(parameters)}`, { signal });
  const answer = await response.json().catch(() => ({ status: "error", error: `HTTP ${response.status}` }));
  if (answer.status !== "success") throw new Error(answer.error || `HTTP ${response.status}`);
  return answer.data;
};

const seconds = (ms) => (ms / 1000).toFixed(3);

// [{metric, values: [[ms, number], ...]}] of a range; its ends are multiples of the step, as Grafana asks.
export const queryRange = async (expr, range, stepMs, signal) => {
  const start = Math.floor(range.from / stepMs) * stepMs;
  const end = Math.floor(range.to / stepMs) * stepMs;
  const asked = { query: expr, start: seconds(start), end: seconds(end), step: seconds(stepMs) };
  const { resultType, result } = await get("query_range", asked, signal);
  if (resultType !== "matrix") throw new Error(`a range query gave a ${resultType}`);
  return result.map((one) => ({ metric: one.metric, values: numbers(one.values) }));
};

export const queryInstant = async (expr, atMs, signal) => {
  const { resultType, result } = await get("query", { query: expr, time: seconds(atMs) }, signal);
  if (resultType === "scalar") return [{ metric: {}, values: numbers([result]) }];
  if (resultType !== "vector") throw new Error(`an instant query gave a ${resultType}`);
  return result.map((one) => ({ metric: one.metric, values: numbers([one.value]) }));
};

const numbers = (values) => values.map(([at, text]) => [at * 1000, number(text)]);
const number = (text) => ({ "+Inf": Infinity, "-Inf": -Infinity })[text] ?? Number(text);

export const labelValues = (label, selector, range) => {
  const asked = { start: seconds(range.from), end: seconds(range.to) };
  if (selector) asked["match[]"] = selector;
  return get(`label/${encodeURIComponent(label)}/values`, asked);
};
