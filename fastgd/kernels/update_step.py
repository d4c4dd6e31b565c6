"""The step after the gradient: an update rule and the prox of a penalty, O(d), in float64.

Steps are taken in the scaled and centred variables of a `Preconditioner`, u_j = w_j / scale_j and b' = b + shift . w,
in which columns of any units are alike. Coefficients and penalty stay in the user's units, so F does not change.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..compile.jit import kernel, subroutine
from ..terms.penalties import penalty_traits
from ..terms.rule_protocol import rule_traits
from .averaging import Mean

CLIP_EPSILON = 1e-6  # as in PyTorch's clip_grad_norm_


class Preconditioner(NamedTuple):
    """The variables of the steps: ``shift`` is subtracted from each column, then ``scale`` multiplies it."""

    shift: np.ndarray
    scale: np.ndarray

    @classmethod
    def identity(cls, n_features: int) -> Preconditioner:
        return cls(np.zeros(n_features), np.ones(n_features))


class Stepper(NamedTuple):
    """A rule and a penalty with their settings, and the state of the rule for each parameter of each output."""

    rule: Any
    penalty: Any
    strength: np.ndarray  # multiplies the whole penalty of each output
    rate: np.ndarray  # multiplies the learning rate of each output
    weights: np.ndarray  # multiply the penalty of each coefficient, shape (n_features,)
    clip: float  # the largest norm of a gradient; inf for no limit
    coupled: float  # 1: the penalty's derivative joins the gradient; 0: it moves the coefficients by itself
    preconditioner: Preconditioner
    m: np.ndarray  # (n_outputs, n_parameters), as are v and s
    v: np.ndarray
    s: np.ndarray
    before: np.ndarray  # workspace: the coefficients before the prox
    reach: np.ndarray  # workspace: the prox's step size for each coefficient
    mean: Mean  # of the parameters, for the methods that take many steps per epoch

    @classmethod
    def make(
        cls,
        rule: Any,
        penalty: Any,
        preconditioner: Preconditioner,
        n_parameters: int,
        *,
        strength: Any = 1.0,
        rate: Any = 1.0,
        weights: Any = None,
        clip: float = np.inf,
        average: int = 0,
    ) -> Stepper:
        """``strength`` has a number per output; ``weights`` need a separable penalty; ``average`` is the first step in
        the mean, 0 for no mean.
        """
        n_features = len(preconditioner.shift)
        strengths = np.array(strength, dtype=np.float64, ndmin=1)
        rates = np.broadcast_to(rate, strengths.shape).astype(np.float64)
        # Not empty: LLVM checks whether the output of a loop overlaps with an empty array too, and then runs a loop
        # with other last bits, see `or_none_of`.
        own = np.ones(n_features) if weights is None or not len(weights) else np.array(weights, dtype=np.float64)
        coupled = 0.0 if rule_traits(rule).decouples else 1.0
        m, v, s = (np.zeros((len(strengths), n_parameters)) for _ in range(3))
        before, reach = np.zeros(n_features), np.zeros(n_features)
        mean = Mean.make(int(average), len(strengths), n_parameters)
        return cls(
            rule, penalty, strengths, rates, own, float(clip), coupled, preconditioner, m, v, s, before, reach, mean
        )


@subroutine
def penalty_weight(strength, weights, j):
    """The factor of the penalty of coefficient j."""
    return strength * weights[j]


@subroutine
def sum_of_squares(vector):
    """|vector|^2."""
    total = 0.0
    for j in range(vector.shape[0]):
        total += vector[j] * vector[j]
    return total


@subroutine
def clip_factor(squared_norm, clip):
    """The factor that makes the norm of a gradient at most ``clip``. Source: PyTorch's clip_grad_norm_."""
    if clip == np.inf:
        return 1.0
    return min(1.0, clip / (np.sqrt(squared_norm) + CLIP_EPSILON))


