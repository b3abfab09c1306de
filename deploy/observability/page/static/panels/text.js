// Text: paragraphs, headings, lists, bold, code and links of Markdown. Anything else stays as it is written.

import { el, safeHref } from "../dom.js";

const INLINE = /\*\*(.+?)\*\*|`(.+?)`|\[(.+?)\]\((.+?)\)/g;

const inline = (text) => {
  const parts = [];
  let at = 0;
  for (const match of text.matchAll(INLINE)) {
    parts.push(text.slice(at, match.index));
    const [whole, bold, code, title, href] = match;
    if (bold) parts.push(el("b", { text: bold }));
    else if (code) parts.push(el("code", { text: code }));
    else parts.push(safeHref(href) ? el("a", { href, text: title }) : whole);
    at = match.index + whole.length;
  }
  return [...parts, text.slice(at)];
};

const block = (text) => {
  const heading = /^(#+)\s+(.*)$/.exec(text);
  if (heading) return el("h3", {}, ...inline(heading[2]));
  const lines = text.split("\n");
  if (lines.every((one) => /^\s*[-*]\s/.test(one))) return el("ul", {}, ...lines.map((one) => el("li", {}, ...inline(one.replace(/^\s*[-*]\s+/, "")))));
  return el("p", {}, ...inline(lines.join(" ")));
};

export const text = (place, panel, _frames, { fillIn }) => {
  const blocks = fillIn(panel.options?.content ?? "").split(/\n\s*\n/).filter((one) => one.trim());
  place.replaceChildren(el("div", { class: "scrolls words" }, ...blocks.map((one) => block(one.trim()))));
  return true;
};
