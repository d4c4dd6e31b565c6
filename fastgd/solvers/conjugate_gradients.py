"""The minimum of a quadratic model by conjugate gradients, for more parameters than a Hessian may have.

Source: Nocedal and Wright, Numerical optimization (2006), algorithm 5.3, with the diagonal of the Hessian as the
preconditioner.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

MAX_ITERATIONS = 60
# Iterations end when the last WINDOW of them have gained at most this part of the decrease: a digit of it is enough.
WINDOW, MIN_SHARE = 5, 0.1


class QuadraticMinimum(NamedTuple):
    """The change that minimises a quadratic, and the decrease there; infinite where iterations did not get there."""

    change: np.ndarray
    decrease: float


def conjugate_gradients(
    product: Callable[[np.ndarray], np.ndarray], gradient: np.ndarray, diagonal: np.ndarray
) -> QuadraticMinimum:
    """Minimise gradient . x + x . (H x) / 2, where ``product(x)`` is H x and ``diagonal`` is positive where H is."""
    inverse = np.divide(1.0, diagonal, out=np.zeros_like(diagonal), where=diagonal > 0.0)
    change, residual = np.zeros_like(gradient), -gradient
    if not np.isfinite(gradient).all() or (residual[diagonal <= 0.0] != 0.0).any():  # it falls without end
        return QuadraticMinimum(change, np.inf)
    step = inverse * residual
    squared, gains = float(np.vdot(residual, step)), list[float]()
    for _ in range(MAX_ITERATIONS):
        if squared == 0.0:
            break
        moved = product(step)
        curvature = float(np.vdot(step, moved))
        if not curvature > 0.0:
            return QuadraticMinimum(change, np.inf)
        length = squared / curvature
        gains.append(0.5 * length * squared)
        change, residual = change + length * step, residual - length * moved
        if len(gains) > WINDOW and sum(gains[-WINDOW:]) <= MIN_SHARE * sum(gains):
            break
        preconditioned = inverse * residual
        before, squared = squared, float(np.vdot(residual, preconditioned))
        step = preconditioned + squared / before * step
    else:
        return QuadraticMinimum(change, np.inf)
    return QuadraticMinimum(change, sum(gains))
