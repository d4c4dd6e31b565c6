"""Dual points: slopes of the losses at some weights, whose mean is zero where a free intercept asks for that.

For slopes a_i and v = mean s_i a_i x_i, any weights w and any share c from 0 to 1,

    F* >= c (level - v.w) + (1 - c) floor - R*(-c v),    level - v.w = mean s_i (a_i o_i - l*(a_i)),

for all w, where o_i is the offset, floor the mean of the least values of the losses, which is -l*(0), and
mean s_i a_i = 0 if there is an intercept. With a_i = l'(z_i) at w the equality of Fenchel and Young,
l*(a_i) = a_i z_i - l(z_i), makes the level the mean loss itself, so that no conjugate of a loss is ever needed.
Source: Rockafellar, Convex analysis (1970), sections 23 and 31; the scaling by c is in Mairal, Sparse coding for
machine learning, image processing and computer vision (2010), appendix D.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ..kernels.batch_gradient import linear_predictor
from ..kernels.dual_sums import mean_product, slopes_at
from ..objective.problem import THREADED_FROM, Problem, chunk_count

# Below this many rows starting the threads costs more than they save, and a chunk has at least a quarter of them.
PARALLEL_ROWS = 1 << 14
MOST_CHUNKS = 64
UNIT = 2.0**-53  # of rounding
# What mixing the slopes of two intercepts may cost, relative to the loss: a part of what is allowed for rounding.
AFFORDED = 64.0 * UNIT
MOST_DOUBLINGS = 60
MOST_EVALUATIONS = 200
MOST_NEWTON_STEPS = 30


class DualPoint(NamedTuple):
    """What is kept of slopes with zero mean that were found at weights w and any intercept."""

    loss: float  # the mean loss at the weights, with the intercept that was given
    level: float  # at most that
    products: np.ndarray  # v of each output, shape (n_outputs, n_features)
    scale: float  # of the sums that these come from, for their rounding


class Slopes(NamedTuple):
    """The losses at one intercept: their mean, that of their slopes, and the slopes of all rows."""

    b: float
    loss: float
    mean: float
    rows: np.ndarray


def rounding(problem: Problem) -> float:
    """What sums over the rows may be off by, relative to the sum of what was added up, with certainty enough.

    For m terms one after the other it is no more than 6 sqrt(m) u with a probability of 1 - 3e-8 at least, for any
    terms. Source: Higham and Mary, A new approach to probabilistic rounding error analysis (2019), theorem 2.4.
    """
    n_chunks = min(chunk_count(problem.n_values, problem.n_features), row_chunks(problem.n_samples))
    return UNIT * (16.0 + 6.0 * float(np.sqrt(problem.n_samples / n_chunks + n_chunks)))


def row_chunks(n_samples: int) -> int:
    """How many chunks to cut work into that is a few numbers a row."""
    return max(1, min(4 * n_samples // PARALLEL_ROWS, MOST_CHUNKS))


def predictor(problem: Problem, w: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """X w + offset in float64, whatever X is stored in, shape (n_samples,)."""
    launch = linear_predictor if problem.n_values >= THREADED_FROM else linear_predictor.serial
    z = np.empty(problem.n_samples)
    launch(problem.X, np.ascontiguousarray(w), 0.0, chunk_count(problem.n_values, problem.n_features), z)
    if len(offset):
        z += offset
    return z


def product(problem: Problem, slopes: np.ndarray) -> np.ndarray:
    """X' slopes / n in float64."""
    launch = mean_product if problem.n_values >= THREADED_FROM else mean_product.serial
    out = np.empty(problem.n_features)
    launch(problem.X, slopes, np.empty((chunk_count(problem.n_values, problem.n_features), problem.n_features)), out)
    return out


# The losses at an intercept, the slopes being written into an array that is given.
At = Callable[[float, np.ndarray], Slopes]


def slopes_by_intercept(problem: Problem, k: int, z: np.ndarray) -> At:
    """The losses and slopes of output k at the linear predictors z and an intercept, as a function of that."""
    y, weight, n = problem.output_target(k), problem.targets.weight, problem.n_samples
    launch = slopes_at if n >= PARALLEL_ROWS else slopes_at.serial
    sums = np.empty((row_chunks(n), 2))

    def at(b: float, rows: np.ndarray) -> Slopes:
        loss, mean = launch(y, weight, z, b, problem.loss, sums, rows)
        return Slopes(b, float(loss), float(mean), rows)

    return at


