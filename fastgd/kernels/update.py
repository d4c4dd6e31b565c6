"""The step after the gradient: an update rule and the prox of a penalty, O(d), in float64.

Steps may be taken in scaled and centred variables, u_j = w_j / inverse_j and b' = b + shift . w, in
which columns of any units look alike; the weights and the penalty stay in the user's units, so that
the objective and its optimum do not change.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..jit import kernel, subroutine


class Metric(NamedTuple):
    """The variables steps are taken in: ``shift`` is subtracted from each column, ``inverse`` multiplies it."""

    shift: np.ndarray
    inverse: np.ndarray

    @classmethod
    def identity(cls, n_features: int) -> Metric:
        return cls(np.zeros(n_features), np.ones(n_features))


class Stepper(NamedTuple):
    """A rule and a penalty, the metric they step in, and what the rule remembers of each parameter."""

    rule: Any
    penalty: Any
    metric: Metric
    m: np.ndarray
    v: np.ndarray
    before: np.ndarray  # workspace: the weights before the prox
    reach: np.ndarray  # workspace: the prox's step size for each weight

    @classmethod
    def make(cls, rule: Any, penalty: Any, metric: Metric, n_parameters: int) -> Stepper:
        n_features = len(metric.shift)
        state = [np.zeros(n) for n in (n_parameters, n_parameters, n_features, n_features)]
        return cls(rule, penalty, metric, *state)


@subroutine
def step(theta, gradient, lr, t, stepper):
    """Move ``theta`` (coefficients, then the intercept where there is one) by update ``t``, 1 for the first."""
    rule, penalty, metric, m, v, before, reach = stepper
    shift, inverse = metric
    n_features = before.shape[0]
    has_intercept = theta.shape[0] > n_features
    slope_b = gradient[n_features] if has_intercept else 0.0
    b = theta[n_features] if has_intercept else 0.0
    w = theta[:n_features]
    for j in range(n_features):
        b += shift[j] * w[j]
        slope = inverse[j] * (gradient[j] - shift[j] * slope_b + penalty.derivative(w[j]))
        move, length, m[j], v[j] = rule.step(slope, lr, t, m[j], v[j])
        w[j] += inverse[j] * move
        reach[j] = inverse[j] * inverse[j] * length
        before[j] = w[j]
    penalty.prox(w, reach)
    for j in range(n_features):
        settled, m[j] = rule.settle(w[j] / inverse[j], (w[j] - before[j]) / inverse[j], lr, m[j])
        w[j] = settled * inverse[j]
        b -= shift[j] * w[j]
    if has_intercept:
        j = n_features
        move, _, m[j], v[j] = rule.step(slope_b, lr, t, m[j], v[j])
        theta[j], m[j] = rule.settle(b + move, 0.0, lr, m[j])


@kernel
def update(theta, gradient, lr, t, stepper):
    """`step`, for Python to call."""
    step(theta, gradient, lr, t, stepper)


@kernel
def fill_rates(schedule, lr, t, rows_done, rows_a_step, n_samples, rates):
    """The rates of the next ``len(rates)`` steps, the first being number ``t`` (0 for the very first)."""
    for k in range(rates.shape[0]):
        rates[k] = schedule.rate(lr, t + k, (rows_done + k * rows_a_step) / n_samples)


@kernel
def penalty_value(penalty, w):
    """The penalty at ``w``."""
    return penalty.value(w)


@kernel
def prox_mapping_norm(theta, gradient, stepsize, stepper):
    """Norm of the proximal-gradient mapping, (u - prox(u - s gradient)) / s: 0 just at a stationary point."""
    _, penalty, metric, _, _, moved, reach = stepper
    shift, inverse = metric
    n_features = moved.shape[0]
    slope_b = gradient[n_features] if theta.shape[0] > n_features else 0.0
    for j in range(n_features):
        reach[j] = stepsize * inverse[j] ** 2
        moved[j] = theta[j] - reach[j] * (gradient[j] - shift[j] * slope_b + penalty.derivative(theta[j]))
    penalty.prox(moved, reach)
    total = slope_b**2
    for j in range(n_features):
        total += ((theta[j] - moved[j]) / (stepsize * inverse[j])) ** 2
    return np.sqrt(total)
