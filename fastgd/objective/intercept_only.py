"""The best constant model: zero coefficients and the best intercepts. Nothing here reads X."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ..kernels.outputs_gradient import is_joint
from ..terms.losses import is_squared, loss_traits
from ..terms.penalties import ElasticNet
from .intercept_search import Derivatives, LossAtIntercept, around_zero
from .objective import Objective
from .passes import PassCounter

# For a loss that may not be convex the best intercept is searched within ten spreads of the mean target and within 10
# of 0, where logits and logarithms lie, on about this many rows.
GRID = np.linspace(-10.0, 10.0, 21)
GRID_ROWS = 1024


class ConstantModel(NamedTuple):
    """The best intercept of each output at zero coefficients (0 where none is fitted) and its mean loss, (n_outputs,).

    ``losses_at_zero`` are the mean losses with intercepts of 0.
    """

    intercepts: np.ndarray
    losses: np.ndarray
    losses_at_zero: np.ndarray

    @property
    def objective(self) -> float:
        """F, summed over the outputs."""
        return float(self.losses.sum())


def best_constant(objective: Objective) -> ConstantModel:
    """The best constant model; zero is better than or as good as any other where no intercept is fitted."""
    if has_two_targets(objective) and objective.fit_intercept:
        return _best_of_two_targets(objective)
    at_zero = constant_losses(objective, np.zeros(objective.n_outputs))
    if not objective.fit_intercept:
        return ConstantModel(np.zeros(objective.n_outputs), at_zero, at_zero)
    if is_joint(objective.loss):
        best = _log_shares(objective)
    else:
        best = np.array([_best_intercept(objective, k) for k in range(objective.n_outputs)])
    losses = constant_losses(objective, best)
    is_better = losses < at_zero  # not so for NaN
    if is_joint(objective.loss):
        is_better[:] = losses.sum() < at_zero.sum()
    return ConstantModel(np.where(is_better, best, 0.0), np.where(is_better, losses, at_zero), at_zero)


def _best_of_two_targets(objective: Objective) -> ConstantModel:
    """The best constant model where targets are -1 or +1: their weights are counted once."""
    curvature, none = loss_traits(objective.loss).curvature, np.zeros(0)
    found = []
    for k in range(objective.n_outputs):
        at = _at_two_targets(objective, k)
        zero, best = at(0.0, none), at(_root(at, 0.0, 1.0, curvature), none)
        found.append((best.b, best.loss, zero.loss) if best.loss < zero.loss else (0.0, zero.loss, zero.loss))
    return ConstantModel(*np.array(found).T)


def constant_losses(objective: Objective, intercepts: np.ndarray) -> np.ndarray:
    """The mean loss of each output at zero coefficients, shape (n_outputs,)."""
    if has_two_targets(objective):
        at = [_at_two_targets(objective, k) for k in range(objective.n_outputs)]
        none = np.zeros(0)
        return np.array([at[k](float(b), none).loss for k, b in enumerate(intercepts)])
    if is_squared(objective.loss):
        return np.array([_mean_square(objective, k, float(b)) for k, b in enumerate(intercepts)])
    bare = _without_columns(objective)
    if objective.fit_intercept:
        return bare.evaluate(intercepts[:, None] if objective.several else intercepts).losses
    return bare.evaluate(bare.zeros()).losses


def _mean_square(objective: Objective, k: int, intercept: float) -> float:
    """The mean loss of output k of least squares at an intercept, without a kernel."""
    residual, offset, weight = (
        objective.output_target(k) - intercept,
        objective.targets.offset,
        objective.targets.weight,
    )
    if len(offset):
        residual -= offset
    weighted = residual * weight if len(weight) else residual
    return float(objective.loss.value(1.0, 0.0) * np.einsum("i,i", weighted, residual) / objective.n_samples)


def has_two_targets(objective: Objective) -> bool:
    """Whether all targets are -1 or +1, without an offset: two values then stand for all rows."""
    traits = loss_traits(objective.loss)
    return traits.classifies and not traits.joint and not len(objective.targets.offset)


def _best_intercept(objective: Objective, k: int) -> float:
    """The intercept of output k at which the mean derivative is zero; 0 where there is none."""
    traits, target, offset = loss_traits(objective.loss), objective.output_target(k), objective.targets.offset
    weight = objective.targets.weight if len(objective.targets.weight) else None
    mean = float(np.average(target, weights=weight))
    if traits.has_constant:
        guess = _constant_of_mean(objective, mean)
        if not len(offset):
            return guess
        guess, unit = guess - float(np.average(offset, weights=weight)), 1.0
    elif traits.classifies:
        guess, unit = 0.0, 1.0
    else:
        residual = target - offset if len(offset) else target
        guess, unit = float(np.average(residual, weights=weight)), float(residual.std()) or 1.0
    if not traits.convex:
        return _best_on_grid(objective, k, mean, float(target.std()) or 1.0)
    return _root(_at_all_rows(objective, k), guess, unit, traits.curvature)


def _constant_of_mean(objective: Objective, mean: float) -> float:
    try:
        return float(objective.loss.constant(mean))
    except ValueError:  # the logarithm of a mean of 0: there is no best constant
        return 0.0


def _root(at: LossAtIntercept, guess: float, unit: float, curvature: float | None) -> float:
    none = np.zeros(0)
    between = around_zero(at, at(guess, none), curvature or 1.0, unit)
    if between is None:
        return guess
    return min(between, key=lambda one: one.loss).b


def _at_two_targets(objective: Objective, k: int) -> LossAtIntercept:
    """The mean loss as a function of the intercept, from the weights of the targets -1 and +1."""
    positive, loss = _share_of_positive(objective, k), objective.loss

    def at(b: float, rows: np.ndarray) -> Derivatives:
        value, derivative = (
            (1.0 - positive) * float(of(-1.0, b)) + positive * float(of(1.0, b)) for of in (loss.value, loss.derivative)
        )
        return Derivatives(b, value, derivative, rows)

    return at


def _share_of_positive(objective: Objective, k: int) -> float:
    y, weight = objective.output_target(k), objective.targets.weight
    return float(weight[y > 0].sum() if len(weight) else np.count_nonzero(y > 0)) / objective.n_samples


def _at_all_rows(objective: Objective, k: int, every: int = 1) -> LossAtIntercept:
    """The mean loss of output k as a function of its intercept, by the kernel that F itself uses."""
    bare = _without_columns(objective, every)
    intercepts = np.zeros((bare.n_outputs, 1)) if bare.several else np.zeros(1)

    def at(b: float, rows: np.ndarray) -> Derivatives:
        intercepts[k] = b
        found = bare.evaluate(intercepts)
        loss, mean = float(found.losses[k]), float(found.gradient.ravel()[k])
        return Derivatives(b, math.inf if math.isnan(loss) else loss, mean, rows)

    return at


def _best_on_grid(objective: Objective, k: int, centre: float, spread: float) -> float:
    """The best intercept of a grid, improved around it by bisection of the mean derivative, on a part of the rows."""
    at, none = _at_all_rows(objective, k, max(objective.n_samples // GRID_ROWS, 1)), np.zeros(0)
    grid = np.sort(np.concatenate([GRID, centre + spread * GRID]))
    losses = [at(float(b), none).loss for b in grid]
    best = int(np.argmin(losses))
    low, high = (at(float(grid[min(max(best + by, 0), len(grid) - 1)]), none) for by in (-1, 1))
    if not low.mean < 0.0 < high.mean:
        return float(grid[best])
    between = around_zero(at, low, 1.0, high.b - low.b)
    if between is None or not min(one.loss for one in between) < losses[best]:
        return float(grid[best])
    return min(between, key=lambda one: one.loss).b


def _log_shares(objective: Objective) -> np.ndarray:
    """Logarithms of the class frequencies, the best intercepts of softmax; a class without rows counts half a row."""
    weight = objective.targets.weight if len(objective.targets.weight) else None
    counts = np.bincount(objective.targets.y[:, 0].astype(np.intp), weight, objective.n_outputs)
    return np.log(np.maximum(counts, 0.5) / objective.n_samples)


def _without_columns(objective: Objective, every: int = 1) -> Objective:
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
