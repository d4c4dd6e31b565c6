"""min over theta of  theta'Q theta / 2 + q'theta + sum_i max(low_i r_i, high_i r_i),  r = A theta - t.

Interior points: r = above - below with both > 0, and a multiplier u_i in (low_i, high_i) for each piece; predictor and
corrector of Mehrotra (1992). At the optimum  Q theta + q + A'u = 0, and u_i is at the end of its box that r_i pays.
With ``softness`` s_i a kink becomes a parabola: r_i - s_i u_i takes the place of r_i, as in the loss of Huber.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

MAX_STEPS = 100
SHARE_OF_BOUNDARY = 0.995


def interior_point(Q: np.ndarray, q: np.ndarray, A: np.ndarray, t: np.ndarray, low: np.ndarray, high: np.ndarray,
                   softness=0.0, tol: float = 1e-13) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """theta and u, to about ``tol`` or the rounding of float64."""
    theta = _start(Q, q, A, t, high - low)
    u = 0.5 * (low + high)
    r = A @ theta - t
    size = np.maximum(np.abs(r).mean() if len(r) else 1.0, 1e-12)
    above, below = np.maximum(r, 0) + size, np.maximum(-r, 0) + size
    best, best_error, tiny = (theta, u), np.inf, 1e-300 + 1e-18 * (high - low)
    for _ in range(MAX_STEPS):
        up, down = np.maximum(high - u, tiny), np.maximum(u - low, tiny)
        primal = A @ theta - t - softness * u - above + below
        dual = Q @ theta + q + A.T @ u
        products = np.concatenate([above * up, below * down])
        mu = products.mean()
        scale = np.maximum(low * r, high * r).sum() + abs(theta @ Q @ theta) + 1e-300
        error = (products.sum() + np.abs(primal) @ np.maximum(np.abs(low), np.abs(high))
                 + np.abs(dual) @ np.abs(theta)) / scale  # fmt: skip
        if error < best_error:
            best, best_error = (theta, u), error
        if error < tol:
            break
        weights = 1 / (above / up + below / down + softness)
        try:
            solve = _factor(Q + A.T @ (weights[:, None] * A))
        except LinAlgError:
            break

        def direction(target_above: np.ndarray, target_below: np.ndarray) -> tuple[np.ndarray, ...]:
            # d_above = (target_above + above du) / up and d_below = (target_below - below du) / down
            rest = -primal + target_above / up - target_below / down
            d_theta = solve(-dual + A.T @ (weights * rest))
            du = weights * (A @ d_theta - rest)
            return d_theta, du, (target_above + above * du) / up, (target_below - below * du) / down

        d_theta, du, da, db = direction(-above * up, -below * down)
        step = _longest(above, da, below, db, up, -du, down, du)
        after = ((above + step * da) @ (up - step * du) + (below + step * db) @ (down + step * du)) / len(products)
        center = mu * (after / mu) ** 3
        d_theta, du, da, db = direction(center - above * up + da * du, center - below * down - db * du)
        step = SHARE_OF_BOUNDARY * _longest(above, da, below, db, up, -du, down, du)
        if not np.isfinite(d_theta).all() or step < 1e-12:
            break
        theta, u, above, below = theta + step * d_theta, u + step * du, above + step * da, below + step * db
        r = A @ theta - t
    return best


def _start(Q: np.ndarray, q: np.ndarray, A: np.ndarray, t: np.ndarray, width: np.ndarray) -> np.ndarray:
    """The minimum with each piece replaced by a parabola."""
    H = Q + A.T @ (width[:, None] * A)
    return np.linalg.lstsq(H, A.T @ (width * t) - q, rcond=1e-12)[0]


def _factor(H: np.ndarray):
    scale = 1 / np.sqrt(np.maximum(np.diag(H), 1e-300))
    scaled = H * scale * scale[:, None]
    for shift in (0.0, 1e-15, 1e-13, 1e-11):
        try:
            factor = cho_factor(scaled + shift * np.eye(len(H)))
        except LinAlgError:
            continue

        def solve(v: np.ndarray) -> np.ndarray:
            x = scale * cho_solve(factor, scale * v)
            return x + scale * cho_solve(factor, scale * (v - H @ x))

        return solve
    raise LinAlgError


def _longest(*pairs: np.ndarray) -> float:
    """The longest step, at most 1, that keeps every value positive; values and their changes in turn."""
    longest = 1.0
    for values, changes in zip(pairs[::2], pairs[1::2], strict=True):
        falling = changes < 0
        if falling.any():
            longest = min(longest, float(np.min(-values[falling] / changes[falling])))
    return longest
