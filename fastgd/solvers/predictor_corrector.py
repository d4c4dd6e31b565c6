"""Interior points for a sum of piecewise-linear functions: Mehrotra's predictor-corrector method on boxes.

    minimise over theta  sum_i max over u_i in [low_i, high_i] of u_i r_i + linear . theta + theta . (ridge theta) / 2,
    r = A theta - t.

With r = above - below, both positive, an optimum has above (high - u) = below (u - low) = 0 and
A'u + linear + ridge theta = 0. Each iteration takes one weighted Gram matrix A'DA. Source: Portnoy and Koenker, The
Gaussian hare and the Laplacian tortoise (1997), section 4; Mehrotra, On the implementation of a primal-dual interior
point method (1992).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.linalg.lapack import dpotrs

from ..objective.factored_hessian import FactoredHessian
from ..objective.gram import gram

# Part of the longest step inside the boxes that is taken.
STEP_INSIDE = 0.9995
# Part of the mean loss at the start that each product above (high - u) and below (u - low) has there.
START_CENTRE, MIN_START_CENTRE = 1.0, 1e-6
# A gap of this part of the sum of the widths of all boxes counts as none: the minimum may be 0.
NO_GAP = 1e-14
MAX_ITERATIONS = 200
# Part of the sum of the widths of all boxes that counts as rounding in A'u.
MAX_WRONG, MAX_CORRECTIONS = 1e-12, 5
# Iterations end where the gap has not become smaller in so many.
MAX_WITHOUT_GAIN = 15
TINY = np.finfo(np.float64).tiny
# Added to the diagonal of a Gram matrix with a diagonal of ones: columns may be linearly dependent.
RIDGE = 1e-14


class BoxProblem(NamedTuple):
    """The problem above, where the last pieces are of the parameters ``own`` themselves, with rows e_j.

    Attributes
    ----------
    A : array of shape (n_pieces - len(own), n_parameters), its columns of about mean 0 and spread 1.
    t, low, high : arrays of shape (n_pieces,); low < high.
    own : indices of parameters.
    linear, ridge : arrays of shape (n_parameters,).
    """

    A: np.ndarray
    t: np.ndarray
    low: np.ndarray
    high: np.ndarray
    own: np.ndarray
    linear: np.ndarray
    ridge: np.ndarray

    def predictors(self, theta: np.ndarray) -> np.ndarray:
        """A theta, and the parameters that are pieces themselves."""
        return np.concatenate([self.A @ theta, theta[self.own]])

    def transposed(self, v: np.ndarray) -> np.ndarray:
        """A'v, for a number of each piece."""
        out = self.A.T @ v[: len(self.A)]
        out[self.own] += v[len(self.A) :]
        return np.asarray(out)

    def weighted_gram(self, D: np.ndarray) -> np.ndarray:
        """A'DA, for a weight of each piece."""
        weights = np.ascontiguousarray(D[: len(self.A), None])
        found = gram(self.A, weights, np.zeros(self.A.shape[1]), intercept=False)[0]
        found[self.own, self.own] += D[len(self.A) :]
        return np.asarray(found)

    def value(self, theta: np.ndarray, r: np.ndarray) -> float:
        """The objective."""
        pieces = np.maximum(self.low * r, self.high * r).sum()
        return float(pieces + self.linear @ theta + 0.5 * theta @ (self.ridge * theta))


class CentralPath(NamedTuple):
    """A point near the central path; all but theta have a number for each piece.

    ``room_above`` is high - u and ``room_below`` u - low: kept apart from u, in which their digits would be lost.
    """

    theta: np.ndarray
    r: np.ndarray
    above: np.ndarray
    below: np.ndarray
    room_above: np.ndarray
    room_below: np.ndarray

    def u(self, problem: BoxProblem) -> np.ndarray:
        """The dual variable of each piece."""
        nearer_below = self.room_below < self.room_above
        return np.asarray(np.where(nearer_below, problem.low + self.room_below, problem.high - self.room_above))


