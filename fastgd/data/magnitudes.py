"""Values so large or so small that their squares overflow or vanish: no optimum can be found in such units."""

from __future__ import annotations

import numpy as np

from ..errors import DataError
from ..kernels.row_access import CSR
from .feature_matrix import as_scipy, dtype_of

# The smallest and the largest value of a column whose squares, and their sums over many rows, are normal numbers: in
# float64, and in float32, in which coefficients of about the inverse are kept.
MAGNITUDES = {8: (1e-140, 1e140), 4: (1e-30, 1e30)}
# Values of X that are looked at first; a column that looks bad there is looked at in all rows.
FIRST_VALUES = 1 << 14


def check_magnitude(largest: float, dtype: np.dtype, name: str) -> None:
    """Raise a `DataError` if the squares of values of up to ``largest`` overflow or vanish."""
    lowest, highest = MAGNITUDES[dtype.itemsize]
    if largest == 0.0 or lowest <= largest <= highest or not np.isfinite(largest):
        return
    what = "overflow" if largest > highest else "vanish"
    raise DataError(
        f"{name} holds values of up to {largest:.2g}, whose squares {what} in floating point: give it in other units"
    )


def check_magnitudes(X: np.ndarray | CSR, names: tuple[str, ...] | None) -> None:
    """Raise a `DataError` that names a column whose squares overflow or vanish in floating point."""
    largest, dtype = _largest(X, FIRST_VALUES), dtype_of(X)
    lowest, highest = MAGNITUDES[dtype.itemsize]
    for j in np.flatnonzero((largest > highest) | ((largest < lowest) & (largest > 0.0))):
        in_all_rows = _largest(X, None, int(j))[0]
        check_magnitude(float(in_all_rows), dtype, f"column {repr(names[j]) if names else j + 1} of X")


def _largest(X: np.ndarray | CSR, n_values: int | None, column: int | None = None) -> np.ndarray:
    """The largest absolute value of each column, or of one, in about ``n_values`` values of X, or in all."""
    if isinstance(X, CSR):
        step = 1 if n_values is None else max(len(X.data) // n_values, 1)
        part = X if step == 1 else as_scipy(X)[::step]  # whole rows: every second value may be of the same columns
        values, columns = np.abs(part.data), part.indices
        if column is not None:
            return np.array([values[columns == column].max(initial=0.0)])
        largest = np.zeros(X.n_features, X.data.dtype)
        with np.errstate(invalid="ignore"):  # NaN is found later
            np.maximum.at(largest, columns, values)
        return largest
    rows = X[:: 1 if n_values is None else max(X.size // n_values, 1)]
    rows = rows if column is None else rows[:, column : column + 1]
    return np.asarray(np.maximum(rows.max(axis=0, initial=0.0), -rows.min(axis=0, initial=0.0)))
