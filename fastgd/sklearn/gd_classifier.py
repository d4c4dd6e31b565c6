"""`GDClassifier`: linear classification by any loss, method, rule and penalty of fastgd."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils.metaestimators import available_if

from ..errors import DataError
from ..model.result import Result
from ..terms.losses import LOSSES, loss_traits
from .gd_estimator import GDEstimator
from .input_checks import checked_data, class_numbers_of


def _has_probabilities(estimator: Any) -> bool:
    """Raises AttributeError, as `available_if` expects it, with the reason."""
    if estimator.loss == "auto" or loss_traits(LOSSES.resolve(estimator.loss)).probabilistic:
        return True
    name = LOSSES.name_of(LOSSES.resolve(estimator.loss))
    raise AttributeError(
        f"the loss {name!r} gives scores, not probabilities: take loss='logistic', or wrap the estimator in "
        "CalibratedClassifierCV"
    )


class GDClassifier(ClassifierMixin, GDEstimator):  # type: ignore[misc]
    """Linear classification by gradient descent, with all options of `fastgd.fit`.

    Parameters
    ----------
    loss : "auto" is logistic for two classes and for several targets, softmax for more classes. Or a loss of
        `fastgd.fit` for labels; more than two classes are then separated one against the rest.
    random_state : a number is the ``seed`` of `fastgd.fit`; None or a generator draws one.
    validation : a fraction of the rows to hold out; see `fastgd.fit`.
    columns : a `fastgd.Columns`, for frames with columns of words, dates or gaps; None takes numbers only.

    All other parameters are those of `fastgd.fit`. Fits that did not converge raise a ConvergenceWarning.

    Attributes
    ----------
    classes_ : the sorted labels; for several targets whose labels differ a list of them.
    coef_ : array of shape (1, n_features) for two classes, else (n_classes or n_outputs, n_features).
    intercept_ : array of shape (1,) or (n_classes or n_outputs,).
    result_ : the `fastgd.Result`; ``trace_``, ``gap_bound_`` and ``n_iter_`` (epochs) are from it.

    Examples
    --------
    >>> from fastgd.sklearn import GDClassifier
    >>> model = GDClassifier().fit([[0.0], [1.0], [2.0], [3.0]], ["no", "yes", "no", "yes"])
    >>> model.predict([[-5.0], [9.0]]).tolist()
    ['no', 'yes']
    """

    def __init__(
        self, loss: Any = "auto", *, method: str = "auto", penalty: Any = None, alpha: float = 0.0, l1_ratio: float |
        None = None, rule: Any = "sgd", learning_rate: Any = "auto", schedule: Any = "constant", batch_size: Any
        = "auto", scale: Any = "auto", max_epochs: int = 100, max_seconds: float | None = None, tol: float |
        None = None, gap_tol: float | None = None, patience: int = 5, clip_norm: float | None = None, average:
        Any = False, shards: int | None = None, fit_intercept: bool = True, class_weight: Any = None,
        penalty_weights: Any = None, shuffle: Any = True, validation: float | None = None, columns: Any = None,
        random_state: Any = 0, n_threads: int | None = None, on_divergence: str = "auto", callbacks: Any = (),
    ) -> None:  # fmt: skip
        self.loss, self.method, self.penalty, self.alpha, self.l1_ratio = loss, method, penalty, alpha, l1_ratio
        self.rule, self.learning_rate, self.schedule, self.batch_size = rule, learning_rate, schedule, batch_size
        self.scale, self.max_epochs, self.max_seconds, self.tol = scale, max_epochs, max_seconds, tol
        self.gap_tol, self.patience, self.clip_norm, self.average = gap_tol, patience, clip_norm, average
        self.shards, self.fit_intercept, self.class_weight = shards, fit_intercept, class_weight
        self.penalty_weights, self.shuffle, self.validation = penalty_weights, shuffle, validation
        self.columns, self.random_state, self.n_threads = columns, random_state, n_threads
        self.on_divergence, self.callbacks = on_divergence, callbacks

    def fit(self, X: Any, y: Any, sample_weight: Any = None, offset: Any = None) -> GDClassifier:
        """Fit on labels of shape (n_samples,), or several targets of two labels each, (n_samples, n_outputs)."""
        X, y = checked_data(self, X, y, numeric=False, encodes=self.columns is not None)
        if y.ndim == 2:
            return self._fit_several(X, y, sample_weight, offset)
        classes, numbers = class_numbers_of(y)
        if len(classes) < 2:
            raise DataError(f"y is {classes[0]} in every row: a classification needs two classes or more, not 1 class")
        loss = ("logistic" if len(classes) == 2 else "softmax") if self.loss == "auto" else self.loss
        result = self._train(X, numbers, loss, sample_weight, offset)
        assert result.classes is not None
        result = replace(result, classes=classes[result.classes])
        self.classes_: Any = result.classes
        self._keep_rows(result)
        return self

    def _fit_several(self, X: Any, y: np.ndarray, sample_weight: Any, offset: Any) -> GDClassifier:
        coded = [class_numbers_of(column) for column in y.T]
        for k, (classes, _) in enumerate(coded):
            if len(classes) != 2:
                raise DataError(
                    f"column {k + 1} of y has {len(classes)} different labels; each of several targets needs 2 classes"
                )
        numbers = np.column_stack([column for _, column in coded])
        result = self._train(X, numbers, "logistic" if self.loss == "auto" else self.loss, sample_weight, offset)
        pairs = np.array([classes for classes, _ in coded])
        self.classes_ = pairs[0] if (pairs == pairs[0]).all() else list(pairs)
        self._keep_rows(replace(result, classes=pairs))
        return self

    def _keep_rows(self, result: Result) -> None:
        """With a row of coefficients for each class, of two only one."""
        self._keep(result)
        self.coef_, self.intercept_ = np.atleast_2d(result.coef), np.atleast_1d(np.asarray(result.intercept))

    def decision_function(self, X: Any, offset: Any = None) -> np.ndarray:
        """Scores, shape (n_samples,) for two classes, else (n_samples, n_classes or n_outputs)."""
        return self._linear_predictor(X, offset)

    def predict(self, X: Any, offset: Any = None) -> np.ndarray:
        """Labels, shape (n_samples,) or (n_samples, n_outputs)."""
        z = self._linear_predictor(X, offset)
        return self.result_.labels(z)

    @available_if(_has_probabilities)  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Any, offset: Any = None) -> np.ndarray:
        """Probabilities of the classes; for several targets of the larger label of each."""
        z = self._linear_predictor(X, offset)
        return self.result_.probabilities(z)

    @available_if(_has_probabilities)  # type: ignore[untyped-decorator]
    def predict_log_proba(self, X: Any, offset: Any = None) -> np.ndarray:
        """Logarithms of the probabilities."""
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(self.predict_proba(X, offset=offset)))

    def score(self, X: Any, y: Any, sample_weight: Any = None, offset: Any = None) -> float:
        """The share of rows whose labels are right."""
        return float(accuracy_score(y, self.predict(X, offset=offset), sample_weight=sample_weight))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
