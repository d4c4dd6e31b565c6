"""The data of a fit, checked and converted once: what every method works on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from .data.table import Table
from .data.wording import plural
from .errors import DataError, OptionError
from .kernels.gradient import batch_gradient, linear_predictor, mean_loss
from .kernels.minibatch import Workspace
from .kernels.update import penalty_value
from .rows import CSR

# Below this many stored values (1 MB in float64) starting the threads costs more than they save.
PARALLEL_FROM = 1 << 17
# A chunk of rows has about this many values, so that it costs far more than handing it out.
CHUNK_VALUES = 1 << 15
MOST_CHUNKS = 64


def as_matrix(X: Any) -> tuple[np.ndarray | CSR, tuple[str, ...] | None]:
    """X as kernels take it, and its column names if it has any.

    An array becomes C-ordered float32 or float64 (copied only where it is not), a sparse matrix `CSR`.

    Raises
    ------
    DataError
        When X is not two-dimensional, not numeric, or a table with words or gaps.
    """
    names: tuple[str, ...] | None = None
    if isinstance(X, Table):
        X, names = X.X, X.feature_names
    elif hasattr(X, "__arrow_c_stream__") or hasattr(X, "columns"):  # pandas before 2.2 has only columns
        from .data.frames import to_arrays

        X, names = to_arrays(X)
    array: Any = X if sp.issparse(X) else _as_array(X)
    if array.ndim != 2:
        hint = "; for a single feature use X.reshape(-1, 1)" if array.ndim == 1 else ""
        raise DataError(f"X must have two dimensions, (n_samples, n_features), not {array.ndim}{hint}")
    if sp.issparse(array):
        return _as_csr(array), names
    if array.dtype.kind not in "fiub":
        raise DataError(f"X must hold numbers, not {array.dtype}")
    dtype = array.dtype if array.dtype in (np.float32, np.float64) else np.dtype(np.float64)
    return _same_type(np.ascontiguousarray(array, dtype=dtype.newbyteorder("="))), names


class _Memory:
    """The memory of an array, without its flags."""

    def __init__(self, array: np.ndarray) -> None:
        address, _ = array.__array_interface__["data"]
        self.array = array  # kept alive
        self.__array_interface__ = {**array.__array_interface__, "data": (address, False)}


def _same_type(array: np.ndarray) -> np.ndarray:
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
    if X.dtype.kind not in "fiub":
        raise DataError(f"X must hold numbers, not {X.dtype}")
    X = sp.csr_array(X)
    if not X.has_canonical_format:
        X = X.copy()
        X.sum_duplicates()
    dtype = X.dtype if X.dtype in (np.float32, np.float64) else np.dtype(np.float64)
    return CSR(X.data.astype(dtype, copy=False), X.indices, X.indptr.astype(np.int64, copy=False), X.shape[1])


def shape_of(X: np.ndarray | CSR) -> tuple[int, int]:
    """(n_samples, n_features)."""
    return (len(X.indptr) - 1, X.n_features) if isinstance(X, CSR) else (X.shape[0], X.shape[1])


def dtype_of(X: np.ndarray | CSR) -> np.dtype:
    return X.data.dtype if isinstance(X, CSR) else X.dtype


def count_values(X: np.ndarray | CSR) -> int:
    """How many values X stores: what a pass over it costs."""
    return len(X.data) if isinstance(X, CSR) else X.size


def chunk_count(n_values: int, n_features: int) -> int:
    """How many chunks to cut a pass into; it depends on the shape alone, so that the bits do too."""
    by_size = min(n_values // CHUNK_VALUES, MOST_CHUNKS)
    # Each chunk has a partial gradient of n_features: keep adding those up a small part of the pass.
    return max(1, min(by_size, max(2, n_values // (4 * max(n_features, 1)))))


def predict_linear(X: np.ndarray | CSR, coef: np.ndarray, intercept: float) -> np.ndarray:
    """z = X coef + intercept, shape (n_samples,), float64."""
    n_samples, n_features = shape_of(X)
    z = np.empty(n_samples)
    n_values = count_values(X)
    launch = linear_predictor if n_values >= PARALLEL_FROM else linear_predictor.serial
    launch(X, coef.astype(dtype_of(X)), float(intercept), chunk_count(n_values, n_features), z)
    return z


@dataclass
class Problem:
    """One objective: data, loss and penalty. Weights are a vector ``theta``: coef, then the intercept if fitted."""

    X: np.ndarray | CSR
    y: np.ndarray
    loss: Any
    penalty: Any
    fit_intercept: bool
    feature_names: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        self.n_samples, self.n_features = shape_of(self.X)
        self.n_parameters = self.n_features + int(self.fit_intercept)
        self.n_values = count_values(self.X)
        self.dtype = dtype_of(self.X)
        self.parallel = self.n_values >= PARALLEL_FROM
        n_chunks = chunk_count(self.n_values, self.n_features)
        self.work = Workspace.make(self.dtype, self.n_features, self.n_parameters, n_chunks)

    @property
    def sparse(self) -> bool:
        return isinstance(self.X, CSR)

    def gradient(self, theta: np.ndarray) -> tuple[float, np.ndarray]:
        """Mean loss and its mean gradient at ``theta``, without the penalty; the array is reused by the next call."""
        work = self.work
        launch = batch_gradient if self.parallel else batch_gradient.serial
        coef, b = self._split(theta)
        value = launch(self.X, self.y, coef, b, self.loss, work.partials, work.sums, work.gradient)
        return float(value), work.gradient

    def mean_loss(self, theta: np.ndarray) -> float:
        launch = mean_loss if self.parallel else mean_loss.serial
        coef, b = self._split(theta)
        return float(launch(self.X, self.y, coef, b, self.loss, self.work.sums))

    def penalty_at(self, theta: np.ndarray) -> float:
        return float(penalty_value(self.penalty, theta[: self.n_features], 1.0, np.zeros(0)))

    def objective(self, theta: np.ndarray) -> float:
        """F: the mean loss plus the penalty."""
        return self.mean_loss(theta) + self.penalty_at(theta)

    def best_constant(self) -> float:
        """F of the best model that is an intercept alone, at zero weights."""
        from scipy.optimize import minimize_scalar

        nothing = np.zeros((self.n_samples, 0), self.dtype)
        coef, sums = np.zeros(0, self.dtype), np.zeros((1, 2))

        def at(z: float) -> float:
            return float(mean_loss.serial(nothing, self.y, coef, float(z), self.loss, sums))

        if not self.fit_intercept:
            return at(0.0)
        centre, spread = float(self.y.mean()), float(self.y.std()) or 1.0
        # Ten spreads about the mean hold the best constant, and logits of -10 and 10 where y is -1 and 1.
        return float(minimize_scalar(at, bounds=(centre - 10 * spread, centre + 10 * spread), method="bounded").fun)

    def _split(self, theta: np.ndarray) -> tuple[np.ndarray, float]:
        coef = theta[: self.n_features].astype(self.dtype)
        return coef, float(theta[self.n_features]) if self.fit_intercept else 0.0


def check_problem(X: Any, y: Any, loss: Any, penalty: Any, fit_intercept: bool) -> tuple[Problem, np.ndarray | None]:
    """The problem that ``X`` and ``y`` pose, and the two labels of a classification (None for a regression).

    Raises
    ------
    DataError
        See `as_matrix`; and when y does not fit X, is constant, or has not two classes where the loss wants them.
    """
    matrix, names = as_matrix(X)
    n_samples, n_features = shape_of(matrix)
    if n_samples == 0:
        raise DataError("X has no rows: there is nothing to learn from")
    if n_features == 0:
        raise DataError("X has no columns: there is nothing to learn from")
    if fit_intercept not in (True, False):
        raise OptionError(f"fit_intercept is True or False, not {fit_intercept!r}")
    target, classes = as_target(y, getattr(loss, "classifies", False))
    if len(target) != n_samples:
        raise DataError(f"X has {n_samples} rows but y has {len(target)} values; they must match")
    return Problem(matrix, target, loss, penalty, bool(fit_intercept), names), classes


def as_target(y: Any, classifies: bool) -> tuple[np.ndarray, np.ndarray | None]:
    """y as float64, and for a classification as -1 and +1 with its two labels, the larger being +1."""
    values = as_vector(y)
    return _as_labels(values) if classifies else (_as_numbers(values), None)


def as_vector(y: Any) -> np.ndarray:
    """y as numbers or labels of one kind, shape (n_samples,), none of them missing or infinite."""
    if hasattr(y, "__arrow_c_stream__") or hasattr(y, "__arrow_c_array__"):
        from .data.frames import to_target

        y = to_target(y)
    # NumPy would make words of the numbers in a list that has both.
    values = np.asarray(y, dtype=object if isinstance(y, (list, tuple)) else None)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1:
        raise DataError(f"y must have one dimension, (n_samples,), not the shape {values.shape}")
    if values.dtype.kind == "O":
        values = _from_objects(values)
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        wrong = np.flatnonzero(~np.isfinite(values))
        what = plural(len(wrong), "NaN or infinite value")
        raise DataError(f"y has {what}, the first in row {wrong[0] + 1}; leave those rows out")
    return values


def _from_objects(values: np.ndarray) -> np.ndarray:
    if any(value is None for value in values):
        raise DataError("y has missing values; leave those rows out")
    words = {isinstance(value, str) for value in values}
    try:
        array = np.asarray(values.tolist())
    except (ValueError, TypeError):
        array = values
    if len(words) > 1 or array.dtype.kind == "O":
        raise DataError("y must hold numbers or labels of one kind, without gaps")
    return array


def _as_labels(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    classes = np.unique(values)
    if len(classes) != 2:
        shown = ", ".join(str(c) for c in classes[:5]) + (", ..." if len(classes) > 5 else "")
        raise DataError(f"this loss tells two classes apart, but y has {len(classes)} different values ({shown})")
    return np.where(values == classes[1], 1.0, -1.0), classes


def _as_numbers(values: np.ndarray) -> np.ndarray:
    if values.dtype.kind not in "fiub":
        example = values[0] if len(values) else ""
        what = "words" if values.dtype.kind == "U" else f"{values.dtype} values"
        raise DataError(
            f"y holds {what} such as {str(example)!r}, but this loss wants numbers; for labels use loss='logistic'"
        )
    target = _same_type(np.ascontiguousarray(values, dtype=np.float64))
    if len(target) and (target == target[0]).all():
        raise DataError(f"y is {target[0]:g} in every row: there is nothing to learn from a constant target")
    return target


def check_finite(problem: Problem) -> None:
    """Say where X holds NaN or infinity; called when an objective comes out as neither number."""
    values = problem.X.data if isinstance(problem.X, CSR) else problem.X
    bad = ~np.isfinite(values)
    if not bad.any():
        return
    first = np.argwhere(bad)[0]
    if isinstance(problem.X, CSR):
        row = int(np.searchsorted(problem.X.indptr, first[0], side="right")) - 1
        column = int(problem.X.indices[first[0]])
    else:
        row, column = int(first[0]), int(first[1])
    name = repr(problem.feature_names[column]) if problem.feature_names else str(column + 1)
    raise DataError(
        f"X has {plural(int(bad.sum()), 'NaN or infinite value')}, the first in row {row + 1}, column {name}; "
        "fill them in or leave those rows out"
    )
