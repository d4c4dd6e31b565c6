"""The validation set: a random part of the rows that is held out of training, or a separate data set."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

import numpy as np

from ..errors import DataError, OptionError
from ..kernels.row_access import CSR
from ..kernels.row_targets import NONE
from ..terms.losses import check_targets
from ..wording import for_reader, option, plural
from .feature_matrix import as_matrix, check_finite, in_layout_of, select_columns, shape_of, take_rows
from .sample_weights import as_row_values, as_sample_weight
from .table import Table
from .target import Target, as_columns, encode_like


@dataclass(frozen=True)
class CheckedRows:
    """Rows as the kernels need them, with targets, weights and offsets; the last two are empty if not given."""

    X: np.ndarray | CSR
    target: Target
    weight: np.ndarray
    offset: np.ndarray

    def take(self, rows: np.ndarray) -> CheckedRows:
        """A copy of the rows with these indices."""
        target = replace(self.target, y=np.ascontiguousarray(self.target.y[rows]))
        weight, offset = (part[rows] if len(part) else part for part in (self.weight, self.offset))
        return CheckedRows(take_rows(self.X, rows), target, weight, offset)


def is_fraction(validation: Any) -> bool:
    """Whether ``validation`` is a fraction of the rows, not a data set.

    Raises
    ------
    OptionError
        If it is neither a number between 0 and 1 nor a data set.
    """
    if isinstance(validation, Real) and 0 < float(validation) < 1:
        return True
    if isinstance(validation, Table) or (isinstance(validation, (tuple, list)) and 2 <= len(validation) <= 4):
        return False
    fraction = f"{option('validation')} must be a fraction of the rows between 0 and 1"
    sets = "a set (X, y), (X, y, sample_weight) or (X, y, sample_weight, offset), or a Table"
    shown = repr(validation) if isinstance(validation, (Real, str)) else f"a {type(validation).__name__}"
    raise OptionError(f"{fraction}, {for_reader(sets, 'or a file')}, not {shown}")


def hold_out(fraction: float, target: Target, seed: int, option_name: str = "validation") -> np.ndarray:
    """A random, stratified mask of the rows to hold out, shape (n_samples,).

    Systematic sampling (Cochran, Sampling techniques, 1977, chapter 8): rows are sorted by class, shuffled within each
    class, and taken at equal distances from a random start, so that each class gives its share of rows, rounded up or
    down. At least one row of each class remains for training.

    Raises
    ------
    DataError
        If there are too few rows to hold some out and keep some.
    """
    n = len(target.y)
    count = max(1, round(fraction * n))
    labels = np.zeros((n, 1)) if target.classes is None else target.y.reshape(n, -1)
    random = np.random.default_rng([seed, 0])  # epoch k shuffles with [seed, k], k >= 1
    order = random.permutation(n)
    if target.classes is not None:
        stratum = np.unique(labels, axis=0, return_inverse=True)[1].reshape(-1)
        order = order[np.argsort(stratum[order], kind="stable")]
    held = np.zeros(n, dtype=bool)
    if count < n:
        held[order[((np.arange(count) + random.random()) * (n / count)).astype(np.intp).clip(max=n - 1)]] = True
    for column in labels.T:
        for label in np.setdiff1d(column, column[~held]):
            held[np.flatnonzero(column == label)[0]] = False
    if not held.any():
        raise DataError(
            f"{option(option_name, fraction)} of {plural(n, 'row')} leaves no row for training, or none to hold out; "
            "give more rows, or hold none out"
        )
    return held


def as_validation_sample(validation: Any, data: CheckedRows, names: tuple[str, ...] | None, loss: Any) -> CheckedRows:
    """The rows of a separate validation set, with the layout, dtype and label codes of the training ``data``.

    Raises
    ------
    DataError
        If the set does not match the training data: other columns, unknown labels, missing values.
    OptionError
        If only one of the training data and the validation set has an offset.
    """
    classes = data.target.classes
    X, y, weight, offset = _parts(validation, classes is not None and classes.dtype.kind == "U")
    if (offset is None) != (not len(data.offset)):
        raise OptionError(
            "the training rows have an offset, the validation set has none: give (X, y, sample_weight, offset) or a "
            "Table with an offset"
            if offset is None
            else "the validation set has an offset, the training rows have none: leave its offset out"
        )
    with _naming("the validation set"):
        matrix, own = as_matrix(X)
        n_samples, n_features = shape_of(matrix)[0], shape_of(data.X)[1]
        if n_samples == 0:
            raise DataError("X has no rows")
        matrix = in_layout_of(data.X, select_columns(matrix, own, names, n_features))
        check_finite(matrix, names)
        if y is None:
            raise DataError("has no target")
        columns = as_columns(y)
        if len(columns[0]) != n_samples:
            raise DataError(f"X has {n_samples} rows but y has {len(columns[0])} values; they must match")
        weights = NONE if weight is None else as_sample_weight(weight, n_samples)
        offsets = NONE if offset is None else as_row_values(option("offset"), offset, n_samples)
        if not weights.all():  # a row of weight 0 may have an unknown label
            used = np.flatnonzero(weights)
            matrix, columns, weights = take_rows(matrix, used), [column[used] for column in columns], weights[used]
            offsets = offsets[used] if len(offsets) else offsets
        target = replace(data.target, y=encode_like(columns, data.target))
        if data.target.classes is None:
            check_targets(loss, target.y)
    return CheckedRows(matrix, target, weights, offsets)


def _parts(validation: Any, labels: bool) -> tuple[Any, Any, Any, Any]:
    """X, y (as labels or as numbers), sample_weight and offset of a data set; the last two are None if not given."""
    if isinstance(validation, Table):
        return validation, validation.target_for(labels), validation.sample_weight, validation.offset
    X, y, weight, offset = [*validation, None, None][:4]
    if isinstance(X, Table):
        weight, offset = (X.sample_weight if weight is None else weight), (X.offset if offset is None else offset)
    return X, y, weight, offset


@contextmanager
def _naming(what: str) -> Iterator[None]:
    """Put the name of the data set before the message of a `DataError`."""
    try:
        yield
    except DataError as error:
        raise DataError(f"{what}: {error}") from None
