"""min over theta of  theta'Q theta / 2 + q'theta + sum_i max(low_i r_i, high_i r_i),  r = A theta - t.

Interior points: r = above - below with both > 0, and a multiplier u_i in (low_i, high_i) for each piece; predictor and
corrector of Mehrotra (1992). At the optimum  Q theta + q + A'u = 0, and u_i is at the end of its box that r_i pays.
With ``softness`` s_i a kink becomes a parabola: r_i - s_i u_i takes the place of r_i, as in the loss of Huber.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

MAX_STEPS = 100
SHARE_OF_BOUNDARY = 0.995
SHORTEST_STEP = 1e-12


class PiecewiseQP(NamedTuple):
    Q: np.ndarray
    q: np.ndarray
    A: np.ndarray
    t: np.ndarray
    low: np.ndarray
    high: np.ndarray
    softness: Any = 0.0


class Point(NamedTuple):
    """An iterate, or a direction."""

    theta: np.ndarray
    u: np.ndarray
    above: np.ndarray
    below: np.ndarray

    def moved(self, step: float, direction: Point) -> Point:
        return Point(*(part + step * change for part, change in zip(self, direction, strict=True)))


class Residuals(NamedTuple):
    """The conditions of optimality at a point: the equations, and the slacks up = high - u and down = u - low."""

    primal: np.ndarray
    dual: np.ndarray
    up: np.ndarray
    down: np.ndarray


def interior_point(qp: PiecewiseQP, tol: float = 1e-13) -> tuple[np.ndarray, np.ndarray]:
    """theta and u, to about ``tol`` or the rounding of float64."""
    point = best = _start(qp)
    least = np.inf
    for _ in range(MAX_STEPS):
        residuals = _residuals(qp, point)
        error = _error(qp, point, residuals)
        if error < least:
            best, least = point, error
        if error < tol:
            break
        try:
            direct = _newton(qp, point, residuals)
        except LinAlgError:
            break
        products = point.above * residuals.up, point.below * residuals.down
        predictor = direct(-products[0], -products[1])
        after = point.moved(_longest(qp, point, predictor), predictor)
        mu, mu_after = (_complementarity(qp, each) for each in (point, after))
        center = mu * (mu_after / mu) ** 3
        corrector = direct(
            center - products[0] + predictor.above * predictor.u, center - products[1] - predictor.below * predictor.u
        )
        step = SHARE_OF_BOUNDARY * _longest(qp, point, corrector)
        if not np.isfinite(corrector.theta).all() or step < SHORTEST_STEP:
            break
        point = point.moved(step, corrector)
    return best.theta, best.u


def _start(qp: PiecewiseQP) -> Point:
    """The minimum with each piece replaced by a parabola, and multipliers in the middle of their boxes."""
    width = qp.high - qp.low
    H = qp.Q + qp.A.T @ (width[:, None] * qp.A)
    theta = np.linalg.lstsq(H, qp.A.T @ (width * qp.t) - qp.q, rcond=1e-12)[0]
    r = qp.A @ theta - qp.t
    size = max(float(np.abs(r).mean()) if len(r) else 1.0, 1e-12)
    return Point(theta, 0.5 * (qp.low + qp.high), np.maximum(r, 0) + size, np.maximum(-r, 0) + size)


def _residuals(qp: PiecewiseQP, at: Point) -> Residuals:
    tiny = 1e-300 + 1e-18 * (qp.high - qp.low)
    primal = qp.A @ at.theta - qp.t - qp.softness * at.u - at.above + at.below
    dual = qp.Q @ at.theta + qp.q + qp.A.T @ at.u
    return Residuals(primal, dual, np.maximum(qp.high - at.u, tiny), np.maximum(at.u - qp.low, tiny))


def _complementarity(qp: PiecewiseQP, at: Point) -> float:
    return float(at.above @ (qp.high - at.u) + at.below @ (at.u - qp.low)) / (2 * len(qp.t))


def _error(qp: PiecewiseQP, at: Point, residuals: Residuals) -> float:
    """The gap and what the equations leave, as a part of the objective."""
    r = qp.A @ at.theta - qp.t
    scale = np.maximum(qp.low * r, qp.high * r).sum() + abs(at.theta @ qp.Q @ at.theta) + 1e-300
    left = np.abs(residuals.primal) @ np.maximum(np.abs(qp.low), np.abs(qp.high))
    left += np.abs(residuals.dual) @ np.abs(at.theta)
    return float((at.above @ residuals.up + at.below @ residuals.down + left) / scale)


def _newton(qp: PiecewiseQP, at: Point, residuals: Residuals) -> Callable[[np.ndarray, np.ndarray], Point]:
    """The Newton direction for given changes of the products above up and below down."""
    primal, dual, up, down = residuals
    weights = 1 / (at.above / up + at.below / down + qp.softness)
    solve = _factor(qp.Q + qp.A.T @ (weights[:, None] * qp.A))

    def direct(above: np.ndarray, below: np.ndarray) -> Point:
        rest = -primal + above / up - below / down
        theta = solve(-dual + qp.A.T @ (weights * rest))
        u = weights * (qp.A @ theta - rest)
        return Point(theta, u, (above + at.above * u) / up, (below - at.below * u) / down)

    return direct


def _factor(H: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    scale = 1 / np.sqrt(np.maximum(np.diag(H), 1e-300))
    scaled = H * scale * scale[:, None]
    for shift in (0.0, 1e-15, 1e-13, 1e-11):
        try:
            factor = cho_factor(scaled + shift * np.eye(len(H)))
        except LinAlgError:
            continue

        def solve(v: np.ndarray, factor: Any = factor) -> np.ndarray:
            x = scale * cho_solve(factor, scale * v)
            return x + scale * cho_solve(factor, scale * (v - H @ x))

        return solve
    raise LinAlgError


def _longest(qp: PiecewiseQP, at: Point, direction: Point) -> float:
    """The longest step, at most 1, that keeps every slack positive."""
    values = np.concatenate([at.above, at.below, qp.high - at.u, at.u - qp.low])
    changes = np.concatenate([direction.above, direction.below, -direction.u, direction.u])
    falling = changes < 0
    return float(np.min(-values[falling] / changes[falling], initial=1.0))
