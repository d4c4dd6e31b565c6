"use strict";
// Draws the charts of a report with plotly, and does what its controls ask for. All texts come as data.
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

  if (charts.surface) walk(charts.surface.paths);
  if (charts.surface?.grounds) follow(charts.surface.grounds);

  // The ground of the surface is that of the page: light or dark, and on paper always light.
  function follow(grounds) {
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const paint = (page) => Plotly.restyle("surface", { colorscale: [grounds[page]] }, [0]);
    const as_page = () => paint(dark.matches ? "dark" : "light");
    dark.addEventListener("change", as_page);
    addEventListener("beforeprint", () => paint("light"));
    addEventListener("afterprint", as_page);
    as_page();
  }

  // The paths, step by step: each run stands at its last point once it has got there.
  function walk(paths) {
    const place = document.getElementById("surface");
    const slider = document.getElementById("step");
    const button = document.getElementById("play");
    const last = Number(slider.max);
    let timer = null;

    function stand(step) {
      slider.value = step;
      const x = [], y = [], traces = [], told = [`step ${step} of ${last}, F there:`];
      for (const path of paths) {
        const end = Math.min(step, path.x.length - 1);
        x.push(path.x.slice(0, end + 1), [path.x[end]]);
        y.push(path.y.slice(0, end + 1), [path.y[end]]);
        traces.push(path.walked, path.head);
        told.push(`${path.label}: ${path.heights[end]}`);
      }
      document.getElementById("where").textContent = told.join("\n");
      Plotly.restyle(place, { x, y }, traces); // Plotly.animate would take the contours away
    }

    function stop() {
      clearInterval(timer);
      timer = null;
      button.textContent = "Play";
      button.setAttribute("aria-pressed", "false");
    }

    function play() {
      if (Number(slider.value) >= last) stand(0);
      button.textContent = "Pause";
      button.setAttribute("aria-pressed", "true");
      timer = setInterval(() => {
        stand(Number(slider.value) + 1);
        if (Number(slider.value) >= last) stop();
      }, Math.min(500, Math.max(40, 8000 / last)));
    }

    const stepped = (change) => () => {
      stop();
      stand(Math.min(last, Math.max(0, Number(slider.value) + change)));
    };
    button.addEventListener("click", () => (timer === null ? play() : stop()));
    document.getElementById("back").addEventListener("click", stepped(-1));
    document.getElementById("on").addEventListener("click", stepped(1));
    slider.addEventListener("input", stepped(0));
    stand(last);
  }
})();
