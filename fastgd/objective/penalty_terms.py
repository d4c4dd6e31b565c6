"""A penalty on whole vectors of coefficients: its value, the gradient of its smooth part, the prox of the rest.

Solvers need these about once a pass. For the elastic net, behind four of the names, they are a line of NumPy each,
which saves compiling a kernel; other penalties have their own code compiled.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..kernels.update_step import Stepper, apply_prox, penalty_value, smooth_penalty_gradient
from ..terms.penalties import ElasticNet


def value_of(penalty: Any, w: np.ndarray, strength: float, weights: np.ndarray) -> float:
    """The penalty at ``w``, its ``strength`` as in `Stepper`; ``weights`` are empty where all are 1."""
    if not isinstance(penalty, ElasticNet):
        return float(penalty_value(penalty, w, strength, weights))
    if strength == 0 or (penalty.l1 == 0 and penalty.l2 == 0):  # and not 0 times infinity
        return 0.0
    with np.errstate(all="ignore"):
        each = penalty.l1 * np.abs(w) + 0.5 * penalty.l2 * w * w
        if len(weights):
            each = np.where(weights > 0, weights * each, 0.0)
        return float(strength * each.sum())


def penalty_gradient(penalty: Any, w: np.ndarray, factors: Any) -> np.ndarray:
    """The derivative of the smooth part of a penalty that counts ``factors`` times, a number or one a weight."""
    if isinstance(penalty, ElasticNet):
        return np.asarray(factors * (penalty.l2 * w))
    out = np.empty_like(w)
    smooth_penalty_gradient(w, penalty, out)
    return np.asarray(factors * out)


def prox_of(penalty: Any, v: np.ndarray, step: np.ndarray) -> None:
    """The prox of the part that has kinks, in place; a step for each weight."""
    if not isinstance(penalty, ElasticNet):
        apply_prox(penalty, v, step)
    elif penalty.l1 > 0:
        threshold = penalty.l1 * step
        v -= np.clip(v, -threshold, threshold)


def prox_mapping_norm(params: np.ndarray, gradient: np.ndarray, stepsize: float, stepper: Stepper, k: int) -> float:
    """Norm of output k's proximal-gradient mapping, (u - prox(u - s gradient)) / s: 0 just at a stationary point."""
    shift, scale = stepper.preconditioner
    w, slopes = params[: len(shift)], gradient[: len(shift)]
    slope_b = gradient[len(shift)] if len(params) > len(shift) else 0.0
    factors = stepper.strength[k] * stepper.weights
    with np.errstate(all="ignore"):  # an output that has diverged has a norm that is not finite
        length = stepsize * scale * scale
        moved = w - length * (slopes - shift * slope_b + penalty_gradient(stepper.penalty, w, factors))
        prox_of(stepper.penalty, moved, factors * length)
        change = (w - moved) / (stepsize * scale)
        return float(np.sqrt(np.square(slope_b) + np.square(change).sum()))
