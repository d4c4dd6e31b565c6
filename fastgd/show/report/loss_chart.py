"""The loss curves of a report, with controls for scale, smoothing and x axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ..plots.loss_plot import curve_name, highest_shown
from ..plots.style import MARKERS_PER_LINE
from ..trace_curves import AXES, CURVES, Curve, Trace, as_traces, evenly_spaced, spans_decades
from .chart_style import BACKGROUND_OPACITY, Chart, control, layout, look
from .page_text import chart_numbers, chart_text

# Points per curve; longer curves are thinned, since a page with millions of numbers opens slowly.
MAX_POINTS = 4000
# The x axes that the reader can choose.
X_AXES = ("epoch", "seconds")


@dataclass
class _Lines:
    """The lines of the chart so far; values above ``top`` are drawn at ``top``."""

    top: float
    drawn: list[Chart] = field(default_factory=list)
    # For each line: whether it is a smoothed curve, whether it has a smoothed curve, and its x for each axis.
    smoothed: list[bool] = field(default_factory=list)
    has_smoothed: list[bool] = field(default_factory=list)
    x: dict[str, list[list[float | None]]] = field(default_factory=lambda: {axis: [] for axis in X_AXES})
    n_curves: int = 0

    def add(self, curve: Curve, line: Chart, *, smoothed: bool = False, has_smoothed: bool = False) -> None:
        kept = evenly_spaced(len(curve.values), MAX_POINTS)
        for axis, columns in self.x.items():
            columns.append(chart_numbers(curve.x[axis][kept]) if axis in curve.x else [])
        y = chart_numbers(np.minimum(curve.values, self.top)[kept])
        group = f"curve {self.n_curves}"
        self.drawn.append({"type": "scatter", "x": self.x["epoch"][-1], "y": y, "legendgroup": group, **line})
        self.smoothed.append(smoothed)
        self.has_smoothed.append(has_smoothed)

    def add_curve(self, curve: Curve, name: str, beta: float | None) -> None:
        """Add a curve, and its smoothed curve, initially hidden, unless ``beta`` is None."""
        line = _line(name, curve.complete, self.n_curves)
        self.add(curve, line, has_smoothed=beta is not None)
        if beta is not None:
            self.add(curve.smoothed(beta), {**line, "visible": False, "showlegend": False}, smoothed=True)
        self.n_curves += 1

    def add_end(self, trace: Trace, curves: Sequence[Curve]) -> None:
        """Add a cross where the run diverged."""
        last = max(curves, key=lambda curve: float(curve.x["epoch"][-1]))
        end = replace(last, x={axis: at[-1:] for axis, at in last.x.items()}, values=last.values[-1:])
        self.add(end, _cross(trace, float(last.values[-1]), self.n_curves - 1))


def loss_chart(runs: Mapping[str, object], beta: float) -> Chart:
    """The losses of the runs, with controls for scale, smoothing and x axis."""
    traces = as_traces(runs)
    single = len(traces) == 1
    chosen = [(trace, trace.chosen(None, "epoch", single)) for trace in traces]
    curves = [curve for _, of_run in chosen for curve in of_run]
    kinds = {curve.name for curve in curves}
    lines = _Lines(highest_shown(curves))
    for trace, of_run in chosen:
        for curve in of_run:
            name = curve_name(trace, curve, single, len(kinds) == 1)
            # Next to batch losses, which are noisy, the objective needs no smoothing.
            noisy = curve.complete and not (curve.name == "objective" and "loss" in kinds)
            lines.add_curve(curve, name, beta if noisy else None)
        if trace.diverged is not None:
            lines.add_end(trace, of_run)
    chart_layout = layout(AXES["epoch"], CURVES[kinds.pop()] if len(kinds) == 1 else "loss", hovermode="x unified")
    controls = [*_scales(curves, chart_layout), *_smoothing(lines, beta), *_axes(lines)]
    return {"data": lines.drawn, "layout": chart_layout, "controls": controls}


def _line(name: str, complete: bool, k: int) -> Chart:
    colour, dash, symbol = look(k)
    mark = {"color": colour, "symbol": symbol, "size": 7, "maxdisplayed": MARKERS_PER_LINE if complete else 0}
    return {
        "name": chart_text(name), "mode": "lines+markers" if complete else "markers",
        "line": {"color": colour, "dash": dash, "width": 2}, "marker": mark, "hovertemplate": "%{y:.6g}",
    }  # fmt: skip


def _cross(trace: Trace, loss: float, k: int) -> Chart:
    height = f"loss {loss:.3g}" if np.isfinite(loss) else "loss not finite"
    mark = {"color": look(k)[0], "symbol": "x", "size": 13, "line": {"width": 1, "color": "#8c8c8c"}}
    text = f"{trace.label} diverged in epoch {trace.diverged}, {height}"
    return {
        "name": chart_text(text), "legendgroup": f"curve {k}", "mode": "markers", "marker": mark, "cliponaxis": False,
        "hovertemplate": height,
    }  # fmt: skip


# --- Controls --------------------------------------------------------------------------------------------------------


def _scales(curves: Sequence[Curve], chart_layout: Chart) -> list[Chart]:
    """Choice of the scale; the first, which the chart has, is logarithmic if the losses span decades."""
    values = np.concatenate([curve.values[np.isfinite(curve.values)] for curve in curves])
    from_zero = bool((values >= 0).all())
    scales: list[tuple[str, Chart, Chart]] = [
        ("linear", {}, {"yaxis.type": "linear", "yaxis.exponentformat": "B", "yaxis.autorange": True}),
        ("logarithmic", {}, {"yaxis.type": "log", "yaxis.exponentformat": "power", "yaxis.autorange": True}),
    ]
    if spans_decades(values):
        scales.reverse()
    chart_layout["yaxis"] |= {
        "type": scales[0][2]["yaxis.type"], "exponentformat": scales[0][2]["yaxis.exponentformat"],
        "rangemode": "tozero" if from_zero else "normal",
    }  # fmt: skip
    return [control("Scale", *scales)] if (values > 0).any() else []


def _smoothing(lines: _Lines, beta: float) -> list[Chart]:
    """Choice of raw or smoothed curves."""
    if not any(lines.smoothed):
        return []
    shown = [not smoothed for smoothed in lines.smoothed]
    # With smoothing on, raw curves are left out of the legend and of the hover labels.
    in_front = [not has_smoothed for has_smoothed in lines.has_smoothed]
    templates = [line["hovertemplate"] for line in lines.drawn]  # an empty template leaves it to hoverinfo
    off = {
        "visible": shown, "showlegend": shown, "opacity": [1.0] * len(shown), "hoverinfo": ["all"] * len(shown),
        "hovertemplate": templates,
    }  # fmt: skip
    on = {
        "visible": [True] * len(shown), "showlegend": in_front,
        "opacity": [1.0 if front else BACKGROUND_OPACITY for front in in_front],
        "hoverinfo": ["all" if front else "skip" for front in in_front],
        "hovertemplate": [text if front else "" for text, front in zip(templates, in_front, strict=True)],
    }  # fmt: skip
    return [control("Smoothing", ("off", off, {}), (f"on (beta {beta:g})", on, {}))]


def _axes(lines: _Lines) -> list[Chart]:
    """Choice of the x axis."""
    if not any(lines.x["seconds"]):
        return []
    labels = {"epoch": "epochs", "seconds": "seconds"}
    choices = [
        (labels[axis], {"x": columns}, {"xaxis.title.text": AXES[axis], "xaxis.autorange": True})
        for axis, columns in lines.x.items()
    ]
    return [control("x axis", *choices)]
