"""`plot_loss`: the loss of one or several runs during training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from ...errors import OptionError
from ..smoothing import check_beta
from ..trace_curves import AXES, CURVES, Curve, Trace, as_traces, spans_decades
from .plain_text import for_legend, in_plain_text
from .style import Style, frame, marker_interval, new_axes, style

SCALES = ("auto", "log", "linear")
# Opacity of a raw curve behind the smoothed one.
RAW_OPACITY = 0.35
# Losses above this multiple of the loss at the start are drawn at that height.
EXPLODED = 1000.0
# Epochs or updates from which the x axis has whole numbers only.
WHOLE_NUMBERS_FROM = 4


def plot_loss(
    runs: Any, *, against: str = "epoch", curves: Sequence[str] | None = None, smooth: float | None = None,
    scale: Literal["auto", "log", "linear"] = "auto", title: str | None = None,
) -> Any:  # fmt: skip
    """Plot the loss of one or several runs by epoch, pass, second or update.

    For one run: the objective, the running loss if the method makes many updates per epoch, and the validation loss if
    there is one; with ``trace="step"`` the batch loss and the objective. For several runs: one curve each. A run that
    diverged ends in a cross; pass the `DivergedError` itself, which has more of the last epoch than its ``result``.

    Parameters
    ----------
    runs : a `Result`, a `DivergedError`, or a `Trace` from `fastgd.read_trace`; or several of them, in a list or
        in a dictionary by their names in the legend.
    against : the x axis: "epoch", "passes", "seconds", or "step" for runs with ``trace="step"``.
    curves : the curves to draw: "objective", "running_loss", "validation_loss", "loss" (of each batch).
    smooth : the ``beta`` of `fastgd.smooth`; the raw curve is drawn faintly behind the smoothed one.
    scale : of the y axis; "auto" is "log" if all losses are positive and the largest is at least 30 times the smallest.
    title : title of the figure.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    OptionError
        When there is nothing to draw, or an option is invalid.
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
        raise OptionError(f"scale must be {', '.join(SCALES)}, not {scale!r}")
    if smooth is not None:
        check_beta(smooth)
    traces = as_traces(runs)
    single = len(traces) == 1
    chosen = [(trace, trace.chosen(curves, against, single)) for trace in traces]
    drawn = [curve for _, of_run in chosen for curve in of_run]
    top = highest_shown(drawn)
    shown = [replace(curve, values=np.minimum(curve.values, top)) for curve in drawn]
    figure, axes = new_axes(title)
    logarithmic = scale == "log" or (scale == "auto" and spans_decades(*(curve.values for curve in shown)))
    axes.set_yscale("log" if logarithmic else "linear", **({"nonpositive": "mask"} if logarithmic else {}))
    same_kind = len({curve.name for curve in drawn}) == 1
    names = [curve_name(trace, curve, single, same_kind) for trace, of_run in chosen for curve in of_run]
    with_batches = any(curve.name == "loss" for curve in drawn)
    for k, curve in enumerate(shown):
        beta = None if curve.name == "objective" and with_batches else smooth  # only batch losses are noisy
        _draw(axes, curve, against, names[k], beta, style(k))
    if not logarithmic and all((curve.values >= 0).all() for curve in shown):
        axes.set_ylim(bottom=0)
    _mark_divergences(axes, chosen, against, top)
    _finish(axes, drawn, against, with_legend=smooth is not None)
    return in_plain_text(figure)


def _finish(axes: Any, drawn: Sequence[Curve], against: str, with_legend: bool) -> None:
    """Labels, grid and legend."""
    if against != "seconds" and max(float(curve.x[against][-1]) for curve in drawn) >= WHOLE_NUMBERS_FROM:
        axes.xaxis.get_major_locator().set_params(integer=True)
    kinds = {curve.name for curve in drawn}
    axes.set(xlabel=AXES[against], ylabel=CURVES[kinds.pop()] if len(kinds) == 1 else "loss")
    frame(axes)
    if with_legend or len(axes.get_legend_handles_labels()[0]) > 1:
        axes.legend(fontsize=9, frameon=True, framealpha=0.9)


def curve_name(trace: Trace, curve: Curve, single: bool, same_kind: bool) -> str:
    """Name in the legend; without the kind of loss if all curves have the same, which is then the label of the axis."""
    if single:
        return curve.label
    return trace.label if same_kind else f"{trace.label}: {curve.label}"


def _draw(axes: Any, curve: Curve, against: str, name: str, beta: float | None, look: Style) -> None:
    """Draw one curve; with ``beta``, the smoothed curve in front of the raw one."""
    x, line = curve.x[against], {"color": look.colour, "linewidth": 1.8}
    mark = {"marker": look.marker, "markersize": 5.5, "markevery": marker_interval(len(x))}
    if not curve.complete:
        axes.plot(
            x,
            curve.values,
            linestyle="none",
            label=for_legend(name),
            color=look.colour,
            marker=look.marker,
            markersize=7,
        )
        return
    if beta is not None:
        axes.plot(x, curve.values, color=look.colour, linewidth=0.8, alpha=RAW_OPACITY)
        curve, name = curve.smoothed(beta), f"{name}, smoothed (beta {beta:g})"
    axes.plot(x, curve.values, linestyle=look.dashes, label=for_legend(name), **line, **mark)


def highest_shown(curves: Sequence[Curve]) -> float:
    """The height at which larger losses are drawn, ``EXPLODED`` times the loss at the start, so others stay visible."""
    finite = [curve.values[np.isfinite(curve.values)] for curve in curves]
    starts = [float(abs(values[0])) for values in finite if len(values) and values[0] != 0]
    return EXPLODED * max(starts) if starts else np.inf


def _mark_divergences(axes: Any, chosen: Sequence[tuple[Trace, list[Curve]]], against: str, top: float) -> None:
    """Draw a cross where a run diverged, at most at the height ``top``."""
    before, labels = 0, set()
    for trace, curves in chosen:
        if trace.diverged is not None:
            k = max(range(len(curves)), key=lambda k: float(curves[k].x[against][-1]))
            x, loss = float(curves[k].x[against][-1]), float(curves[k].values[-1])
            label = "diverged"
            if len(chosen) == 1:
                height = f"loss {loss:.3g}" if np.isfinite(loss) else "loss not finite"
                above = " (above the plot)" if top < loss < np.inf else ""
                label = f"diverged in epoch {trace.diverged}, {height}{above}"
            mark = {"marker": "X", "markersize": 11, "color": style(before + k).colour, "markeredgecolor": "black"}
            here = [min(loss, top)]
            axes.plot([x], here, label=None if label in labels else label, clip_on=False, zorder=5, ls="none", **mark)
            labels.add(label)
        before += len(curves)
