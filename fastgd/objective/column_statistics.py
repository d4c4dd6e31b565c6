"""Means and spreads of the columns of X, from a sample of the rows where that is enough."""

from __future__ import annotations

import numpy as np

from ..data.feature_matrix import as_scipy, from_scipy, shape_of
from ..kernels.column_moments import moments_of_columns
from ..kernels.row_access import CSR
from ..terms.losses import is_squared
from .gram import centred_blocks
from .objective import Objective

# Rows of a sample. Column scales need not be exact; the rates that follow from them are safe on all rows.
SAMPLE_ROWS, MIN_SAMPLE_ROWS, FIRST_ROWS = 16_384, 4_096, 1_024
# Least squares make one Hessian only, and read its rows twice besides: a larger sample pays.
SAMPLE_ROWS_FOR_SQUARED = 18_432
# A sample with fewer values of a sparse column says too little of its spread. From a value near zero by chance the
# spread would be a thousandth of the true one, and in variables scaled by it L would be a million times as large.
MIN_COLUMN_VALUES = 10
# X'X of a sample takes at most this many products for each value of X, about as long as one or two passes over X.
# Products of sparse values take longer.
PRODUCTS_PER_VALUE, PRODUCTS_PER_SPARSE_VALUE = 28, 4
# Each larger sample may cost at most this many times as many products.
MAX_COST_GROWTH = 3
# With this many rows for each parameter, steps by the sample's Hessian miss Newton's by about a third of their length.
ROWS_PER_PARAMETER = 10


def sample_size(objective: Objective, for_hessian: bool = False, growth: int = 1) -> int:
    """Number of rows that is enough for statistics of the columns, or for a Hessian.

    ``growth`` multiplies it where a first sample was not enough, as far as such a Hessian is affordable.
    """
    n_values, n_samples = objective.n_values, objective.n_samples
    if objective.sparse:
        affordable = PRODUCTS_PER_SPARSE_VALUE * n_samples**2 // max(n_values, 1)  # a row has n_values / n_samples
    else:
        affordable = PRODUCTS_PER_VALUE * n_values // objective.n_parameters**2
    once = for_hessian and is_squared(objective.loss)
    rows = growth * (SAMPLE_ROWS_FOR_SQUARED if once else SAMPLE_ROWS)
    enough = max(min(affordable * min(growth, MAX_COST_GROWTH), rows), MIN_SAMPLE_ROWS)
    return max(enough, ROWS_PER_PARAMETER * objective.n_parameters) if for_hessian else enough


def column_moments(
    objective: Objective, centred: bool, absent: bool = True, for_hessian: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and spread of each column over a sample: the standard deviation if ``centred``, else the root mean square.

    A column that is constant in the sample, as one with few non-zeros may be, is read in all rows; unless ``absent``,
    not a column of zeros. Of a sparse column with few values in the sample, the spread about zero in all rows is taken.
    """
    sample = objective.sample(sample_size(objective, for_hessian), 0)
    X, weights = sample.X, sample.rows.weights
    parts = [(X, weights)]
    if not isinstance(X, CSR) and (step := len(X) // FIRST_ROWS) > 1:
        parts.insert(0, (X[::step], weights[::step]))  # enough for most columns
    if sample.n_samples < objective.n_samples:
        parts.append((objective.X, objective.rows.weights))
    still = np.arange(objective.n_features)
    mean, variance = np.zeros(objective.n_features), np.zeros(objective.n_features)
    for rows, weight in parts:
        # The mean is one pass, the variance about it another.
        objective.passes.add(2 * shape_of(rows)[0] * len(still) / objective.n_features)
        some = rows if len(still) == objective.n_features else _columns(rows, still)
        mean[still], variance[still] = _moments(some, weight / weight.sum())
        still = np.flatnonzero((variance == 0) & ((absent and not objective.sparse) | (mean != 0)))
        if not len(still):
            break
    if isinstance(X, CSR) and absent and sample.n_samples < objective.n_samples:
        stored = np.bincount(X.indices, minlength=objective.n_features)
        if len(rare := np.flatnonzero(stored < MIN_COLUMN_VALUES)):
            variance[rare] = objective.mean_squares[rare]
    return mean, np.sqrt(variance if centred else variance + mean**2)


def _columns(X: np.ndarray | CSR, chosen: np.ndarray) -> np.ndarray | CSR:
    """Some columns of all rows."""
    if not isinstance(X, CSR):
        return X[:, chosen]
    return from_scipy(as_scipy(X)[:, chosen], X)


def _moments(X: np.ndarray | CSR, share: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of each column, the rows weighted by their share; about the mean, which may be far from 0."""
    if isinstance(X, CSR):
        present, mean, variance = np.empty((3, X.n_features))
        moments_of_columns(X, share, present, mean, variance)
    else:
        mean = share @ X
        variance = np.zeros_like(mean)
        first = 0
        for block in centred_blocks(X, mean):
            block *= block
            variance += share[first : first + len(block)] @ block
            first += len(block)
    # A column that is constant up to rounding has no spread.
    return mean, np.where(variance <= 1e-24 * (variance + mean**2), 0.0, variance)
