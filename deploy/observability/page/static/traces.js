// The traces page: the latest calls of a cluster, newest first, asked for again every two seconds.

import { el } from "./dom.js";
import { fullTime } from "./times.js";

const REFRESH_MS = 2000;
const form = document.getElementById("asked");
const place = document.getElementById("lines");
const trouble = document.getElementById("trouble");
const state = document.getElementById("state");
const onlyDenied = document.getElementById("denied");
const pause = document.getElementById("pause");
let paused = false;
let shown = [];

const timeOfDay = (ns) => `${fullTime(ns / 1e6).slice(11)}.${String(Math.floor(ns / 1e3) % 1e6).padStart(6, "0")}`;

const legs = (one) => Object.entries(one.legs).map(([name, took]) => `${name.replaceAll("_", " ")}: ${(took / 1000).toFixed(0)} µs`).join("\n");

const line = (one) => el("div", { class: `call ${one.denied ? "denied" : one.failed ? "failed" : ""}`, title: legs(one) },
  el("time", { text: one.wall_ns ? timeOfDay(one.wall_ns) : `${(one.at_ns / 1e9).toFixed(6)} s` }),
  el("span", { class: "mark", text: one.denied ? "denied" : one.failed ? "failed" : "" }), el("span", { text: one.text }));

const draw = () => {
  const wanted = onlyDenied.checked ? shown.filter((one) => one.denied) : shown;
  place.replaceChildren(...wanted.map(line).reverse());
  place.hidden = !wanted.length;
};

const refresh = async () => {
  const asked = new URLSearchParams(new FormData(form));
  const answer = await (await fetch(`/traces/lines?${asked}`)).json();
  shown = answer.lines;
  const none = onlyDenied.checked ? "none of the latest calls was denied" : "no calls yet";
  const nothing = !shown.some((one) => one.denied || !onlyDenied.checked);
  trouble.textContent = answer.why || (nothing ? none : "");
  trouble.hidden = !trouble.textContent;
  draw();
  state.textContent = paused ? "paused" : `live, ${new Date().toTimeString().slice(0, 8)}`;
  document.documentElement.dataset.drawn = String(Number(document.documentElement.dataset.drawn || 0) + 1);
};

const failed = (error) => {
  trouble.hidden = false;
  trouble.textContent = error.message;
};

form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("change", () => {
  history.replaceState(null, "", `?${new URLSearchParams(new FormData(form))}`);
  refresh().catch(failed);
});
pause.addEventListener("click", () => {
  paused = !paused;
  pause.textContent = paused ? "Go on" : "Pause";
  state.textContent = paused ? "paused" : "live";
});

const ticking = async () => {
  if (!paused && !document.hidden) await refresh().catch(failed);
  setTimeout(ticking, REFRESH_MS);
};
ticking();
