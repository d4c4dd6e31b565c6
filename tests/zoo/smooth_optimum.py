"""The minimum of a differentiable loss with no penalty, l2, l1 or an elastic net, by Newton steps; and its proof.

Steps come from damped Newton (Levenberg and Marquardt) where F is differentiable, else from proximal Newton, whose
quadratic models are solved by interior points; F and gradients are of extended precision. At the end the coefficients
that are zero stay so. The proof is the Newton decrement g'H^-1 g / 2 on the others, together with the conditions of
Karush, Kuhn and Tucker, and no change of curvature along the step: of a piecewise quadratic loss no row may change its
piece, for the others |(log f'')'| <= 1 bounds it (Bach, Self-concordant analysis for logistic regression, 2010).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .losses import Loss, softmax_parts
from .piecewise_qp import PiecewiseQP, interior_point

MAX_STEPS, MAX_RETRIES = 300, 60
LEAST_DAMPING = 1e-12
NEARLY = 1e-9  # of F: a step that gains less is followed by a polish
LONGEST_LAST_STEP = 1e-3  # in z


class Evaluation(NamedTuple):
    value: np.longdouble
    gradient: np.ndarray  # without l1
    size: np.ndarray  # of the terms that the gradient adds up
    hessian: np.ndarray


class Found(NamedTuple):
    theta: np.ndarray
    value: np.longdouble
    gap: float


class Smooth:
    """F over theta; of several classes theta has their parameters one after another."""

    def __init__(self, loss: Loss, y, c, offset, B, l1, l2, classes=1) -> None:
        self.loss, self.y, self.c, self.offset, self.B, self.classes = loss, y, c, offset, B, classes
        self.l1, self.l2 = np.tile(l1, classes), np.tile(l2, classes)
        self.B64 = B.astype(float)

    @property
    def size(self) -> int:
        return self.B.shape[1] * self.classes

    def z(self, theta):
        if self.classes == 1:
            return self.B @ theta + self.offset
        return self.B @ theta.reshape(self.classes, -1).T

    def value(self, theta):
        with np.errstate(over="ignore", invalid="ignore"):
            loss = self.c @ self.loss.value(self.y, self.z(theta))
            return loss + self.l1 @ np.abs(theta) + self.l2 @ theta**2 / 2

    def evaluate(self, theta) -> Evaluation:
        z = self.z(theta)
        if self.classes > 1:
            return self._several(theta, z)
        values, slopes, curvatures = self.loss.parts(self.y, z)
        gradient = self.B.T @ (self.c * slopes) + self.l2 * theta
        size = np.abs(self.B.T) @ (self.c * np.abs(slopes)) + self.l2 * np.abs(theta)
        hessian = self.B64.T @ ((self.c * curvatures).astype(float)[:, None] * self.B64)
        value = self.c @ values + self.l1 @ np.abs(theta) + self.l2 @ theta**2 / 2
        return Evaluation(value, gradient, size, hessian + np.diag(self.l2.astype(float)))

    def _several(self, theta, z) -> Evaluation:
        values, shares = softmax_parts(self.y, z)
        K, p = self.classes, self.B.shape[1]
        own = self.y[:, None] == np.arange(K)
        gradient = ((self.c[:, None] * (shares - own)).T @ self.B).ravel() + self.l2 * theta
        size = ((self.c[:, None] * np.abs(shares - own)).T @ np.abs(self.B)).ravel() + self.l2 * np.abs(theta)
        H, P = np.zeros((K, p, K, p)), shares.astype(float)
        for k in range(K):
            for m in range(K):
                weight = self.c.astype(float) * P[:, k] * ((k == m) - P[:, m])
                H[k, :, m] = self.B64.T @ (weight[:, None] * self.B64)
        value = self.c @ values + self.l1 @ np.abs(theta) + self.l2 @ theta**2 / 2
        return Evaluation(value, gradient, size, H.reshape(K * p, K * p) + np.diag(self.l2.astype(float)))

    def pieces_of_rows(self, theta):
        """Which piece of a piecewise quadratic loss each row is on; None for other losses."""
        z, name = self.z(theta), self.loss.name
        if name in ("huber", "squared_epsilon_insensitive"):
            return np.sign([z - self.y - self.loss.setting, z - self.y + self.loss.setting])
        if name in ("squared_hinge", "modified_huber"):
            return np.sign([self.y * z - 1, self.y * z + 1])
        return 0 * z if name in ("squared", "half_squared") else None


def minimise(smooth: Smooth, theta) -> Found:
    """Damped steps from theta, with a polish whenever little is left to gain."""
    propose = _proximal_step if smooth.l1.any() else _newton_step
    damping, best = 1e-3, None
    for _ in range(MAX_STEPS):
        with np.errstate(over="ignore"):
            at = smooth.evaluate(theta)
        moved, gained, damping = _damped(smooth, at, theta, propose, damping)
        stuck = moved is None
        theta = theta if stuck else moved
        if stuck or gained < NEARLY * abs(at.value):
            polished = _polish(smooth, theta)
            best = polished if best is None or polished.gap < best.gap else best
            if stuck or best.gap <= 1e-16 * abs(best.value):
                return best
    return _polish(smooth, theta) if best is None else best


def _damped(smooth: Smooth, at: Evaluation, theta, propose, damping: float):
    """Theta after a step that lowers F, the decrease that its model predicted, and the damping of the next step.

    None for theta, where no step lowers F beyond its rounding.
    """
    for _ in range(MAX_RETRIES):
        trial, predicted = propose(at, theta, smooth.l1, damping)
        if predicted <= 1e-19 * (np.abs(at.value) + 1e-300):
            break
        gained = at.value - smooth.value(trial)
        if gained >= 1e-4 * predicted:
            if gained > 0.5 * predicted:
                damping = 0.1 * damping if damping > LEAST_DAMPING else 0.0
            return trial, predicted, damping
        damping = max(10 * damping, 1e-12)
    return None, 0.0, damping


def _newton_step(at: Evaluation, theta, l1, damping: float):
    """Theta after a step, and the decrease that the quadratic model predicts."""
    change = _solve(at.hessian, -at.gradient.astype(float), damping)
    predicted = -(at.gradient @ change) - 0.5 * change @ (at.hessian @ change)
    return theta + change, predicted


def _solve(H: np.ndarray, v: np.ndarray, damping: float = 0.0) -> np.ndarray:
    """(H + damping D)^-1 v with D = diag(H), by eigenvalues: those that are rounding count as zero."""
    scale = 1 / np.sqrt(np.maximum(np.diag(H), 1e-12 * np.diag(H).max() + 1e-300))
    values, vectors = np.linalg.eigh(H * scale * scale[:, None])
    least = len(H) * 2.3e-16 * values[-1]
    inverse = np.where(values + damping > least, 1 / np.maximum(values + damping, least + 1e-300), 0.0)
    x = scale * (vectors @ (inverse * (vectors.T @ (scale * v))))
    if damping:
        return x
    return x + scale * (vectors @ (inverse * (vectors.T @ (scale * (v - H @ x)))))


def _proximal_step(at: Evaluation, theta, l1, damping: float):
    """The minimum of the quadratic model plus l1: interior points in theta, scaled by the diagonal of H."""
    D = np.maximum(np.diag(at.hessian), 1e-12 * np.diag(at.hessian).max() + 1e-300)
    scale = 1 / np.sqrt(D)
    Q = at.hessian * scale * scale[:, None] + max(damping, 1e-14) * np.eye(len(D))
    old = theta.astype(float) / scale
    q = at.gradient.astype(float) * scale - Q @ old
    kept = np.flatnonzero(l1)
    A = np.eye(len(D))[kept]
    strength = (l1.astype(float) * scale)[kept]
    new, u = interior_point(PiecewiseQP(Q, q, A, np.zeros(len(kept)), -strength, strength))
    # Of |theta_j| and the distance of u_j to the end of its box one is zero, the other one not.
    new[kept[np.abs(new[kept]) / (np.abs(new).max() + 1e-300) < 1 - np.abs(u) / strength]] = 0.0
    trial = (new * scale).astype(np.longdouble)
    change = (trial - theta).astype(float)
    change_of_l1 = l1 @ (np.abs(theta) - np.abs(trial))
    predicted = -(at.gradient @ change) - 0.5 * change @ (at.hessian @ change) + change_of_l1
    return trial, predicted


def _polish(smooth: Smooth, theta) -> Found:
    """Newton steps on the coefficients that are not zero, and the gap that they prove, or infinity.

    A step ends where the first coefficient becomes zero; one that should not be zero joins when the others are done
    (the search for signs of Lee, Battle, Raina and Ng, Efficient sparse coding algorithms, 2006).
    """
    penalised, theta, best = smooth.l1 > 0, theta.copy(), None
    free = ~penalised | (theta != 0)
    sign = np.sign(theta)
    for _ in range(12 + 3 * int(penalised.sum())):
        at = smooth.evaluate(theta)
        gradient = np.where(free, at.gradient + smooth.l1 * sign, 0)
        step = np.zeros(len(theta))
        if free.any():
            step[free] = _solve(at.hessian[np.ix_(free, free)], -gradient[free].astype(float))
        gap = _proved(smooth, at, theta, step, gradient, free)
        beyond = np.where(free, 0, np.abs(at.gradient) - smooth.l1 - 1e-15 * at.size)
        if best is None or (gap < best.gap and not (beyond > 0).any()):
            best = Found(theta.copy(), at.value, np.inf if (beyond > 0).any() else gap)
        if best.gap <= 1e-18 * abs(best.value):
            break
        if gap < 1e-15 * abs(at.value) and (beyond > 0).any():
            joins = int(np.argmax(beyond))
            free[joins], sign[joins] = True, -np.sign(at.gradient[joins])
            continue
        crossing = penalised & free & (sign * (theta + step) < 0)
        share = np.min(-theta[crossing] / step[crossing], initial=1.0)
        new = theta + share * step
        if crossing.any():
            first = crossing & (-theta / np.where(step == 0, 1, step) <= share)
            new[first], free[first], sign[first] = 0, False, 0
        if not smooth.value(new) <= at.value + 1e-16 * abs(at.value):
            break
        theta = new
    return best


def _proved(smooth: Smooth, at: Evaluation, theta, step, gradient, free) -> float:
    """The gap by the Newton decrement, where its conditions hold, else infinity."""
    H = at.hessian[np.ix_(free, free)]
    left = gradient[free] + H @ step[free]
    size = float(np.max(np.abs(smooth.z(theta))) + 1)
    # What the step does not explain: rounding, or a gradient where there is no curvature.
    unexplained = float(np.abs(left) @ (np.abs(theta[free]) + np.abs(step[free]) + size * (at.size[free] > 0)))
    if (np.sign(theta + step) * np.sign(theta) < 0)[smooth.l1 > 0].any():
        return np.inf  # a sign changes
    before, after = smooth.pieces_of_rows(theta), smooth.pieces_of_rows(theta + step)
    z_step = np.abs(smooth.z(theta + step) - smooth.z(theta)).max()
    if before is None:
        if z_step > LONGEST_LAST_STEP:
            return np.inf
    elif (before != after).any() and not _changes_are_rounding(smooth, theta, step):
        return np.inf
    return float(max(-(gradient @ step), 0) + unexplained)


def _changes_are_rounding(smooth: Smooth, theta, step) -> bool:
    """Whether rows that change their piece are at its border but for rounding, so that the decrement hardly changes."""
    z, moved = smooth.z(theta), smooth.z(theta + step)
    return bool(np.max(np.abs(moved - z)) <= 1e-12 * (1 + np.max(np.abs(z))))
