"""Dual points: derivatives of the losses at some parameters, with a mean of zero where there is an intercept.

For derivatives a_i and v = mean s_i a_i x_i, any coefficients w and any c from 0 to 1,

    F* >= c (level - v.w) + (1 - c) floor - R*(-c v),    level - v.w = mean s_i (a_i o_i - l*(a_i)),

where o_i is the offset, floor the mean of the minima of the losses, -l*(0), and mean s_i a_i = 0 if there is an
intercept. With a_i = l'(z_i) at w the equality of Fenchel and Young,
l*(a_i) = a_i z_i - l(z_i), makes the level the mean loss itself, so that no conjugate of a loss is needed.
Source: Rockafellar, Convex analysis (1970), sections 23 and 31; the scaling by c is in Mairal, Sparse coding for
machine learning, image processing and computer vision (2010), appendix D.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..kernels.dual_sums import derivatives_at, mean_product
from ..objective.chunks import chunk_count, threaded
from ..objective.intercept_search import (
    UNIT_ROUNDOFF,
    Derivatives,
    LossAtIntercept,
    around_zero,
)
from ..objective.linear_predictor import predict_output
from ..objective.objective import Objective
from ..terms.losses import loss_traits

# Minimum rows for threads: with fewer, starting them costs more than they save. A chunk has at least a quarter of them.
MIN_PARALLEL_ROWS = 1 << 14
MAX_ROW_CHUNKS = 64
MAX_NEWTON_STEPS = 30


class DualPoint(NamedTuple):
    """A lower bound on F* from derivatives with a mean of zero, found at some coefficients and any intercept."""

    loss: float  # the mean loss at the parameters, with the intercept that was given
    level: float  # a lower bound on it
    products: np.ndarray  # v of each output, shape (n_outputs, n_features)
    scale: float  # magnitude of the sums behind these, for the allowance for rounding


def rounding(objective: Objective) -> float:
    """Bound on the rounding error of sums over the rows, relative to the sum of the absolute values.

    For m terms one after the other it is no more than 6 sqrt(m) u with a probability of 1 - 3e-8 at least, for any
    terms. Source: Higham and Mary, A new approach to probabilistic rounding error analysis (2019), theorem 2.4.
    """
    n_chunks = min(chunk_count(objective.n_values, objective.n_features), row_chunks(objective.n_samples))
    return UNIT_ROUNDOFF * (16.0 + 6.0 * float(np.sqrt(objective.n_samples / n_chunks + n_chunks)))


def row_chunks(n_samples: int) -> int:
    """Number of chunks of a pass over a few numbers per row."""
    return max(1, min(4 * n_samples // MIN_PARALLEL_ROWS, MAX_ROW_CHUNKS))


def predictor(objective: Objective, w: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """X w + offset in float64, also for X in float32, shape (n_samples,)."""
    objective.count_pass(1.0 / objective.n_outputs)
    z = predict_output(objective.X, np.ascontiguousarray(w), 0.0)
    return z + offset if len(offset) else z


def product(objective: Objective, derivatives: np.ndarray) -> np.ndarray:
    """X' derivatives / n in float64."""
    objective.count_pass(1.0 / objective.n_outputs)
    d, out = objective.n_features, np.empty(objective.n_features)
    partials = np.empty((chunk_count(objective.n_values, d), d))
    threaded(mean_product, objective.n_values)(objective.X, derivatives, partials, out)
    return out


def derivatives_by_intercept(objective: Objective, k: int, z: np.ndarray) -> LossAtIntercept:
    """The losses and derivatives of output k at the linear predictors z, as a function of the intercept."""
    y, weight, n = objective.output_target(k), objective.targets.weight, objective.n_samples
    launch = derivatives_at if n >= MIN_PARALLEL_ROWS else derivatives_at.serial
    sums = np.empty((row_chunks(n), 2))

    def at(b: float, rows: np.ndarray) -> Derivatives:
        loss, mean = launch(y, weight, z, b, objective.loss, sums, rows)
        return Derivatives(b, float(loss), float(mean), rows)

    return at


def dual_point(objective: Objective, k: int, params: np.ndarray) -> DualPoint:
    """The dual point of output k at its parameters; its level is -infinity if no intercept gives a mean of zero.

    The mean derivative rises with the intercept. The derivatives at two intercepts, one with a mean of at most 0 and
    one with a mean of at least 0, are mixed so that the mean is exactly 0. By the convexity of l* this lowers the level
    by no more than `cost_of_mixing`. At a kink, where the mean jumps over 0, mixing is the only way.
    """
    w = params[: objective.n_features]
    z = predictor(objective, w, objective.targets.offset)
    at = derivatives_by_intercept(objective, k, z)
    n = objective.n_samples
    here = at(float(params[-1]) if objective.fit_intercept else 0.0, np.empty(n))
    low = high = here
    if objective.fit_intercept:
        curvature = loss_traits(objective.loss).curvature or 1.0
        between = around_zero(at, here, curvature)
        if between is None:
            return DualPoint(here.loss, -np.inf, np.zeros((1, len(w))), abs(here.loss))
        low, high = between
    share, level = mix(low, high)
    derivatives = low.rows
    if share > 0.0:
        derivatives *= 1.0 - share
        derivatives += share * high.rows
    v = product(objective, derivatives)
    scale = abs(here.loss) + float(np.linalg.norm(derivatives) * np.linalg.norm(z)) / n
    return DualPoint(here.loss, level, v[None, :], scale)


