"""Learning rates from the data: the metric steps are taken in, smoothness constants, stable rates."""

from __future__ import annotations

import numpy as np

from .errors import OptionError
from .kernels.gradient import row_norms
from .kernels.update import Metric
from .losses import HalfSquared
from .options import Options
from .problem import Problem, chunk_count
from .rows import CSR

SAMPLE_ROWS = 16_384  # column scales need not be exact; the rates that follow from them are safe on all rows
# Columns whose spreads differ by less than this, and whose means are no further off, are left as they are.
SCALE_TOLERANCE = 4.0
POWER_ITERATIONS = 12
# Power iterations approach the largest eigenvalue from below.
INFLATION = 1.05


def choose_metric(problem: Problem, options: Options) -> Metric:
    """The variables to step in: scaled and, with an intercept, centred columns where units differ much.

    With ``scale="auto"`` only for an automatic learning rate, and for serial SGD on sparse rows never,
    since centring would touch every weight at every row.
    """
    identity = Metric.identity(problem.n_features)
    automatic = options.scale == "auto"
    if options.scale is False or (automatic and options.learning_rate != "auto"):
        return identity
    if options.method == "sgd" and problem.sparse and automatic:
        return identity
    mean, spread = _column_moments(problem)
    varying = spread[spread > 0]
    if not len(varying):
        return identity
    offset = np.abs(mean[spread > 0] / varying).max() if problem.fit_intercept else 0.0
    alike = varying.max() / varying.min() <= SCALE_TOLERANCE and offset <= SCALE_TOLERANCE
    if automatic and alike:
        return identity
    # Powers of two, so that going from one to the other variables and back is exact.
    inverse = np.exp2(-np.round(np.log2(np.where(spread > 0, spread, 1.0))))
    return Metric(mean if problem.fit_intercept else np.zeros_like(mean), inverse)


def _column_moments(problem: Problem) -> tuple[np.ndarray, np.ndarray]:
    """Mean and spread of each column over evenly spaced rows; about 0, without an intercept, the root mean square."""
    rows = np.unique(np.linspace(0, problem.n_samples - 1, min(problem.n_samples, SAMPLE_ROWS)).astype(np.int64))
    if isinstance(problem.X, CSR):
        import scipy.sparse as sp

        X = problem.X
        sample = sp.csr_array((X.data, X.indices, X.indptr), shape=(problem.n_samples, problem.n_features))[rows]
        sample = sample.astype(np.float64)
        mean, square = np.asarray(sample.mean(axis=0)), np.asarray((sample * sample).mean(axis=0))
        variance = np.maximum(square - mean**2, 0.0)
    else:
        dense = problem.X[rows].astype(np.float64)
        mean, variance = dense.mean(axis=0), dense.var(axis=0)
        square = variance + mean**2
    # A column that is constant up to rounding has no spread.
    variance = np.where(variance <= 1e-24 * square, 0.0, variance)
    return mean, np.sqrt(variance if problem.fit_intercept else square)


def automatic_rate(problem: Problem, options: Options, metric: Metric, batch_size: int) -> float:
    """A rate that is stable for steps on ``batch_size`` rows, and the rule's own default for adaptive rules.

    For batches of B of n rows drawn without replacement, the loss is smooth in expectation with the
    constant

        L_B = (n - B) / (B (n - 1)) L_max + n (B - 1) / (B (n - 1)) L,

    L_max = c max |x_i|^2 and L = c lambda_max(X'X / n), c the largest curvature of the loss; 1 / (2 L_B)
    is then stable, and 1 / L for all rows at once. Source: Gower, Loizou, Qian, Sailanbayev, Shulgin and
    Richtarik, SGD: general analysis and improved rates (2019), proposition 3.8 and theorem 3.1.
    """
    default = getattr(options.rule, "default_rate", None)
    if default is not None:
        return float(default)
    curvature = getattr(problem.loss, "curvature", None)
    if curvature is None:
        raise OptionError(
            f"loss {type(problem.loss).__qualname__} has no method curvature(self), its largest second derivative, "
            "so there is no automatic learning rate: add the method or give a learning_rate"
        )
    n = problem.n_samples
    l2 = float(problem.penalty.derivative(1.0)) * float((metric.inverse**2).max())
    norms = np.empty(n)
    launch = row_norms if problem.parallel else row_norms.serial
    launch(problem.X, metric, chunk_count(problem.n_values, problem.n_features), norms)
    largest = curvature() * (float(norms.max()) + problem.fit_intercept)
    if batch_size == 1 or n == 1:
        constant = 2.0 * (largest + l2)
    else:
        whole = curvature() * _largest_eigenvalue(problem, metric)
        if batch_size >= n:
            constant = whole + l2
        else:
            share = (n - batch_size) / (batch_size * (n - 1))
            constant = 2.0 * (share * largest + (1.0 - share) * whole + l2)
    if constant <= 0.0:
        return 1.0  # X is all zeros and there is no intercept: every rate does the same, nothing
    damping = float(getattr(options.rule, "damping", lambda: 1.0)()) if batch_size < n else 1.0
    return float(damping / constant)


def _largest_eigenvalue(problem: Problem, metric: Metric) -> float:
    """lambda_max(X'X / n) in the variables of ``metric``, the intercept a column of ones; by power iterations."""
    d = problem.n_features
    direction = np.random.default_rng(0).standard_normal(problem.n_parameters)
    zeros = np.zeros(problem.n_samples)
    value = 0.0
    for _ in range(POWER_ITERATIONS):
        direction /= np.linalg.norm(direction)
        theta = direction.copy()
        theta[:d] *= metric.inverse
        if problem.fit_intercept:
            theta[d] -= metric.shift @ theta[:d]
        # X'X v / n is the gradient of half the mean square of X v.
        _, product = problem.gradient(theta, HalfSquared(), zeros)
        direction = product.copy()
        if problem.fit_intercept:
            direction[:d] -= metric.shift * product[d]
        direction[:d] *= metric.inverse
        value = float(np.linalg.norm(direction))
        if value == 0.0:
            return 0.0
    return INFLATION * value


def describe_metric(metric: Metric) -> str | None:
    """What the metric did, for the summary; None where steps were taken in the user's own units."""
    if (metric.inverse == 1).all() and not metric.shift.any():
        return None
    return "columns scaled" + (" and centred" if metric.shift.any() else "")
