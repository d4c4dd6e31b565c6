"""The penalty of a vector of coefficients: its value, the gradient of its smooth part, the prox of the rest.

Solvers need these about once a pass. For the elastic net (the penalties none, l2, l1 and elasticnet) they are a line of
NumPy each, which saves compiling a kernel; the methods of other penalties are compiled.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..kernels.update_step import Stepper, apply_prox, penalty_value, smooth_penalty_gradient
from ..terms.penalties import ElasticNet


def value_of(penalty: Any, w: np.ndarray, strength: float, weights: np.ndarray) -> float:
    """The penalty at ``w`` times ``strength``, by coefficient times ``weights``, which are empty where all are 1."""
    if not isinstance(penalty, ElasticNet):
        return float(penalty_value(penalty, w, strength, weights))
    if strength == 0 or (penalty.l1 == 0 and penalty.l2 == 0):  # also where |w| is infinite
        return 0.0
    with np.errstate(all="ignore"):
        each = penalty.l1 * np.abs(w) + 0.5 * penalty.l2 * w * w
        if len(weights):
            each = np.where(weights > 0, weights * each, 0.0)
        return float(strength * each.sum())


def penalty_gradient(penalty: Any, w: np.ndarray, factors: Any) -> np.ndarray:
    """The gradient of the smooth part of the penalty, times ``factors``: a number, or one for each coefficient."""
    if isinstance(penalty, ElasticNet):
        return np.asarray(factors * (penalty.l2 * w))
    out = np.empty_like(w)
    smooth_penalty_gradient(w, penalty, out)
    return np.asarray(factors * out)


def prox_of(penalty: Any, v: np.ndarray, step: np.ndarray) -> None:
    """Apply the prox of the part with kinks to ``v``, in place; ``step`` has a step length for each coefficient."""
    if not isinstance(penalty, ElasticNet):
        apply_prox(penalty, v, step)
    elif penalty.l1 > 0:
        threshold = penalty.l1 * step
        v -= np.clip(v, -threshold, threshold)


def prox_mapping_norm(params: np.ndarray, gradient: np.ndarray, stepsize: float, stepper: Stepper, k: int) -> float:
    """Norm of output k's proximal-gradient mapping, (u - prox(u - s gradient)) / s: 0 only at a stationary point."""
    shift, scale = stepper.preconditioner
    w, of_coef = params[: len(shift)], gradient[: len(shift)]
    of_intercept = gradient[len(shift)] if len(params) > len(shift) else 0.0
    factors = stepper.strength[k] * stepper.weights
    with np.errstate(all="ignore"):  # the norm of an output that has diverged is not finite
        length = stepsize * scale * scale
        moved = w - length * (of_coef - shift * of_intercept + penalty_gradient(stepper.penalty, w, factors))
        prox_of(stepper.penalty, moved, factors * length)
        change = (w - moved) / (stepsize * scale)
        return float(np.sqrt(np.square(of_intercept) + np.square(change).sum()))
