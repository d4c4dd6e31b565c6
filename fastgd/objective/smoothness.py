"""Smoothness constants of the mean loss of a batch, from which stable learning rates follow."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..errors import DataError
from ..kernels.batch_gradient import row_norms
from ..kernels.row_targets import Targets
from ..kernels.update_step import Preconditioner
from ..terms.losses import HalfSquared
from .chunks import chunk_count, threaded
from .column_statistics import SAMPLE_ROWS
from .gram import gram
from .objective import Objective

MAX_EIGEN_COLUMNS = 128  # for an eigendecomposition of X'X itself, which is then quick
# A rate is stable unless the eigenvalue is underestimated by more than half. If the largest eigenvalue is twice the
# next one, its share of the vector's squared norm grows more than a millionfold in this many iterations.
POWER_ITERATIONS = 12
# Factor on the estimated eigenvalue, since power iterations and samples of the rows tend to underestimate it.
INFLATION = 1.1


class Smoothness(NamedTuple):
    """L_B of each output, with the penalty, shape (n_outputs,); its symbol; and in words what determines it."""

    constants: np.ndarray
    symbol: str
    source: str


def smoothness(objective: Objective, preconditioner: Preconditioner, batch_size: int) -> Smoothness:
    """The smoothness constant of the loss, on average over batches of B of the n rows, drawn without replacement.

        L_B = (n - B) / (B (n - 1)) L_max + n (B - 1) / (B (n - 1)) L,

    L_max = c max s_i |x_i|^2 and L = c lambda_max(X'SX / n), c the largest curvature of the loss, s_i the weights, x_i
    in the variables of ``preconditioner``; plus the curvature of the smooth part of the penalty. Steps of 1 / (2 L_B)
    converge. Source: Gower, Loizou, Qian, Sailanbayev, Shulgin and Richtarik, SGD: general analysis and improved rates
    (2019), proposition 3.8 and theorem 3.1. For all rows at once steps of 1 / L converge: Nesterov, Introductory
    lectures on convex optimization (2004), theorem 2.1.14.

    Raises
    ------
    DataError
        Where the squares of X are not finite.
    """
    n = objective.n_samples
    norms = squared_norms(objective, preconditioner)
    curvature = float(objective.loss.curvature())
    largest = curvature * float(norms.max())
    if batch_size == 1 or n == 1:
        constant, symbol, source = largest, "L_max", "the longest row"
    else:
        constant = curvature * _largest_eigenvalue(objective, preconditioner, norms)
        symbol, source = "L", "the largest eigenvalue of X'X / n"
        if batch_size < n:
            constant = _mean_constant(n, batch_size, largest, constant)
            symbol, source = "L_B", "the longest row and the largest eigenvalue"
    constants = constant + (preconditioner.scale**2 * objective.penalty_curvature()).max(axis=1)
    if not np.isfinite(constants).all():
        raise DataError("the values of X are so large that their squares are not finite: give X in larger units")
    return Smoothness(constants, symbol, source)


def _mean_constant(n: int, batch_size: int, largest: float, whole: float) -> float:
    """L_B, averaged over the batches of an epoch: a short last batch has a larger constant than the others."""
    full, rest = divmod(n, batch_size)
    sizes = np.array([batch_size, rest or batch_size])
    shares = (n - sizes) / (sizes * (n - 1))
    return float(np.average(shares * largest + (1.0 - shares) * whole, weights=[full, rest > 0]))


def squared_norms(objective: Objective, preconditioner: Preconditioner) -> np.ndarray:
    """s_i |x_i|^2 of each row in the variables of ``preconditioner``, the 1 of the intercept included; one pass."""
    objective.count_pass()
    X, weight = objective.X, objective.targets.weight
    norms, n_values = np.empty(objective.n_samples), objective.n_values
    threaded(row_norms, n_values)(X, preconditioner, chunk_count(n_values, objective.n_features), norms)
    norms += float(objective.fit_intercept)
    return norms * weight if len(weight) else norms


def _largest_eigenvalue(objective: Objective, preconditioner: Preconditioner, norms: np.ndarray) -> float:
    """lambda_max(X'SX / n) in the variables of ``preconditioner``, the intercept a column of ones, from a sample.

    It is raised by the ratio of the mean |x_i|^2 of all rows to the mean over the sample, and is at least
    max |x_i|^2 / n, the eigenvalue of the longest row alone.
    """
    sample = objective.sample(SAMPLE_ROWS, 0)
    narrow = objective.n_features <= MAX_EIGEN_COLUMNS
    value = (_by_gram_matrix if narrow else _by_power_iterations)(sample, preconditioner)
    if sample.n_samples < objective.n_samples:
        value *= max(1.0, float(norms.mean() / max(squared_norms(sample, preconditioner).mean(), 1e-300)))
    if sample.n_samples < objective.n_samples or not narrow:
        value *= INFLATION
    return max(value, float(norms.max()) / objective.n_samples)


def _by_gram_matrix(sample: Objective, preconditioner: Preconditioner) -> float:
    """The exact eigenvalue, from X'SX / n."""
    sample.count_pass()
    n, d = sample.n_samples, sample.n_features
    matrix = gram(sample.X, sample.rows.weights[:, None] / n, preconditioner.shift, sample.fit_intercept)[0]
    matrix[:d] *= preconditioner.scale[:, None]
    matrix[:, :d] *= preconditioner.scale
    return float(np.linalg.eigvalsh(matrix)[-1]) if np.isfinite(matrix).all() else np.inf


def _by_power_iterations(sample: Objective, preconditioner: Preconditioner) -> float:
    """A lower estimate from `POWER_ITERATIONS` passes over the sample."""
    n, d = sample.n_samples, sample.n_features
    # X'SX v / n is the gradient of half the weighted mean square of X v.
    rows = sample.rows.with_targets(Targets(np.zeros(n), sample.rows.weights))
    squares = Objective(rows, HalfSquared(), sample.penalty, sample.fit_intercept, passes=sample.passes)
    direction = np.random.default_rng(0).standard_normal(sample.n_parameters)
    value = 0.0
    for _ in range(POWER_ITERATIONS):
        direction /= max(float(np.linalg.norm(direction)), 1e-300)
        params = direction.copy()
        params[:d] *= preconditioner.scale
        if sample.fit_intercept:
            params[d] -= preconditioner.shift @ params[:d]
        product = squares.evaluate(params).gradient
        direction = product.copy()
        if sample.fit_intercept:
            direction[:d] -= preconditioner.shift * product[d]
        direction[:d] *= preconditioner.scale
        value = float(np.linalg.norm(direction))
    return value
