"""`LogisticRegression` with the objective and the parameters of scikit-learn's own."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from sklearn import linear_model
from sklearn.utils.class_weight import compute_class_weight

from ..errors import DataError
from ..terms.losses import LOSSES
from .drop_in import WithoutArrayAPI, gradient_tolerance, minimise, start_of, total_weight, with_remark
from .input_checks import checked_data, class_numbers_of, weights_of_rows


class LogisticRegression(WithoutArrayAPI, linear_model.LogisticRegression):  # type: ignore[misc]
    """Logistic regression: ``C sum_i s_i loss_i + l1_ratio |w|_1 + (1 - l1_ratio)/2 |w|^2``, softmax for many classes.

    Parameters and attributes are those of `sklearn.linear_model.LogisticRegression`; ``result_`` is the
    `fastgd.Result`. ``solver``, ``dual``, ``random_state``, ``verbose`` and ``n_jobs`` choose nothing, since fastgd
    takes its own method on all threads, see ``result_.remarks``: every penalty goes with every solver, and the
    intercept is never penalised, which ``solver="liblinear"`` does in scikit-learn (``intercept_scaling``).
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> LogisticRegression:
        """Fit; shapes as in scikit-learn."""
        self._validate_params()
        X, y = checked_data(self, X, y, numeric=False, single=True)
        classes, numbers = class_numbers_of(y)
        if len(classes) < 2:
            raise DataError(
                "This solver needs samples of at least 2 classes in the data, but the data contains only one class: "
                f"{classes[0]!r}"
            )
        weights = None if sample_weight is None else weights_of_rows(sample_weight, X)
        if self.class_weight is not None:
            weights = weighted_by_class(self.class_weight, classes, numbers, weights, y)
        share, strength = self._penalty_share()
        strength = 0.0 if math.isinf(strength) else 1.0 / (strength * total_weight(X, weights))
        separate = getattr(self, "multi_class", "auto") == "ovr"
        loss = LOSSES["logistic" if len(classes) == 2 or separate else "softmax"]()
        start = start_of(self, self.fit_intercept)
        if start is not None and len(classes) == 2:
            start = (start[0][0], float(start[1][0])) if self.fit_intercept else start[0]
        fitted = minimise(
            X, numbers, weights, loss=loss, l1=strength * share, l2=strength * (1.0 - share), start=start,
            fit_intercept=self.fit_intercept, tol=gradient_tolerance(self.tol), max_iter=self.max_iter,
        )  # fmt: skip
        self.classes_ = classes
        self.coef_, self.intercept_ = np.atleast_2d(fitted.coef), np.atleast_1d(fitted.intercept)
        self.n_iter_ = np.full(len(classes) if separate and len(classes) > 2 else 1, fitted.result.n_epochs, np.int32)
        self.result_ = with_remark(fitted.result, "solver", self.solver)
        return self

    def _penalty_share(self) -> tuple[float, float]:
        """The share of l1 in the penalty, and C; scikit-learn 1.8 replaces ``penalty`` by ``l1_ratio`` and ``C``."""
        if self.penalty is None:
            return 0.0, math.inf
        ratio = float(self.l1_ratio or 0.0)
        shares = {"l2": 0.0, "l1": 1.0, "elasticnet": ratio, "deprecated": ratio}
        if self.penalty == "elasticnet" and self.l1_ratio is None:
            raise ValueError("l1_ratio must be specified when penalty is elasticnet.")
        return shares[self.penalty], float(self.C)


def weighted_by_class(
    class_weight: Any, classes: np.ndarray, numbers: np.ndarray, weights: np.ndarray | None, y: np.ndarray
) -> np.ndarray:
    """The weights of rows times the weights of their classes; "balanced" counts rows by their weights."""
    if isinstance(class_weight, str):
        counts = np.bincount(numbers, weights=weights, minlength=len(classes))
        factors = counts.sum() / (len(classes) * counts)
    else:
        factors = compute_class_weight(class_weight, classes=classes, y=y)
    by_row: np.ndarray = factors[numbers]
    return by_row if weights is None else weights * by_row
