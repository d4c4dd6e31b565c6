"""X and y as scikit-learn checks them, so that its messages, names of columns and counts of features hold."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, column_or_1d, validate_data

from ..errors import DataError

FLOATS = (np.float64, np.float32)


def checked_features(estimator: Any, X: Any, *, fitting: bool, encodes: bool = False) -> Any:
    """X as a float array or CSR; a frame as it is where the estimator encodes columns."""
    refuse_array_api(X)
    if encodes and hasattr(X, "columns"):
        return validate_data(estimator, X, reset=fitting, skip_check_array=True)
    return validate_data(estimator, X, reset=fitting, accept_sparse="csr", dtype=FLOATS, order="C")


def checked_data(
    estimator: Any, X: Any, y: Any, *, numeric: bool, encodes: bool = False, single: bool = False,
    keep_column: bool = False,
) -> tuple[Any, np.ndarray]:  # fmt: skip
    """X as `checked_features` gives it, and y of shape (n_samples,) or (n_samples, n_outputs).

    ``single``: only one target. ``keep_column``: y of shape (n_samples, 1) stays so; else it becomes a vector, with a
    warning.
    """
    refuse_array_api(X)
    if encodes and hasattr(X, "columns"):
        X, y = validate_data(estimator, X, skip_check_array=True), np.asarray(y)
    else:
        X, y = validate_data(
            estimator, X, y, accept_sparse="csr", dtype=FLOATS, order="C", multi_output=not single, y_numeric=numeric
        )
    if y.ndim == 2 and y.shape[1] == 1 and not keep_column:
        y = column_or_1d(y, warn=True)
    return X, y


def weights_of_rows(sample_weight: Any, X: Any) -> np.ndarray:
    """A weight for each row; a number is the weight of every row."""
    weights = np.asarray(_check_sample_weight(sample_weight, X, dtype=np.float64))
    if not weights.any():
        raise DataError("sample_weight is zero in every row: no row is left to train on")
    return weights


def refuse_array_api(X: Any) -> None:
    """Raise a TypeError for arrays of other libraries, which may lie on other devices."""
    if hasattr(X, "__array_namespace__") and not isinstance(X, np.ndarray | np.generic):
        name = f"{type(X).__module__.partition('.')[0]}.{type(X).__name__}"
        raise TypeError(f"fastgd takes NumPy arrays, sparse matrices and tables, not {name}: give numpy.asarray(X)")


def class_numbers_of(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The sorted labels, and for each row the number of its label; two numbers are found without sorting.

    Raises
    ------
    ValueError
        If y is continuous.
    """
    if y.dtype.kind == "f" and (y != np.round(y)).any():
        check_classification_targets(y)
    if y.dtype.kind in "iuf" and len(y):
        low, high = y.min(), y.max()
        upper = y == high
        if low != high and (upper | (y == low)).all():
            return np.array([low, high], dtype=y.dtype), upper.astype(np.intp)
    if y.dtype.kind == "O":
        check_classification_targets(y)
    classes, numbers = np.unique(y, return_inverse=True)
    return classes, numbers
