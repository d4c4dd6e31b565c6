"""Checks of sparse matrices: SciPy's conversions and the kernels follow indices without looking where they point."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import DataError
from ..wording import plural
from .table import Array

if TYPE_CHECKING:
    from scipy import sparse

# A matrix may be this wide whatever it holds, or this many times as wide as the values that it stores: coefficients
# and names of columns then take no more than 0.5 GB, or memory in proportion to the values.
FREE_WIDTH, WIDTH_PER_VALUE = 1 << 22, 16


class SparseDamageError(ValueError):
    """A sparse matrix whose parts do not fit together; the message says which."""


def checked_csr(matrix: Any, error: Callable[[str], DataError]) -> sparse.csr_array:
    """A SciPy sparse matrix of any format as CSR, checked whole before any conversion.

    Parameters
    ----------
    matrix : two-dimensional. CSR is returned as it is, with duplicates and unused entries; others are converted.
    error : makes the error of a sentence without its subject, such as "is damaged: ...".

    Raises
    ------
    DataError
        If an index is outside the matrix, the parts differ in length, or their types are wrong.
    """
    from scipy import sparse

    try:
        if matrix.format == "dok":  # from here on like the format that it passes through
            matrix = matrix.tocoo()
        check_parts(matrix)
        if matrix.format in ("csc", "coo", "dia"):  # which declare rows, and store nothing for one without values
            check_width(matrix.shape[0], matrix.nnz, error, "row")
        X = sparse.csr_array(matrix)
        if matrix.format == "lil":  # its lists are checked for their lengths only, which is what the conversion needs
            check_parts(X)
    except DataError:
        raise
    except (ValueError, TypeError, OverflowError) as damage:
        reason = damage if isinstance(damage, SparseDamageError) else "its parts do not make a matrix of numbers"
        raise error(f"is damaged: {reason}") from None
    return X


def check_parts(matrix: Any) -> None:
    """Raise `SparseDamageError` unless the parts of a CSR, CSC, BSR, COO, DIA or LIL matrix fit together."""
    _CHECKS[matrix.format](matrix)


def check_width(n_columns: int, n_values: int, error: Callable[[str], DataError], noun: str = "column") -> None:
    """Check that a sparse matrix does not have far more columns (or rows) than values.

    Raises
    ------
    DataError
        If what is kept for each column or row would take far more memory than the values.
    """
    limit = max(FREE_WIDTH, WIDTH_PER_VALUE * n_values)
    if n_columns > limit:
        raise error(
            f"has {plural(n_columns, noun)}, but stores only {plural(n_values, 'value')}: number the {noun}s "
            f"without such gaps (up to {limit:,} would be taken)"
        )


def _check_compressed(matrix: Any) -> None:
    """CSR, CSC and BSR: indptr rises from 0 to at most the number of values, and the indices are within the matrix."""
    data, indices, indptr = matrix.data, matrix.indices, matrix.indptr
    _check_integers(indices=indices, indptr=indptr)
    block = _block_of(matrix)
    by_columns = matrix.format == "csc"
    n_rows, n_columns = (size // step for size, step in zip(matrix.shape, block, strict=True))
    n_lines, n_across = (n_columns, n_rows) if by_columns else (n_rows, n_columns)
    used = int(indptr[-1]) if len(indptr) else -1
    lengths_fit = len(indptr) == n_lines + 1 and 0 <= used <= min(len(indices), len(data))
    if not lengths_fit or indptr[0] != 0 or (indptr[1:] < indptr[:-1]).any():
        lines = "n_columns" if by_columns else "n_samples" if block == (1, 1) else "n_block_rows"
        raise SparseDamageError(f"its indptr does not rise from 0 to the number of values in {lines} + 1 entries")
    noun = "row" if by_columns else "column" if block == (1, 1) else "block column"
    _check_within(indices[:used], n_across, noun)


def _block_of(matrix: Any) -> tuple[int, int]:
    """Rows and columns of each block that is stored; (1, 1) in CSR and CSC."""
    shape = np.shape(matrix.data)
    if matrix.format != "bsr":
        if len(shape) != 1:
            raise SparseDamageError(f"its values have {plural(len(shape), 'dimension')}, not one")
        return 1, 1
    if len(shape) != 3 or 0 in shape[1:] or matrix.shape[0] % shape[1] or matrix.shape[1] % shape[2]:
        raise SparseDamageError(f"blocks of shape {shape[1:]} do not fill a matrix of shape {matrix.shape}")
    return shape[1], shape[2]


def _check_coordinates(matrix: Any) -> None:
    """COO: a row and a column within the matrix for each value."""
    row, col, data = matrix.row, matrix.col, matrix.data
    _check_integers(row=row, col=col)
    if np.ndim(data) != 1 or not len(row) == len(col) == len(data):
        raise SparseDamageError(f"it has {len(row):,} row and {len(col):,} column indices for {len(data):,} values")
    _check_within(row, matrix.shape[0], "row")
    _check_within(col, matrix.shape[1], "column")


def _check_diagonals(matrix: Any) -> None:
    """DIA: one distinct offset for each row of values; those outside the matrix are never read."""
    data, offsets = matrix.data, matrix.offsets
    _check_integers(offsets=offsets)
    if np.ndim(data) != 2 or len(offsets) != len(data) or len(np.unique(offsets)) < len(offsets):
        raise SparseDamageError(f"its {len(offsets):,} offsets are not one for each of its {len(data):,} diagonals")


def _check_lists(matrix: Any) -> None:
    """LIL: a list of columns and a list of as many values for each row."""
    rows, data = matrix.rows, matrix.data
    if not np.shape(rows) == np.shape(data) == matrix.shape[:1]:
        raise SparseDamageError("it does not have two lists for each row")
    for i, (columns, values) in enumerate(zip(rows, data, strict=True)):
        if not (isinstance(columns, list) and isinstance(values, list) and len(columns) == len(values)):
            raise SparseDamageError(f"row {i + 1:,} does not have as many columns as values")


def _check_integers(**parts: Array) -> None:
    for name, part in parts.items():
        if np.ndim(part) != 1 or np.asarray(part).dtype not in (np.int32, np.int64):
            raise SparseDamageError(f"its {name} is not an array of 32-bit or 64-bit integers in one dimension")


def _check_within(indices: Array, size: int, noun: str) -> None:
    unsigned = indices.view(f"u{indices.dtype.itemsize}")  # in which a negative index is a large one: one pass
    if not len(indices) or unsigned.max() < size:
        return
    outside = indices[(indices < 0) | (indices >= size)][0]
    raise SparseDamageError(f"it has the {noun} index {outside}, but only {plural(size, noun)}")


_CHECKS: dict[str, Callable[[Any], None]] = {
    "csr": _check_compressed, "csc": _check_compressed, "bsr": _check_compressed,
    "coo": _check_coordinates, "dia": _check_diagonals, "lil": _check_lists,
}  # fmt: skip
