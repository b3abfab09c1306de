// A small list of links where the pointer is, gone with the next click.

import { el } from "./dom.js";

export const anchor = ({ title, href, blank }, text) =>
  el("a", { href, text: text ?? title, title, target: blank ? "_blank" : undefined, rel: blank ? "noopener" : undefined });

export const linkList = (event, found) => {
  if (!found.length) return;
  document.getElementById("links")?.remove();
  const list = el("div", { id: "links", style: { left: `${event.clientX}px`, top: `${event.clientY}px` } }, ...found.map((one) => anchor(one)));
  document.body.append(list);
  event.stopPropagation();
  addEventListener("click", () => list.remove(), { once: true });
};
