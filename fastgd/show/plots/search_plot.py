"""`plot_search`: the cells of a grid search, round by round."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import OptionError
from ...wording import hint
from ..trace_curves import spans_decades
from .landscape_plot import level_labels, levels_of, light_greys
from .plain_text import in_plain_text
from .style import Style, frame, marker_interval, new_axes, style

if TYPE_CHECKING:
    from ...grid_search import Round, SearchResult

# Number of cells above which .svg and .pdf contain them as an image, to limit the size of the file.
MAX_SHAPES = 4096
# Colour of cells where F is not finite, darker than all others.
NOT_FINITE = "#303030"


def plot_search(found: SearchResult, *, weights: Sequence[str | int] | None = None, title: str | None = None) -> Any:
    """Plot the cells of each round of a search, lighter for lower F, with a star at the best.

    The best cells of each round, which the next round divides, are outlined. Over more than two parameters, two are
    drawn, and a cell shows the lowest F over the others. Over one parameter, a cell is a horizontal line at F.

    Parameters
    ----------
    found : the result of `fastgd.search`.
    weights : names or indices of one or two features, or "intercept"; by default the two of the widest span.
    title : title of the figure.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    OptionError
        When there is no such parameter.
    FastgdError
        When matplotlib is not installed.

    Examples
    --------
    >>> import fastgd
    >>> found = fastgd.search([[1.0], [2.0], [3.0]], [2.0, 4.0, 6.0])
    >>> figure = fastgd.plot_search(found)
    >>> figure.axes[0].get_xlabel()
    'weight of 0'
    """
    names = found.parameter_names
    width = found.span[:, 1] - found.span[:, 0]
    widest = sorted(np.argsort(-width, kind="stable")[:2].tolist())
    shown = widest if weights is None else _chosen(weights, names)
    figure = _lines(found, shown[0], title) if len(shown) == 1 else _cells(found, (shown[0], shown[1]), title)
    axes = figure.axes[0]
    for k, set_label in zip(shown, (axes.set_xlabel, axes.set_ylabel), strict=False):
        set_label(names[k] if names[k] == "intercept" else f"weight of {names[k]}")
    return in_plain_text(figure)


def _chosen(weights: Sequence[str | int], names: list[str]) -> list[int]:
    """Indices of the named parameters."""
    indices = []
    for weight in weights:
        if isinstance(weight, str) and weight in names:
            indices.append(names.index(weight))
        elif isinstance(weight, int) and 0 <= weight < len(names):
            indices.append(weight)
        else:
            raise OptionError(f"there is no weight {weight!r}: {hint(str(weight), names)}")
    if len(set(indices)) != len(indices) or len(indices) not in (1, 2):
        raise OptionError(f"plot_search needs one or two different weights, not {list(weights)}")
    return indices


def lowest_in_blocks(round_: Round, cells: int, shown: Sequence[int]) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each cell that the round divided: its lower corner, and the lowest F of each part along the shown parameters.

    Cells with lower F come later, to be drawn over cells that differ in other parameters only.
    """
    n_parameters = round_.centres.shape[1]
    others = tuple(j for j in range(n_parameters) if j not in shown)
    blocks = []
    for first in range(0, len(round_.objectives), cells**n_parameters):
        within = slice(first, first + cells**n_parameters)
        lowest = round_.objectives[within].reshape((cells,) * n_parameters).min(axis=others)
        if list(shown) != sorted(shown):
            lowest = lowest.T
        corner = (round_.centres[within].min(axis=0) - round_.size / 2)[list(shown)]
        blocks.append((corner, lowest))
    return sorted(blocks, key=lambda block: -float(block[1].min()))


def _star(axes: Any, x: float, y: float) -> None:
    look = {"marker": "*", "markersize": 11, "color": "white", "markeredgecolor": "black", "zorder": 6}
    axes.plot([x], [y], linestyle="none", label="best", **look)


def _legend(figure: Any, n_rounds: int) -> None:
    figure.legend(fontsize=9, loc="outside lower center", ncols=min(4, n_rounds + 1), frameon=False)


