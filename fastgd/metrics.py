"""How good a model is, by scikit-learn's definitions."""

from __future__ import annotations

from typing import Any

import numpy as np

from .errors import DataError
from .problem import as_vector
from .result import Result


def evaluate(result: Result, X: Any, y: Any) -> dict[str, float]:
    """Metrics that fit the model's loss, on the rows of ``X`` and their targets ``y``.

    A regression gives r2, rmse and mae; a classification accuracy, log_loss and auc (the area under the ROC
    curve); a metric that is not defined on these rows, such as the auc of a single class, is NaN.

    Raises
    ------
    DataError
        When X or y does not fit the model, or y holds a label that the model does not know.
    """
    values = as_vector(y)
    predicted = result.predict(X) if result.classes is None else result.predict_proba(X)[:, 1]
    if len(values) != len(predicted):
        raise DataError(f"X has {len(predicted)} rows but y has {len(values)} values; they must match")
    if result.classes is None:
        return regression_metrics(as_numbers(values), predicted)
    return classification_metrics(is_positive(values, result.classes), predicted)


def as_numbers(values: np.ndarray) -> np.ndarray:
    """The targets as float64."""
    if values.dtype.kind not in "fiub":
        raise DataError("y holds words, but the model predicts numbers")
    return values.astype(np.float64)


def is_positive(values: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Which rows are of the second, positive class."""
    unknown = values[(values != classes[0]) & (values != classes[1])]
    if len(unknown):
        known = " and ".join(map(str, classes))
        raise DataError(f"y holds the label {unknown[0]!s}, but the model knows only {known}")
    return np.asarray(values == classes[1])


def regression_metrics(y: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """r2 = 1 - sum (y - p)^2 / sum (y - mean y)^2; rmse; mae."""
    residual = y - predicted
    r2 = float("nan")
    if (y != y[0]).any():  # the mean of equal numbers may round to another, and leave a spread
        r2 = 1.0 - float((residual**2).sum()) / float(((y - y.mean()) ** 2).sum())
    return {"r2": r2, "rmse": float(np.sqrt((residual**2).mean())), "mae": float(np.abs(residual).mean())}


def classification_metrics(positive: np.ndarray, probability: np.ndarray) -> dict[str, float]:
    """Accuracy at probability 1/2, the mean log loss, and the area under the ROC curve.

    The area by the ranks of the positive rows: Hanley and McNeil (1982).
    """
    accuracy = float(((probability > 0.5) == positive).mean())
    tiny = np.finfo(np.float64).eps
    clipped = np.clip(probability, tiny, 1.0 - tiny)
    log_loss = -float(np.where(positive, np.log(clipped), np.log1p(-clipped)).mean())
    n_positive = int(positive.sum())
    n_negative = len(positive) - n_positive
    auc = float("nan")
    if n_positive and n_negative:
        ranks = float(_mean_ranks(probability)[positive].sum())
        auc = (ranks - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative)
    return {"accuracy": accuracy, "log_loss": log_loss, "auc": auc}


def _mean_ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 1, equal values sharing the mean of theirs: scipy.stats.rankdata without its half second of import."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[inverse])
