"""The style and common layout of the charts of a report. A chart is plain data for plotly."""

from __future__ import annotations

from typing import Any

from ..plots.style import COLOURS

# Plots end with black, which is invisible on a dark page.
LINE_COLOURS = (*COLOURS[:-1], "#8c8c8c")
DASHES = ("solid", "dash", "dashdot", "dot", "longdashdot")
SYMBOLS = ("circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "x")
# Opacity of the raw curve behind a smoothed one, and of the path behind its animation.
BACKGROUND_OPACITY = 0.35

Chart = dict[str, Any]


def look(k: int) -> tuple[str, str, str]:
    """Colour, dashes and symbol of line k; they repeat with different periods."""
    return LINE_COLOURS[k % len(LINE_COLOURS)], DASHES[k % len(DASHES)], SYMBOLS[k % len(SYMBOLS)]


def layout(x_title: str, y_title: str, **more: Any) -> Chart:
    """The layout that all charts share. Colours of text and axes come from the style sheet of the page."""
    axis: Chart = {"automargin": True, "zeroline": False, "showline": True, "gridcolor": "rgba(128,128,128,0.25)"}
    return {
        "paper_bgcolor": "rgba(0,0,0,0)", "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": "system-ui, sans-serif", "size": 13, "color": "#777777"},
        "margin": {"l": 56, "r": 16, "t": 32, "b": 48},
        "xaxis": {**axis, "title": {"text": x_title}}, "yaxis": {**axis, "title": {"text": y_title}},
        "legend": {"orientation": "h", "x": 0, "yref": "container", "y": 0, "yanchor": "bottom"},
        "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": "#8c8c8c", "activecolor": COLOURS[0]},
        "hoverlabel": {"namelength": -1}, "showlegend": True,
        **more,
    }  # fmt: skip


def control(name: str, *choices: tuple[str, Chart, Chart]) -> Chart:
    """A choice among alternatives, initially the first; each has a label and its changes of traces and layout."""
    return {
        "name": name,
        "choices": [{"label": label, "traces": traces, "layout": layout} for label, traces, layout in choices],
    }
