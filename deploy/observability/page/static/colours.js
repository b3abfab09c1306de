// Grafana's named colours and palettes, for dark and light paper.

import { isDark } from "./dom.js";

const HUES = {
  red: ["#FFA6B0", "#FF7383", "#F2495C", "#E02F44", "#C4162A"], orange: ["#FFCB7D", "#FFB357", "#FF9830", "#FF780A", "#FA6400"],
  yellow: ["#FFF899", "#FFEE52", "#FADE2A", "#F2CC0C", "#E0B400"], green: ["#C8F2C2", "#96D98D", "#73BF69", "#56A64B", "#37872D"],
  blue: ["#C0D8FF", "#8AB8FF", "#5794F2", "#3274D9", "#1F60C4"], purple: ["#DEB6F2", "#CA95E5", "#B877D9", "#A352CC", "#8F3BB8"],
};
const SHADES = ["super-light-", "light-", "", "semi-dark-", "dark-"];
const CLASSIC = ["#73BF69", "#F2CC0C", "#8AB8FF", "#FF780A", "#F2495C", "#5794F2", "#B877D9", "#705DA0", "#37872D",
  "#FADE2A", "#447EBC", "#C15C17", "#890F02", "#0A437C", "#6D1F62", "#584477", "#B7DBAB", "#F4D598", "#70DBED", "#F9BA8F",
  "#F29191", "#82B5D8", "#E5A8E2", "#AEA2E0", "#629E51", "#E5AC0E", "#64B0C8", "#E0752D", "#BF1B00", "#0A50A1", "#962D82",
  "#614D93"];
// On white paper the pale ones of the same hues are a shade darker.
const ON_LIGHT = { "#73BF69": "#56A64B", "#F2CC0C": "#D9A800", "#8AB8FF": "#5B93EC", "#FADE2A": "#D9B000", "#B7DBAB": "#7FB56F",
  "#F4D598": "#D3A545", "#70DBED": "#36B0C6", "#F9BA8F": "#E58A4E" };
const RAMPS = {
  "continuous-GrYlRd": ["#73BF69", "#FADE2A", "#F2495C"], "continuous-RdYlGr": ["#F2495C", "#FADE2A", "#73BF69"],
  "continuous-BlYlRd": ["#5794F2", "#FADE2A", "#F2495C"], "continuous-YlRd": ["#FADE2A", "#F2495C"],
  "continuous-BlPu": ["#5794F2", "#B877D9"], "continuous-YlBl": ["#FADE2A", "#5794F2"],
  "continuous-blues": ["#C0D8FF", "#1F60C4"], "continuous-reds": ["#FFA6B0", "#C4162A"],
  "continuous-greens": ["#C8F2C2", "#37872D"], "continuous-purples": ["#DEB6F2", "#8F3BB8"],
  Oranges: ["#fff5eb", "#fdd0a2", "#fd8d3c", "#d94801", "#7f2704"], Blues: ["#f7fbff", "#c6dbef", "#6baed6", "#2171b5", "#08306b"],
  Greens: ["#f7fcf5", "#c7e9c0", "#74c476", "#238b45", "#00441b"], Reds: ["#fff5f0", "#fcbba1", "#fb6a4a", "#cb181d", "#67000d"],
  Purples: ["#fcfbfd", "#dadaeb", "#9e9ac8", "#6a51a3", "#3f007d"],
  Spectral: ["#9e0142", "#f46d43", "#fee08b", "#e6f598", "#66c2a5", "#5e4fa2"],
  Turbo: ["#23171b", "#4a58dd", "#2f9df5", "#27d7c4", "#4df884", "#95fb51", "#dedd32", "#ffa423", "#f65f18", "#ba2208", "#900c00"],
  Viridis: ["#440154", "#3b528b", "#21918c", "#5ec962", "#fde725"],
  YlOrRd: ["#ffffcc", "#fed976", "#fd8d3c", "#e31a1c", "#800026"],
};

// A colour of a dashboard's as CSS knows it: a name of Grafana's, "#rrggbb", "rgb(...)", "transparent".
export const css = (name) => {
  if (!name || name === "text") return isDark() ? "#ccccdc" : "#24292e";
  const [, shade = "", hue] = /^(super-light-|light-|semi-dark-|dark-)?(\w+)$/.exec(name) || [];
  if (!HUES[hue]) return name === "gray" ? "#8e8e99" : name;
  const at = SHADES.indexOf(shade);
  return HUES[hue][isDark() ? at : Math.max(at, Math.min(4, at + 1))];
};

export const classic = (number) => {
  const one = CLASSIC[number % CLASSIC.length];
  return isDark() ? one : ON_LIGHT[one] || one;
};

export const hasRamp = (name) => name in RAMPS;

const channels = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));

// The colour at `share` (0..1) of a named ramp.
export const ramp = (name, share, reverse = false) => {
  const stops = RAMPS[name] || RAMPS["continuous-GrYlRd"];
  const at = Math.min(1, Math.max(0, reverse ? 1 - share : share)) * (stops.length - 1);
  const low = Math.min(Math.floor(at), stops.length - 2);
  const [from, to] = [channels(stops[low]), channels(stops[low + 1])];
  return `rgb(${from.map((value, channel) => Math.round(value + (to[channel] - value) * (at - low))).join(",")})`;
};

const asChannels = (colour) => {
  if (/^#[0-9a-f]{6}/i.test(colour)) return channels(colour);
  return (/\d+/.test(colour) ? colour.match(/[\d.]+/g) : [128, 128, 128]).slice(0, 3).map(Number);
};

// Black or white, whichever reads better on it.
export const inkOn = (colour) => {
  const [red, green, blue] = asChannels(colour);
  return red * 0.299 + green * 0.587 + blue * 0.114 > 150 ? "#16191d" : "#ffffff";
};

export const faded = (colour, share) => `rgba(${asChannels(colour).join(",")},${share})`;
