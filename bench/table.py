"""The table that answers a question, printed as text or as JSON records."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Table:
    """Rows of numbers and text. ``columns`` include the units; None means not measured."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]] = field(default_factory=list)

    def records(self) -> list[dict[str, Any]]:
        """A dictionary for each row."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]

    def __str__(self) -> str:
        cells = [self.columns, *(tuple(map(shown, row)) for row in self.rows)]
        widths = [max(len(row[k]) for row in cells) for k in range(len(self.columns))]
        # Columns of text are left-aligned, numbers right-aligned.
        left = [all(isinstance(row[k], str) for row in self.rows) for k in range(len(self.columns))]
        lines = [
            "  ".join(c.ljust(w) if words else c.rjust(w) for c, w, words in zip(row, widths, left, strict=True))
            for row in (cells[0], ["-" * width for width in widths], *cells[1:])
        ]
        return "\n".join([self.title, "", *map(str.rstrip, lines)])


def print_last_row(table: Table) -> None:
    """Print the last row to standard error, as progress of a long benchmark."""
    print("  ".join(map(shown, table.rows[-1])), file=sys.stderr, flush=True)


def shown(value: Any) -> str:
    """A cell as text: numbers to three digits, "-" for None."""
    if value is None:
        return "-"
    if not isinstance(value, float):
        return str(value)
    value = float(f"{value:.3g}")
    if not math.isfinite(value) or value == 0:
        return f"{value:g}"
    return f"{value:.{max(0, 2 - math.floor(math.log10(abs(value))))}f}"