def mix(low: Derivatives, high: Derivatives) -> tuple[float, float]:
    """The share of ``high`` in the mixture whose mean derivative is 0, and the level of the mixture."""
    if high.mean <= low.mean:  # the same point, or both 0
        return 0.0, low.loss
    share = -low.mean / (high.mean - low.mean)
    return share, (1.0 - share) * low.loss + share * high.loss - share * high.mean * (high.b - low.b)


def softmax_point(objective: Objective, params: np.ndarray) -> DualPoint:
    """The dual point of a softmax over all outputs at ``params``, with a mean derivative of zero in each output.

    Newton's method on the intercepts leaves a mean derivative r near zero. Mixing in a share t of the derivatives
    q - e_y of a constant model q removes it, since l*(q - e_y) = sum_k q_k log q_k for any probabilities q: with
    q = mean e_y - r (1 - t) / t the mean is zero, for every t that leaves q positive.
    """
    targets, n, d = objective.targets, objective.n_samples, objective.n_features
    weight = targets.weight if len(targets.weight) else np.ones(n)
    own = np.zeros((objective.n_outputs, n))  # e_y
    own[targets.y[:, 0].astype(np.intp), np.arange(n)] = 1.0
    W = params[:, :d]
    Z = np.stack([predictor(objective, w, targets.offset) for w in W])
    b = params[:, d].copy() if objective.fit_intercept else np.zeros(objective.n_outputs)
    loss, derivatives = _softmax_derivatives(Z, b, own, weight)
    level = loss
    if objective.fit_intercept:
        b, level, derivatives = _balanced_softmax(Z, b, own, weight)
        rest = derivatives.mean(axis=1)
        frequencies = own @ weight / n
        with np.errstate(divide="ignore", invalid="ignore"):
            needed = float(np.max(np.where(rest > 0.0, 2.0 * rest / frequencies, 0.0)))
        t = needed / (1.0 + needed) if np.isfinite(needed) else 1.0
        q = frequencies - (rest * (1.0 - t) / t if t > 0.0 else 0.0)
        entropy = float(np.sum(q * np.log(np.where(q > 0.0, q, 1.0))))
        at_zero = float(np.sum((q[:, None] - own) * weight * Z)) / n
        level = (1.0 - t) * (level - float(rest @ b)) - t * (entropy - at_zero)
        derivatives = (1.0 - t) * derivatives + t * (q[:, None] - own) * weight
    products = np.stack([product(objective, row) for row in derivatives])
    size = float(np.linalg.norm(derivatives) * np.linalg.norm(Z + b[:, None])) / n
    return DualPoint(loss, level, products, abs(loss) + size + abs(float(np.sum(products * W))))


def _softmax_derivatives(Z: np.ndarray, b: np.ndarray, own: np.ndarray, weight: np.ndarray) -> tuple[float, np.ndarray]:
    """The mean loss and the weighted derivatives, shape (n_outputs, n_samples)."""
    M = Z + b[:, None]
    M -= M.max(axis=0)
    exponentials = np.exp(M)
    total = exponentials.sum(axis=0)
    losses = np.log(total) - np.sum(M * own, axis=0)
    return float(np.mean(weight * losses)), (exponentials / total - own) * weight


def _balanced_softmax(
    Z: np.ndarray, b: np.ndarray, own: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, float, np.ndarray]:
    """Intercepts at which the mean derivatives are about zero, by Newton's method; mean loss and derivatives there."""
    n_outputs, n = Z.shape
    loss, derivatives = _softmax_derivatives(Z, b, own, weight)
    step = 1.0
    for _ in range(MAX_NEWTON_STEPS):
        mean = derivatives.mean(axis=1)
        probabilities = derivatives / weight + own
        # The loss does not depend on the sum of the intercepts: any curvature along it makes the Hessian regular.
        hessian = np.diag((probabilities * weight).mean(axis=1)) - (probabilities * weight) @ probabilities.T / n
        try:
            move = np.linalg.solve(hessian + 1.0 / n_outputs, mean)
        except np.linalg.LinAlgError:
            break
        tried = b - step * move
        new_loss, new_derivatives = _softmax_derivatives(Z, tried, own, weight)
        if np.abs(new_derivatives.mean(axis=1)).max() < np.abs(mean).max():
            b, loss, derivatives, step = tried, new_loss, new_derivatives, min(1.0, 2.0 * step)
        elif np.abs(mean).max() <= 4.0 * UNIT_ROUNDOFF or step < 1e-3:
            break
        else:
            step *= 0.25
    return b, loss, derivatives