@subroutine
def step(params, gradient, lr, t, stepper, factor, k):
    """Move output k's ``params`` (coefficients, then the intercept if there is one) by update number ``t``, from 1.

    ``factor`` multiplies the gradient, see `clip_factor`.
    """
    rule, penalty, m, v, s = stepper.rule, stepper.penalty, stepper.m[k], stepper.v[k], stepper.s[k]
    lr *= stepper.rate[k]
    shift, scale = stepper.preconditioner
    before, reach = stepper.before, stepper.reach
    n_features = before.shape[0]
    has_intercept = params.shape[0] > n_features
    gradient_b = factor * gradient[n_features] if has_intercept else 0.0
    b = params[n_features] if has_intercept else 0.0
    w = params[:n_features]
    decay = (1.0 - stepper.coupled) * lr
    for j in range(n_features):
        b += shift[j] * w[j]
        weight = penalty_weight(stepper.strength[k], stepper.weights, j)
        penalty_gradient = weight * penalty.derivative(w[j])
        g = scale[j] * (factor * gradient[j] - shift[j] * gradient_b + stepper.coupled * penalty_gradient)
        move, length, m[j], v[j], s[j] = rule.step(g, lr, t, m[j], v[j], s[j])
        w[j] += scale[j] * move - decay * penalty_gradient
        reach[j] = weight * scale[j] * scale[j] * length
        before[j] = w[j]
    penalty.prox(w, reach)
    if has_intercept:  # b is still the intercept of centred columns
        j = n_features
        move, _, m[j], v[j], s[j] = rule.step(gradient_b, lr, t, m[j], v[j], s[j])
        b, m[j], v[j], s[j] = rule.settle(b + move, 0.0, lr, t, m[j], v[j], s[j])
    for j in range(n_features):
        change = (w[j] - before[j]) / scale[j]
        settled, m[j], v[j], s[j] = rule.settle(w[j] / scale[j], change, lr, t, m[j], v[j], s[j])
        w[j] = settled * scale[j]
        b -= shift[j] * w[j]
    if has_intercept:
        params[n_features] = b


@kernel
def update(params, gradient, lr, t, stepper):
    """`step` on the clipped gradient, called from Python."""
    step(params, gradient, lr, t, stepper, clip_factor(sum_of_squares(gradient), stepper.clip), 0)


@subroutine
def step_outputs(params, gradient, lr, t, stepper):
    """`step` for every output, on the gradient clipped as a whole; arrays of shape (n_outputs, n_parameters)."""
    squares = 0.0
    for k in range(params.shape[0]):
        squares += sum_of_squares(gradient[k])
    factor = clip_factor(squares, stepper.clip)
    for k in range(params.shape[0]):
        step(params[k], gradient[k], lr, t, stepper, factor, k)


@kernel
def update_outputs(params, gradient, lr, t, stepper):
    """`step_outputs`, called from Python."""
    step_outputs(params, gradient, lr, t, stepper)


@kernel
def model_weights(params, stepper, k, out):
    """Output k's model by ``rule.model``, for a rule whose model differs from ``params``; into ``out``."""
    rule, m, v, s = stepper.rule, stepper.m[k], stepper.v[k], stepper.s[k]
    shift, scale = stepper.preconditioner
    n_features = scale.shape[0]
    has_intercept = params.shape[0] > n_features
    b = params[n_features] if has_intercept else 0.0
    for j in range(n_features):
        b += shift[j] * params[j]
        out[j] = scale[j] * rule.model(params[j] / scale[j], m[j], v[j], s[j])
    if has_intercept:
        j = n_features
        b = rule.model(b, m[j], v[j], s[j])
        for j in range(n_features):
            b -= shift[j] * out[j]
        out[n_features] = b


def keeps_model(rule: Any, penalty: Any) -> bool:
    """Whether the rule's model differs from the parameters at which it takes gradients."""
    traits = rule_traits(rule)
    return traits.has_model and not (traits.model_under_prox and penalty_traits(penalty).smooth)


def model_of(params: np.ndarray, stepper: Stepper) -> np.ndarray:
    """The parameters of the model: ``params`` itself, except for a rule that keeps a separate model."""
    if not keeps_model(stepper.rule, stepper.penalty):
        return params
    out = np.empty_like(params)
    for k, (row, model) in enumerate(zip(np.atleast_2d(params), np.atleast_2d(out), strict=True)):
        model_weights(row, stepper, k, model)
    return out


@kernel
def fill_rates(schedule, lr, t, rows_done, rows_a_step, n_samples, rates):
    """The rates of the next ``len(rates)`` steps, of which the first has number ``t`` (0 for the very first step)."""
    for k in range(rates.shape[0]):
        rates[k] = schedule.rate(lr, t + k, (rows_done + k * rows_a_step) / n_samples)


@kernel
def penalty_value(penalty, w, strength, weights):
    """The penalty at ``w``, its ``strength`` as in `Stepper`; ``weights`` are empty where all are 1."""
    if strength == 0.0:  # 0 times infinity is NaN
        return 0.0
    if weights.shape[0] == 0:
        return strength * penalty.value(w)
    total = 0.0
    for j in range(w.shape[0]):
        if weights[j] > 0.0:
            total += weights[j] * penalty.value(w[j : j + 1])
    return strength * total


@kernel
def apply_prox(penalty, v, step):
    """The prox of a penalty, called from Python."""
    penalty.prox(v, step)


@kernel
def smooth_penalty_gradient(w, penalty, out):
    """The gradient of the smooth part of a penalty at w, into ``out``."""
    for j in range(w.shape[0]):
        out[j] = penalty.derivative(w[j])
