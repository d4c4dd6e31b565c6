"""Some columns of X, gathered so that passes over them alone are short; their products and Gram matrices.

X itself is read as it is stored, by rows: a copy by columns would take as long as some ten passes.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..data.feature_matrix import as_scipy, count_values, from_scipy, shape_of, squared, take_rows
from ..data.row_order import spread_rows
from ..kernels.row_access import CSR
from ..kernels.selected_columns import column_products, count_chosen, gather_dense, gather_sparse
from .chunks import CHUNK_VALUES, MAX_CHUNKS, MAX_PARTIAL_VALUES, chunk_count, threaded
from .gram import gram
from .linear_predictor import predict_output
from .objective import Objective

# Rows of the sample for a Hessian of second derivatives: for each column, and at least. With twice as many a fit of
# sparse rows takes as long; with a quarter, its steps no longer converge quickly.
SAMPLE_PER_COLUMN, MIN_SAMPLE = 40, 5_000
# Vectors that `products_with_all` multiplies at a time: X is in memory, their products in the cache.
VECTORS_AT_A_TIME = 8


def products_with_all(objective: Objective, U: np.ndarray) -> np.ndarray:
    """U X / n in float64, shape (n_vectors, n_features), in a pass over X; the caller counts it."""
    out = _products(objective.X, U)
    out /= objective.n_samples
    return out


def _products(X: np.ndarray | CSR, U: np.ndarray) -> np.ndarray:
    n_values, d = count_values(X), shape_of(X)[1]
    out = np.empty((len(U), d))
    for first in range(0, len(U), VECTORS_AT_A_TIME):
        part = np.ascontiguousarray(U[first : first + VECTORS_AT_A_TIME])
        n_chunks = max(1, min(chunk_count(n_values, d), MAX_PARTIAL_VALUES // (len(part) * max(d, 1))))
        partials = np.empty((n_chunks, len(part), d))
        threaded(column_products, n_values * len(part))(X, part, partials, out[first : first + VECTORS_AT_A_TIME])
    return out


class GatheredColumns(NamedTuple):
    """The columns ``numbers`` of X in float64.

    ``values`` has the shape (n_columns, n_samples) for dense X, and is a `CSR` of n_samples rows for sparse X. From
    dense columns ``means`` are subtracted, weighted means where there is an intercept: columns far from zero would
    leave no digits in the Gram matrix.
    """

    numbers: np.ndarray
    values: np.ndarray | CSR
    means: np.ndarray

    @classmethod
    def none_of(cls, objective: Objective) -> GatheredColumns:
        nothing = np.zeros(0, np.int64)
        if not isinstance(objective.X, CSR):
            return cls(nothing, np.empty((0, objective.n_samples)), np.zeros(0))
        X = objective.X
        indptr = np.zeros(objective.n_samples + 1, X.indptr.dtype)
        return cls(nothing, CSR(np.empty(0), np.empty(0, X.indices.dtype), indptr, 0), np.zeros(0))

    def with_more(self, objective: Objective, new: np.ndarray) -> GatheredColumns:
        """These columns, then the ``new`` ones."""
        numbers = np.concatenate([self.numbers, new])
        if isinstance(objective.X, CSR):
            return GatheredColumns(numbers, _gather_sparse(objective.X, numbers), np.zeros(len(numbers)))
        n, work = objective.n_samples, len(new) * objective.n_samples
        columns = np.empty((len(new), n))
        n_chunks = max(1, min(work // CHUNK_VALUES, MAX_CHUNKS))
        threaded(gather_dense, work)(objective.X, new, n_chunks, columns)
        means = np.zeros(len(new))
        if objective.fit_intercept:
            weight = objective.targets.weight
            means = columns @ weight / n if len(weight) else columns.mean(axis=1)
            columns -= means[:, None]
        assert isinstance(self.values, np.ndarray)
        return GatheredColumns(numbers, np.concatenate([self.values, columns]), np.concatenate([self.means, means]))

    def part(self, kept: np.ndarray) -> GatheredColumns:
        """Some of these columns, by a mask."""
        values = self.values
        if isinstance(values, CSR):
            values = from_scipy(as_scipy(values)[:, np.flatnonzero(kept)], values)
        else:
            values = values[kept]
        return GatheredColumns(self.numbers[kept], values, self.means[kept])

    def by_column(self) -> np.ndarray | CSR:
        """The columns as rows of an array, or of a `CSR`."""
        return from_scipy(as_scipy(self.values).T.tocsr(), self.values) if isinstance(self.values, CSR) else self.values

    def squares(self, D: np.ndarray) -> np.ndarray:
        """The sum over the rows of D_i times the square of each column."""
        if isinstance(self.values, CSR):
            return np.asarray(squared(self.values).T @ D)
        return np.asarray(np.einsum("ji,i,ji->j", self.values, D, self.values))

    def predictor(self, w: np.ndarray) -> np.ndarray:
        """The sum of the columns times ``w``, shape (n_samples,)."""
        if isinstance(self.values, CSR):
            return predict_output(self.values, w, 0.0)
        used = np.flatnonzero(w)
        if 4 * len(used) < len(w):
            return np.asarray(w[used] @ self.values[used])
        return np.asarray(w @ self.values)

    def products(self, u: np.ndarray) -> np.ndarray:
        """The product of each column with ``u``."""
        return _products(self.values, u[None])[0] if isinstance(self.values, CSR) else np.asarray(self.values @ u)

    def hessian(
        self, D: np.ndarray, intercept: bool, seed: int | None, growth: int = 1
    ) -> tuple[np.ndarray, np.ndarray]:
        """Sum over the rows of D_i a_i a_i', and the D-weighted means of the columns.

        With an ``intercept`` the columns are centred at these means, which minimises over the intercept; else the means
        are 0. With a ``seed``, only a sample of many rows is used, ``growth`` times as large as usual.
        """
        rows, values, k, n = None, self.values, len(self.numbers), len(D)
        size = growth * max(MIN_SAMPLE, SAMPLE_PER_COLUMN * k)
        if seed is not None and 2 * size < n:
            rows = spread_rows(n, size, seed)
            part = D[rows]
            if part.sum() > 0.0:
                values = take_rows(values, rows) if isinstance(values, CSR) else values[:, rows]
                D = part * (D.sum() / part.sum())
        total = D.sum()
        means = np.zeros(k)
        if intercept and total > 0.0:
            means = (as_scipy(values).T @ D if isinstance(values, CSR) else values @ D) / total
        if isinstance(values, CSR):
            return gram(values, D[:, None], means, intercept=False)[0], means
        rooted = values * np.sqrt(D)
        return rooted @ rooted.T - total * np.outer(means, means), means


def _gather_sparse(X: CSR, numbers: np.ndarray) -> CSR:
    n = len(X.indptr) - 1
    place = np.full(X.n_features, -1, X.indices.dtype)
    place[numbers] = np.arange(len(numbers))
    n_chunks, counts = chunk_count(len(X.data), 1), np.zeros(n + 1, np.int64)
    threaded(count_chosen, len(X.data))(X, place, n_chunks, counts[1:])
    indptr = np.cumsum(counts, dtype=X.indptr.dtype)
    indices, data = np.empty(indptr[-1], X.indices.dtype), np.empty(indptr[-1])
    threaded(gather_sparse, len(X.data))(X, place, n_chunks, indptr, indices, data)
    return CSR(data, indices, indptr, len(numbers))


def extended_gram(known: np.ndarray, columns: GatheredColumns, D: np.ndarray, intercept: bool) -> np.ndarray:
    """The Hessian of all columns for the same D with which the first ``len(known)`` have the Hessian ``known``."""
    k = len(known)
    if k == len(columns.numbers):
        return known
    if isinstance(columns.values, CSR) or k == 0:
        return columns.hessian(D, intercept, None)[0]
    new = columns.values[k:]
    added = (new * D) @ columns.values.T
    if intercept and D.sum() > 0.0:
        means = columns.values @ D / D.sum()
        added -= D.sum() * np.outer(means[k:], means)
    return np.block([[known, added[:, :k].T], [added[:, :k], added[:, k:]]])


def as_gathered(objective: Objective, columns: GatheredColumns, numbers: Any) -> GatheredColumns:
    """The columns ``numbers``, from ``columns`` as far as these are their beginning."""
    k = len(columns.numbers)
    if k == len(numbers) and np.array_equal(columns.numbers, numbers):
        return columns
    if k > len(numbers) or not np.array_equal(columns.numbers, numbers[:k]):
        columns, k = GatheredColumns.none_of(objective), 0
    return columns.with_more(objective, numbers[k:])
