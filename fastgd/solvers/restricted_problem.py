"""F of one output as a function of the coefficients of a working set: minimised by proximal Newton steps.

The steps read only the gathered columns. For least squares one step is exact. Many rows have a Hessian of a sample of
them. Source: Lee, Sun and Saunders, Proximal Newton-type methods for minimizing composite functions (2014).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..certificate.dual_point import derivatives_by_intercept
from ..kernels.second_derivatives import curvatures
from ..objective.gathered_columns import GatheredColumns
from ..objective.intercept_search import Derivatives
from ..objective.objective import Objective
from ..objective.penalty_terms import penalty_gradient, value_of
from ..terms.losses import is_squared, loss_traits
from .penalised_quadratic import PenalisedQuadratic, Separate

# Newton steps on one working set; they end earlier when the restricted gap is about this part of the whole gap.
MAX_STEPS, SMALL_GAP = 20, 0.02
TINY = 1e-300
# A Hessian is used again while each step promises at most this part of the one before; else the sample of its rows
# grows by this factor.
FAST_DECREASE, SAMPLE_GROWTH = 0.1, 2
# Minimum part of the promised decrease for a step to be kept (Armijo); it is halved at most so often.
SUFFICIENT_DECREASE, MAX_HALVINGS = 1e-2, 40
# Second derivatives are at least ``damping`` times their largest: a step that has to be cut raises it, a whole one
# lowers it. Losses with straight pieces, such as huber, have no minimum in a quadratic model otherwise.
FIRST_DAMPING, DAMPING_FACTOR, LEAST_DAMPING = 1e-3, 8.0, 1e-9
# Part of the largest gain of a first sweep to which a quadratic is minimised at least: a bound on what is left to gain
# may be far too large at first.
MODEL_PART = 1e-3
# Maximum columns for a Hessian of the working set, and per row: it ends in Newton's method, which saves up to 55 of 60
# passes where nearly as many columns are used as there are rows. Beyond, coordinate descent reads the columns.
MAX_HESSIAN_COLUMNS, MAX_COLUMNS_PER_ROW = 5000, 4


class Point(NamedTuple):
    """Coefficients of the working set, intercept of centred columns, z without it, and F with its derivatives."""

    w: np.ndarray
    b: float
    z: np.ndarray
    F: float
    rows: Derivatives


class Model(NamedTuple):
    """A quadratic model of the loss: the Hessian with the penalty, if it is small enough; the second derivatives of the
    rows and their sum, and the means of the columns weighted by them, at which the Hessian is centred.
    """

    whole: PenalisedQuadratic | None
    second: np.ndarray
    means: np.ndarray
    total: float


class RestrictedProblem:
    """F of output k over some columns."""

    def __init__(
        self,
        objective: Objective,
        k: int,
        columns: GatheredColumns,
        groups: np.ndarray | None,
        longest: float,
        seed: int,
    ) -> None:
        self.objective, self.k, self.columns, self.groups = objective, k, columns, groups
        self.longest, self.seed, self.sampling = longest, seed, 1
        numbers = columns.numbers
        self.penalty, self.factors = objective.penalty, objective.penalty_factors(k)[numbers]
        self.l2 = float(objective.penalty.derivative(1.0)) * self.factors
        self.squared = is_squared(objective.loss)

    def minimise(
        self, w: np.ndarray, b: float, gram: np.ndarray | None, remaining: float, enough: float, damping: float
    ) -> tuple[np.ndarray, float, float]:
        """The coefficients and the intercept at the minimum, and the damping to begin with the next time.

        ``gram`` is the Hessian where it is known; ``remaining`` what is left to gain over all columns; ``enough`` how
        exact F has to be in the end.
        """
        here, model, before = self._point(w, b), None, np.inf
        target = self._target(here, remaining, enough)
        for _ in range(1 if self.squared else MAX_STEPS):
            if model is None:
                model = self._model(here, gram, damping)
            step, db, promised = self._direction(here, model, 0.1 * target / max(len(w), 1))
            if not promised <= self._rounding(here):
                break
            here, length = self._line_search(here, step, db, promised, exact=self.squared)
            if length < 0.5:
                damping = min(max(damping * DAMPING_FACTOR, FIRST_DAMPING), 1.0)
            elif length >= 1.0:
                damping = damping / DAMPING_FACTOR if damping > LEAST_DAMPING else 0.0
            if -promised <= target or (length == 0.0 and damping == 1.0):
                break
            # The Hessian stays while steps with it converge quickly; a sample that does not is too small.
            if length < 1.0 or -promised > FAST_DECREASE * before:
                self.sampling *= 1 if np.isinf(before) or length < 1.0 else SAMPLE_GROWTH
                model = None
            before = -promised
        return here.w, here.b, damping

    def _target(self, here: Point, remaining: float, enough: float) -> float:
        """How little the last step may promise.

        A gap is of first order in the error of the gradient, F of second order: for a part c of a gap r, a step may
        promise about (c r)^2 / F.
        """
        left = max(remaining, enough) if np.isfinite(remaining) else abs(here.F)
        return min(SMALL_GAP * left, max((SMALL_GAP * left) ** 2 / max(abs(here.F), TINY), self._rounding(here) ** 2))

    def _point(self, w: np.ndarray, b: float, z: np.ndarray | None = None) -> Point:
        if z is None:
            offset = self.objective.targets.offset
            z = self.columns.predictor(w)
            z = z + offset if len(offset) else z
        rows = derivatives_by_intercept(self.objective, self.k, z)(b, np.empty_like(z))
        return Point(w, b, z, rows.loss + self._penalty(w), rows)

    def _penalty(self, w: np.ndarray) -> float:
        """The penalty of the working set; all other coefficients are zero."""
        objective, numbers = self.objective, self.columns.numbers
        weights = objective.penalty_weights
        if self.groups is None:
            part = weights[numbers] if len(weights) else weights
            return value_of(self.penalty, w, float(objective.strength[self.k]), part)
        whole = np.zeros(objective.n_features)
        whole[numbers] = w
        return value_of(self.penalty, whole, float(objective.strength[self.k]), weights)

    def _model(self, here: Point, gram: np.ndarray | None, damping: float) -> Model:
        """The quadratic model of the loss at a point."""
        second, intercept = self._second_derivatives(here, damping), self.objective.fit_intercept
        total, means = float(second.sum()), np.zeros(len(here.w))
        if not has_hessian(self.objective, len(here.w)):
            return Model(None, second, means, total)
        if gram is None:
            seed = None if self.squared else self.seed
            gram, means = self.columns.hessian(second, intercept, seed, self.sampling)
        elif intercept and total > 0.0:
            means = self.columns.products(second) / total
        whole = PenalisedQuadratic.of(gram + np.diag(self.l2), self.penalty, self.factors, self.groups)
        return Model(whole, second, means, total)

    def _direction(self, here: Point, model: Model, tol: float) -> tuple[np.ndarray, float, float]:
        """The step to the minimum of the quadratic model, and the change of F that it promises to first order."""
        intercept, mean = self.objective.fit_intercept, here.rows.mean
        slope = self.columns.products(here.rows.rows) / self.objective.n_samples
        w = here.w.copy()
        if model.whole is None:
            separate = Separate(self.columns, model.second, self.l2, intercept, self.penalty, self.factors, self.groups)
            db = separate.minimise(w, here.rows.rows / self.objective.n_samples, tol)
        else:
            gradient = slope - model.means * mean if intercept else slope.copy()
            gradient += penalty_gradient(self.penalty, here.w, self.factors)
            model.whole.minimise(w, gradient, MODEL_PART, tol)
            has_step = intercept and model.total > 0.0
            db = -mean / model.total - float(model.means @ (w - here.w)) if has_step else 0.0
        step = w - here.w
        promised = float(slope @ step) + (mean * db if intercept else 0.0)
        return step, db, promised + self._penalty(w) - self._penalty(here.w)

    def _second_derivatives(self, here: Point, damping: float) -> np.ndarray:
        """Of the mean loss, at least ``damping`` times their largest possible value."""
        objective, n = self.objective, self.objective.n_samples
        if self.squared:
            return float(objective.loss.curvature()) * objective.rows.weights / n
        out = second_derivatives(objective, self.k, here.z + here.b)
        weights = objective.rows.weights
        largest = loss_traits(objective.loss).curvature or float((out / weights).max())
        return np.asarray(np.maximum(out, damping * largest * weights) / n)

    @staticmethod
    def _rounding(here: Point) -> float:
        """A change of F below this is rounding: near the optimum such steps still improve the gradient."""
        return float(4.0 * np.finfo(np.float64).eps * abs(here.F))

    def _line_search(
        self, here: Point, step: np.ndarray, db: float, promised: float, exact: bool
    ) -> tuple[Point, float]:
        """The point at the longest step that decreases F enough; its length is 0 where none does."""
        dz, length, rounding = self.columns.predictor(step), self.longest, self._rounding(here)
        for _ in range(MAX_HALVINGS):
            w = here.w + length * step
            there = self._point(w, here.b + length * db, here.z + length * dz)
            if (exact and length == 1.0) or here.F + SUFFICIENT_DECREASE * length * promised + rounding >= there.F:
                return there, length
            length *= 0.5
        return here, 0.0


def has_hessian(objective: Objective, n_columns: int) -> bool:
    """Whether a working set is small enough to make the Hessian of its columns."""
    return n_columns <= min(MAX_COLUMNS_PER_ROW * objective.n_samples, MAX_HESSIAN_COLUMNS)


def second_derivatives(objective: Objective, k: int, z: np.ndarray) -> np.ndarray:
    """Weighted second derivatives of the losses of output k at the linear predictors, at least 0."""
    out = np.empty_like(z)
    targets = objective.targets._replace(y=objective.output_target(k), one_vs_rest=False)
    curvatures(targets, z, objective.loss, 0.0, 1.0, out)
    return out
