"""`Ridge`, `Lasso`, `ElasticNet` and `QuantileRegressor` with the objectives and parameters of scikit-learn's own."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn import linear_model

from ..terms.losses import LOSSES
from .drop_in import (
    SMALLEST_TOLERANCE,
    Fitted,
    WithoutArrayAPI,
    gradient_tolerance,
    minimise,
    start_of,
    total_weight,
    with_remark,
)
from .input_checks import checked_data, weights_of_rows

HALF_SQUARED = LOSSES["half_squared"]()
DIRECT_SOLVERS = ("auto", "svd", "cholesky")  # of Ridge: exact, whatever ``tol`` is


class Ridge(WithoutArrayAPI, linear_model.Ridge):  # type: ignore[misc]
    """Least squares with an l2 penalty: ``sum_i s_i (y_i - x_i . w - b)^2 + alpha |w|^2``.

    Parameters, attributes and meanings are those of `sklearn.linear_model.Ridge`; ``result_`` is the `fastgd.Result`.
    ``solver`` and ``random_state`` choose no solver: fastgd takes its own, see ``result_.remarks``. With
    ``positive=True`` scikit-learn's solver fits.
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """Fit; shapes as in scikit-learn."""
        if self.positive:
            return super().fit(X, y, sample_weight)
        self._validate_params()
        X, y = checked_data(self, X, y, numeric=True, keep_column=True)
        weights = None if sample_weight is None else weights_of_rows(sample_weight, X)
        columns = y.reshape(len(y), -1)
        alphas = np.asarray(self.alpha, dtype=np.float64).ravel()
        if alphas.size not in (1, columns.shape[1]):
            raise ValueError(f"Number of targets and number of penalties do not correspond: {alphas.size} != "
                             f"{columns.shape[1]}")  # fmt: skip
        tol = SMALLEST_TOLERANCE if self.solver in DIRECT_SOLVERS else gradient_tolerance(self.tol)
        total = total_weight(X, weights)

        def fitted(target: np.ndarray, alpha: float) -> Fitted:
            return minimise(
                X, target, weights, loss=HALF_SQUARED, l2=alpha / total, fit_intercept=self.fit_intercept, tol=tol,
                max_iter=self.max_iter,
            )  # fmt: skip

        if y.ndim == 1 or (alphas == alphas[0]).all():
            fits = [fitted(y if columns.shape[1] > 1 else columns[:, 0], alphas[0])]
        else:
            fits = [fitted(column, alpha) for column, alpha in zip(columns.T, alphas, strict=True)]
        coef = np.concatenate([np.atleast_2d(one.coef) for one in fits])
        intercept = np.concatenate([np.atleast_1d(one.intercept) for one in fits])
        self.coef_ = coef[0] if y.ndim == 1 else coef
        self.intercept_ = (intercept[0] if y.ndim == 1 else intercept) if self.fit_intercept else 0.0
        self.n_iter_ = np.repeat([one.result.n_epochs for one in fits], len(columns.T) // len(fits)).astype(np.int32)
        self.result_ = with_remark(fits[0].result, "solver", self.solver)
        self.solver_ = self.result_.method
        return self


class ElasticNet(WithoutArrayAPI, linear_model.ElasticNet):  # type: ignore[misc]
    """Least squares, halved, with l1 and l2 penalties; see `sklearn.linear_model.ElasticNet`.

    ``result_`` is the `fastgd.Result` (of several targets the last). ``precompute``, ``selection`` and ``random_state``
    choose how scikit-learn computes, and nothing here. With ``positive=True`` scikit-learn's solver fits.
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None, check_input: bool = True) -> Any:
        """Fit; shapes as in scikit-learn. X and y are always checked."""
        if self.positive:
            return super().fit(X, y, sample_weight, check_input)
        self._validate_params()
        X, y = checked_data(self, X, y, numeric=True, keep_column=True)
        weights = None if sample_weight is None else weights_of_rows(sample_weight, X)
        alpha, ratio = float(self.alpha), float(self.l1_ratio)
        columns = y.reshape(len(y), -1)
        start = start_of(self, self.fit_intercept) if columns.shape[1] == 1 else None
        if start is not None:
            start = (np.ravel(start[0]), float(np.ravel(start[1])[0])) if self.fit_intercept else np.ravel(start)
        fits = [
            minimise(
                X, column, weights, loss=HALF_SQUARED, l1=alpha * ratio, l2=alpha * (1.0 - ratio), start=start,
                fit_intercept=self.fit_intercept, tol=gradient_tolerance(self.tol), max_iter=self.max_iter,
            )
            for column in np.ascontiguousarray(columns.T)
        ]  # fmt: skip
        coef, intercepts = np.array([one.coef for one in fits]), np.array([one.intercept for one in fits])
        iterations = [one.result.n_epochs for one in fits]
        gaps = np.array([np.nan if one.result.gap_bound is None else one.result.gap_bound for one in fits])
        only = len(fits) == 1
        self.coef_ = coef[0] if only else coef
        self.intercept_ = (intercepts[0] if y.ndim == 1 else intercepts) if self.fit_intercept else 0.0
        self.n_iter_: Any = iterations[0] if only else iterations
        self.dual_gap_: Any = gaps[0] if only else gaps
        self.result_ = fits[-1].result
        return self


class Lasso(ElasticNet):
    """Least squares, halved, with an l1 penalty; see `sklearn.linear_model.Lasso` and `ElasticNet`."""

    _parameter_constraints = linear_model.Lasso._parameter_constraints

    def __init__(
        self, alpha: float = 1.0, *, fit_intercept: bool = True, precompute: Any = False, copy_X: bool = True,
        max_iter: int = 1000, tol: float = 1e-4, warm_start: bool = False, positive: bool = False,
        random_state: Any = None, selection: str = "cyclic",
    ) -> None:  # fmt: skip
        super().__init__(
            alpha=alpha, l1_ratio=1.0, fit_intercept=fit_intercept, precompute=precompute, copy_X=copy_X,
            max_iter=max_iter, tol=tol, warm_start=warm_start, positive=positive, random_state=random_state,
            selection=selection,
        )  # fmt: skip


class QuantileRegressor(WithoutArrayAPI, linear_model.QuantileRegressor):  # type: ignore[misc]
    """The mean pinball loss with an l1 penalty; see `sklearn.linear_model.QuantileRegressor`.

    ``result_`` is the `fastgd.Result`. ``solver`` and ``solver_options`` are of scikit-learn's linear programs and
    choose nothing here.
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> QuantileRegressor:
        """Fit; shapes as in scikit-learn."""
        self._validate_params()
        X, y = checked_data(self, X, y, numeric=True, single=True)
        weights = None if sample_weight is None else weights_of_rows(sample_weight, X)
        loss = LOSSES["quantile"](float(self.quantile))
        fitted = minimise(
            X, y, weights, loss=loss, l1=self.alpha, fit_intercept=self.fit_intercept, tol=1e-9, max_iter=None
        )
        self.coef_, self.intercept_ = fitted.coef, fitted.intercept[()] if self.fit_intercept else 0.0
        self.n_iter_, self.result_ = fitted.result.n_epochs, with_remark(fitted.result, "solver", self.solver)
        return self
