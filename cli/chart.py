"""Charts in a terminal: bars, curves of braille dots, sparklines; ASCII if standard output cannot encode them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

BLOCKS = "▏▎▍▌▋▊▉█"
STEPS = "▁▂▃▄▅▆▇█"
# A braille character is BRAILLE plus the bits of its dots, in four rows and two columns.
BRAILLE = 0x2800
DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))


def can_print(text: str) -> bool:
    """Whether standard output can encode these characters."""
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def bar(share: float, longest: int, blocks: bool) -> str:
    """A bar of ``share * longest`` characters, with ``blocks`` to an eighth of a character."""
    if not blocks:
        return "#" * round(share * longest)
    whole, eighths = divmod(round(share * longest * len(BLOCKS)), len(BLOCKS))
    return BLOCKS[-1] * whole + (BLOCKS[eighths - 1] if eighths else "")


def sparkline(values: np.ndarray | Sequence[float], longest: int) -> str:
    """One character per value; if there are more than ``longest``, one per mean of neighbouring values."""
    import numpy as np

    parts = np.array_split(np.asarray(values, np.float64), min(longest, len(values)))
    heights = np.array([part.mean() for part in parts])
    span = float(heights.max() - heights.min())
    shares = (heights - heights.min()) / span if span > 0 else np.zeros(len(heights))
    return "".join(STEPS[round(float(share) * (len(STEPS) - 1))] for share in shares)


def framed_chart(
    x: np.ndarray, y: np.ndarray, x_range: tuple[float, float], y_range: tuple[float, float], size: tuple[int, int],
    logarithmic: bool, braille: bool,
) -> list[str]:  # fmt: skip
    """Lines of text with a curve and the limits of its axes; ``size`` is (columns in total, rows of the curve)."""
    import numpy as np

    top, bottom = (f"{limit:.5g}" for limit in reversed(y_range))
    margin = max(len(top), len(bottom))
    if logarithmic:
        y, y_range = np.log(y), (float(np.log(y_range[0])), float(np.log(y_range[1])))
    width = max(size[0] - margin - 3, 16)
    names = [top, *[""] * (size[1] - 2), bottom]
    edge = "│" if braille else "|"
    rows = line_chart(x, y, x_range, y_range, (width, size[1]), braille)
    lines = [f"{name:>{margin}} {edge}{row}".rstrip() for name, row in zip(names, rows, strict=True)]
    first, last = x_range
    left, right = f"{first if abs(first) > last / 1000 else 0:.4g}", f"{last:.4g}"  # a start of microseconds is 0
    return [*lines, " " * (margin + 2) + left + right.rjust(width - len(left))]


def line_chart(
    x: np.ndarray, y: np.ndarray, x_range: tuple[float, float], y_range: tuple[float, float], size: tuple[int, int],
    braille: bool,
) -> list[str]:  # fmt: skip
    """Lines of text with a curve through finite points, x ascending; ``size`` is (columns, rows)."""
    import numpy as np

    across, down = (2, 4) if braille else (1, 1)
    n_columns, n_rows = size[0] * across, size[1] * down
    # The points of the curve, so that no peak is lost, and points in between for every column of dots.
    at = np.union1d(x, np.linspace(x[0], x[-1], 4 * n_columns)) if len(x) > 1 else x
    columns = _cells(at, x_range, n_columns)
    rows = n_rows - 1 - _cells(np.interp(at, x, y), y_range, n_rows)
    dots = np.zeros((n_rows, n_columns), bool)
    before: int | None = None
    for column in np.unique(columns):
        there = rows[columns == column]
        first, last = int(there.min()), int(there.max())
        if before is not None:  # connect to the column on the left
            first, last = min(first, before + 1), max(last, before - 1)
        dots[first : last + 1, column] = True
        before = int(there[-1])
    if not braille:
        return ["".join("*" if dot else " " for dot in row) for row in dots]
    cells = dots.reshape(size[1], 4, size[0], 2)
    codes = np.einsum("rick,ik->rc", cells, np.array(DOTS))
    return ["".join(chr(BRAILLE + code) if code else " " for code in row) for row in codes.tolist()]


def _cells(values: np.ndarray, limits: tuple[float, float], n: int) -> np.ndarray:
    """The index of each value among n equal parts of the range."""
    import numpy as np

    span = (limits[1] - limits[0]) or 1.0
    return np.clip(((values - limits[0]) / span * n).astype(np.intp), 0, n - 1)
