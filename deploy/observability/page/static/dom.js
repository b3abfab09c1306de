// Small helpers for elements. Text is always text: nothing here takes markup.

const SVG = "http://www.w3.org/2000/svg";

const fill = (made, attributes, children) => {
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "text") made.textContent = value;
    else if (name === "style") Object.assign(made.style, value);
    else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== null && value !== false) made.setAttribute(name, value);
  }
  made.append(...children.filter((one) => one !== null && one !== undefined));
  return made;
};

export const el = (tag, attributes = {}, ...children) => fill(document.createElement(tag), attributes, children);

export const svg = (tag, attributes = {}, ...children) =>
  fill(document.createElementNS(SVG, tag), attributes, children);

export const isDark = () => document.documentElement.dataset.scheme === "dark";

let canvas = null;

// How wide a text is in pixels.
export const widthOf = (text, font = "11px Inter, 'DejaVu Sans', sans-serif") => {
  canvas ??= document.createElement("canvas").getContext("2d");
  canvas.font = font;
  return canvas.measureText(text).width;
};

// Only http and https, and paths of this server: a link of a dashboard is never a script.
export const safeHref = (href) => (/^(https?:\/\/|\/(?!\/)|\?|#)/.test(href) ? href : null);
