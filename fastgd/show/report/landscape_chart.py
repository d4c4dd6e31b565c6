"""The landscape chart of a report: contours of F, and the paths of the runs, animated step by step."""

from __future__ import annotations

import numpy as np

from ...model.landscape import Landscape
from ..plots.landscape_plot import level_labels, levels_of, refined
from ..plots.style import MARKERS_PER_LINE
from ..trace_curves import CURVES
from .chart_style import BACKGROUND_OPACITY, Chart, layout, look
from .page_text import chart_number, chart_numbers, chart_text, shown

# Colours of the lowest and the highest F, on a light and on a dark page: the lowest has the colour of the page, and the
# range is narrow so that the paths are visible everywhere.
BACKGROUNDS = {"light": ("#ffffff", "#b4b4b4"), "dark": ("#16181b", "#484c52")}
CONTOUR_LINES = "rgba(128,128,128,0.6)"
# Interpolated points per point of the grid, half as many as in a plot, for a smaller page.
REFINEMENT = 4
# Levels below this share of the largest |F| are interpolation error of a zero.
ROUNDING = 1e-12


def landscape_chart(found: Landscape) -> Chart:
    """F over two parameters as contours, over one as a curve; the paths and the data of their animation."""
    names = [chart_text(name) for name in found.names]
    on_plane = len(found.grid) == 2
    data = [_contours(found) if on_plane else _curve(found)]
    paths = []
    for k, (label, path) in enumerate(found.paths.items()):
        heights = found.heights[label]
        x, y = chart_numbers(path[:, 0]), chart_numbers(path[:, 1] if on_plane else heights)
        data += _path_traces(chart_text(label), x, y, k)
        points = {"label": shown(label), "x": x, "y": y, "heights": [f"{height:.6g}" for height in heights]}
        paths.append({**points, "walked": len(data) - 2, "head": len(data) - 1})
    # Fixed ranges keep the zoom during the animation; only paths that diverged leave the grid.
    limits: Chart = {"range": chart_numbers(found.grid[0][[0, -1]]), "autorange": False}
    chart_layout = layout(names[0], names[1] if on_plane else CURVES["objective"], hovermode="closest")
    chart_layout["xaxis"] |= limits
    if on_plane:
        chart_layout["yaxis"] |= {"range": chart_numbers(found.grid[1][[0, -1]]), "autorange": False}
    backgrounds = {"backgrounds": {page: _scale(page) for page in BACKGROUNDS}} if on_plane else {}
    return {"data": data, "layout": chart_layout, "controls": [], "paths": paths, **backgrounds}


def _contours(found: Landscape) -> Chart:
    """Filled contours at the quantiles of F. plotly's contours are evenly spaced, so F is replaced by its rank."""
    x, y, values = refined(found, REFINEMENT)
    levels = levels_of(values)
    levels[np.abs(levels) < ROUNDING * np.abs(levels).max(initial=0.0)] = 0.0
    ranks = np.arange(len(levels), dtype=np.float64)
    ranked = np.interp(values, levels, ranks) if len(levels) else np.zeros_like(values)
    ranked[~np.isfinite(values)] = np.nan
    every = max(1, (len(levels) - 1) // 6)
    bar = {
        "title": {"text": "F"}, "tickmode": "array", "tickvals": ranks[::every].tolist(), "thickness": 12, "len": 1,
        "ticktext": level_labels(levels[::every]), "outlinewidth": 0,
    }  # fmt: skip
    return {
        "type": "contour", "x": chart_numbers(x), "y": chart_numbers(y), "z": [chart_numbers(row) for row in ranked],
        "customdata": [[chart_number(value) for value in row] for row in values.tolist()],
        "autocontour": False, "contours": {"start": 1, "end": max(len(levels) - 2, 1), "size": 1, "coloring": "fill"},
        "zmin": 0, "zmax": max(len(levels) - 1, 1), "colorscale": _scale("light"),
        "line": {"color": CONTOUR_LINES, "width": 0.7}, "colorbar": bar, "showscale": bool(len(levels)),
        "name": "", "hovertemplate": "F = %{customdata:.6g}<br>at (%{x:.4g}, %{y:.4g})",
    }  # fmt: skip


def _scale(page: str) -> list[list[object]]:
    """The colour scale for a light or a dark page."""
    return [[float(k), colour] for k, colour in enumerate(BACKGROUNDS[page])]


def _curve(found: Landscape) -> Chart:
    """F over one parameter."""
    return {
        "type": "scatter", "mode": "lines", "name": CURVES["objective"], "line": {"color": "#8c8c8c", "width": 2},
        "x": chart_numbers(found.grid[0]), "y": chart_numbers(found.values),
        "hovertemplate": "F = %{y:.6g} at %{x:.4g}",
    }  # fmt: skip


def _path_traces(name: str, x: list[float | None], y: list[float | None], k: int) -> list[Chart]:
    """Three traces of a path: the whole path, faint; its points up to the current step; the current point."""
    colour, dash, symbol = look(k)
    both: Chart = {"type": "scatter", "legendgroup": name, "name": name, "hovertemplate": "(%{x:.4g}, %{y:.4g})"}
    line = {"color": colour, "width": 2}
    whole = {**both, "x": x, "y": y, "mode": "lines", "line": line, "opacity": BACKGROUND_OPACITY, "showlegend": False}
    edge = {"color": "#ffffff", "width": 1}
    mark = {"color": colour, "symbol": symbol, "size": 7, "maxdisplayed": 4 * MARKERS_PER_LINE, "line": edge}
    walked = {**both, "x": x, "y": y, "mode": "lines+markers", "line": {**line, "dash": dash}, "marker": mark}
    star = {"color": colour, "symbol": "star", "size": 16, "line": edge}
    head = {**both, "x": x[-1:], "y": y[-1:], "mode": "markers", "marker": star, "showlegend": False}
    return [whole, walked, head]
