"use strict";
(() => {
  const root = document.documentElement;
  const plots = [];

  // Theme: what the system says, or what the reader chose.
  const button = document.getElementById("theme");
  const themes = ["system", "light", "dark"];
  let theme = "system";
  try { theme = localStorage.getItem("actionbench-theme") || theme; } catch { /* a file may have no storage */ }
  const show = () => {
    if (theme === "system") delete root.dataset.theme;
    else root.dataset.theme = theme;
    button.textContent = `Theme: ${theme}`;
    plots.forEach(restyle);
  };
  button.hidden = false;
  button.addEventListener("click", () => {
    theme = themes[(themes.indexOf(theme) + 1) % themes.length];
    try { localStorage.setItem("actionbench-theme", theme); } catch { /* kept for this visit only */ }
    show();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => plots.forEach(restyle));

  // Paper shows everything that is folded.
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((d) => { d.open = true; }));

  function colours(box) {
    const style = getComputedStyle(box);
    return { ink: style.color, line: style.borderTopColor };
  }

  function themed(layout, box) {
    const { ink, line } = colours(box);
    const axis = (a) => ({ ...a, gridcolor: line, linecolor: line, fixedrange: true });
    const narrow = box.clientWidth < 520;
    return {
      ...layout,
      width: box.clientWidth,
      xaxis: axis(layout.xaxis),
      yaxis: axis(layout.yaxis),
      shapes: layout.shapes.map((s) => ({ ...s, line: { ...s.line, color: ink } })),
      font: { family: "system-ui, sans-serif", size: narrow ? 11 : 12, color: ink },
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      margin: { l: 8, r: 12, t: 12, b: 8 },
      legend: { orientation: "h", x: 0, y: 1.02, xanchor: "left", yanchor: "bottom" },
    };
  }

  // A plot follows its box: a phone is turned, a window dragged, a scroll bar appears. Redrawn once it rests.
  const resized = new ResizeObserver((entries) => entries.forEach(({ target }) => {
    const plot = plots.find((p) => p.box === target);
    clearTimeout(plot.timer);
    plot.timer = setTimeout(() => {
      const width = target.clientWidth; // 0: not shown, as on paper
      if (width && width !== target.layout.width) restyle(plot);
    }, 100);
  }));

  function restyle({ box, figure }) {
    // A bar's interval lies on the bar and on the page alike.
    const data = figure.data.map((t) => t.type === "bar" && t.error_x
      ? { ...t, error_x: { ...t.error_x, color: colours(box).ink } } : t);
    Plotly.react(box, data, themed(figure.layout, box), { displayModeBar: false });
  }

  async function enliven() {
    const packed = document.getElementById("plotly");
    if (!packed || typeof DecompressionStream === "undefined") return;
    const bytes = Uint8Array.from(atob(packed.textContent), (c) => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    const script = document.createElement("script");
    script.textContent = await new Response(stream).text();
    document.head.append(script);
    for (const element of document.querySelectorAll(".plot")) {
      const box = element.querySelector(".live");
      const figure = JSON.parse(element.querySelector("script").textContent);
      box.hidden = false;
      element.querySelector(".static").style.display = "none";
      plots.push({ box, figure });
      restyle(plots.at(-1));
      resized.observe(box);
    }
    root.dataset.plots = "live";
  }

  show();
  enliven();
})();
