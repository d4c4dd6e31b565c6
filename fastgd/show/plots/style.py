"""How pictures look: colours that the colour-blind tell apart, and lines that differ in print without colours."""

from __future__ import annotations

from typing import Any, NamedTuple

from .picture_files import need_matplotlib

# Of Okabe and Ito, Color universal design (2008), but for yellow, which is lost on white.
BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BLACK = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000",
)  # fmt: skip
COLOURS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BLACK)
DASHES: tuple[Any, ...] = ("-", "--", "-.", (0, (1, 1.2)), (0, (6, 1.5, 1, 1.5, 1, 1.5)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
MARKERS_A_LINE = 12
GREY = "#606060"
# A logarithmic scale is worth it where the largest value is so many times the smallest.
LOGARITHMIC_FROM = 30.0


class Style(NamedTuple):
    """Of one line among several; colours, dashes and markers come round at different lengths."""

    colour: str
    dashes: Any
    marker: str


def style(k: int) -> Style:
    """Of line k."""
    return Style(COLOURS[k % len(COLOURS)], DASHES[k % len(DASHES)], MARKERS[k % len(MARKERS)])


def new_figure(width: float = 8.0, height: float = 5.0) -> Any:
    """An empty figure, in inches, that makes room for its labels."""
    need_matplotlib()
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def wrapped(text: str, width: int = 80) -> str:
    """A title that does not run out of the picture."""
    import textwrap

    return "\n".join(textwrap.wrap(text, width, break_long_words=True))


def number(value: float, digits: int = 5) -> str:
    """To so many digits, without a power of ten where a person reads it more easily."""
    return f"{value:,.0f}" if 10.0 ** (digits - 1) <= abs(value) < 1e9 else f"{value:.{digits}g}"


def thinned(n: int) -> int:
    """Every how many points there is a marker, of n."""
    return max(1, -(-n // MARKERS_A_LINE))


def frame(axes: Any) -> None:
    """Light lines behind what is drawn, and no box around it."""
    axes.grid(True, color="#d9d9d9", linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
