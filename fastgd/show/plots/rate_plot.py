"""`plot_rate_range`: the loss after training at each of many learning rates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..trace_curves import LOGARITHMIC_FROM
from .plain_text import in_plain_text
from .style import BLUE, GREEN, GREY, ORANGE, VERMILION, frame, new_axes, number

if TYPE_CHECKING:
    from ...rate_range import RateRange

# The y axis ends this share of (start - best loss) above the start.
HEADROOM = 0.35


def plot_rate_range(found: RateRange, *, title: str | None = None) -> Any:
    """Plot the loss after training at each learning rate, the suggested rate and the divergence threshold.

    Rates that end far above the start, or diverge, are triangles at the upper edge of the plot.

    Parameters
    ----------
    found : the result of `fastgd.learning_rate_range`.
    title : title of the figure.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    FastgdError
        When matplotlib is not installed.
    """
    figure, axes = new_axes(title)
    losses, start = found.losses, found.start_loss
    best = float(losses.min())
    logarithmic = best > 0 and start >= LOGARITHMIC_FROM * best
    if logarithmic:
        highest = start * (start / best) ** HEADROOM
    else:
        highest = start + HEADROOM * (abs(start - best) if best < start else abs(start) or 1.0)
    axes.set(xscale="log", yscale="log" if logarithmic else "linear")
    inside = losses <= highest
    axes.plot(found.rates, np.where(inside, losses, np.nan), "o-", color=BLUE, label="loss after training")
    if not inside.all():
        beyond = found.rates[~inside]
        look = {"color": VERMILION, "markeredgecolor": "black", "clip_on": False, "zorder": 5}
        axes.plot(beyond, np.full(len(beyond), highest), "^", label="far above the start, or diverged", **look)
    axes.axhline(start, color=GREY, linestyle=(0, (1, 1.2)), label=f"loss at the start, {number(start)}")
    if found.suggested is not None:
        axes.axvline(found.suggested, color=GREEN, linestyle="-", linewidth=2, label=f"suggested, {found.suggested:g}")
    axes.axvline(found.automatic, color=ORANGE, linestyle="--", label=f"automatic, {found.automatic:.3g}")
    if found.diverges_at is not None:
        axes.axvline(found.diverges_at, color=VERMILION, linestyle="-.", label=f"diverges from {found.diverges_at:g}")
    axes.set_ylim(top=highest)
    passes = "1 pass" if found.epochs == 1 else f"{found.epochs} passes"
    axes.set(xlabel="learning rate", ylabel=f"objective F after {passes} over the rows")
    frame(axes)
    figure.legend(fontsize=9, loc="outside lower center", ncols=3, frameon=False)
    return in_plain_text(figure)
