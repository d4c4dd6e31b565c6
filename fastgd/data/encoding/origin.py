"""The source of a table, for error messages that name the file, the row and what to do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ...errors import DataError
from ...wording import has_option, option

_MAX_LISTED = 30  # columns named in an advice to drop them


def row_number(row: int) -> str:
    """How a message names a row of an array or data frame."""
    return f"row {row + 1:,} (counted from 1)"


@dataclass(frozen=True)
class Origin:
    """What a message says about a source: its name, the place of a row, and how to leave a column out.

    Parameters
    ----------
    source : the path as the user wrote it, or the name of a built-in.
    place : maps a row, counted from 0, to words such as "line 7".
    from_file : whether the option ``drop`` can leave columns out; of a table in memory the caller drops them.
    instead : the advice for a column that cannot be left out.
    from_text : whether it is text, of which a `TextFormat` can say how it is written.
    """

    source: str
    place: Callable[[int], str] = row_number
    from_file: bool = True
    instead: str | None = None
    from_text: bool = False

    def error(self, message: str) -> DataError:
        return DataError(f"{self.source}: {message}")

    def of_role(self, role: str) -> Origin:
        """The origin for messages about the column with this role, such as ``sample_weight``."""
        return replace(self, instead=f"name another column as the {role.replace('_', ' ')}")

    def leave_out(self, names: Sequence[str], noun: str = "column") -> str:
        """The advice to leave these columns out."""
        if self.instead is not None:
            return self.instead
        if not has_option("drop"):  # a model needs all of its columns
            return f"fit a model without {'them' if len(names) > 1 else 'it'}"
        advice = f"leave the {noun}{'s' if len(names) > 1 else ''} out"
        if not self.from_file or len(names) > _MAX_LISTED:
            return advice
        return f"{advice} with {option('drop', names)}"
