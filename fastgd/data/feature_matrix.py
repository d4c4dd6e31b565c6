"""X, checked and converted once to what kernels take: a C-ordered array of floats, or `CSR`."""

from __future__ import annotations

import time
import warnings
from typing import Any

import numpy as np

from ..errors import DataError
from ..kernels.repeated_indices import any_repeats
from ..kernels.row_access import CSR
from ..wording import plural
from .table import Table, is_sparse

LARGE_COPY = 100_000_000  # bytes


def as_matrix(X: Any) -> tuple[np.ndarray | CSR, tuple[str, ...] | None]:
    """X as kernels take it, and its column names if it has any.

    An array becomes C-ordered float32 or float64 (copied only where it is not, with a `UserWarning` that says what
    that cost where it is large), a sparse matrix `CSR`.

    Raises
    ------
    DataError
        When X is not two-dimensional, not numeric, or a table with words or gaps.
    """
    names: tuple[str, ...] | None = None
    if isinstance(X, Table):
        X, names = X.X, X.feature_names
    elif hasattr(X, "__arrow_c_stream__") or hasattr(X, "columns"):  # pandas before 2.2 has only columns
        from .readers.data_frames import to_arrays

        X, names = to_arrays(X)
    array: Any = X if is_sparse(X) else _as_array(X)
    if array.ndim != 2:
        hint = "; for a single feature use X.reshape(-1, 1)" if array.ndim == 1 else ""
        raise DataError(f"X must have two dimensions, (n_samples, n_features), not {array.ndim}{hint}")
    if is_sparse(array):
        return _as_csr(array), names
    if array.dtype.kind not in "fiub":
        raise DataError(f"X must hold numbers, not {array.dtype}")
    dtype = array.dtype if array.dtype in (np.float32, np.float64) else np.dtype(np.float64)
    return writable_view(_by_rows(array, dtype.newbyteorder("="))), names


