"""`plot_loss`: how the loss of one run or of several came down, or did not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from ...errors import OptionError
from ..smoothing import check_beta
from ..trace_curves import AXES, CURVES, Curve, Trace, as_traces
from .style import LOGARITHMIC_FROM, Style, frame, new_figure, style, thinned, wrapped

SCALES = ("auto", "log", "linear")
# How much of a curve shows behind its smoothed self.
RAW_OPACITY = 0.35
# A loss so many times that of the start is beyond the picture.
EXPLODED = 1000.0
# From so many epochs or updates on, the axis has whole numbers only.
FEWEST_WHOLE = 4


def plot_loss(
    runs: Any,
    *,
    against: str = "epoch",
    curves: Sequence[str] | None = None,
    smooth: float | None = None,
    scale: Literal["auto", "log", "linear"] = "auto",
    title: str | None = None,
) -> Any:
    """Draw the loss of one run, or of several side by side, against epochs, passes, seconds or steps.

    Of one run the objective is drawn, with the running loss of methods that make many steps an epoch, and the
    validation loss where there is one; with ``trace="step"`` the loss of each update and the objective. Of several
    runs one curve each. A run that diverged ends in a cross: give the `DivergedError` itself, which knows more of its
    last epoch than its ``result``.

    Parameters
    ----------
    runs : a `Result`, a `DivergedError`, or a `Trace` from `fastgd.read_trace`; or several of them, in a list or
        in a dictionary by what the legend shall call them.
    against : "epoch", "passes", "seconds", or of runs with ``trace="step"`` "step".
    curves : which of "objective", "running_loss", "validation_loss" and "loss" (of each update) to draw.
    smooth : the beta of `fastgd.smooth`; the curve itself stays behind the smoothed one, lightly.
    scale : of the losses; "auto" is "log" where all are above 0 and the largest is 30 times the smallest or more.
    title : above the picture.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    OptionError
        When there is nothing to draw, or an option has no such value.
    FastgdError
        When matplotlib is not installed.

    Examples
    --------
    >>> import fastgd
    >>> result = fastgd.fit([[1.0], [2.0], [3.0]], [2.0, 4.0, 6.0], method="gd", learning_rate=0.01, max_epochs=20)
    >>> figure = fastgd.plot_loss(result)
    >>> figure.axes[0].get_ylabel()
    'objective F'
    """
    if scale not in SCALES:
        raise OptionError(f"the scale of a picture is {', '.join(SCALES)}, not {scale!r}")
    if smooth is not None:
        check_beta(smooth)
    traces = as_traces(runs)
    single = len(traces) == 1
    chosen = [(trace, trace.chosen(curves, against, single)) for trace in traces]
    drawn = [curve for _, some in chosen for curve in some]
    top = highest_shown(drawn)
    shown = [replace(curve, values=np.minimum(curve.values, top)) for curve in drawn]
    figure = new_figure()
    axes = figure.subplots()
    logarithmic = scale == "log" or (scale == "auto" and spans_decades(shown))
    axes.set_yscale("log" if logarithmic else "linear", **({"nonpositive": "mask"} if logarithmic else {}))
    same_kind = len({curve.name for curve in drawn}) == 1
    names = [_name(trace, curve, single, same_kind) for trace, some in chosen for curve in some]
    beside_updates = any(curve.name == "loss" for curve in drawn)
    for k, curve in enumerate(shown):
        beta = None if curve.name == "objective" and beside_updates else smooth  # it has no noise like theirs
        _draw(axes, curve, against, names[k], beta, style(k))
    if not logarithmic and all((curve.values >= 0).all() for curve in shown):
        axes.set_ylim(bottom=0)
    _mark_divergences(axes, chosen, against, top)
    _finish(axes, drawn, against, title, with_legend=smooth is not None)
    return figure


def _finish(axes: Any, drawn: Sequence[Curve], against: str, title: str | None, with_legend: bool) -> None:
    """What is around the curves."""
    if against != "seconds" and max(float(curve.x[against][-1]) for curve in drawn) >= FEWEST_WHOLE:
        axes.xaxis.get_major_locator().set_params(integer=True)
    kinds = {curve.name for curve in drawn}
    axes.set(xlabel=AXES[against], ylabel=CURVES[kinds.pop()] if len(kinds) == 1 else "loss")
    frame(axes)
    if with_legend or len(axes.get_legend_handles_labels()[0]) > 1:
        axes.legend(fontsize=9, frameon=True, framealpha=0.9)
    axes.set_title(wrapped(title or ""), fontsize=11, loc="left")


def spans_decades(curves: Sequence[Curve]) -> bool:
    """Whether a logarithmic scale shows more of these than a linear one."""
    values = np.concatenate([curve.values[np.isfinite(curve.values)] for curve in curves])
    return bool(len(values) and values.min() > 0 and values.max() >= LOGARITHMIC_FROM * values.min())


def _name(trace: Trace, curve: Curve, single: bool, same_kind: bool) -> str:
    """In the legend; what kind of loss a curve shows is left out where all show the same, which the axis says."""
    if single:
        return curve.label
    return trace.label if same_kind else f"{trace.label}: {curve.label}"


def _draw(axes: Any, curve: Curve, against: str, name: str, beta: float | None, look: Style) -> None:
    """One curve; with ``beta`` the smoothed one in front of it."""
    x, line = curve.x[against], {"color": look.colour, "linewidth": 1.8}
    mark = {"marker": look.marker, "markersize": 5.5, "markevery": thinned(len(x))}
    if not curve.complete:
        axes.plot(x, curve.values, linestyle="none", label=name, color=look.colour, marker=look.marker, markersize=7)
        return
    if beta is not None:
        axes.plot(x, curve.values, color=look.colour, linewidth=0.8, alpha=RAW_OPACITY)
        curve, name = curve.smoothed(beta), f"{name}, smoothed (beta {beta:g})"
    axes.plot(x, curve.values, linestyle=look.dashes, label=name, **line, **mark)


def highest_shown(curves: Sequence[Curve]) -> float:
    """Losses above a thousand times those at the start are drawn at that height, lest they press all others flat."""
    finite = [curve.values[np.isfinite(curve.values)] for curve in curves]
    starts = [float(abs(values[0])) for values in finite if len(values) and values[0] != 0]
    return EXPLODED * max(starts) if starts else np.inf


def _mark_divergences(axes: Any, chosen: Sequence[tuple[Trace, list[Curve]]], against: str, top: float) -> None:
    """A cross where a run ended in divergence, at the height ``top`` where its loss is higher."""
    before, labels = 0, set()
    for trace, some in chosen:
        if trace.diverged is not None:
            k = max(range(len(some)), key=lambda k: float(some[k].x[against][-1]))
            x, loss = float(some[k].x[against][-1]), float(some[k].values[-1])
            label = "diverged"
            if len(chosen) == 1:
                height = f"the loss being {loss:.3g}" if np.isfinite(loss) else "the loss no longer finite"
                above = " (far above)" if top < loss < np.inf else ""
                label = f"diverged in epoch {trace.diverged}, {height}{above}"
            mark = {"marker": "X", "markersize": 11, "color": style(before + k).colour, "markeredgecolor": "black"}
            here = [min(loss, top)]
            axes.plot([x], here, label=None if label in labels else label, clip_on=False, zorder=5, ls="none", **mark)
            labels.add(label)
        before += len(some)
