// Where a chart's values stand: series on top of one another, and the ends of each axis. Knows no pixels.

// Gives each series `low` and `high` per point: from the axis, or on top of those before it.
export const stack = (series) => {
  const sums = new Map();
  for (const one of series) {
    const { mode = "none", group = "A" } = one.custom.stacking ?? {};
    one.stacked = mode !== "none";
    one.low = one.values.map(() => null);
    one.high = one.values;
    if (!one.stacked) continue;
    const below = sums.get(group) ?? sums.set(group, new Map()).get(group);
    one.low = one.times.map((ms) => below.get(ms) ?? 0);
    one.high = one.values.map((value, at) => one.low[at] + (value ?? 0));
    one.times.forEach((ms, at) => below.set(ms, one.high[at]));
    one.percent = mode === "percent" ? below : null;
  }
  for (const one of series.filter((other) => other.percent)) {
    const share = (values) => values.map((value, at) => value / (one.percent.get(one.times[at]) || 1));
    [one.low, one.high] = [share(one.low), share(one.high)];
  }
};

// One axis per unit and side: the first on the left, another unit on the right.
export const axesOf = (series) => {
  const axes = [];
  for (const one of series) {
    const { config } = one.field;
    const { axisPlacement = "auto", axisLabel = "", scaleDistribution = {} } = one.custom;
    const unit = one.percent ? "percentunit" : config.unit;
    let axis = axes.find((other) => other.unit === unit && (axisPlacement === "auto" || other.side === axisPlacement));
    if (!axis) {
      const side = ["left", "right"].includes(axisPlacement) ? axisPlacement : axes.length ? "right" : "left";
      axis = { unit, side, title: axisLabel, hidden: axisPlacement === "hidden", log: scaleDistribution.type === "log", decimals: config.decimals, members: [] };
      axes.push(axis);
    }
    one.axis = axes.indexOf(axis);
    axis.members.push(one);
  }
  axes.forEach(setEnds);
  return axes.length ? axes : [{ side: "left", low: 0, high: 1 }];
};

const setEnds = (axis) => {
  const found = axis.members.flatMap((one) => [...one.high, ...one.low]).filter((value) => value !== null && Number.isFinite(value) && (!axis.log || value > 0));
  const ends = (key) => axis.members.map((one) => one.field.config[key] ?? null).filter((value) => value !== null);
  const soft = (key) => axis.members.map((one) => one.custom[key]).filter((value) => value !== null && value !== undefined);
  let low = Math.min(...found, ...soft("axisSoftMin"));
  let high = Math.max(...found, ...soft("axisSoftMax"));
  if (!Number.isFinite(low)) [low, high] = axis.log ? [1, 10] : [0, 1];
  if (axis.members.some((one) => one.stacked || one.custom.drawStyle === "bars" || one.custom.fillOpacity > 0)) low = axis.log ? low : Math.min(low, 0);
  if (low === high) [low, high] = axis.log ? [low / 2, high * 2] : low === 0 ? [0, 1] : [Math.min(0, low), Math.max(0, high)];
  const pad = axis.log ? 0 : (high - low) * 0.06;
  const fixedLow = ends("min");
  const fixedHigh = ends("max");
  const hasSoft = soft("axisSoftMin").includes(low) || low === 0;
  axis.low = fixedLow.length ? Math.min(...fixedLow) : hasSoft ? low : low - pad;
  axis.high = fixedHigh.length ? Math.max(...fixedHigh) : high === 0 || soft("axisSoftMax").includes(high) ? high : high + pad;
  if (axis.high <= axis.low) axis.high = axis.low + 1;
};
