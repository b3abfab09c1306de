"use strict";
// Paints the figures of #data with plotly, in the colours of the page; what it does not do is count anything.

const PRINT_PX = 680; // an A4 page within its margins

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const isDark = () => matchMedia("screen and (prefers-color-scheme: dark)").matches;

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

const paintedTrace = (trace, looks, dark) => {
  const meta = trace.meta || {};
  if (meta.agent !== undefined) {
    const colour = dark ? looks[meta.agent].dark : looks[meta.agent].light;
    return { ...trace, line: { ...trace.line, color: colour }, marker: { ...trace.marker, color: colour } };
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

const paintedLayout = (layout, narrow) => {
  const axis = { gridcolor: css("--grid"), linecolor: css("--line"), showline: true, fixedrange: narrow };
  return {
    ...layout,
    autosize: true,
    dragmode: narrow ? false : "zoom",
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: css("--ink") },
    hoverlabel: { bgcolor: css("--raised"), bordercolor: css("--line"), font: { color: css("--ink") } },
    xaxis: { ...layout.xaxis, ...axis, nticks: narrow ? 5 : layout.xaxis.nticks },
    yaxis: { ...layout.yaxis, ...axis, fixedrange: true },
    shapes: (layout.shapes || []).map(paintedShape),
    annotations: (layout.annotations || []).map((one) => ({ ...one, font: { size: 11, color: css("--muted") } })),
  };
};

class Plots {
  constructor({ looks, plots }) {
    this.looks = looks;
    this.plots = Object.entries(plots).map(([name, figure]) => [document.getElementById(`plot-${name}`), figure]);
    this.range = null;
    this.zooming = false;
  }

  paint(width) {
    const dark = isDark();
    const narrow = innerWidth < 640;
    for (const [place, { data, layout }] of this.plots) {
      const made = paintedLayout(layout, narrow);
      if (this.range) made.xaxis.range = this.range;
      if (width) Object.assign(made, { width, autosize: false });
      const traces = data.map((trace) => paintedTrace(trace, this.looks, dark));
      Plotly.react(place, traces, made, { responsive: true, displayModeBar: false });
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
        const zoomed = change["xaxis.range[0]"] !== undefined;
        if (this.zooming || (!zoomed && !change["xaxis.autorange"])) return;
        this.zooming = true;
        this.range = zoomed ? [change["xaxis.range[0]"], change["xaxis.range[1]"]] : null;
        this.paint();
        this.zooming = false;
      });
    }
  }
}

const drawPlots = async () => {
  const data = document.getElementById("data");
  if (!data) return;
  try {
    await unpackLibrary();
  } catch (error) {
    document.getElementById("no-plots").hidden = false;
    console.warn(error);
    return;
  }
  const plots = new Plots(JSON.parse(data.textContent));
  plots.paint();
  plots.followZoom();
  for (const box of document.querySelectorAll(".legend input")) {
    plots.show(Number(box.value), box.checked); // a reload keeps what was ticked
    box.addEventListener("change", () => {
      plots.show(Number(box.value), box.checked);
      plots.paint();
    });
  }
  plots.paint();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => plots.paint());
  matchMedia("(max-width: 639px)").addEventListener("change", () => plots.paint());
  addEventListener("beforeprint", () => plots.paint(PRINT_PX));
  addEventListener("afterprint", () => plots.paint());
  document.documentElement.dataset.drawn = "yes";
};

const openForPrint = () => {
  addEventListener("beforeprint", () => {
    for (const one of document.querySelectorAll("details:not([open])")) {
      one.open = true;
      one.dataset.opened = "";
    }
  });
  addEventListener("afterprint", () => {
    for (const one of document.querySelectorAll("details[data-opened]")) {
      one.open = false;
      delete one.dataset.opened;
    }
  });
};

setUpCopying();
openForPrint();
drawPlots();
