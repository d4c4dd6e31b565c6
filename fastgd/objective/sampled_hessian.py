"""The Hessian of F on a sample of the rows, in scaled variables, corrected for columns that are rare in the sample."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

from ..data.feature_matrix import as_scipy, squared
from ..kernels.column_moments import sizes_of_columns
from ..kernels.row_access import CSR
from ..kernels.row_targets import Targets
from ..kernels.second_derivatives import curvatures, curvatures_of_outputs
from ..terms.losses import Softmax, is_squared
from ..terms.penalties import is_smooth
from .factored_hessian import FactoredHessian
from .gathered_columns import products_with_all
from .gram import CENTRED_ROWS, centred_blocks, gram
from .linear_predictor import predict_linear
from .objective import Objective
from .scaled_objective import ScaledObjective

# This part of each diagonal entry is added to it (of the largest, where an entry is 0), since columns may be linearly
# dependent. Relative to the largest entry, it would hide all columns beside one of huge values.
RIDGE = 1e-13
# Minimum products of dense columns for a Hessian in float32, and the minimum squared pivot of its Cholesky factor,
# relative to the diagonal: below it columns are so nearly dependent that rounding would dominate the result.
MIN_FLOAT32_PRODUCTS, MIN_SQUARED_PIVOT = 1 << 22, 1e-3
# Maximum parameters of all outputs together for the whole Hessian of softmax.
MAX_COUPLED_PARAMETERS = 1400
# The losses of all rows have about the same curvature if none exceeds this many times the mean.
MAX_CURVATURE_RATIO = 2.0
# Minimum rows with curvature, per parameter. If the losses of most rows are flat, as huber's far beyond its delta,
# second derivatives are taken over steps that grow by WIDENING until enough rows have some, or up to MAX_WIDTH.
MIN_CURVED_ROWS, WIDENING, MAX_WIDTH = 4, 4.0, 1e24
# Minimum effective sample size of a column, (sum |x|)^2 / sum x^2, for its spread in the sample to count; rows that are
# enough to show it for most columns.
MIN_EFFECTIVE_ROWS, SCREENING_ROWS = 10, 256


class HessianSample:
    """A sample of the rows of an objective, for Hessians of F; it may be all rows.

    Attributes
    ----------
    whole : F on all rows, in scaled variables.
    scaled : F on the sample, in the same variables.
    is_all : whether the sample is all rows.
    """

    def __init__(self, whole: ScaledObjective, sample: Objective) -> None:
        self.whole, self.objective = whole, sample
        self.is_all = sample is whole.objective
        self.scaled = whole if self.is_all else whole.on(sample)

    @classmethod
    def draw(cls, whole: ScaledObjective, size: int, seed: int) -> HessianSample:
        """A sample of ``size`` random rows, or of all rows if there are no more."""
        return cls(whole, whole.objective.sample(size, seed))

    def every(self, step: int) -> HessianSample:
        """Every ``step``-th row of the sample."""
        rows = self.objective.rows.take(np.arange(0, self.objective.n_samples, step))
        self.objective.passes.add(rows.n_samples)
        return HessianSample(self.whole, self.objective.on(rows))

    def hessian(self, params: np.ndarray) -> FactoredHessian:
        """The Hessian of F in scaled variables, with a small ridge: a block for each output, or see `couples`."""
        p, z = self.scaled.shape[1], self._predictors_for_curvature(params)
        large = self.objective.n_samples * p * p >= MIN_FLOAT32_PRODUCTS and not self.objective.sparse
        if large and not self.couples:
            hessian = FactoredHessian.of(self.matrices(z, RIDGE, in_float32=True))
            if are_independent(hessian):
                return hessian
        return FactoredHessian.of(self.matrices(z, RIDGE))

    @property
    def couples(self) -> bool:
        """Whether the Hessian is one matrix for all outputs together: for softmax, if that is not too large.

        Otherwise the part of softmax's Hessian that couples its outputs is left out.
        """
        objective = self.objective
        size = objective.n_outputs * objective.n_parameters
        return isinstance(objective.loss, Softmax) and size <= MAX_COUPLED_PARAMETERS

    def matrices(self, z: np.ndarray | None, ridge: float, in_float32: bool = False) -> np.ndarray:
        """The Hessian, (n_outputs, n_parameters, n_parameters), or one matrix for all outputs together.

        ``z`` are the linear predictors, see `predictors`. ``ridge`` is relative, see `RIDGE`.
        """
        n_outputs, p = self.scaled.shape
        curvature = self._curvatures_at(z)
        if self.couples:
            assert z is not None
            return self._coupled(z, curvature, ridge)
        matrices = np.empty((n_outputs, p, p))
        are_equal = bool((curvature == curvature[:, :1]).all())
        matrices[:] = self._products(curvature[:, :1] if are_equal else curvature, in_float32)
        diagonals = np.einsum("kii->ki", matrices)
        diagonals[:] = self._corrected_diagonal(diagonals, curvature, ridge)
        return matrices

    def _coupled(self, z: np.ndarray, curvature: np.ndarray, ridge: float) -> np.ndarray:
        """Softmax's Hessian of all parameters: blocks k, l of -sum_i s_i p_ik p_il x_i x_i' off the diagonal."""
        n_outputs, p = self.scaled.shape
        pairs = [(k, j) for k in range(n_outputs) for j in range(k)]
        shares, weights = softmax_shares(z), self.objective.rows.weights
        between = np.column_stack([weights * shares[:, k] * shares[:, j] for k, j in pairs])
        products = self._products(np.concatenate([curvature, between], axis=1), in_float32=False)
        blocks = products[:n_outputs]
        diagonals = np.einsum("kii->ki", blocks)
        diagonals[:] = self._corrected_diagonal(diagonals, curvature, ridge)
        whole = np.zeros((n_outputs, p, n_outputs, p))
        for k, block in enumerate(blocks):
            whole[k, :, k] = block
        for (k, j), product in zip(pairs, products[n_outputs:], strict=True):
            whole[k, :, j] = whole[j, :, k] = -product
        self._bend_flat_directions(whole, diagonals)
        return whole.reshape(1, n_outputs * p, n_outputs * p)

    def _bend_flat_directions(self, whole: np.ndarray, diagonals: np.ndarray) -> None:
        """Give softmax curvature along its flat directions, in which no step is needed.

        It is flat where the same is added to the coefficients of all classes. There the gradient is rounding, which a
        penalty does not keep from becoming a long step.
        """
        objective = self.objective
        free = np.ones(self.scaled.shape[1], bool)
        has_penalty = self.scaled.penalty_curvature().any(axis=0) if is_smooth(objective.penalty) else True
        free[: objective.n_features] &= np.logical_not(has_penalty)
        for j in np.flatnonzero(free):
            whole[:, j, :, j] += diagonals[:, j].mean() / objective.n_outputs

    def has_even_curvature(self, params: np.ndarray) -> bool:
        """Whether the losses of all rows have about the same curvature."""
        curvature = self._curvatures(params)
        return bool(curvature.max() <= MAX_CURVATURE_RATIO * curvature.mean())

    def has_flat_losses(self, params: np.ndarray) -> bool:
        """Whether the losses of some rows have no curvature."""
        return not bool(self._curvatures(params).all())

    def diagonal(self, params: np.ndarray) -> np.ndarray:
        """The diagonal of the Hessian alone, (n_outputs, n_parameters)."""
        curvature = self._curvatures(params)
        return self._corrected_diagonal(self._diagonal_of_losses(curvature), curvature)

    def _diagonal_of_losses(self, curvature: np.ndarray) -> np.ndarray:
        self.objective.count_pass(2.0 if self.objective.sparse else 1.0)
        objective, shift, d = self.objective, self.scaled.shift, self.objective.n_features
        mean = curvature.mean(axis=0)
        diagonal = np.empty(self.scaled.shape)
        diagonal[:, d:] = mean[:, None]
        if isinstance(objective.X, CSR):
            X: Any = as_scipy(objective.X)
            moments = (curvature.T @ squared(objective.X) - 2.0 * (curvature.T @ X) * shift) / objective.n_samples
            moments = np.maximum(moments + np.outer(mean, shift**2), 0.0)
        else:
            moments, first = np.zeros((objective.n_outputs, d)), 0
            for block in centred_blocks(objective.X, shift):
                block *= block
                moments += curvature[first : first + len(block)].T @ block
                first += len(block)
            moments /= objective.n_samples
        diagonal[:, :d] = moments * self.scaled.scale**2
        return diagonal

    def products(self, z: np.ndarray) -> tuple[Callable[[np.ndarray], np.ndarray], np.ndarray]:
        """A function for the product of the Hessian and a change of the scaled variables, and the diagonal.

        ``z`` are the linear predictors. Without a ridge; a product takes two passes over the sample.
        """
        curvature = self._curvatures_at(z)
        of_losses = self._diagonal_of_losses(curvature)
        diagonal = self._corrected_diagonal(of_losses, curvature, ridge=0.0)
        objective, scaled = self.objective, self.scaled
        shares = softmax_shares(z) if isinstance(objective.loss, Softmax) else None

        def product(change: np.ndarray) -> np.ndarray:
            along = self.predictors(scaled.moved(np.zeros_like(change), change))
            if shares is None:
                rows = curvature * along
            else:
                rows = objective.rows.weights[:, None] * shares * (along - (shares * along).sum(axis=1, keepdims=True))
            objective.count_pass()
            mean, out = rows.mean(axis=0), np.empty_like(change)
            d = objective.n_features
            out[:, :d] = (products_with_all(objective, rows.T) - np.outer(mean, scaled.shift)) * scaled.scale
            out[:, d:] = mean[:, None]
            return np.asarray(out + (diagonal - of_losses) * change)

        return product, diagonal

    def curvature_along(self, params: np.ndarray, change: np.ndarray) -> float:
        """The second derivative of F in the direction ``change`` of the scaled variables."""
        along = self.predictors(self.scaled.moved(np.zeros_like(params), change))
        by_penalty = self.scaled.penalty_curvature() * change[:, : self.objective.n_features] ** 2
        z = self._predictors_for_curvature(params)
        return self.loss_curvature_along(z, along) + float(by_penalty.sum())

    def loss_curvature_along(self, z: np.ndarray | None, along: np.ndarray) -> float:
        """The second derivative of the mean loss at linear predictors z as these change by ``along``."""
        if z is None or not isinstance(self.objective.loss, Softmax):
            return float((self._curvatures_at(z) * along**2).mean(axis=0).sum())
        shares = softmax_shares(z)
        each = (shares * along**2).sum(axis=1) - (shares * along).sum(axis=1) ** 2
        return float(self.objective.rows.weights @ each) / self.objective.n_samples

    def _products(self, curvature: np.ndarray, in_float32: bool) -> np.ndarray:
        """X' diag(c) X / n in scaled variables, the intercept a column of ones, for each column c of ``curvature``."""
        objective, scaled = self.objective, self.scaled
        objective.count_pass()
        shares = curvature / objective.n_samples
        return gram(objective.X, shares, scaled.shift, objective.fit_intercept, scaled.scale, in_float32)

    def _curvatures(self, params: np.ndarray) -> np.ndarray:
        """Weighted second derivatives of the losses in their linear predictors, (n_rows, n_outputs)."""
        return self._curvatures_at(self._predictors_for_curvature(params))

    def _predictors_for_curvature(self, params: np.ndarray) -> np.ndarray | None:
        """The linear predictors; None if the second derivatives of the losses are the same everywhere."""
        return None if is_squared(self.objective.loss) else self.predictors(params)

    def _curvatures_at(self, z: np.ndarray | None) -> np.ndarray:
        objective = self.objective
        if is_squared(objective.loss):  # the same everywhere
            return np.outer(objective.rows.weights, np.full(objective.n_outputs, objective.loss.curvature()))
        assert z is not None
        if isinstance(objective.loss, Softmax):
            shares = softmax_shares(z)
            return np.asarray(objective.rows.weights[:, None] * shares * (1.0 - shares))
        offset = objective.targets.offset
        return self._second_derivatives(z + offset[:, None] if len(offset) else z, objective.targets)

    def _second_derivatives(self, z: np.ndarray, targets: Targets) -> np.ndarray:
        """Weighted second derivatives of the losses at z, (n_rows, n_outputs); of smoothed losses if most are flat.

        Source: Huber, Robust statistics (1981), section 7.8, whose weights delta / |r| are such difference quotients.
        """
        objective, out, work = self.objective, np.empty_like(z), np.zeros((3, self.objective.n_outputs))
        enough, width = MIN_CURVED_ROWS * objective.n_parameters * objective.n_outputs, 1.0
        while True:
            if objective.several:
                n_flat = curvatures_of_outputs(targets, z, objective.loss, width, work[0], work[1], work[2], out)
            else:
                n_flat = curvatures(targets, z[:, 0], objective.loss, 0.0, width, out[:, 0])
            if np.count_nonzero(out) >= min(n_flat, enough) or width >= MAX_WIDTH:
                return out
            width *= WIDENING

    def predictors(self, params: np.ndarray) -> np.ndarray:
        """Linear predictors without offsets, (n_rows, n_outputs)."""
        coef, intercept = self.objective.split(np.atleast_2d(params))
        if not coef.any():
            return np.tile(intercept, (self.objective.n_samples, 1))
        self.objective.count_pass()
        return predict_linear(self.objective.X, coef, intercept)

    def _corrected_diagonal(self, diagonal: np.ndarray, curvature: np.ndarray, ridge: float = RIDGE) -> np.ndarray:
        """The diagonal with rare columns corrected, the curvature of the penalty and the ridge."""
        filled, d = diagonal.copy(), self.objective.n_features
        rare = self._rare_columns
        if len(rare):
            filled[:, rare] = np.maximum(filled[:, rare], np.outer(curvature.mean(axis=0), self._mean_squares(rare)))
        filled[:, :d] += self.scaled.penalty_curvature()
        largest = np.maximum(filled.max(axis=1, keepdims=True), np.finfo(np.float64).tiny)
        return np.asarray(filled + ridge * np.where(filled > 0.0, filled, largest))

    @cached_property
    def _rare_columns(self) -> np.ndarray:
        """Indices of columns with too few effective rows in the sample."""
        if self.is_all:
            return np.zeros(0, np.intp)
        X, shift = self.objective.X, self.scaled.shift
        if isinstance(X, CSR):
            self.objective.count_pass()
            return np.flatnonzero(effective_rows(X, shift) < MIN_EFFECTIVE_ROWS)
        part = X[:: max(len(X) // SCREENING_ROWS, 1)]
        self.objective.passes.add(len(part))
        suspects = np.flatnonzero(effective_rows(part, shift) < MIN_EFFECTIVE_ROWS)
        self.objective.count_pass(len(suspects) / X.shape[1])
        return suspects[effective_rows(X[:, suspects], shift[suspects]) < MIN_EFFECTIVE_ROWS]

    def _mean_squares(self, columns: np.ndarray) -> np.ndarray:
        """Mean squares of ``columns`` over all rows, in scaled variables; an upper bound for sparse X."""
        whole, shift, scale = self.whole.objective, self.scaled.shift[columns], self.scaled.scale[columns]
        if whole.sparse:
            return np.asarray((whole.mean_squares[columns] + shift**2) * scale**2)
        whole.count_pass(len(columns) / whole.n_features)
        X: Any = whole.X
        return np.asarray((((X[:, columns] - shift) * scale) ** 2).mean(axis=0))


def softmax_shares(z: np.ndarray) -> np.ndarray:
    """The probability of each class, (n_rows, n_outputs)."""
    shares = np.exp(z - z.max(axis=1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))


def are_independent(hessian: FactoredHessian) -> bool:
    """Whether the columns are far from linearly dependent."""
    if not hessian.positive_definite.all():
        return False
    pivots, diagonals = np.einsum("kii->ki", hessian.factors), np.einsum("kii->ki", hessian.matrices)
    return bool((pivots**2 >= MIN_SQUARED_PIVOT * diagonals).all())


def effective_rows(X: np.ndarray | CSR, shift: np.ndarray) -> np.ndarray:
    """Effective sample size of each column, (sum |x|)^2 / sum x^2: n if all |x| are equal, 1 for a single non-zero.

    Dense columns are centred by ``shift``, sparse columns are not. A column of heavy tails has many effective rows: its
    small values are most of the sum.
    """
    sums, squares = np.zeros((2, len(shift)))
    if isinstance(X, CSR):
        sizes_of_columns(X, sums, squares)
    else:
        ones = np.ones(CENTRED_ROWS)
        for block in centred_blocks(X, shift):
            np.abs(block, out=block)
            sums += ones[: len(block)] @ block
            block *= block
            squares += ones[: len(block)] @ block
    return np.divide(sums**2, squares, out=np.zeros_like(sums), where=squares > 0)
