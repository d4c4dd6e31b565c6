"""How good a model is: which metrics go with its loss, each by scikit-learn's definition."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from ..data.sample_weights import as_sample_weight
from ..data.target import as_columns, class_numbers
from ..errors import DataError
from ..terms.losses import LOSSES, check_targets
from .metric_formulas import Metric, Weight, auc, d2, deviance, log_loss, mae, mean, pinball, r2, rmse
from .result import Result

REGRESSION: Mapping[str, Metric] = {"r2": r2, "rmse": rmse, "mae": mae}


def _deviances(power: float) -> Mapping[str, Metric]:
    return {"d2": partial(d2, power=power), "deviance": partial(deviance, power=power), "rmse": rmse, "mae": mae}


# The metrics of a regression by the name of its loss, where REGRESSION does not tell what the loss looks for.
OF_LOSS: Mapping[str, Callable[[Any], Mapping[str, Metric]]] = {
    "quantile": lambda loss: {"pinball": partial(pinball, quantile=loss.quantile), "mae": mae},
    "poisson": lambda _: _deviances(1.0),
    "gamma": lambda _: _deviances(2.0),
    "tweedie": lambda loss: _deviances(loss.power),
}


def evaluate(result: Result, X: Any, y: Any, *, sample_weight: Any = None, offset: Any = None) -> dict[str, float]:
    """Metrics that fit the model's loss, on the rows of ``X`` and their targets ``y``.

    A regression gives r2, rmse and mae; with the loss quantile pinball and mae; with poisson, gamma and tweedie d2,
    the mean deviance, rmse and mae; for several targets the means of these over the targets.

    A classification gives accuracy, auc (the area under the ROC curve; for more than two classes the mean over each
    against the rest), and log_loss where the loss has probabilities. For several targets of two labels each:
    subset_accuracy (the share of rows with all labels right), hamming_loss (the share of labels that are wrong), and
    the means of log_loss and auc over the targets.

    A metric that is not defined on these rows, such as the auc of a single class, is NaN.

    Parameters
    ----------
    sample_weight : array of shape (n_samples,), 0 or more: how many times each row counts.
    offset : array of shape (n_samples,), as in `fit`.

    Raises
    ------
    DataError
        When X, y or the others do not fit the model, or y holds a label that the model does not know.
    """
    columns = as_columns(y)
    predicted = result.predict(X, offset=offset)
    n_samples, n_targets = len(predicted), 1 if predicted.ndim == 1 else predicted.shape[1]
    if len(columns[0]) != n_samples:
        raise DataError(f"X has {n_samples} rows but y has {len(columns[0])} values; they must match")
    if len(columns) != n_targets:
        raise DataError(f"y has {len(columns)} columns, but the model predicts {n_targets}; they must match")
    weight: Weight = None
    counted: Any = slice(None)
    if sample_weight is not None:
        weight = as_sample_weight(sample_weight, n_samples)
        counted = weight > 0  # others are left out of the fit as well, and may have labels that it never saw
        weight, predicted, columns = weight[counted], predicted[counted], [column[counted] for column in columns]
    if result.classes is None:
        return _regression(result.loss, [_numbers(column) for column in columns], predicted, weight)
    several = result.classes.ndim == 2
    classes = result.classes if several else [result.classes]
    numbers = [class_numbers(*pair) for pair in zip(columns, classes, strict=True)]
    probabilistic = getattr(result.loss, "probabilistic", False)
    scores = (result.predict_proba if probabilistic else result.decision_function)(X, offset=offset)[counted]
    if several:
        right = predicted == result.classes[np.arange(n_targets), np.column_stack(numbers)]
        return _several_labels(np.column_stack(numbers), right, scores, probabilistic, weight)
    return _one_label(numbers[0], predicted == result.classes[numbers[0]], scores, probabilistic, weight)


def _regression(loss: Any, y: list[np.ndarray], predicted: np.ndarray, weight: Weight) -> dict[str, float]:
    own = OF_LOSS.get(LOSSES.name_of(loss))
    if own is not None:
        check_targets(loss, np.column_stack(y))
    metrics = REGRESSION if own is None else own(loss)
    pairs = list(zip(y, predicted.reshape(len(predicted), -1).T, strict=True))
    return {name: float(np.mean([metric(*pair, weight) for pair in pairs])) for name, metric in metrics.items()}


def _one_label(
    number: np.ndarray, right: np.ndarray, scores: np.ndarray, probabilistic: bool, weight: Weight
) -> dict[str, float]:
    """``scores``: (n_samples,) of the second of two classes, or a column for each class."""
    metrics = {"accuracy": mean(right, weight)}
    if probabilistic:
        metrics["log_loss"] = log_loss(scores[np.arange(len(number)), number], weight)
    if scores.ndim == 2 and scores.shape[1] == 2:
        scores = scores[:, 1] if probabilistic else scores[:, 1] - scores[:, 0]
    if scores.ndim == 1:
        return {**metrics, "auc": auc(number == 1, scores, weight)}
    areas = [auc(number == k, column, weight) for k, column in enumerate(scores.T)]
    return {**metrics, "auc": float(np.mean(areas))}


def _several_labels(
    numbers: np.ndarray, right: np.ndarray, scores: np.ndarray, probabilistic: bool, weight: Weight
) -> dict[str, float]:
    """``numbers``: 0 or 1 for each label of each row; ``scores``: of 1, likewise."""
    metrics = {
        "subset_accuracy": mean(np.asarray(right.all(axis=1)), weight),
        "hamming_loss": mean((~right).mean(axis=1), weight),
    }
    if probabilistic:
        metrics["log_loss"] = log_loss(np.where(numbers == 1, scores, 1.0 - scores), weight)
    areas = [auc(column == 1, score, weight) for column, score in zip(numbers.T, scores.T, strict=True)]
    return {**metrics, "auc": float(np.mean(areas))}


def _numbers(values: np.ndarray) -> np.ndarray:
    """The targets as float64."""
    if values.dtype.kind not in "fiub":
        raise DataError("y holds words, but the model predicts numbers")
    return values.astype(np.float64)
