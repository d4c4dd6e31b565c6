"""Models with zero coefficients: F at zero parameters, and the best intercepts. Nothing here reads X."""

from __future__ import annotations

import numpy as np

from ..kernels.outputs_gradient import is_joint
from ..terms.losses import is_squared, loss_traits
from ..terms.penalties import ElasticNet
from .objective import Objective
from .passes import PassCounter

# The best intercept is searched within ten spreads of the mean target and, for logits and logarithms, within 10 of 0.
GRID = np.linspace(-10.0, 10.0, 21)
# Bisections of the derivative around the best point of the grid, to a millionth of the grid's spacing.
BISECTIONS = 20


def loss_at_zero(objective: Objective) -> float:
    """Mean loss of a single output where all parameters are zero."""
    y, weight, offset = objective.targets.y, objective.targets.weight, objective.targets.offset
    loss, n = objective.loss, objective.n_samples
    if loss_traits(loss).classifies and not len(offset):
        positive = float(np.count_nonzero(y > 0) if not len(weight) else weight[y > 0].sum()) / n
        return float((1.0 - positive) * loss.value(-1.0, 0.0) + positive * loss.value(1.0, 0.0))
    if is_squared(loss):
        residual = y - offset if len(offset) else y
        weighted = residual * weight if len(weight) else residual
        return float(loss.value(1.0, 0.0) * np.einsum("i,i", weighted, residual) / n)
    bare = _without_columns(objective, 1)
    return bare.evaluate(bare.zeros()).loss


def losses_of_constant(objective: Objective, params: np.ndarray) -> np.ndarray:
    """The mean loss of each output at parameters whose coefficients are all zero, shape (n_outputs,)."""
    bare = _without_columns(objective, 1)
    return bare.mean_losses(np.ascontiguousarray(params[..., objective.n_features :]))


def best_constant(objective: Objective) -> float:
    """F of the best model with zero coefficients."""
    return float(best_intercepts(objective)[1].sum())


def best_intercepts(objective: Objective, every: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """The best intercept of each output at zero coefficients, and its mean loss, each of shape (n_outputs,).

    On every ``every``-th row. Intercepts are 0 where none is fitted.
    """
    bare = _without_columns(objective, every)
    if not objective.fit_intercept:
        return np.zeros(objective.n_outputs), bare.evaluate(bare.zeros()).losses
    if is_joint(objective.loss):
        best = _log_shares(bare)
        return best, bare.evaluate(best[:, None]).losses

    def losses_and_derivatives(b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        found = bare.evaluate(b[:, None] if objective.several else b)
        return np.nan_to_num(found.losses, nan=np.inf), found.gradient.ravel()

    targets = [bare.output_target(k) for k in range(objective.n_outputs)]
    centre, spread = np.array([(y.mean(), y.std() or 1.0) for y in targets]).T
    tried = np.sort(np.concatenate([np.tile(GRID, (len(centre), 1)).T, centre + np.outer(GRID, spread)]), axis=0)
    losses = np.array([losses_and_derivatives(b)[0] for b in tried])
    best, outputs = losses.argmin(axis=0), np.arange(objective.n_outputs)
    low, high = (tried[np.clip(best + by, 0, len(tried) - 1), outputs] for by in (-1, 1))
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        rising = losses_and_derivatives(middle)[1] > 0
        low, high = np.where(rising, low, middle), np.where(rising, middle, high)
    bisected, on_grid = 0.5 * (low + high), tried[best, outputs]
    is_lower = losses_and_derivatives(bisected)[0] < losses[best, outputs]  # maybe not, if the loss is not convex
    found = np.where(is_lower, bisected, on_grid)
    return found, losses_and_derivatives(found)[0]


def _log_shares(bare: Objective) -> np.ndarray:
    """Logarithms of the class frequencies, the best intercepts of softmax; a class without rows counts half a row."""
    weight = bare.targets.weight if len(bare.targets.weight) else None
    counts = np.bincount(bare.targets.y[:, 0].astype(np.intp), weight, bare.n_outputs)
    return np.log(np.maximum(counts, 0.5) / bare.n_samples)


def _without_columns(objective: Objective, every: int) -> Objective:
    """The mean loss as a function of the intercepts alone, on every ``every``-th row."""
    rows = objective.rows.without_columns(every)
    return Objective(
        rows,
        objective.loss,
        ElasticNet(),
        objective.fit_intercept,
        objective.n_outputs,
        passes=PassCounter(rows.n_samples),  # counted apart, since only targets are read
        parallel=objective.parallel,  # the kernel that F itself uses, so that no other is compiled
    )
