"""Checks for missing and infinite values, with messages that name the first one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ...errors import DataError
from ...wording import plural
from ..table import Array
from .origin import Origin

if TYPE_CHECKING:
    from scipy import sparse

_BLOCK = 1 << 18  # values checked together, so that the mask stays in cache


def check_finite(X: Array | sparse.csr_array, names: Sequence[str], origin: Origin) -> None:
    """Check that every value of X, dense or CSR, is a finite number; ``names`` has one name per column.

    Raises
    ------
    DataError
        With the number of missing (or else infinite) values, the row and column of the first, and what to do.
    """
    values = X if isinstance(X, np.ndarray) else X.data
    if _all_finite(values):
        return
    for word, test in (("missing", np.isnan), ("infinite", np.isinf)):
        found = np.nonzero(test(values))
        if len(found[0]):
            rows, columns = found if isinstance(X, np.ndarray) else _coordinates(X, found[0])
            raise _error(word, rows, columns, X.shape[0], names, origin)


def check_finite_target(y: Array, name: str, origin: Origin) -> None:
    """Check that every value of the (n_rows,) target is a finite number; raises as `check_finite` does."""
    if _all_finite(y):
        return
    for word, test in (("missing", np.isnan), ("infinite", np.isinf)):
        rows = np.flatnonzero(test(y))
        if len(rows) == len(y):
            raise origin.error(f"the target {name!r} has only {word} values; name another column as the target")
        if len(rows):
            raise origin.error(
                f"{plural(len(rows), f'{word} value')} in the target {name!r}, the first in "
                f"{origin.place(int(rows[0]))}; fill them in, remove such rows, or name another target"
            )


def _all_finite(values: Array) -> bool:
    width = values[0].size if len(values) else 1
    step = max(1, _BLOCK // max(1, width))
    return all(np.isfinite(values[i : i + step]).all() for i in range(0, len(values), step))


def _coordinates(X: sparse.csr_array, entries: Array) -> tuple[Array, Array]:
    """The rows and columns of stored entries."""
    return np.searchsorted(X.indptr, entries, side="right") - 1, X.indices[entries]


def _error(word: str, rows: Array, columns: Array, n_rows: int, names: Sequence[str], origin: Origin) -> DataError:
    counts = np.bincount(columns, minlength=len(names))
    empty = [names[j] for j in np.flatnonzero(counts == n_rows).tolist()]
    if empty and word == "missing":
        subject = f"column {empty[0]!r} has" if len(empty) == 1 else f"{plural(len(empty), 'column')} have"
        return origin.error(f"{subject} no values at all; {origin.leave_out(empty)}")
    affected = [names[j] for j in np.flatnonzero(counts).tolist()]
    others = f" (in {len(affected):,} columns)" if len(affected) > 1 else ""
    advice = "fill them in" if word == "missing" else "replace them"
    return origin.error(
        f"{plural(len(rows), f'{word} value')}, the first in {origin.place(int(rows[0]))}, "
        f"column {names[columns[0]]!r}{others}; {advice}, or {origin.leave_out(affected)}"
    )