class Solution(NamedTuple):
    """Parameters, the dual variable of each piece, the value there, a bound on its distance to the minimum."""

    theta: np.ndarray
    u: np.ndarray
    value: float
    gap: float
    iterations: int


def minimise(
    problem: BoxProblem, theta: np.ndarray | None, is_enough: Callable[[float, float], bool], max_iterations: int
) -> Solution:
    """Iterate until the value and its gap are enough, or rounding is in the way."""
    path = start(problem, least_squares(problem) if theta is None else theta)
    no_gap = NO_GAP * float((problem.high - problem.low).sum())
    best: Solution | None = None
    without_gain = 0
    for k in range(min(max_iterations, MAX_ITERATIONS) + 1):
        D, solve, wrong = normal_equations(problem, path)
        found = certified(problem, path, D, wrong, k)
        is_lower = best is not None and np.isinf(best.gap) and found.value < best.value
        if best is None or found.gap < best.gap or is_lower:
            best, without_gain = found, 0
        elif np.isfinite(best.gap):
            without_gain += 1
        if best.gap <= no_gap or is_enough(best.value, best.gap) or without_gain > MAX_WITHOUT_GAIN:
            break
        if k < max_iterations:
            path = iterate(problem, path, D, solve, wrong)
            if not np.isfinite(path.theta).all():
                break
    assert best is not None
    return best._replace(iterations=k)


def start(problem: BoxProblem, theta: np.ndarray) -> CentralPath:
    """Each piece on the central path at its own residual: without that, iterations may multiply."""
    r, width = problem.predictors(theta) - problem.t, problem.high - problem.low
    mean = float(np.maximum(problem.low * r, problem.high * r).mean())
    centre = START_CENTRE * max(mean, 0.0) + MIN_START_CENTRE * float(width.mean())
    less = 2 * centre * width / (2 * centre + np.abs(r) * width + np.hypot(2 * centre, r * width))
    room_above, room_below = np.where(r > 0, less, width - less), np.where(r > 0, width - less, less)
    return CentralPath(theta, r, centre / room_above, centre / room_below, room_above, room_below)


def least_squares(problem: BoxProblem) -> np.ndarray:
    """A fit by least squares, its last parameter moved to its minimum if it is an intercept."""
    width = problem.high - problem.low
    solve = _solver(problem.weighted_gram(width) + np.diag(problem.ridge))
    theta = solve(problem.transposed(width * problem.t) - problem.linear)
    if not (problem.A[:, -1] == 1.0).all():
        return theta
    # As the intercept falls, one r after another passes 0, and its u goes from high to low.
    of_rows = slice(None, len(problem.A))
    r = (problem.predictors(theta) - problem.t)[of_rows]
    order = np.argsort(-r)
    slopes = problem.linear[-1] + problem.low[of_rows].sum() + np.cumsum(width[of_rows][order])
    theta[-1] -= r[order[min(int(np.searchsorted(slopes, 0.0)), len(r) - 1)]]
    return theta


def normal_equations(
    problem: BoxProblem, path: CentralPath
) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray], np.ndarray]:
    """The weights D, a function that solves with A'DA + ridge, and A'u + linear + ridge theta, which should be 0."""
    D = 1.0 / (path.above / path.room_above + path.below / path.room_below)
    solve = _solver(problem.weighted_gram(D) + np.diag(problem.ridge))
    return D, solve, problem.transposed(path.u(problem)) + problem.linear + problem.ridge * path.theta


