"""The intercept at which the mean derivative of the losses is zero, for fixed linear predictors.

For a convex loss the mean derivative rises with the intercept: a bracket is found by growing steps, then narrowed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

UNIT_ROUNDOFF = 2.0**-53
# Maximum cost of mixing the derivatives at two intercepts, relative to the loss: a part of the allowance for rounding.
MAX_MIXING_COST = 64.0 * UNIT_ROUNDOFF
MAX_BRACKET_STEPS, MAX_ROOT_STEPS = 60, 200


class Derivatives(NamedTuple):
    """The losses at one intercept: their mean, the mean derivative, and the derivatives of all rows."""

    b: float
    loss: float
    mean: float
    rows: np.ndarray


# Evaluates the losses at an intercept; writes the derivatives into the given array.
LossAtIntercept = Callable[[float, np.ndarray], Derivatives]


def around_zero(
    at: LossAtIntercept, here: Derivatives, curvature: float, unit: float = 1.0
) -> tuple[Derivatives, Derivatives] | None:
    """Two intercepts around the zero of the mean derivative, so close that mixing them costs only rounding.

    ``curvature`` approximates the largest second derivative; ``unit`` bounds the first step. None where the mean
    derivative never reaches 0.
    """
    if here.mean == 0.0:
        return here, here
    bracket = bracket_zero(at, here, curvature, unit)
    if bracket is None:
        return None
    low, high, spare = bracket
    # Illinois algorithm: secant steps, with half the value at an end that stays twice; every fourth step bisects.
    weights, moved = [1.0, 1.0], 0.0
    for k in range(MAX_ROOT_STEPS):
        width = high.b - low.b
        if cost_of_mixing(low, high) <= MAX_MIXING_COST * (abs(low.loss) + abs(high.loss)):
            break
        a, c = weights[0] * low.mean, weights[1] * high.mean
        b = low.b - a * (width / (c - a)) if k % 4 < 3 else 0.5 * (low.b + high.b)
        if not low.b < b < high.b:
            b = 0.5 * (low.b + high.b)
        if not low.b < b < high.b:
            break
        new = at(b, spare)
        if new.mean == 0.0:
            return new, new
        again = np.sign(new.mean) == moved
        moved = np.sign(new.mean)
        if new.mean < 0.0:
            low, spare, weights = new, low.rows, [1.0, 0.5 * weights[1] if again else weights[1]]
        else:
            high, spare, weights = new, high.rows, [0.5 * weights[0] if again else weights[0], 1.0]
    return low, high


def cost_of_mixing(low: Derivatives, high: Derivatives) -> float:
    """Bound on how far the level of the mixture is below the smallest mean loss over all intercepts."""
    if not np.isfinite(high.mean - low.mean):
        return np.inf
    return -low.mean * (high.b - low.b) * (high.mean / (high.mean - low.mean))


def bracket_zero(
    at: LossAtIntercept, here: Derivatives, curvature: float, unit: float
) -> tuple[Derivatives, Derivatives, np.ndarray] | None:
    """Two intercepts with a mean derivative of at most and of at least 0, and a spare array.

    The first step crosses the zero if the second derivative is at least an eighth of its maximum; near the optimum the
    two intercepts are then close enough. Each further step is twice a secant step.
    """
    sign = 1.0 if here.mean < 0.0 else -1.0
    step = min(8.0 * abs(here.mean) / curvature, unit)
    spare = np.empty_like(here.rows)
    before, now = here, at(here.b + sign * step, np.empty_like(here.rows))
    for _ in range(MAX_BRACKET_STEPS):
        if not now.mean * sign < 0.0:
            return (before, now, spare) if sign > 0.0 else (now, before, spare)
        rise = (now.mean - before.mean) / (now.b - before.b) if now.b != before.b else 0.0
        needed = abs(now.mean) / rise if rise > 0.0 else np.inf
        step = min(2.0 * needed, 8.0 * max(step, np.spacing(now.b)))
        following = at(now.b + sign * step, spare)
        before, now, spare = now, following, before.rows
    return None
