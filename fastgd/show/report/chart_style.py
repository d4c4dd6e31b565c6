"""How the charts of a report look, and what is the same for all of them; each is plain data for plotly."""

from __future__ import annotations

from typing import Any

from ..plots.style import COLOURS

# Black, the last colour of pictures on white, is lost on a dark page.
LINE_COLOURS = (*COLOURS[:-1], "#8c8c8c")
DASHES = ("solid", "dash", "dashdot", "dot", "longdashdot")
SYMBOLS = ("circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "x")
MARKERS_A_LINE = 12
# How much shows of what is behind: a curve behind its smoothed self, a path behind the walk.
BEHIND = 0.35

Chart = dict[str, Any]


def look(k: int) -> tuple[str, str, str]:
    """Colour, dashes and symbol of line k; they come round at different lengths."""
    return LINE_COLOURS[k % len(LINE_COLOURS)], DASHES[k % len(DASHES)], SYMBOLS[k % len(SYMBOLS)]


def layout(x_title: str, y_title: str, **more: Any) -> Chart:
    """What all charts share. The colours of text and lines are the page's, in its style sheet."""
    axis: Chart = {
        "automargin": True,
        "zeroline": False,
        "showline": True,
        "gridcolor": "rgba(128,128,128,0.25)",
    }
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
    """Alternatives, the first of them chosen: for each its label, and what it changes in the traces and the layout."""
    return {
        "name": name,
        "choices": [{"label": label, "traces": traces, "layout": layout} for label, traces, layout in choices],
    }
