"""`GDRegressor`: linear regression by any loss, method, rule and penalty of fastgd."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score

from .gd_estimator import GDEstimator
from .input_checks import checked_data


class GDRegressor(RegressorMixin, GDEstimator):  # type: ignore[misc]
    """Linear and generalized linear regression by gradient descent, with all options of `fastgd.fit`.

    Parameters
    ----------
    loss : a loss of `fastgd.fit` for numbers, such as squared, huber, quantile:quantile=0.9, poisson or gamma.
    random_state : a number is the ``seed`` of `fastgd.fit`; None or a generator draws one.
    validation : a fraction of the rows to hold out; see `fastgd.fit`.
    columns : a `fastgd.Columns`, for frames with columns of words, dates or gaps; None takes numbers only.

    All other parameters are those of `fastgd.fit`. Fits that did not converge raise a ConvergenceWarning.

    Attributes
    ----------
    coef_ : array of shape (n_features,), or (n_outputs, n_features) for several targets.
    intercept_ : float, or array of shape (n_outputs,).
    result_ : the `fastgd.Result`; ``trace_``, ``gap_bound_`` and ``n_iter_`` (epochs) are from it.

    Examples
    --------
    >>> from fastgd.sklearn import GDRegressor
    >>> model = GDRegressor(tol=1e-12).fit([[1.0], [2.0], [3.0]], [2.0, 4.0, 6.0])
    >>> [round(value, 6) for value in model.predict([[4.0]]).tolist()]
    [8.0]
    """

    def __init__(
        self, loss: Any = "squared", *, method: str = "auto", penalty: Any = None, alpha: float = 0.0, l1_ratio: float
        | None = None, rule: Any = "sgd", learning_rate: Any = "auto", schedule: Any = "constant", batch_size:
        Any = "auto", scale: Any = "auto", max_epochs: int = 100, max_seconds: float | None = None, tol: float |
        None = None, gap_tol: float | None = None, patience: int = 5, clip_norm: float | None = None, average:
        Any = False, shards: int | None = None, fit_intercept: bool = True, penalty_weights: Any = None,
        shuffle: Any = True, validation: float | None = None, columns: Any = None, random_state: Any = 0,
        n_threads: int | None = None, on_divergence: str = "auto", callbacks: Any = (),
    ) -> None:  # fmt: skip
        self.loss, self.method, self.penalty, self.alpha, self.l1_ratio = loss, method, penalty, alpha, l1_ratio
        self.rule, self.learning_rate, self.schedule, self.batch_size = rule, learning_rate, schedule, batch_size
        self.scale, self.max_epochs, self.max_seconds, self.tol = scale, max_epochs, max_seconds, tol
        self.gap_tol, self.patience, self.clip_norm, self.average = gap_tol, patience, clip_norm, average
        self.shards, self.fit_intercept, self.penalty_weights = shards, fit_intercept, penalty_weights
        self.shuffle, self.validation, self.columns, self.random_state = shuffle, validation, columns, random_state
        self.n_threads, self.on_divergence, self.callbacks = n_threads, on_divergence, callbacks

    def fit(self, X: Any, y: Any, sample_weight: Any = None, offset: Any = None) -> GDRegressor:
        """Fit on numbers of shape (n_samples,) or (n_samples, n_outputs)."""
        X, y = checked_data(self, X, y, numeric=True, encodes=self.columns is not None)
        self._keep(self._train(X, y, self.loss, sample_weight, offset))
        return self

    def predict(self, X: Any, offset: Any = None) -> np.ndarray:
        """Means of y, shape (n_samples,) or (n_samples, n_outputs)."""
        z = self._linear_predictor(X, offset)
        return self.result_.means(z)

    def score(self, X: Any, y: Any, sample_weight: Any = None, offset: Any = None) -> float:
        """R2, the mean of all targets."""
        return float(r2_score(y, self.predict(X, offset=offset), sample_weight=sample_weight))
