"""X for the kernels, checked and converted once: a C-contiguous array of floats, or `CSR`."""

from __future__ import annotations

import time
import warnings
from typing import Any

import numpy as np

from ..errors import DataError
from ..kernels.repeated_indices import any_repeats
from ..kernels.row_access import CSR
from ..wording import plural, quoted
from .masked_arrays import check_unmasked
from .sparse_checks import FREE_WIDTH, WIDTH_PER_VALUE, checked_csr
from .table import Table, is_arrow, is_sparse

LARGE_COPY = 100_000_000  # bytes; a copy of this size or more is worth a warning


def as_matrix(X: Any) -> tuple[np.ndarray | CSR, tuple[str, ...] | None]:
    """X as the kernels need it, and the names of its columns, None if it has none.

    A sparse matrix becomes `CSR`. An array becomes C-contiguous float32 or float64; it is copied only if necessary,
    with a `UserWarning` about the cost of a large copy.

    Raises
    ------
    DataError
        If X is not two-dimensional, not numeric, or a table with words or missing values.
    """
    names: tuple[str, ...] | None = None
    if isinstance(X, Table):
        X, names = X.X, X.feature_names
        if len(set(names)) < len(names) or len(names) != np.shape(X)[-1]:
            raise DataError("the table does not have one distinct name for each column; name them so")
    elif is_arrow(X) or hasattr(X, "columns"):  # pandas before 2.2 has only columns
        from .readers.data_frames import to_arrays

        X, names = to_arrays(X)
    check_unmasked(X.data if is_sparse(X) and X.format != "dok" else X, "X")
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


def encoded(X: Any, columns: Any) -> Any:
    """A data frame as a `Table` of its features; anything else unchanged.

    ``columns`` are a `Columns`, the encoder of a model, or None.
    """
    if isinstance(X, Table) or is_sparse(X) or not (hasattr(X, "__arrow_c_stream__") or hasattr(X, "columns")):
        return X
    from .readers.data_frames import check_arrow_array, encode_frame, is_frame

    check_arrow_array(X, "X")
    return encode_frame(X, columns) if is_frame(X) and hasattr(X, "columns") else X