def _cells(found: SearchResult, shown: tuple[int, int], title: str | None) -> Any:
    """Cells over two parameters, as coloured rectangles."""
    from matplotlib.colors import BoundaryNorm

    figure, axes = new_axes(title, height=6.5)
    blocks = [lowest_in_blocks(round_, found.cells, shown) for round_ in found.rounds]
    drawn = np.concatenate([lowest.ravel() for of_round in blocks for _, lowest in of_round])
    levels = levels_of(drawn, power=1)  # no need for denser levels: later rounds are finer where F is low
    greys = light_greys().with_extremes(bad=NOT_FINITE)
    look: dict[str, Any] = {"cmap": greys, "norm": BoundaryNorm(levels, greys.N) if len(levels) else None}
    look |= {"edgecolors": "white", "linewidth": 0.5} if len(drawn) <= MAX_SHAPES else {"rasterized": True}
    steps = np.arange(found.cells + 1)
    for r, round_ in enumerate(found.rounds):
        size = round_.size[list(shown)]
        for corner, lowest in blocks[r]:
            x, y = (corner[k] + size[k] * steps for k in (0, 1))
            mesh = axes.pcolormesh(x, y, np.ma.masked_invalid(lowest.T), zorder=1 + r / len(found.rounds), **look)
        outlined = "best cell" if len(round_.kept) == 1 else f"best {len(round_.kept)} cells"
        _outline(axes, round_, shown, f"{outlined} of round {r + 1}", style(r))
    if not np.isfinite(drawn).all():
        axes.plot([], [], "s", color=NOT_FINITE, markersize=9, label="not finite")
    _star(axes, *found.parameters[list(shown)])
    axes.set(xlim=found.span[shown[0]], ylim=found.span[shown[1]])
    if len(levels):
        over_others = "" if len(found.span) == 2 else ", lowest over the other weights"
        bar = figure.colorbar(mesh, ax=axes, spacing="uniform", ticks=levels, label=f"objective F{over_others}")
        bar.ax.set_yticklabels(level_labels(levels), fontsize=8)
    _legend(figure, len(found.rounds))
    return figure


def _outline(axes: Any, round_: Round, shown: tuple[int, int], label: str, look: Style) -> None:
    """Outline the best cells of a round, with a white border so that it is visible on any background."""
    from matplotlib.patches import Rectangle
    from matplotlib.patheffects import withStroke

    size = round_.size[list(shown)]
    line: dict[str, Any] = {"edgecolor": look.colour, "linestyle": look.dashes, "linewidth": 2.0, "fill": False}
    border = [withStroke(linewidth=3.6, foreground="white")]
    for k, cell in enumerate(round_.kept):
        corner = round_.centres[cell][list(shown)] - size / 2
        name = label if k == 0 else None
        axes.add_patch(Rectangle(corner, *size, label=name, zorder=4, path_effects=border, clip_on=False, **line))


def _lines(found: SearchResult, shown: int, title: str | None) -> Any:
    """Cells over one parameter, as horizontal lines."""
    figure, axes = new_axes(title)
    logarithmic = spans_decades(*(round_.objectives for round_ in found.rounds))
    for r, round_ in enumerate(found.rounds):
        look = style(r)
        blocks = lowest_in_blocks(round_, found.cells, [shown])
        size = float(round_.size[shown])
        middles = np.concatenate([corner[0] + size * (np.arange(found.cells) + 0.5) for corner, _ in blocks])
        heights = np.concatenate([lowest for _, lowest in blocks])
        heights = np.where(np.isfinite(heights), heights, np.nan)
        axes.hlines(heights, middles - size / 2, middles + size / 2, colors=look.colour, linestyles=look.dashes, lw=1.5)
        every = marker_interval(len(middles)) if len(middles) > MAX_SHAPES else 1
        mark: dict[str, Any] = {"marker": look.marker, "markersize": 5.5, "markevery": every, "color": look.colour}
        axes.plot(middles, heights, label=f"cells of round {r + 1}", linestyle="none", **mark)
    _star(axes, float(found.parameters[shown]), found.objective)
    axes.set(xlim=found.span[shown], ylabel="objective F", yscale="log" if logarithmic else "linear")
    frame(axes)
    _legend(figure, len(found.rounds))
    return figure
