// The one box that follows the pointer: a heading and lines of colour, name and value.

import { el } from "./dom.js";

const place = () => document.getElementById("tip");
let owner = null;

export const hideTip = (who) => {
  if (!who || who === owner) place().hidden = true;
};

// `lines`: [{colour, name, value, strong}].
export const showTip = (event, heading, lines, who) => {
  owner = who ?? null;
  const box = place();
  box.replaceChildren(el("div", { class: "tip-head", text: heading }), ...lines.map(({ colour, name, value, strong }) =>
    el("div", { class: strong ? "tip-line strong" : "tip-line" },
      el("i", { class: "swatch", style: { background: colour || "transparent" } }), el("span", { text: name }),
      el("b", { text: value }))));
  box.hidden = false;
  const { width, height } = box.getBoundingClientRect();
  const right = event.clientX + 16 + width < innerWidth;
  box.style.left = `${Math.max(4, right ? event.clientX + 16 : event.clientX - width - 16)}px`;
  box.style.top = `${Math.max(4, Math.min(event.clientY + 12, innerHeight - height - 6))}px`;
};