def _by_rows(array: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """The array in C order; a copy where it is not, and a warning where that is a large one."""
    began = time.perf_counter()
    rows = np.ascontiguousarray(array, dtype=dtype)
    if rows.nbytes >= LARGE_COPY and not np.may_share_memory(rows, array):
        why = "its rows do not lie one after another" if array.dtype == dtype else f"it holds {array.dtype}"
        took = f"{rows.nbytes / 1e6:,.0f} MB in {time.perf_counter() - began:.2g} s"
        warnings.warn(
            f"X was copied, {took}, since {why}; that happens in each fit, unless you do it once: "
            f"X = np.ascontiguousarray(X, dtype='{dtype}')",
            UserWarning,
            stacklevel=2,
        )
    return rows


class _Memory:
    """The memory of an array, without its flags."""

    def __init__(self, array: np.ndarray) -> None:
        address, _ = array.__array_interface__["data"]
        self.array = array  # kept alive
        self.__array_interface__ = {**array.__array_interface__, "data": (address, False)}


def writable_view(array: np.ndarray) -> np.ndarray:
    """The same memory as an array that is not marked read-only, as memory maps and data frames are.

    To numba those are of another type, for which every kernel would be compiled anew, and then perhaps round
    otherwise. Kernels never write to X and y.
    """
    return array if array.flags.writeable else np.asarray(_Memory(array))


def _as_array(X: Any) -> np.ndarray:
    """X as an array, and one of Python objects as what they are: numbers, it is hoped."""
    try:
        array = np.asarray(X)
        return np.asarray(array.tolist()) if array.dtype.kind == "O" else array
    except ValueError:
        raise DataError("X must have rows of one length") from None


def _as_csr(X: Any) -> CSR:
    import scipy.sparse as sp

    if X.dtype.kind not in "fiub":
        raise DataError(f"X must hold numbers, not {X.dtype}")
    try:
        if X.format in ("csc", "bsr"):  # whose conversion writes wherever an index points to
            X.check_format(full_check=True)
        X = sp.csr_array(X)
    except ValueError as error:
        raise DataError(f"X is damaged: {error}") from None
    _check_indices(X)
    in_order = X.has_canonical_format  # and none twice
    if not in_order and any_repeats(X.indptr, X.indices, np.full(X.shape[1], -1)):
        X = X.copy()
        X.sum_duplicates()
    dtype = X.dtype if X.dtype in (np.float32, np.float64) else np.dtype(np.float64)
    values = writable_view(np.ascontiguousarray(X.data, dtype=dtype))
    return CSR(values, writable_view(X.indices), writable_view(X.indptr.astype(np.int64, copy=False)), X.shape[1])


def _check_indices(X: Any) -> None:
    """Kernels do not look whether an index lies within the matrix; SciPy lets one through that does not."""
    indptr, indices = X.indptr, X.indices
    if len(indptr) != X.shape[0] + 1 or indptr[0] != 0 or indptr[-1] > len(indices) or (np.diff(indptr) < 0).any():
        raise DataError("X is damaged: its indptr does not say where its rows begin and end")
    used = indices[: indptr[-1]]
    if len(used) and (used.min() < 0 or used.max() >= X.shape[1]):
        outside = used[(used < 0) | (used >= X.shape[1])]
        raise DataError(f"X is damaged: it has the column index {outside[0]}, but only {plural(X.shape[1], 'column')}")


def select_columns(
    matrix: np.ndarray | CSR, names: tuple[str, ...] | None, own: tuple[str, ...] | None, n_features: int
) -> np.ndarray | CSR:
    """A model's own columns of ``matrix``, by name where both have names, in whatever order they come.

    Raises
    ------
    DataError
        When some are missing, or their number is not ``n_features``.
    """
    if names and own and not isinstance(matrix, CSR):
        missing = [name for name in own if name not in names]
        if missing:
            raise DataError(f"X lacks {len(missing)} of the model's columns: {', '.join(map(repr, missing[:5]))}")
        if names != own:
            matrix = np.ascontiguousarray(matrix[:, [names.index(name) for name in own]])
    if shape_of(matrix)[1] != n_features:
        raise DataError(f"X has {shape_of(matrix)[1]} columns, but the model was fitted on {n_features}")
    return matrix


def shape_of(X: np.ndarray | CSR) -> tuple[int, int]:
    """(n_samples, n_features)."""
    return (len(X.indptr) - 1, X.n_features) if isinstance(X, CSR) else (X.shape[0], X.shape[1])


def dtype_of(X: np.ndarray | CSR) -> np.dtype:
    return X.data.dtype if isinstance(X, CSR) else X.dtype


def as_scipy(X: np.ndarray | CSR) -> Any:
    """The same values: CSR as a sparse array of SciPy's, an array as it is."""
    if not isinstance(X, CSR):
        return X
    import scipy.sparse as sp

    indptr = X.indptr
    if len(X.data) <= np.iinfo(X.indices.dtype).max:  # else SciPy would copy all indices, to be of the type of these
        indptr = indptr.astype(X.indices.dtype, copy=False)
    return sp.csr_array((X.data, X.indices, indptr), shape=shape_of(X))


def squared(X: np.ndarray | CSR) -> Any:
    """The square of each value, sparse where X is. SciPy's own would sort the rows of X, which are the user's."""
    return as_scipy(X._replace(data=X.data**2)) if isinstance(X, CSR) else X**2


def take_rows(X: np.ndarray | CSR, rows: np.ndarray) -> np.ndarray | CSR:
    """A copy of some rows."""
    if not isinstance(X, CSR):
        return np.take(X, rows, axis=0)
    return from_scipy(as_scipy(X)[rows], X)


def from_scipy(some: Any, X: CSR) -> CSR:
    """Some rows or columns of X that SciPy has taken, its indices of the same type again."""
    indices, indptr = some.indices.astype(X.indices.dtype, copy=False), some.indptr.astype(np.int64, copy=False)
    return CSR(some.data, indices, indptr, some.shape[1])


def without_columns(X: np.ndarray | CSR, n_samples: int) -> np.ndarray | CSR:
    """So many rows of the same type, in which there is nothing."""
    if not isinstance(X, CSR):
        return np.empty((n_samples, 0), X.dtype)
    return CSR(np.empty(0, X.data.dtype), np.empty(0, X.indices.dtype), np.zeros(n_samples + 1, X.indptr.dtype), 0)


def centred(X: CSR, shift: np.ndarray) -> CSR:
    """A copy of X with ``shift`` subtracted from its columns, which are then stored in every row unless theirs is 0.

    It stores less than twice as many values as X where the shifts are means that are larger than the spreads of their
    columns: one stored in a share p of the rows has a mean of sqrt(p / (1 - p)) times its spread at most.
    """
    import scipy.sparse as sp

    n_samples, n_features = shape_of(X)
    far = np.flatnonzero(shift)
    each_row = np.arange(n_samples + 1) * len(far)
    shifts = sp.csr_array((np.tile(shift[far], n_samples), np.tile(far, n_samples), each_row), shape=shape_of(X))
    moved = as_scipy(X) - shifts
    data, indices = moved.data.astype(X.data.dtype), moved.indices.astype(X.indices.dtype, copy=False)
    return CSR(data, indices, moved.indptr.astype(np.int64, copy=False), n_features)


def count_values(X: np.ndarray | CSR) -> int:
    """How many values X stores: what a pass over it costs."""
    return len(X.data) if isinstance(X, CSR) else X.size


def check_finite(X: np.ndarray | CSR, names: tuple[str, ...] | None) -> None:
    """Say where X holds NaN or infinity; called when an objective comes out as neither number."""
    bad = ~np.isfinite(X.data if isinstance(X, CSR) else X)
    if not bad.any():
        return
    first = np.argwhere(bad)[0]
    if isinstance(X, CSR):
        row = int(np.searchsorted(X.indptr, first[0], side="right")) - 1
        column = int(X.indices[first[0]])
    else:
        row, column = int(first[0]), int(first[1])
    name = repr(names[column]) if names else str(column + 1)
    raise DataError(
        f"X has {plural(int(bad.sum()), 'NaN or infinite value')}, the first in row {row + 1}, column {name}; "
        "fill them in or leave those rows out"
    )
