"""What models lose that are a constant, an intercept alone: zero, and the best one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..data.feature_matrix import without_columns
from ..kernels.outputs_gradient import is_joint
from ..terms.losses import is_squared
from .problem import Problem

# The best constant lies within ten spreads of the mean target; logits and logarithms within 10 of zero, or near it.
GRID = np.linspace(-10.0, 10.0, 21)
# Around the best of those the slope is halved in on so often: to a millionth of a step of the grid.
HALVINGS = 20


def loss_at_zero(problem: Problem) -> float:
    """Mean loss of a single output where all weights are zero, which takes no look at X."""
    y, weight, offset = problem.targets.y, problem.targets.weight, problem.targets.offset
    loss, n = problem.loss, problem.n_samples
    if getattr(loss, "classifies", False) and not len(offset):
        positive = float(np.count_nonzero(y > 0) if not len(weight) else weight[y > 0].sum()) / n
        return float((1.0 - positive) * loss.value(-1.0, 0.0) + positive * loss.value(1.0, 0.0))
    if is_squared(loss):
        residual = y - offset if len(offset) else y
        weighted = residual * weight if len(weight) else residual
        return float(loss.value(1.0, 0.0) * np.einsum("i,i", weighted, residual) / n)
    bare = _bare(problem, 1)
    return bare.gradient(bare.zeros())[0]


def best_constant(problem: Problem) -> float:
    """F of the best model that is an intercept alone, at zero weights."""
    return float(best_intercepts(problem)[1].sum())


def best_intercepts(problem: Problem, every: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """The best intercept of each output at zero weights, and its mean loss there; zero where it has none.

    Shapes (n_outputs,); on one in ``every`` so many of the rows. It takes no look at X.
    """
    bare = _bare(problem, every)
    if not problem.fit_intercept:
        bare.gradient(bare.zeros())
        return np.zeros(problem.n_outputs), bare.losses.copy()
    if is_joint(problem.loss):
        best = _log_shares(bare)
        bare.gradient(best[:, None])
        return best, bare.losses.copy()

    def at(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        _, slopes = bare.gradient(z[:, None] if problem.several else z)
        return np.nan_to_num(bare.losses, nan=np.inf), slopes.ravel().copy()

    targets = [bare.output_target(k) for k in range(problem.n_outputs)]
    centre, spread = np.array([(y.mean(), y.std() or 1.0) for y in targets]).T
    tried = np.sort(np.concatenate([np.tile(GRID, (len(centre), 1)).T, centre + np.outer(GRID, spread)]), axis=0)
    losses = np.array([at(z)[0] for z in tried])
    best, outputs = losses.argmin(axis=0), np.arange(problem.n_outputs)
    low, high = (tried[np.clip(best + by, 0, len(tried) - 1), outputs] for by in (-1, 1))
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        rising = at(middle)[1] > 0
        low, high = np.where(rising, low, middle), np.where(rising, middle, high)
    between, found = 0.5 * (low + high), tried[best, outputs]
    lower = at(between)[0] < losses[best, outputs]  # not so where the loss has more than one minimum
    found = np.where(lower, between, found)
    return found, at(found)[0]


def _log_shares(bare: Problem) -> np.ndarray:
    """Of the classes: by these z softmax has them as its probabilities. A class of no rows counts for half a row."""
    weight = bare.targets.weight if len(bare.targets.weight) else None
    counts = np.bincount(bare.targets.y[:, 0].astype(np.intp), weight, bare.n_outputs)
    return np.log(np.maximum(counts, 0.5) / bare.n_samples)


def _bare(problem: Problem, every: int) -> Problem:
    """The problem without its columns, on one in ``every`` so many rows."""
    targets = problem.targets.every(every) if every > 1 else problem.targets
    X = without_columns(problem.X, len(targets.y))
    bare = replace(problem, X=X, targets=targets, rows=None, validation=None, feature_names=None)
    bare.parallel = problem.parallel  # a kernel that the problem's own gradient takes as well
    return bare
