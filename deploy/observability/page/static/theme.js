"use strict";
// Light or dark: as the system says, or as the button said last. Loaded first, so that nothing flashes.

const KEPT = "trapline-scheme";
const asked = new URLSearchParams(location.search).get("theme");
const kept = asked || localStorage.getItem(KEPT);
const systemDark = () => matchMedia("(prefers-color-scheme: dark)").matches;
const applyScheme = (dark) => { document.documentElement.dataset.scheme = dark ? "dark" : "light"; };

applyScheme(kept ? kept === "dark" : systemDark());
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  if (!asked && !localStorage.getItem(KEPT)) {
    applyScheme(systemDark());
    dispatchEvent(new Event("scheme"));
  }
});
addEventListener("DOMContentLoaded", () => {
  document.getElementById("scheme").addEventListener("click", () => {
    const dark = document.documentElement.dataset.scheme !== "dark";
    localStorage.setItem(KEPT, dark ? "dark" : "light");
    applyScheme(dark);
    dispatchEvent(new Event("scheme"));
  });
});
