"use strict";
// Paints the figures of #data with plotly, in the colours of the page; what it does not do is count anything.

const PRINT_PX = 680; // an A4 page within its margins

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const root = document.documentElement;
const isDark = () => matchMedia("(prefers-color-scheme: dark)").matches && !root.classList.contains("printing");

const setUpCopying = () => {
  for (const button of document.querySelectorAll("[data-copy]")) {
    button.addEventListener("click", async () => {
      const from = document.getElementById(button.dataset.copy);
      try {
        await navigator.clipboard.writeText(from.textContent);
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(from);
        button.textContent = "Selected";
      }
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
  }
};

const unpackLibrary = async () => {
  const packed = document.getElementById("library").textContent;
  const bytes = Uint8Array.from(atob(packed), (one) => one.charCodeAt(0));
  const plain = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const script = document.createElement("script");
  script.textContent = await new Response(plain).text();
  document.head.append(script);
  if (!window.Plotly) throw new Error("plotly did not load");
};

const paintedTrace = (trace, looks, dark, narrow) => {
  const meta = trace.meta || {};
  if (meta.agent !== undefined) {
    const color = dark ? looks[meta.agent].dark : looks[meta.agent].light;
    const size = narrow ? 3 : trace.marker.size;
    return { ...trace, line: { ...trace.line, color }, marker: { ...trace.marker, color, size } };
  }
  const marker = { ...trace.marker };
  if (trace.type === "bar") {
    marker.color = css("--fault-fill");
    marker.line = { ...marker.line, color: css("--fault") };
    marker.pattern = { ...marker.pattern, fgcolor: css("--fault"), bgcolor: css("--paper"), fillmode: "overlay" };
    if (meta.fault === "bus") marker.color = css("--paper");
  } else {
    marker.color = css("--fault");
  }
  return { ...trace, marker };
};

const paintedShape = (shape) => {
  if (shape.name === "band") return { ...shape, fillcolor: css("--band") };
  return { ...shape, line: { ...shape.line, color: css(shape.name === "instant" ? "--fault" : "--phase") } };
};

// Words that would cover one another stand in two or three rows; the last ends at the edge, if it has to.
const spreadMarks = (marks, name, pixels, seconds, direction) => {
  const free = [-Infinity, -Infinity, -Infinity];
  return marks.filter((one) => one.name === name).map((one) => {
    const wide = one.text.length * 6.5 + 6;
    let begin = one.x / seconds * pixels;
    const late = begin + wide > pixels + 10;
    if (late) begin -= wide;
    const row = Math.max(0, free.findIndex((end) => end <= begin));
    free[row] = begin + wide;
    return { ...one, xanchor: late ? "right" : "left", yshift: direction * 12 * row };
  });
};

const paintedMarks = (layout, range, width) => {
  const marks = layout.annotations || [];
  const [pixels, seconds] = [width - layout.margin.l - layout.margin.r, range[1] - range[0]];
  const shifted = marks.map((one) => ({ ...one, x: one.xref === "paper" ? one.x : one.x - range[0] }));
  const spread = [
    ...shifted.filter((one) => !one.name).map((one) => ({ ...one, bgcolor: css("--paper"), opacity: 0.85 })),
    ...spreadMarks(shifted, "phase", pixels, seconds, 1),
    ...spreadMarks(shifted, "fault", pixels, seconds, -1),
  ];
  const font = { size: 11, color: css("--muted") };
  return spread.map((one) => ({ ...one, font, x: one.xref === "paper" ? one.x : one.x + range[0] }))
    .filter((one) => one.xref === "paper" || (one.x >= range[0] && one.x <= range[1]));
};

const paintedLayout = (layout, range, width, narrow) => {
  const axis = { gridcolor: css("--grid"), linecolor: css("--line"), showline: true, fixedrange: narrow };
  return {
    ...layout,
    autosize: true,
    dragmode: narrow ? false : "zoom",
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: css("--ink") },
    hoverlabel: { bgcolor: css("--raised"), bordercolor: css("--line"), font: { color: css("--ink") } },
    xaxis: { ...layout.xaxis, ...axis, range: [...range], nticks: narrow ? 5 : layout.xaxis.nticks },
    yaxis: { ...layout.yaxis, ...axis, fixedrange: true },
    shapes: (layout.shapes || []).map(paintedShape),
    annotations: paintedMarks(layout, range, width),
  };
};

class Plots {
  constructor({ looks, plots }) {
    this.looks = looks;
    this.plots = Object.entries(plots).map(([name, figure]) => [document.getElementById(`plot-${name}`), figure]);
    this.range = null; // as each figure says
    this.whole = document.getElementById("whole");
    this.whole.addEventListener("click", () => this.zoom(null));
  }

  paint(width) {
    const dark = isDark();
    const narrow = innerWidth < 640;
    for (const [place, { data, layout }] of this.plots) {
      const range = this.range || layout.xaxis.range;
      const made = paintedLayout(layout, range, width || place.clientWidth, narrow);
      if (width) Object.assign(made, { width, autosize: false });
      const traces = data.map((trace) => paintedTrace(trace, this.looks, dark, narrow));
      Plotly.react(place, traces, made, { displayModeBar: false, doubleClick: false, doubleClickDelay: 500 });
    }
  }

  show(agent, visible) {
    for (const [, { data }] of this.plots) {
      for (const trace of data) {
        if (trace.meta && trace.meta.agent === agent) trace.visible = visible;
      }
    }
  }

  followZoom() {
    for (const [place] of this.plots) {
      place.on("plotly_relayout", (change) => {
        const range = [change["xaxis.range[0]"], change["xaxis.range[1]"]];
        if (range[0] !== undefined) this.zoom(range);
      });
      place.on("plotly_doubleclick", () => this.zoom(null));
    }
  }

  zoom(range) {
    this.range = range;
    this.whole.hidden = range === null;
    this.paint();
  }
}

const drawPlots = async () => {
  const data = document.getElementById("data");
  if (!data) {
    root.dataset.drawn = "nothing";
    return;
  }
  try {
    await unpackLibrary();
  } catch (error) {
    document.getElementById("no-plots").hidden = false;
    console.warn(error);
    return;
  }
  const plots = new Plots(JSON.parse(data.textContent));
  for (const box of document.querySelectorAll(".legend input")) {
    plots.show(Number(box.value), box.checked); // a reload keeps what was ticked
    box.addEventListener("change", () => {
      plots.show(Number(box.value), box.checked);
      plots.paint();
    });
  }
  plots.paint();
  plots.followZoom();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => plots.paint());
  addEventListener("resize", () => plots.paint());
  addEventListener("beforeprint", () => plots.paint(PRINT_PX));
  addEventListener("afterprint", () => plots.paint());
  root.dataset.drawn = "yes";
};

const setUpPrinting = () => {
  addEventListener("beforeprint", () => {
    root.classList.add("printing"); // paper is light
    for (const one of document.querySelectorAll("details:not([open])")) {
      one.open = true;
      one.dataset.opened = "";
    }
  });
  addEventListener("afterprint", () => {
    root.classList.remove("printing");
    for (const one of document.querySelectorAll("details[data-opened]")) {
      one.open = false;
      delete one.dataset.opened;
    }
  });
};

setUpCopying();
setUpPrinting();
drawPlots();