def dual_point(problem: Problem, k: int, params: np.ndarray) -> DualPoint:
    """The dual point of output k at its weights ``params``; of level -infinity where no intercept gives a mean of zero.

    The mean slope rises with the intercept. Of two at which it is at most and at least 0, the slopes are mixed such
    that the mean is 0 exactly, which the convexity of l* pays for with the distance between the two; at a kink,
    where the mean slope jumps over 0, that is the only way.
    """
    w = params[: problem.n_features]
    z = predictor(problem, w, problem.targets.offset)
    at = slopes_by_intercept(problem, k, z)
    n = problem.n_samples
    here = at(float(params[-1]) if problem.fit_intercept else 0.0, np.empty(n))
    low = high = here
    if problem.fit_intercept:
        curvature = getattr(problem.loss, "curvature", None)
        between = around_zero(at, here, 1.0 if curvature is None else curvature())
        if between is None:
            return DualPoint(here.loss, -np.inf, np.zeros((1, len(w))), abs(here.loss))
        low, high = between
    share, level = mix(low, high)
    slopes = low.rows
    if share > 0.0:
        slopes *= 1.0 - share
        slopes += share * high.rows
    v = product(problem, slopes)
    scale = abs(here.loss) + float(np.linalg.norm(slopes) * np.linalg.norm(z)) / n
    return DualPoint(here.loss, level, v[None, :], scale)


def mix(low: Slopes, high: Slopes) -> tuple[float, float]:
    """The share of ``high`` with which the mean slope is 0, and the level of that mixture."""
    if high.mean <= low.mean:  # one and the same, or both 0
        return 0.0, low.loss
    share = -low.mean / (high.mean - low.mean)
    return share, (1.0 - share) * low.loss + share * high.loss - share * high.mean * (high.b - low.b)


def around_zero(at: At, here: Slopes, curvature: float) -> tuple[Slopes, Slopes] | None:
    """Two intercepts with the zero of the mean slope between them, so near that mixing them costs next to nothing.

    ``curvature`` is about the largest slope of the mean slope. None where the mean slope never reaches 0.
    """
    if here.mean == 0.0:
        return here, here
    bracket = bracket_zero(at, here, curvature)
    if bracket is None:
        return None
    low, high, spare = bracket
    # Illinois: the secant through both ends, of which one that stays twice counts half; bisection where that is slow.
    weights, moved = [1.0, 1.0], 0.0
    for k in range(MOST_EVALUATIONS):
        width = high.b - low.b
        if cost_of_mixing(low, high) <= AFFORDED * (abs(low.loss) + abs(high.loss)):
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


def cost_of_mixing(low: Slopes, high: Slopes) -> float:
    """How far at most the level of their mixture is below the least mean loss over all intercepts."""
    if not np.isfinite(high.mean - low.mean):
        return np.inf
    return -low.mean * (high.b - low.b) * (high.mean / (high.mean - low.mean))


def bracket_zero(at: At, here: Slopes, curvature: float) -> tuple[Slopes, Slopes, np.ndarray] | None:
    """Two intercepts at which the mean slope is at most and at least 0, and an array to spare.

    The first step is long enough to find the other side at once where the mean slope rises by an eighth of what it
    could: near the optimum the two are so near each other that they will do. Others are secant steps, twice as long.
    """
    sign = 1.0 if here.mean < 0.0 else -1.0
    step = min(8.0 * abs(here.mean) / curvature, 1.0)
    spare = np.empty_like(here.rows)
    before, now = here, at(here.b + sign * step, np.empty_like(here.rows))
    for _ in range(MOST_DOUBLINGS):
        if not now.mean * sign < 0.0:
            return (before, now, spare) if sign > 0.0 else (now, before, spare)
        rise = (now.mean - before.mean) / (now.b - before.b) if now.b != before.b else 0.0
        needed = abs(now.mean) / rise if rise > 0.0 else np.inf
        step = min(2.0 * needed, 8.0 * max(step, np.spacing(now.b)))
        following = at(now.b + sign * step, spare)
        before, now, spare = now, following, before.rows
    return None


