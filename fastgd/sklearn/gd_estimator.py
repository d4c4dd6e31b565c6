"""What `GDClassifier` and `GDRegressor` share."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from ..model.result import Result
from ..terms.penalties import resolve_penalty
from .input_checks import checked_features, weights_of_rows
from .training import seed_of, trained

# Parameters that are options of `fit` under the same names.
SHARED = (
    "method", "rule", "learning_rate", "schedule", "batch_size", "scale", "max_epochs", "max_seconds", "tol", "gap_tol",
    "patience", "clip_norm", "average", "shards", "shuffle", "n_threads", "on_divergence",
)  # fmt: skip


class GDEstimator(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no type hints
    """Parameters are the options of `fastgd.fit`; fitted attributes come from its `Result`."""

    def _train(self, X: Any, y: np.ndarray, loss: Any, sample_weight: Any, offset: Any) -> Result:
        penalty = resolve_penalty(self.penalty, self.alpha, self.l1_ratio)
        rows = {
            "sample_weight": None if sample_weight is None else weights_of_rows(sample_weight, X),
            "class_weight": getattr(self, "class_weight", None),
            "offset": offset,
            "penalty_weights": self.penalty_weights,
            "validation": self.validation,
            "columns": self.columns,
        }
        options = {name: getattr(self, name) for name in SHARED}
        result = trained(
            X, y, loss=loss, penalty=penalty, alpha=self.alpha, fit_intercept=self.fit_intercept, rows=rows,
            seed=seed_of(self.random_state), callbacks=tuple(self.callbacks), **options,
        )  # fmt: skip
        if result.encoder is None:
            names = getattr(self, "feature_names_in_", None)
            result = dataclasses.replace(result, feature_names=None if names is None else tuple(names))
        return result

    def _keep(self, result: Result) -> None:
        self.result_, self.coef_, self.intercept_ = result, result.coef, result.intercept
        self.n_iter_, self.trace_, self.gap_bound_ = result.n_epochs, result.trace, result.gap_bound

    def _linear_predictor(self, X: Any, offset: Any) -> np.ndarray:
        check_is_fitted(self)
        X = checked_features(self, X, fitting=False, encodes=self.result_.encoder is not None)
        return self.result_.decision_function(X, offset=offset)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = True
        return tags
