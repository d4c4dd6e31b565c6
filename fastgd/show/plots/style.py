"""The style of plots: colours for the colour-blind, and line styles that differ without colour."""

from __future__ import annotations

import textwrap
from typing import Any, NamedTuple

from .picture_files import need_matplotlib

# The palette of Okabe and Ito, Color universal design (2008), without yellow, which is too faint on white.
BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BLACK = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000",
)  # fmt: skip
COLOURS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BLACK)
DASHES: tuple[Any, ...] = ("-", "--", "-.", (0, (1, 1.2)), (0, (6, 1.5, 1, 1.5, 1, 1.5)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
MARKERS_PER_LINE = 12
GREY = "#606060"


class Style(NamedTuple):
    """Style of one line among several. Colours, dashes and markers repeat with different periods."""

    colour: str
    dashes: Any
    marker: str


def style(k: int) -> Style:
    """Style of line k."""
    return Style(COLOURS[k % len(COLOURS)], DASHES[k % len(DASHES)], MARKERS[k % len(MARKERS)])


def new_figure(width: float = 8.0, height: float = 5.0) -> Any:
    """An empty figure, size in inches, whose layout fits its labels."""
    need_matplotlib()
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def new_axes(title: str | None, width: float = 8.0, height: float = 5.0, **options: Any) -> tuple[Any, Any]:
    """A figure and its only axes, with the title in lines of at most 80 characters; ``options`` are of the axes."""
    figure = new_figure(width, height)
    axes = figure.add_subplot(**options)
    axes.set_title(textwrap.fill(title or "", 80), fontsize=11, loc="left")
    return figure, axes


def number(value: float, digits: int = 5) -> str:
    """The value to ``digits`` significant digits, without an exponent below 1e9."""
    return f"{value:,.0f}" if 10.0 ** (digits - 1) <= abs(value) < 1e9 else f"{value:.{digits}g}"


def marker_interval(n: int) -> int:
    """Interval between the markers of a line of n points."""
    return max(1, -(-n // MARKERS_PER_LINE))


def frame(axes: Any) -> None:
    """Light grid lines in the background, and no top and right spines."""
    axes.grid(True, color="#d9d9d9", linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
