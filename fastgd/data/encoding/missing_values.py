"""Missing and infinite values: found fast when there are none, and described well when there are some."""

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

_BLOCK = 1 << 18  # values looked at together, so that the mask stays in cache


def check_finite(X: Array | sparse.csr_array, names: Sequence[str], origin: Origin) -> None:
    """Every feature of every row is a finite number.

    Parameters
    ----------
    X : (n_rows, n_columns) floats, dense or CSR.
    names : the columns' names.

    Raises
    ------
    DataError
        With how many values are missing or else infinite, the first row and column, and what to do.
    """
    values = X if isinstance(X, np.ndarray) else X.data
    if _all_finite(values):
        return
    for word, test in (("missing", np.isnan), ("infinite", np.isinf)):
        found = np.nonzero(test(values))
        if len(found[0]):
            rows, columns = found if isinstance(X, np.ndarray) else _coordinates(X, found[0])
            raise _described(word, rows, columns, X.shape[0], names, origin)


def check_finite_target(y: Array, name: str, origin: Origin) -> None:
    """As ``check_finite``, for the (n_rows,) target, which cannot be left out."""
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
    """Rows and columns of stored entries."""
    return np.searchsorted(X.indptr, entries, side="right") - 1, X.indices[entries]


def _described(word: str, rows: Array, columns: Array, n_rows: int, names: Sequence[str], origin: Origin) -> DataError:
    counts = np.bincount(columns, minlength=len(names))
    whole = [names[j] for j in np.flatnonzero(counts == n_rows).tolist()]
    if whole and word == "missing":
        told = f"column {whole[0]!r} has" if len(whole) == 1 else f"{plural(len(whole), 'column')} have"
        return origin.error(f"{told} no values at all; {origin.leave_out(whole)}")
    affected = [names[j] for j in np.flatnonzero(counts).tolist()]
    others = f" ({len(affected):,} columns have some)" if len(affected) > 1 else ""
    advice = "fill them in" if word == "missing" else "replace them"
    return origin.error(
        f"{plural(len(rows), f'{word} value')}, the first in {origin.place(int(rows[0]))}, "
        f"column {names[columns[0]]!r}{others}; {advice}, or {origin.leave_out(affected)}"
    )
