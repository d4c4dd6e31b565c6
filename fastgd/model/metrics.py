"""`evaluate`: metrics of a model's predictions, chosen by its loss, as scikit-learn defines them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from ..data.sample_weights import as_sample_weight
from ..data.table import Table
from ..data.target import as_columns, class_numbers
from ..errors import DataError
from ..terms.losses import LOSSES, check_targets, loss_traits
from .metric_formulas import Metric, Weight, auc, brier, confusion, d2, deviance, log_loss, mae, mean, pinball, r2, rmse
from .quality import Quality
from .result import Result

REGRESSION: Mapping[str, Metric] = {"r2": r2, "rmse": rmse, "mae": mae}


def _deviances(power: float) -> Mapping[str, Metric]:
    return {"d2": partial(d2, power=power), "deviance": partial(deviance, power=power), "rmse": rmse, "mae": mae}


# Metrics of regressions by the name of the loss; REGRESSION for all other losses.
OF_LOSS: Mapping[str, Callable[[Any], Mapping[str, Metric]]] = {
    "quantile": lambda loss: {"pinball": partial(pinball, quantile=loss.quantile), "mae": mae},
    "poisson": lambda _: _deviances(1.0),
    "gamma": lambda _: _deviances(2.0),
    "tweedie": lambda loss: _deviances(loss.power),
}


def evaluate(result: Result, X: Any, y: Any = None, *, sample_weight: Any = None, offset: Any = None) -> Quality:
    """Metrics of the predictions for ``X`` against the targets ``y``, chosen by the model's loss.

    Regression: r2, rmse and mae; for the quantile loss pinball and mae; for poisson, gamma and tweedie d2, the mean
    deviance, rmse and mae. For several targets, each metric is the mean over the targets.

    Classification: accuracy, auc (area under the ROC curve; for more than two classes the mean of one class against the
    rest), and log_loss and brier (the Brier score) if the loss has probabilities; with the confusion matrix, and
    precision and recall of each class. For several targets with two labels each: subset_accuracy (fraction of rows
    whose labels are all correct), hamming_loss (fraction of wrong labels), and the means of log_loss, brier and auc
    over the targets.

    A metric that is not defined for these rows, such as the auc of a single class, is NaN.

    Parameters
    ----------
    X, y : as in `fit`; a `Table` has its own targets, weights and offset.
    sample_weight : array of shape (n_samples,), 0 or more: the weight of each row.
    offset : array of shape (n_samples,), as in `fit`.

    Returns
    -------
    Quality : a mapping of the metrics by name, with ``confusion``, ``precision`` and ``recall``; printed as a table.

    Examples
    --------
    >>> import fastgd
    >>> X, y = [[0.0], [1.0], [2.0], [3.0]], ["no", "no", "yes", "yes"]
    >>> quality = fastgd.evaluate(fastgd.fit(X, y, alpha=0.1), X, y)
    >>> quality["accuracy"], quality.confusion.tolist()
    (1.0, [[2, 0], [0, 2]])

    Raises
    ------
    DataError
        When X, y, weights or offset do not fit the model, or y has a label that the model does not know.
    """
    if isinstance(X, Table):
        y = X.target_for(result.classes is not None and result.classes.dtype.kind == "U") if y is None else y
        sample_weight = X.sample_weight if sample_weight is None else sample_weight
        offset = X.offset if offset is None else offset
    if y is None:
        raise DataError("y is missing: give evaluate(result, X, y) the targets, or a table opened with some")
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
        counted = weight > 0  # `fit` drops the other rows too, so their labels may be unknown to the model
        weight, predicted, columns = weight[counted], predicted[counted], [column[counted] for column in columns]
    if result.classes is None:
        metrics = _regression(result.loss, [_numbers(column) for column in columns], predicted, weight)
        return Quality(metrics, len(predicted))
    multilabel = result.classes.ndim == 2
    classes = result.classes if multilabel else [result.classes]
    indices = [class_numbers(*pair) for pair in zip(columns, classes, strict=True)]
    probabilistic = loss_traits(result.loss).probabilistic
    scores = (result.predict_proba if probabilistic else result.decision_function)(X, offset=offset)[counted]
    if multilabel:
        correct = predicted == result.classes[np.arange(n_targets), np.column_stack(indices)]
        metrics = _several_labels(np.column_stack(indices), correct, scores, probabilistic, weight)
        return Quality(metrics, len(predicted))
    metrics = _one_label(indices[0], predicted == result.classes[indices[0]], scores, probabilistic, weight)
    found = confusion(indices[0], class_numbers(predicted, result.classes), len(result.classes), weight)
    return Quality(metrics, len(predicted), result.classes, found)


def _regression(loss: Any, y: list[np.ndarray], predicted: np.ndarray, weight: Weight) -> dict[str, float]:
    of_loss = OF_LOSS.get(LOSSES.name_of(loss))
    if of_loss is not None:
        check_targets(loss, np.column_stack(y))
    metrics = REGRESSION if of_loss is None else of_loss(loss)
    pairs = list(zip(y, predicted.reshape(len(predicted), -1).T, strict=True))
    return {name: float(np.mean([metric(*pair, weight) for pair in pairs])) for name, metric in metrics.items()}


def _one_label(
    index: np.ndarray, correct: np.ndarray, scores: np.ndarray, probabilistic: bool, weight: Weight
) -> dict[str, float]:
    """``index``: class of each row. ``scores``: (n_samples,) for the second of two classes, or a column per class."""
    metrics = {"accuracy": mean(correct, weight)}
    if probabilistic:
        metrics["log_loss"] = log_loss(scores[np.arange(len(index)), index], weight)
        metrics["brier"] = brier(scores, index, weight)
    if scores.ndim == 2 and scores.shape[1] == 2:
        scores = scores[:, 1] if probabilistic else scores[:, 1] - scores[:, 0]
    if scores.ndim == 1:
        return {**metrics, "auc": auc(index == 1, scores, weight)}
    areas = [auc(index == k, column, weight) for k, column in enumerate(scores.T)]
    return {**metrics, "auc": float(np.mean(areas))}


def _several_labels(
    labels: np.ndarray, correct: np.ndarray, scores: np.ndarray, probabilistic: bool, weight: Weight
) -> dict[str, float]:
    """``labels``: 0 or 1 for each row and target; ``scores``: the scores of label 1, in the same shape."""
    metrics = {
        "subset_accuracy": mean(np.asarray(correct.all(axis=1)), weight),
        "hamming_loss": mean((~correct).mean(axis=1), weight),
    }
    if probabilistic:
        metrics["log_loss"] = log_loss(np.where(labels == 1, scores, 1.0 - scores), weight)
        metrics["brier"] = mean(((scores - labels) ** 2).mean(axis=1), weight)
    areas = [auc(column == 1, score, weight) for column, score in zip(labels.T, scores.T, strict=True)]
    return {**metrics, "auc": float(np.mean(areas))}


def _numbers(values: np.ndarray) -> np.ndarray:
    """Targets as float64; raises `DataError` for text."""
    if values.dtype.kind not in "fiub":
        raise DataError("y has text values, but the model predicts numbers")
    return values.astype(np.float64)