def _by_rows(array: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """The array in C order, copied if necessary, with a warning if the copy is large."""
    start = time.perf_counter()
    rows = np.ascontiguousarray(array, dtype=dtype)
    if rows.nbytes >= LARGE_COPY and not np.may_share_memory(rows, array):
        reason = "its rows are not contiguous" if array.dtype == dtype else f"its dtype is {array.dtype}"
        cost = f"{rows.nbytes / 1e6:,.0f} MB in {time.perf_counter() - start:.2g} s"
        advice = f"unless you convert it once: X = np.ascontiguousarray(X, dtype='{dtype}')"
        warnings.warn(f"X was copied ({cost}) because {reason}; every fit copies it, {advice}", stacklevel=2)
    return rows


class _WritableMemory:
    """The memory of an array, declared writable to NumPy."""

    def __init__(self, array: np.ndarray) -> None:
        address, _ = array.__array_interface__["data"]
        self.array = array  # keeps the memory alive
        self.__array_interface__ = {**array.__array_interface__, "data": (address, False)}


def writable_view(array: np.ndarray) -> np.ndarray:
    """A view of a read-only array, such as a memory map or a column of a data frame, without the read-only flag.

    Read-only arrays are another type to numba: every kernel would be compiled again, and might round differently.
    Kernels never write to X and y.
    """
    return array if array.flags.writeable else np.asarray(_WritableMemory(array))


def _as_array(X: Any) -> np.ndarray:
    """X as an array; an array of Python objects is converted to their common type."""
    try:
        array = np.asarray(X)
        return np.asarray(array.tolist()) if array.dtype.kind == "O" else array
    except ValueError:
        raise DataError("X must have rows of one length") from None


def _as_csr(matrix: Any) -> CSR:
    if matrix.dtype.kind not in "fiub":
        raise DataError(f"X must hold numbers, not {matrix.dtype}")
    X = checked_csr(matrix, lambda message: DataError(f"X {message}"))
    if not X.has_canonical_format and _has_repeats(X):
        X = X.copy()
        X.sum_duplicates()
    dtype = X.dtype if X.dtype in (np.float32, np.float64) else np.dtype(np.float64)
    values = writable_view(np.ascontiguousarray(X.data, dtype=dtype))
    return CSR(values, writable_view(X.indices), writable_view(X.indptr.astype(np.int64, copy=False)), X.shape[1])


def _has_repeats(X: Any) -> bool:
    """Whether a row may have a column twice; assumed for a matrix so wide that the look would cost more."""
    wide = X.shape[1] > max(FREE_WIDTH, WIDTH_PER_VALUE * X.nnz)
    return wide or bool(any_repeats(X.indptr, X.indices, np.full(X.shape[1], -1)))


def select_columns(
    matrix: np.ndarray | CSR, names: tuple[str, ...] | None, own: tuple[str, ...] | None, n_features: int
) -> np.ndarray | CSR:
    """The columns ``own`` of a model, selected from ``matrix`` by name if both have names, else by position.

    Raises
    ------
    DataError
        If a name is missing, or the number of columns is not ``n_features``.
    """
    if names and own and not isinstance(matrix, CSR):
        missing = [name for name in own if name not in names]
        if missing:
            raise DataError(f"X lacks {len(missing)} of the model's columns: {quoted(missing)}")
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
    """X as a SciPy sparse array that shares its memory; a dense X unchanged."""
    if not isinstance(X, CSR):
        return X
    import scipy.sparse as sp

    indptr = X.indptr
    if len(X.data) <= np.iinfo(X.indices.dtype).max:  # with mixed types SciPy would copy all indices
        indptr = indptr.astype(X.indices.dtype, copy=False)
    return sp.csr_array((X.data, X.indices, indptr), shape=shape_of(X))


def squared(X: np.ndarray | CSR) -> Any:
    """The square of each value, as a SciPy array if X is CSR; squaring in SciPy would sort the user's X in place."""
    return as_scipy(X._replace(data=X.data**2)) if isinstance(X, CSR) else X**2


def take_rows(X: np.ndarray | CSR, rows: np.ndarray) -> np.ndarray | CSR:
    """A copy of the rows with these indices."""
    if not isinstance(X, CSR):
        return np.take(X, rows, axis=0)
    return from_scipy(as_scipy(X)[rows], X)


def from_scipy(matrix: Any, X: CSR) -> CSR:
    """A SciPy CSR array as `CSR`, with the index type of X."""
    indices, indptr = matrix.indices.astype(X.indices.dtype, copy=False), matrix.indptr.astype(np.int64, copy=False)
    return CSR(matrix.data, indices, indptr, matrix.shape[1])


def in_layout_of(X: np.ndarray | CSR, matrix: np.ndarray | CSR) -> np.ndarray | CSR:
    """``matrix`` with the layout and dtypes of ``X``, for which the kernels are already compiled."""
    if not isinstance(X, CSR):
        dense = as_scipy(matrix).toarray() if isinstance(matrix, CSR) else matrix
        return writable_view(np.ascontiguousarray(dense, dtype=X.dtype))
    import scipy.sparse as sp

    rows = from_scipy(sp.csr_array(as_scipy(matrix)), X)
    values = rows.data.astype(X.data.dtype, copy=False)
    return rows._replace(data=writable_view(values), indices=writable_view(rows.indices))


def without_columns(X: np.ndarray | CSR, n_samples: int) -> np.ndarray | CSR:
    """A matrix of ``n_samples`` rows and no columns, of the type of X."""
    if not isinstance(X, CSR):
        return np.empty((n_samples, 0), X.dtype)
    return CSR(np.empty(0, X.data.dtype), np.empty(0, X.indices.dtype), np.zeros(n_samples + 1, X.indptr.dtype), 0)


def centred(X: CSR, shift: np.ndarray) -> CSR:
    """A copy of X with ``shift`` subtracted from its columns; columns with a nonzero shift become dense.

    If each nonzero shift is a mean larger than the standard deviation of its column, the copy stores less than twice as
    many values as X: a column that is nonzero in a share p of the rows has |mean| <= sqrt(p / (1 - p)) * deviation.
    """
    import scipy.sparse as sp

    n_samples = len(X.indptr) - 1
    shifted = np.flatnonzero(shift)
    indptr = np.arange(n_samples + 1) * len(shifted)
    shifts = sp.csr_array((np.tile(shift[shifted], n_samples), np.tile(shifted, n_samples), indptr), shape=shape_of(X))
    result = from_scipy(as_scipy(X) - shifts, X)
    return result._replace(data=result.data.astype(X.data.dtype, copy=False))


def count_values(X: np.ndarray | CSR) -> int:
    """The number of values that X stores, which determines the cost of a pass over X."""
    return len(X.data) if isinstance(X, CSR) else X.size


def check_finite(X: np.ndarray | CSR, names: tuple[str, ...] | None) -> None:
    """Raise a `DataError` that names the first NaN or infinity in X; called when an objective is not finite."""
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