def softmax_point(problem: Problem, params: np.ndarray) -> DualPoint:
    """The dual point of a softmax over all outputs at ``params``, whose mean slope is zero in each output.

    Newton's method on the intercepts leaves a mean slope r near zero. What is left is made up for by a share t of the
    slopes q - e_y of a constant model q, since l*(q - e_y) = sum_k q_k log q_k for any probabilities q: with
    q = mean e_y - r (1 - t) / t the mean slope is zero, for every t that leaves q positive.
    """
    targets, n, d = problem.targets, problem.n_samples, problem.n_features
    weight = targets.weight if len(targets.weight) else np.ones(n)
    own = np.zeros((problem.n_outputs, n))  # e_y
    own[targets.y[:, 0].astype(np.intp), np.arange(n)] = 1.0
    W = params[:, :d]
    Z = np.stack([predictor(problem, w, targets.offset) for w in W])
    b = params[:, d].copy() if problem.fit_intercept else np.zeros(problem.n_outputs)
    loss, slopes = _softmax_slopes(Z, b, own, weight)
    level = loss
    if problem.fit_intercept:
        b, level, slopes = _balanced_softmax(Z, b, own, weight)
        rest = slopes.mean(axis=1)
        frequencies = own @ weight / n
        with np.errstate(divide="ignore", invalid="ignore"):
            needed = float(np.max(np.where(rest > 0.0, 2.0 * rest / frequencies, 0.0)))
        t = needed / (1.0 + needed) if np.isfinite(needed) else 1.0
        q = frequencies - (rest * (1.0 - t) / t if t > 0.0 else 0.0)
        entropy = float(np.sum(q * np.log(np.where(q > 0.0, q, 1.0))))
        at_zero = float(np.sum((q[:, None] - own) * weight * Z)) / n
        level = (1.0 - t) * (level - float(rest @ b)) - t * (entropy - at_zero)
        slopes = (1.0 - t) * slopes + t * (q[:, None] - own) * weight
    products = np.stack([product(problem, row) for row in slopes])
    size = float(np.linalg.norm(slopes) * np.linalg.norm(Z + b[:, None])) / n
    return DualPoint(loss, level, products, abs(loss) + size + abs(float(np.sum(products * W))))


def _softmax_slopes(Z: np.ndarray, b: np.ndarray, own: np.ndarray, weight: np.ndarray) -> tuple[float, np.ndarray]:
    """The mean loss and the weighted slopes, shape (n_outputs, n_samples)."""
    M = Z + b[:, None]
    M -= M.max(axis=0)
    powers = np.exp(M)
    total = powers.sum(axis=0)
    losses = np.log(total) - np.sum(M * own, axis=0)
    return float(np.mean(weight * losses)), (powers / total - own) * weight


def _balanced_softmax(
    Z: np.ndarray, b: np.ndarray, own: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, float, np.ndarray]:
    """Intercepts that make the mean slopes as near zero as Newton's method does, the mean loss and the slopes there."""
    n_outputs, n = Z.shape
    loss, slopes = _softmax_slopes(Z, b, own, weight)
    step = 1.0
    for _ in range(MOST_NEWTON_STEPS):
        mean = slopes.mean(axis=1)
        probabilities = slopes / weight + own
        # The loss does not change with the sum of the intercepts: any number there makes the Hessian regular.
        hessian = np.diag((probabilities * weight).mean(axis=1)) - (probabilities * weight) @ probabilities.T / n
        try:
            move = np.linalg.solve(hessian + 1.0 / n_outputs, mean)
        except np.linalg.LinAlgError:
            break
        tried = b - step * move
        new_loss, new_slopes = _softmax_slopes(Z, tried, own, weight)
        if np.abs(new_slopes.mean(axis=1)).max() < np.abs(mean).max():
            b, loss, slopes, step = tried, new_loss, new_slopes, min(1.0, 2.0 * step)
        elif np.abs(mean).max() <= 4.0 * UNIT or step < 1e-3:
            break
        else:
            step *= 0.25
    return b, loss, slopes
