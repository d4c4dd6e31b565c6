"""Variance-reduced steps, for svrg and saga: the mean gradient of the past, corrected by one row.

For linear models the gradient of row i is dloss_dz_i x_i, so past gradients are one number per row, the ``table``;
``mean`` is the mean of these gradients. A step from w at row i takes

    g = (dloss_dz_i(w) - table_i) x_i + mean,

whose mean over the rows is the gradient at w, and whose variance vanishes as the table converges to the derivatives at
the optimum. svrg keeps the table and the mean of the anchor (Johnson and Zhang, Accelerating stochastic
gradient descent using predictive variance reduction, 2013; with a prox, Xiao and Zhang, A proximal stochastic
gradient method with progressive variance reduction, 2014); saga replaces table_i by dloss_dz_i(w) (Defazio, Bach and
Lacoste-Julien, SAGA: a fast incremental gradient method, 2014).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..compile.jit import kernel, subroutine
from .lazy_updates import enter, lay_out, leave, meet, meet_all, move, prefetch_weights
from .outputs_gradient import derivatives_of, intercept_of
from .row_access import CSR, axpy, dot, prefetch_number, rows_ahead
from .row_targets import offset_of, weight_of
from .update_step import Preconditioner, step

WEIGHTS_AHEAD = 2  # rows


class Pace(NamedTuple):
    """The learning rate and the strengths of the penalty in each step."""

    rate: float
    l1: float
    l2: float


class Drift(NamedTuple):
    """Everything that a step needs except the row; see `lazy_updates`."""

    pace: Pace
    preconditioner: Preconditioner
    weights: np.ndarray  # of the penalty, as in `Stepper`
    powers: np.ndarray  # (1 - rate l2)^k - 1 for k = 0, 1, ..., if that is the decay of all coefficients of sparse rows
    S: np.ndarray

    @classmethod
    def make(
        cls,
        X: np.ndarray | CSR,
        pace: Pace,
        preconditioner: Preconditioner,
        weights: np.ndarray,
        most_steps: int,
        S: Any = None,
    ) -> Drift:
        """``most_steps`` is the largest number of steps in a call; ``S`` may be the workspace of another `Drift`."""
        decay = pace.rate * pace.l2
        alike = isinstance(X, CSR) and not len(weights) and (preconditioner.scale == 1).all()
        powers = np.expm1(np.arange(most_steps + 1.0) * np.log1p(-decay)) if alike and 0 < decay < 1 else np.zeros(0)
        return cls(pace, preconditioner, weights, powers, lay_out(X) if S is None else S)


@kernel
def variance_reduced_epoch(X, targets, order, table, share, loss, params, mean, drift):
    """A step for each row of ``order``; returns the summed losses before each step, and the last dloss_dz.

    ``params`` is updated in place; so are ``table`` and ``mean`` for saga, whose ``share`` is 1 / n_samples (svrg: 0).
    """
    y, weight, offset = targets.y, targets.weight, targets.offset
    pace, preconditioner, weights, powers, S = drift
    shift, rate = preconditioner.shift, pace.rate
    n_features = shift.shape[0]
    has_intercept = params.shape[0] > n_features
    b = params[n_features] if has_intercept else 0.0
    mean_b = mean[n_features] if has_intercept else 0.0
    for j in range(n_features):  # b becomes the intercept of centred columns
        b += shift[j] * params[j]
    enter(X, params, mean, pace, weights, preconditioner, S)
    total, dloss_dz = 0.0, 0.0
    last = order.shape[0] - 1
    ahead = meet(X, order[0], 0, pace, weights, powers, S) if last >= 0 else 0.0
    distance = rows_ahead(X)
    for t in range(order.shape[0]):
        prefetch_number(X, y, order, t + distance)
        prefetch_weights(X, order[min(t + WEIGHTS_AHEAD, last)], S)
        i = order[t]
        z = ahead + b + offset_of(offset, i)
        total += weight_of(weight, i) * loss.value(y[i], z)
        dloss_dz = weight_of(weight, i) * loss.derivative(y[i], z)
        change = dloss_dz - table[i]
        if share > 0.0:
            table[i] = dloss_dz
        if has_intercept:
            b -= rate * (change + mean_b)
            mean_b += share * change
        move(X, i, change, share * change, t + 1, pace, weights, S)
        ahead = meet(X, order[min(t + 1, last)], t + 1, pace, weights, powers, S)
    meet_all(X, order.shape[0], pace, weights, S)
    if has_intercept:
        mean[n_features] = mean_b
    leave(X, S, preconditioner, params, mean)
    for j in range(n_features):
        b -= shift[j] * params[j]
    if has_intercept:
        params[n_features] = b
    return total, dloss_dz


@kernel
def variance_reduced_general(X, targets, order, rate, table, share, loss, params, mean, stepper, z, losses):
    """As `variance_reduced_epoch` for any penalty and several outputs; the cost of a step is O(n_parameters).

    ``params`` and ``mean`` have the shape (n_outputs, n_parameters), ``table`` (n_samples, n_outputs). Adds the losses
    before each step to ``losses``; ``z`` holds dloss_dz of the last row at the end.
    """
    y, weight, offset, one_vs_rest = targets.y, targets.weight, targets.offset, targets.one_vs_rest
    n_outputs, n_parameters = params.shape
    n_features = stepper.before.shape[0]
    gradient = np.empty(n_parameters)
    distance = rows_ahead(X)
    for t in range(order.shape[0]):
        prefetch_number(X, y, order, t + distance)
        i = order[t]
        for k in range(n_outputs):
            z[k] = dot(X, i, params[k]) + intercept_of(params, k, n_features) + offset_of(offset, i)
        derivatives_of(loss, y, one_vs_rest, i, weight_of(weight, i), z, losses)
        for k in range(n_outputs):
            change = z[k] - table[i, k]
            for j in range(n_parameters):
                gradient[j] = mean[k, j]
            add_row(change, X, i, n_features, gradient)
            if share > 0.0:
                table[i, k] = z[k]
                add_row(share * change, X, i, n_features, mean[k])
            step(params[k], gradient, rate, 1 + t, stepper, 1.0, k)


@subroutine
def add_row(a, X, i, n_features, out):
    """Add a times row i, and a times the intercept's 1 if ``out`` has an element for it."""
    axpy(a, X, i, out)
    if out.shape[0] > n_features:
        out[n_features] += a
