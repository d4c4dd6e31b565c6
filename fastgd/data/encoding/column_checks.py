"""Remarks on columns that may be mistakes: row numbers, constant columns and duplicates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...wording import quoted
from ..table import Array
from .origin import Origin

NAMELESS = ("", "Unnamed: 0")  # the header of a column of row numbers, and pandas' name for one
MAX_EXACT_INTEGER = 2**53  # of float64
FEWEST_ROWS = 10  # for a column to be taken for row numbers
_MOST_LISTED = 3
_SAMPLE = 1000  # rows on which most columns are seen to be neither constant nor duplicates


def counts_up(values: Array) -> bool:
    """Whether the values are whole numbers that grow by 1 from row to row."""
    return len(values) > 1 and float(values[0]).is_integer() and bool((np.diff(values) == 1).all())


def is_row_number(column: Any) -> bool:
    """Whether a column of a pyarrow Table counts up from 0 or 1."""
    if not str(column.type).startswith(("int", "uint")) or column.null_count:
        return False
    values = column.to_numpy()
    return bool(len(values)) and values[0] in (0, 1) and (len(values) == 1 or counts_up(values))


def remarks_on_columns(X: Any, names: Sequence[str], origin: Origin) -> tuple[str, ...]:
    """Remarks on the columns of a dense X; sparse ones, of categories, have none of these."""
    if not isinstance(X, np.ndarray) or len(X) < 2:
        return ()
    remarks = []
    sample = X[:_SAMPLE]
    moving = (sample != sample[0]).any(axis=0)
    constant = [j for j in np.flatnonzero(~moving).tolist() if (X[:, j] == X[0, j]).all()]
    if constant:
        named = quoted([names[j] for j in constant])
        verb = "has one value only and adds" if len(constant) == 1 else "have one value only each and add"
        remarks.append(f"the feature{'s' if len(constant) > 1 else ''} {named} {verb} nothing")
    first: dict[bytes, int] = {}
    equal: list[str] = []
    for j in np.flatnonzero(moving).tolist():
        same = first.setdefault(np.ascontiguousarray(sample[:, j]).tobytes(), j)
        if same != j and np.array_equal(X[:, j], X[:, same]):
            equal.append(f"{names[j]!r} and {names[same]!r}")
    if equal:
        listed = ", ".join(equal[:_MOST_LISTED]) + (
            f", and {len(equal) - _MOST_LISTED} more" * (len(equal) > _MOST_LISTED)
        )
        remarks.append(f"features with equal values, which share their effect: {listed}")
    ids = [names[j] for j in range(X.shape[1]) if len(X) >= FEWEST_ROWS and moving[j] and _is_id(X[:, j])]
    if ids:
        what = "column {} counts up like a row number" if len(ids) == 1 else "columns {} count up like row numbers"
        remarks.append(f"the {what.format(quoted(ids))}; if that is all, {origin.leave_out(ids)}")
    return tuple(remarks)


def remarks_on_large_integers(table: Any, origin: Origin) -> tuple[str, ...]:
    """A remark on columns of whole numbers so large that floating point cannot tell neighbours apart."""
    large = [name for name in table.column_names if _has_large_integers(table.column(name))]
    if not large:
        return ()
    what = "column {} has" if len(large) == 1 else "columns {} have"
    return (
        f"the {what.format(quoted(large))} whole numbers beyond 2^53, which are rounded, and may be ids: "
        f"{origin.leave_out(large)}",
    )


def _has_large_integers(column: Any) -> bool:
    if str(column.type) not in ("int64", "uint64"):
        return False
    import pyarrow.compute as pc

    ends = pc.min_max(column)
    return any(end.is_valid and abs(end.as_py()) > MAX_EXACT_INTEGER for end in (ends["min"], ends["max"]))


def _is_id(values: Array) -> bool:
    return counts_up(values[:_SAMPLE]) and counts_up(values)
