"""Rows drawn from the problem, on which the curvature of F is quick to see."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from ..data.feature_matrix import as_scipy, squared, take_rows
from ..kernels.column_moments import powers_of_columns
from ..kernels.row_access import CSR
from ..kernels.row_targets import Targets
from ..kernels.second_derivatives import curvatures, curvatures_of_outputs
from ..solvers.quasi_newton import Hessian
from ..terms.losses import is_squared
from .gram import CENTRED_ROWS, centred_blocks, gram
from .problem import Problem, predict_linear
from .scaled import Scaled

# What a Hessian has on its diagonal at least, as a part of the largest there: columns may depend on each other.
FLOOR = 1e-10
# A Hessian of so many products of dense columns is made in float32, unless they depend on each other so nearly that
# they would drown in rounding: where some combination of them, each of length one, has a square below this.
ROUGH_FROM, DEPENDENT = 1 << 22, 1e-3
# The losses of rows curve about as much where none does so more than so many times as much as they do in the mean.
MOST_CURVED = 2.0
# Where the losses of most rows are flat, as huber's are far beyond its delta, and fewer curve than so many times the
# parameters, second derivatives are taken over steps so many times wider, and wider again.
FEWEST_CURVED_ROWS, WIDER, WIDEST = 4, 4.0, 1e24
# A column in which fewer rows of the sample than this do all the work says too little of itself.
FEWEST_WORKING_ROWS, SOME_ROWS = 10, 256


class Sample:
    """Rows X of the problem behind a `Scaled`, of these numbers; they may be all.

    Attributes
    ----------
    scaled : the problem on these rows alone.
    share : their part of all rows.
    """

    def __init__(self, whole: Scaled, rows: np.ndarray, X: np.ndarray | CSR) -> None:
        self.whole, self.rows = whole, rows
        self.share = len(rows) / whole.problem.n_samples
        self.scaled = whole if self.is_all else Scaled(_problem_on(whole.problem, rows, X), whole.stepper)
        self.problem = self.scaled.problem

    @classmethod
    def draw(cls, whole: Scaled, size: int, seed: int) -> Sample:
        """Random rows, all where there are no more than ``size``."""
        return cls(whole, *whole.problem.draw(size, seed))

    def every(self, step: int) -> Sample:
        """One in so many of these rows."""
        return Sample(self.whole, self.rows[::step], take_rows(self.problem.X, np.arange(0, len(self.rows), step)))

    @property
    def is_all(self) -> bool:
        return self.share == 1.0

    def hessian(self, params: np.ndarray) -> Hessian:
        """That of F in scaled variables.

        What softmax's outputs have in common is left out.
        """
        n_outputs, p = self.scaled.shape
        curvature = self._curvatures(params)
        alike = bool((curvature == curvature[:, :1]).all())
        matrices = np.empty((n_outputs, p, p))
        many = len(curvature) * p * p >= ROUGH_FROM and not isinstance(self.problem.X, CSR)
        for rough in (True, False) if many else (False,):
            matrices[:] = self._products(curvature[:, :1] if alike else curvature, rough)
            np.einsum("kii->ki", matrices)[:] = self._filled_up(np.einsum("kii->ki", matrices), curvature)
            hessian = Hessian(matrices)
            if rough and independent(hessian):
                break
        return hessian

    def curvatures_at_zero(self, every: int) -> np.ndarray:
        """The mean second derivative of one in so many rows' losses, in each output, at zero weights: (n_outputs,)."""
        targets = self.problem.targets.every(every)
        z = np.zeros((len(targets.y), self.problem.n_outputs))
        if len(targets.offset):
            z += targets.offset[:, None]
        return np.asarray(self._second_derivatives(z, targets).mean(axis=0))

    def curves_evenly(self, params: np.ndarray) -> bool:
        """Whether the losses of all rows curve about as much."""
        curvature = self._curvatures(params)
        return bool(curvature.max() <= MOST_CURVED * curvature.mean())

    def diagonal(self, params: np.ndarray) -> np.ndarray:
        """The Hessian's diagonal alone, (n_outputs, n_parameters)."""
        curvature, problem = self._curvatures(params), self.problem
        shift, scale, d = self.scaled.shift, self.scaled.scale, problem.n_features
        X: Any = as_scipy(problem.X)
        mean = curvature.mean(axis=0)
        diagonal = np.empty(self.scaled.shape)
        diagonal[:, d:] = mean[:, None]
        moments = (curvature.T @ squared(problem.X) - 2.0 * (curvature.T @ X) * shift) / problem.n_samples
        diagonal[:, :d] = np.maximum(moments + np.outer(mean, shift**2), 0.0) * scale**2
        return self._filled_up(diagonal, curvature)

    def curvature_along(self, params: np.ndarray, change: np.ndarray) -> float:
        """The second derivative of F along a ``change`` of the scaled variables."""
        z = self._predictors(self.scaled.moved(np.zeros_like(params), change))
        by_penalty = self.scaled.smooth_curvature() * change[:, : self.problem.n_features] ** 2
        return float((self._curvatures(params) * z**2).mean(axis=0).sum() + by_penalty.sum())

    def _products(self, curvature: np.ndarray, rough: bool) -> np.ndarray:
        """X' C X / n in scaled variables, the intercept a column of ones, for each column C of ``curvature``."""
        problem, scaled = self.problem, self.scaled
        shares = curvature / problem.n_samples
        return gram(problem.X, shares, scaled.shift, problem.fit_intercept, scaled.scale, rough)

    def _curvatures(self, params: np.ndarray) -> np.ndarray:
        """Second derivatives of the rows' losses in their linear predictors, (n_rows, n_outputs)."""
        problem = self.problem
        if is_squared(problem.loss):  # the same everywhere
            weight = problem.targets.weight if len(problem.targets.weight) else np.ones(problem.n_samples)
            return np.outer(weight, np.full(problem.n_outputs, problem.loss.curvature()))
        z = self._predictors(params)
        if len(problem.targets.offset):
            z += problem.targets.offset[:, None]
        return self._second_derivatives(z, problem.targets)

    def _second_derivatives(self, z: np.ndarray, targets: Targets) -> np.ndarray:
        """Of the rows' losses in z, (n_rows, n_outputs); of the losses made smooth, where most rows' are flat.

        Source: Huber, Robust statistics (1981), section 7.8, whose weights delta / |r| are such difference quotients.
        """
        problem, out, work = self.problem, np.empty_like(z), np.zeros((3, self.problem.n_outputs))
        enough, wider = FEWEST_CURVED_ROWS * problem.n_parameters * problem.n_outputs, 1.0
        while True:
            if problem.several:
                n_flat = curvatures_of_outputs(targets, z, problem.loss, wider, work[0], work[1], work[2], out)
            else:
                n_flat = curvatures(targets, z[:, 0], problem.loss, 0.0, wider, out[:, 0])
            if np.count_nonzero(out) >= min(n_flat, enough) or wider >= WIDEST:
                return out
            wider *= WIDER

    def _predictors(self, params: np.ndarray) -> np.ndarray:
        """Linear predictors without offsets, (n_rows, n_outputs)."""
        problem, d = self.problem, self.problem.n_features
        weights = np.atleast_2d(params)
        if not params.any():
            return np.zeros((problem.n_samples, len(weights)))
        intercept = weights[:, d] if problem.fit_intercept else np.zeros(len(weights))
        return predict_linear(problem.X, weights[:, :d], intercept)

    def _filled_up(self, diagonal: np.ndarray, curvature: np.ndarray) -> np.ndarray:
        """A diagonal with what the sample does not show: the penalty, rare columns, and a floor."""
        filled, d = diagonal.copy(), self.problem.n_features
        rare = self._rare_columns
        if len(rare):
            filled[:, rare] = np.maximum(filled[:, rare], np.outer(curvature.mean(axis=0), self._moments(rare)))
        filled[:, :d] += self.scaled.smooth_curvature()
        return np.asarray(filled + FLOOR * np.maximum(filled.max(axis=1, keepdims=True), np.finfo(np.float64).tiny))

    @cached_property
    def _rare_columns(self) -> np.ndarray:
        """Numbers of the columns that the sample says too little of."""
        if self.is_all:
            return np.zeros(0, np.intp)
        X, shift = self.problem.X, self.scaled.shift
        if isinstance(X, CSR):
            return np.flatnonzero(working_rows(X, shift) < FEWEST_WORKING_ROWS)
        some = X[:: max(len(X) // SOME_ROWS, 1)]  # will do for most columns
        suspects = np.flatnonzero(working_rows(some, shift) < FEWEST_WORKING_ROWS)
        return suspects[working_rows(X[:, suspects], shift[suspects]) < FEWEST_WORKING_ROWS]

    def _moments(self, columns: np.ndarray) -> np.ndarray:
        """Mean squares of some columns over all rows, in scaled variables; of sparse ones a little more."""
        problem, shift, scale = self.whole.problem, self.scaled.shift[columns], self.scaled.scale[columns]
        if isinstance(problem.X, CSR):
            return np.asarray((problem.mean_squares[columns] + shift**2) * scale**2)
        return np.asarray((((problem.X[:, columns] - shift) * scale) ** 2).mean(axis=0))


def independent(hessian: Hessian) -> bool:
    """Whether no combination of columns, each of length one, is next to nothing: a Hessian has all their products."""
    return all(
        factor is not None and bool((np.diag(factor) ** 2 >= DEPENDENT * np.diag(matrix)).all())
        for matrix, factor in zip(hessian.matrices, hessian.factors, strict=True)
    )


def working_rows(X: np.ndarray | CSR, shift: np.ndarray) -> np.ndarray:
    """How many rows do the work in each column: n where all have the same size, 1 where one has it all.

    Sparse columns are taken as they are, dense ones from their ``shift``.
    """
    squares, fourths = np.zeros((2, len(shift)))
    if isinstance(X, CSR):
        powers_of_columns(X, squares, fourths)
    else:
        ones = np.ones(CENTRED_ROWS)
        for block in centred_blocks(X, shift):
            block *= block
            squares += ones[: len(block)] @ block
            block *= block
            fourths += ones[: len(block)] @ block
    return np.divide(squares**2, fourths, out=np.zeros_like(squares), where=fourths > 0)


def _problem_on(problem: Problem, rows: np.ndarray, X: np.ndarray | CSR) -> Problem:
    """The problem on some rows X, whose weights are taken as they are."""
    targets = problem.targets
    weight, offset = (part[rows] if len(part) else part for part in (targets.weight, targets.offset))
    some = targets._replace(y=np.ascontiguousarray(targets.y[rows]), weight=weight, offset=offset)
    part = replace(problem, X=X, targets=some)
    part.strength[:], part.rate_shares[:] = problem.strength, problem.rate_shares
    part.parallel = problem.parallel  # a few rows take no longer than to compile the kernel for one thread as well
    return part