def _solver(matrix: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Solve with a positive semidefinite matrix."""
    size = np.sqrt(np.maximum(np.diag(matrix), TINY))
    scaled = matrix / np.outer(size, size)
    scaled[np.diag_indices_from(scaled)] += RIDGE
    factored = FactoredHessian.of(scaled[None])
    if factored.positive_definite[0]:
        factor = factored.factors[0].T
        return lambda v: np.asarray(dpotrs(factor, v / size, lower=True)[0] / size)
    return lambda v: np.asarray((factored.factors[0] @ (v / size)) / size)


def certified(problem: BoxProblem, path: CentralPath, D: np.ndarray, wrong: np.ndarray, k: int) -> Solution:
    """The point with a bound on how far its value is above the minimum.

    value - minimum <= sum (max(low r, high r) - u r) + sum of wrong^2 / (2 ridge), a sum of terms >= 0 in which nothing
    cancels. Where ridge is 0, u is corrected so that ``wrong`` is only rounding, which is charged as if the optimum
    were as far from 0 as theta is, plus 1.
    """
    theta, u, free = path.theta, path.u(problem), np.flatnonzero(problem.ridge == 0.0)
    r = problem.predictors(theta) - problem.t
    if len(free):
        solve = _solver(problem.weighted_gram(D)[np.ix_(free, free)])
        enough = MAX_WRONG * float((problem.high - problem.low).sum())
        for _ in range(MAX_CORRECTIONS):  # more than one where columns are nearly dependent
            move = np.zeros_like(theta)
            move[free] = solve(wrong[free])
            u = np.clip(u - D * problem.predictors(move), problem.low, problem.high)
            wrong = problem.transposed(u) + problem.linear + problem.ridge * theta
            if np.abs(wrong[free]).max() <= enough:
                break
        else:
            return Solution(theta, path.u(problem), problem.value(theta, r), np.inf, k)
    each = np.maximum(problem.low * r, problem.high * r) - u * r
    with np.errstate(divide="ignore", invalid="ignore"):
        charged = np.where(problem.ridge > 0.0, wrong**2 / (2.0 * problem.ridge), np.abs(wrong) * (1.0 + np.abs(theta)))
    return Solution(theta, u, problem.value(theta, r), float(each.sum() + charged.sum()), k)


def iterate(
    problem: BoxProblem,
    path: CentralPath,
    D: np.ndarray,
    solve: Callable[[np.ndarray], np.ndarray],
    wrong: np.ndarray,
) -> CentralPath:
    """One predictor-corrector step."""
    room_above, room_below = path.room_above, path.room_below

    def direction(to_above: np.ndarray | float, to_below: np.ndarray | float) -> tuple[np.ndarray, ...]:
        """Towards above (high - u) = to_above and below (u - low) = to_below."""
        rho = path.r - to_above / room_above + to_below / room_below
        step = solve(-wrong - problem.transposed(D * rho))
        dz = problem.predictors(step)
        du = D * (dz + rho)
        up = (to_above + path.above * du) / room_above - path.above
        down = (to_below - path.below * du) / room_below - path.below
        return step, dz, du, up, down

    _, _, du, up, down = direction(0.0, 0.0)
    primal, dual = _longest(path, up, down), _longest_dual(room_above, room_below, du)
    now = float(path.above @ room_above + path.below @ room_below)
    then = float(
        (path.above + primal * up) @ (room_above - dual * du) + (path.below + primal * down) @ (room_below + dual * du)
    )
    centre = now / (2 * len(path.r)) * (max(then, 0.0) / now) ** 3
    step, dz, du, up, down = direction(centre + up * du, centre - down * du)
    primal = min(1.0, STEP_INSIDE * _longest(path, up, down))
    dual = min(1.0, STEP_INSIDE * _longest_dual(room_above, room_below, du))
    if problem.ridge.any():  # ridge theta and A'u go together
        primal = dual = min(primal, dual)
    return CentralPath(
        path.theta + primal * step, path.r + primal * dz, path.above + primal * up, path.below + primal * down,
        room_above - dual * du, room_below + dual * du,
    )  # fmt: skip


def _longest(path: CentralPath, up: np.ndarray, down: np.ndarray) -> float:
    """The longest step, at most 1 / STEP_INSIDE, that keeps above and below positive."""
    falls = max(float((-up / path.above).max()), float((-down / path.below).max()), STEP_INSIDE)
    return 1.0 / falls


def _longest_dual(room_above: np.ndarray, room_below: np.ndarray, du: np.ndarray) -> float:
    """The longest step, at most 1 / STEP_INSIDE, that keeps u inside the boxes."""
    return 1.0 / max(float((du / room_above).max()), float((-du / room_below).max()), STEP_INSIDE)
