"""Rows to validate on: a part of the data that is held out of training, or a set of its own."""

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
from .matrix import as_matrix, as_scipy, check_finite, dtype_of, own_columns, same_type, shape_of, take_rows
from .table import Table
from .target import Target, as_columns, as_row_values, as_sample_weight, code_like


@dataclass(frozen=True)
class Sample:
    """Rows as kernels take them, their targets, weights and offsets; the last two are empty where there are none."""

    X: np.ndarray | CSR
    target: Target
    weight: np.ndarray
    offset: np.ndarray

    def take(self, rows: np.ndarray) -> Sample:
        """A copy of some rows."""
        target = replace(self.target, y=np.ascontiguousarray(self.target.y[rows]))
        weight, offset = (part[rows] if len(part) else part for part in (self.weight, self.offset))
        return Sample(take_rows(self.X, rows), target, weight, offset)


def is_fraction(validation: Any) -> bool:
    """Whether ``validation`` is a share of the rows, and not a set; an `OptionError` where it is neither.

    Raises
    ------
    OptionError
        For a number that is not between 0 and 1, and for what is no set of rows.
    """
    if isinstance(validation, Real) and 0 < float(validation) < 1:
        return True
    if isinstance(validation, Table) or (isinstance(validation, (tuple, list)) and 2 <= len(validation) <= 4):
        return False
    raise OptionError(
        for_reader(
            "validation is a fraction of the rows between 0 and 1, a set (X, y), (X, y, sample_weight) or "
            "(X, y, sample_weight, offset), or a Table",
            "--validation is a fraction of the rows between 0 and 1, or a file",
        )
        + f", not {_shown(validation)}"
    )


def _shown(value: Any) -> str:
    return repr(value) if isinstance(value, (Real, str)) else f"a {type(value).__name__}"


def hold_out(fraction: float, target: Target, seed: int) -> np.ndarray:
    """True for the rows to hold out, shape (n_samples,): at random, and of each class about the same share.

    Rows are sorted by class, in random order within each, and taken at equal distances from a random start
    (systematic sampling: Cochran, Sampling techniques, 1977, chapter 8), so that each class gives its share of
    rows, rounded up or down. At least one row of each class is left to learn from.

    Raises
    ------
    DataError
        When there are too few rows to hold any out and have some left.
    """
    n = len(target.y)
    count = max(1, round(fraction * n))
    labels = np.zeros((n, 1)) if target.classes is None else target.y.reshape(n, -1)
    random = np.random.default_rng([seed, 0])  # the orders of epochs are from [seed, 1] on
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
            f"{option('validation', fraction)} of {plural(n, 'row')} leaves none to learn from, or holds none out; "
            "give more rows, or a set to validate on"
        )
    return held


def as_validation_sample(validation: Any, data: Sample, names: tuple[str, ...] | None, loss: Any) -> Sample:
    """The rows of a set that the user gave, laid out and coded as those of the training ``data``.

    Raises
    ------
    DataError
        When the set does not fit the training data: other columns, labels that it does not have, gaps.
    OptionError
        When the training rows have an offset and those of the set do not, or the other way round.
    """
    X, y, weight, offset = _parts(validation)
    if (offset is None) != (not len(data.offset)):
        lacking = (
            "the training rows have an offset and it has none" if offset is None else "the training rows have none"
        )
        remedy = "give (X, y, sample_weight, offset) or a Table with one" if offset is None else "leave its offset out"
        raise OptionError(f"the validation set must go with the training rows, but {lacking}: {remedy}")
    with _told_of("the validation set"):
        matrix, own = as_matrix(X)
        n_samples, n_features = shape_of(matrix)[0], shape_of(data.X)[1]
        if n_samples == 0:
            raise DataError("X has no rows")
        matrix = _like(own_columns(matrix, own, names, n_features), data.X)
        check_finite(matrix, names)
        if y is None:
            raise DataError("there is no target in it")
        columns = as_columns(y)
        if len(columns[0]) != n_samples:
            raise DataError(f"X has {n_samples} rows but y has {len(columns[0])} values; they must match")
        weights = NONE if weight is None else as_sample_weight(weight, n_samples)
        offsets = NONE if offset is None else as_row_values(option("offset"), offset, n_samples)
        if not weights.all():  # such a row may have a label that training never saw
            some = np.flatnonzero(weights)
            matrix, columns, weights = take_rows(matrix, some), [column[some] for column in columns], weights[some]
            offsets = offsets[some] if len(offsets) else offsets
        target = replace(data.target, y=code_like(columns, data.target))
        if data.target.classes is None:
            check_targets(loss, target.y)
    return Sample(matrix, target, weights, offsets)


def _parts(validation: Any) -> tuple[Any, Any, Any, Any]:
    """X, y, sample_weight and offset of a set, the last two None where there are none."""
    if isinstance(validation, Table):
        return validation, validation.y, validation.sample_weight, validation.offset
    X, y, weight, offset = [*validation, None, None][:4]
    if isinstance(X, Table):
        weight, offset = (X.sample_weight if weight is None else weight), (X.offset if offset is None else offset)
    return X, y, weight, offset


def _like(matrix: np.ndarray | CSR, X: np.ndarray | CSR) -> np.ndarray | CSR:
    """``matrix`` with the layout and types of ``X``, for which the kernels are compiled already."""
    dtype = dtype_of(X)
    if not isinstance(X, CSR):
        if isinstance(matrix, CSR):
            matrix = as_scipy(matrix).toarray()
        return same_type(np.ascontiguousarray(matrix, dtype=dtype))
    if not isinstance(matrix, CSR):
        import scipy.sparse as sp

        rows = sp.csr_array(matrix)
        matrix = CSR(rows.data, rows.indices, rows.indptr.astype(np.int64), X.n_features)
    indices = matrix.indices.astype(X.indices.dtype, copy=False)
    return CSR(same_type(matrix.data.astype(dtype, copy=False)), same_type(indices), matrix.indptr, X.n_features)


@contextmanager
def _told_of(what: str) -> Iterator[None]:
    """Say of wrong data which rows it is about."""
    try:
        yield
    except DataError as error:
        raise DataError(f"{what}: {error}") from None
