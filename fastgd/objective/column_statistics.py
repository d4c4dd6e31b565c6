"""Means and spreads of the columns of X, from a sample of the rows where that is enough."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..data.feature_matrix import as_scipy, from_scipy, shape_of
from ..kernels.column_moments import moments_of_columns
from ..kernels.row_access import CSR
from ..terms.losses import is_squared, loss_traits
from .gram import centred_blocks
from .objective import Objective

# Rows of a sample, and of its first part, which is enough for most columns. Column scales need not be exact: the rates
# that follow from them are safe on all rows.
SAMPLE_ROWS, MIN_SAMPLE_ROWS, FIRST_ROWS = 16_384, 4_096, 1_024
# Least squares need one Hessian only, and read its rows two more times anyway: a larger sample pays.
SAMPLE_ROWS_FOR_SQUARED = 18_432
# Minimum stored values of a sparse column in the sample for its spread there to count. With one value that is near zero
# by chance, the spread would be a thousandth of the true one, and L in the scaled variables a million times as large.
MIN_COLUMN_VALUES = 10
# Maximum products in X'X of a sample per value of X: they take the time of one or two passes over X. Products of sparse
# values take longer.
MAX_PRODUCTS_PER_VALUE, MAX_PRODUCTS_PER_SPARSE_VALUE = 28, 4
# Maximum factor by which the products may grow for a larger sample.
MAX_COST_GROWTH = 3
# Minimum rows per parameter for a Hessian: steps by it then differ from Newton's by about a third of their length.
MIN_HESSIAN_ROWS_PER_PARAMETER = 10


def sample_size(objective: Objective, for_hessian: bool = False, growth: int = 1) -> int:
    """Number of rows to sample for statistics of the columns, or for a Hessian.

    ``growth`` multiplies the number where a first sample was too small, as far as the Hessian is affordable.
    """
    n_values, n_samples = objective.n_values, objective.n_samples
    if objective.sparse:
        affordable = MAX_PRODUCTS_PER_SPARSE_VALUE * n_samples**2 // max(n_values, 1)  # a row has n_values / n_samples
    else:
        affordable = MAX_PRODUCTS_PER_VALUE * n_values // objective.n_parameters**2
    is_one_hessian = for_hessian and is_squared(objective.loss)
    wanted = growth * (SAMPLE_ROWS_FOR_SQUARED if is_one_hessian else SAMPLE_ROWS)
    if for_hessian and loss_traits(objective.loss).joint:  # a row has an equation for each output, and a cost for two
        wanted //= max(objective.n_outputs // 2, 1)
    size = max(min(affordable * min(growth, MAX_COST_GROWTH), wanted), MIN_SAMPLE_ROWS)
    return max(size, MIN_HESSIAN_ROWS_PER_PARAMETER * objective.n_parameters) if for_hessian else size


def column_moments(
    objective: Objective, centred: bool, find_rare: bool = True, for_hessian: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and spread of each column over a sample: the standard deviation if ``centred``, else the root mean square.

    A column that is constant in the sample is read in all rows. ``find_rare``: so is a column of zeros, and of a sparse
    column with fewer than `MIN_COLUMN_VALUES` values in the sample the root mean square of all rows is taken.
    """
    sample = objective.sample(sample_size(objective, for_hessian), 0)
    X, weights = sample.X, sample.rows.weights
    parts = [(X, weights)]
    if not isinstance(X, CSR) and (step := len(X) // FIRST_ROWS) > 1:
        parts.insert(0, (X[::step], weights[::step]))
    if sample.n_samples < objective.n_samples:
        parts.append((objective.X, objective.rows.weights))
    unknown = np.arange(objective.n_features)
    mean, variance = np.zeros(objective.n_features), np.zeros(objective.n_features)
    for rows, weight in parts:
        # The mean is one pass, the variance about it another.
        objective.passes.add(2 * shape_of(rows)[0] * len(unknown) / objective.n_features)
        columns = rows if len(unknown) == objective.n_features else _columns(rows, unknown)
        mean[unknown], variance[unknown] = moments_of(columns, weight / weight.sum())
        unknown = np.flatnonzero((variance == 0) & ((find_rare and not objective.sparse) | (mean != 0)))
        if not len(unknown):
            break
    if isinstance(X, CSR) and find_rare and sample.n_samples < objective.n_samples:
        stored = np.bincount(X.indices, minlength=objective.n_features)
        if len(rare := np.flatnonzero(stored < MIN_COLUMN_VALUES)):
            variance[rare] = objective.mean_squares[rare]
    return mean, np.sqrt(variance if centred else variance + mean**2)


def _columns(X: np.ndarray | CSR, chosen: np.ndarray) -> np.ndarray | CSR:
    """Some columns of all rows."""
    return from_scipy(as_scipy(X)[:, chosen], X) if isinstance(X, CSR) else X[:, chosen]


def _weighted_sum(blocks: Iterator[np.ndarray], share: np.ndarray) -> Any:
    """The weighted sum of the rows of the blocks."""
    total, first = 0.0, 0
    for block in blocks:
        total = total + share[first : first + len(block)] @ block
        first += len(block)
    return total


def moments_of(X: np.ndarray | CSR, share: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of each column, the rows weighted by ``share``. The mean may be far from 0."""
    if isinstance(X, CSR):
        present, residual, mean, variance = np.empty((4, X.n_features))
        moments_of_columns(X, share, present, residual, mean, variance)
    else:
        # About the first row, so that a column that is constant has exactly its value as mean, in any number of rows.
        first_row = X[0].astype(np.float64)
        mean = first_row + _weighted_sum(centred_blocks(X, first_row), share)
        variance = _weighted_sum((np.square(block, out=block) for block in centred_blocks(X, mean)), share)
    # A column that is constant up to rounding has no spread.
    return mean, np.where(variance <= 1e-24 * (variance + mean**2), 0.0, variance)
