"""Where rows came from, so that a message can point at the place to mend."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ...errors import DataError
from ...wording import option

_LONGEST_HINT = 30  # columns; a longer list helps nobody


def row_number(row: int) -> str:
    """A row of an array or frame, in words."""
    return f"row {row + 1:,} (counted from 1)"


@dataclass(frozen=True)
class Origin:
    """A source's name, how its rows are pointed at, and how its columns are left out.

    Parameters
    ----------
    source : the file as the user named it, or the name of a built-in.
    place : from a row, counted from 0, to words such as "line 7".
    from_file : whether the option ``drop`` leaves columns out; in memory the caller does.
    instead : the advice in place of leaving a column out, where that is none.
    """

    source: str
    place: Callable[[int], str] = row_number
    from_file: bool = True
    instead: str | None = None

    def error(self, message: str) -> DataError:
        return DataError(f"{self.source}: {message}")

    def of_role(self, role: str) -> Origin:
        """For messages about the column that is, say, the weight of each row."""
        return replace(self, instead=f"name another column as the {role.replace('_', ' ')}")

    def leave_out(self, names: Sequence[str], noun: str = "column") -> str:
        """The advice to do without these columns."""
        if self.instead is not None:
            return self.instead
        advice = f"leave the {noun}{'s' if len(names) > 1 else ''} out"
        if not self.from_file or len(names) > _LONGEST_HINT:
            return advice
        return f"{advice} with {option('drop', names)}"
