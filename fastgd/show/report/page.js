"use strict";
// Draws the charts of a report with plotly and connects its controls. All text comes from the data.
(() => {
  const charts = JSON.parse(document.getElementById("charts").textContent);
  const config = {
    displaylogo: false,
    responsive: true,
    modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"],
  };

  for (const [id, chart] of Object.entries(charts)) {
    Plotly.newPlot(document.getElementById(id), chart.data, chart.layout, config);
  }

  for (const input of document.querySelectorAll("input[data-control]")) {
    input.addEventListener("change", () => {
      const { chart, control } = input.dataset;
      const choice = charts[chart].controls[control].choices[input.value];
      Plotly.update(document.getElementById(chart), choice.traces, choice.layout);
    });
  }

  if (charts.landscape) animate(charts.landscape.paths);
  if (charts.landscape?.backgrounds) matchPage(charts.landscape.backgrounds);

  // The contours match the page: light or dark, and always light in print.
  function matchPage(backgrounds) {
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const paint = (page) => Plotly.restyle("landscape", { colorscale: [backgrounds[page]] }, [0]);
    const matchScreen = () => paint(dark.matches ? "dark" : "light");
    dark.addEventListener("change", matchScreen);
    addEventListener("beforeprint", () => paint("light"));
    addEventListener("afterprint", matchScreen);
    matchScreen();
  }

  // Shows the paths step by step; a shorter run stays at its last point.
  function animate(paths) {
    const chart = document.getElementById("landscape");
    const slider = document.getElementById("step");
    const button = document.getElementById("play");
    const last = Number(slider.max);
    let timer = null;

    function show(step) {
      slider.value = step;
      const x = [], y = [], traces = [], lines = [`step ${step} of ${last}, F there:`];
      for (const path of paths) {
        const end = Math.min(step, path.x.length - 1);
        x.push(path.x.slice(0, end + 1), [path.x[end]]);
        y.push(path.y.slice(0, end + 1), [path.y[end]]);
        traces.push(path.walked, path.head);
        lines.push(`${path.label}: ${path.heights[end]}`);
      }
      document.getElementById("where").textContent = lines.join("\n");
      Plotly.restyle(chart, { x, y }, traces); // Plotly.animate would remove the contours
    }

    function stop() {
      clearInterval(timer);
      timer = null;
      button.textContent = "Play";
      button.setAttribute("aria-pressed", "false");
    }

    function play() {
      if (Number(slider.value) >= last) show(0);
      button.textContent = "Pause";
      button.setAttribute("aria-pressed", "true");
      timer = setInterval(() => {
        show(Number(slider.value) + 1);
        if (Number(slider.value) >= last) stop();
      }, Math.min(500, Math.max(40, 8000 / last)));
    }

    const stepBy = (change) => () => {
      stop();
      show(Math.min(last, Math.max(0, Number(slider.value) + change)));
    };
    button.addEventListener("click", () => (timer === null ? play() : stop()));
    document.getElementById("back").addEventListener("click", stepBy(-1));
    document.getElementById("forward").addEventListener("click", stepBy(1));
    slider.addEventListener("input", stepBy(0));
    show(last);
  }
})();
