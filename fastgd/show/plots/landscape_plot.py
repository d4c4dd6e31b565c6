"""`plot_landscape`: F over two parameters as contours or a surface, over one as a curve, with the paths of fits."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...model.landscape import Landscape
from .plain_text import for_legend, in_plain_text
from .style import GREY, frame, marker_interval, new_axes, number, style

N_LEVELS = 14
# Points of the interpolated grid per point of the grid, in each direction.
REFINEMENT = 8
# The darkest grey of the contours: 0 is white, 1 is black.
DARKEST = 0.5


def plot_landscape(found: Landscape, *, surface: bool = False, title: str | None = None) -> Any:
    """Plot F over the plane of a landscape, with the path of each fit from its start (a ring) to its end (a star).

    The contour levels are quantiles of F over the plane, denser where F is small, so that a narrow valley is visible.

    Parameters
    ----------
    found : the result of `fastgd.landscape`; over one parameter F is drawn as a curve.
    surface : draw a surface in three dimensions instead of contours.
    title : title of the figure.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    FastgdError
        When matplotlib is not installed.
    """
    draw = _curve if len(found.grid) == 1 else _surface if surface else _contours
    return in_plain_text(draw(found, title))


def _curve(found: Landscape, title: str | None) -> Any:
    figure, axes = new_axes(title)
    axes.plot(found.grid[0], found.values, color=GREY, linewidth=1.5, label="objective F")
    for k, (label, path) in enumerate(found.paths.items()):
        _path(axes, (path[:, 0], found.heights[label]), label, k)
    axes.set(xlabel=found.names[0], ylabel="objective F")
    frame(axes)
    _legend(axes)
    return figure


def levels_of(values: np.ndarray, power: int = 2) -> np.ndarray:
    """Contour levels: ascending quantiles of F, denser where F is small if ``power`` > 1; empty if F is constant."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return np.empty(0)
    levels = np.unique(np.quantile(finite, np.linspace(0.0, 1.0, N_LEVELS) ** power))
    return levels if len(levels) > 1 else np.empty(0)


def level_labels(levels: np.ndarray) -> list[str]:
    """The levels to three significant digits, or to more if needed to distinguish them."""
    for digits in range(3, 17):
        rounded = [float(f"{level:.{digits}g}") for level in levels]
        if len(set(rounded)) == len(rounded):
            break
    return [number(value, digits) for value in rounded]


def light_greys() -> Any:
    """Colour map from white, for the lowest F, to a grey on which lines and text are readable."""
    from matplotlib.colors import LinearSegmentedColormap

    light = 1.0 - DARKEST * np.linspace(0.0, 1.0, 32)
    return LinearSegmentedColormap.from_list("light greys", np.column_stack([light, light, light]))


def refined(found: Landscape, times: int = REFINEMENT) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Grid and values for smooth contours: interpolated by cubic splines, which are exact for a quadratic F.

    Interpolated values are clipped to the range of the known ones, since a spline may overshoot below the minimum of F.
    The original grid if F is not finite everywhere.
    """
    x, y = found.grid
    if not np.isfinite(found.values).all() or min(len(x), len(y)) < 4:
        return x, y, found.values
    from scipy.interpolate import RectBivariateSpline

    finer_x, finer_y = (np.linspace(axis[0], axis[-1], times * (len(axis) - 1) + 1) for axis in (x, y))
    values = RectBivariateSpline(y, x, found.values)(finer_y, finer_x)
    known = np.concatenate([found.values.ravel(), *found.heights.values()])
    return finer_x, finer_y, np.clip(values, known[np.isfinite(known)].min(), found.values.max())


def _contours(found: Landscape, title: str | None) -> Any:
    from matplotlib.colors import BoundaryNorm

    figure, axes = new_axes(title, height=6.0)
    x, y, values = refined(found)
    levels = levels_of(values)
    if len(levels):
        greys = light_greys()
        norm = BoundaryNorm(levels, greys.N)
        filled = axes.contourf(x, y, np.ma.masked_invalid(values), levels=levels, cmap=greys, norm=norm)
        axes.contour(x, y, np.ma.masked_invalid(values), levels=levels[1:-1], colors=GREY, linewidths=0.6)
        bar = figure.colorbar(filled, ax=axes, spacing="uniform", ticks=levels, label="objective F")
        bar.ax.set_yticklabels(level_labels(levels), fontsize=8)
    for k, (label, path) in enumerate(found.paths.items()):
        _path(axes, (path[:, 0], path[:, 1]), label, k)
    axes.set(xlabel=found.names[0], ylabel=found.names[1], xlim=(x[0], x[-1]), ylim=(y[0], y[-1]))
    _legend(axes)
    return figure


def _surface(found: Landscape, title: str | None) -> Any:
    figure, axes = new_axes(title, height=6.5, projection="3d", computed_zorder=False)
    *axes_of_grid, values = refined(found)
    axes.plot_surface(
        *np.meshgrid(*axes_of_grid), np.ma.masked_invalid(values), cmap="cividis", alpha=0.75, linewidth=0, zorder=1
    )
    for k, (label, path) in enumerate(found.paths.items()):
        _path(axes, (path[:, 0], path[:, 1], found.heights[label]), label, k)
    axes.set(xlabel=found.names[0], ylabel=found.names[1], zlabel="objective F")
    axes.xaxis.labelpad = axes.yaxis.labelpad = 8
    axes.zaxis.labelpad = 12
    axes.view_init(elev=40, azim=-60)
    _legend(axes)
    return figure


def _path(axes: Any, coordinates: tuple[np.ndarray, ...], label: str, k: int) -> None:
    """A line from a ring to a star, with a white outline so that it is visible on any background."""
    from matplotlib.patheffects import withStroke

    look = style(k)
    outline = [withStroke(linewidth=4.0, foreground="white")]
    line = {"color": look.colour, "linestyle": look.dashes, "linewidth": 2.0, "path_effects": outline, "zorder": 4}
    mark = {"marker": look.marker, "markersize": 4.5, "markevery": marker_interval(len(coordinates[0]))}
    axes.plot(*coordinates, label=for_legend(label), **line, **mark)
    ends = {"linestyle": "none", "color": look.colour, "markeredgecolor": "black", "zorder": 5}
    axes.plot(*(values[:1] for values in coordinates), marker="o", markersize=9, **{**ends, "color": "white"})
    axes.plot(*(values[-1:] for values in coordinates), marker="*", markersize=15, **ends)


def _legend(axes: Any) -> None:
    """Legend of the paths, their starts and their ends."""
    from matplotlib.lines import Line2D

    handles, _ = axes.get_legend_handles_labels()
    for label, marker, size in (("start", "o", 8), ("end", "*", 12)):
        look: Any = {"marker": marker, "markersize": size, "color": "white", "markeredgecolor": "black"}
        handles.append(Line2D([], [], label=label, linestyle="none", **look))
    axes.legend(handles=handles, fontsize=9)
