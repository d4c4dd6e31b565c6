"""Metrics of one target, as scikit-learn defines them. ``weight`` holds row weights, or is None for equal weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

Weight = np.ndarray | None


class Metric(Protocol):
    """A function of targets ``y`` and predictions, both of shape (n_samples,)."""

    def __call__(self, y: np.ndarray, predicted: np.ndarray, weight: Weight) -> float: ...


def mean(values: np.ndarray, weight: Weight) -> float:
    return float(np.average(values, weights=weight))


def r2(y: np.ndarray, predicted: np.ndarray, weight: Weight) -> float:
    """1 - sum (y - p)^2 / sum (y - mean y)^2; NaN if y is constant."""
    return _explained(lambda p: mean((y - p) ** 2, weight), y, predicted, weight)


def rmse(y: np.ndarray, predicted: np.ndarray, weight: Weight) -> float:
    """Root mean squared error."""
    return float(np.sqrt(mean((y - predicted) ** 2, weight)))


def mae(y: np.ndarray, predicted: np.ndarray, weight: Weight) -> float:
    """Mean absolute error."""
    return mean(np.abs(y - predicted), weight)


def pinball(y: np.ndarray, predicted: np.ndarray, weight: Weight, quantile: float) -> float:
    """Mean of quantile (y - p) if y > p, else (1 - quantile) (p - y). Koenker and Bassett (1978)."""
    residual = y - predicted
    return mean(np.where(residual > 0, quantile * residual, (quantile - 1.0) * residual), weight)


def deviance(y: np.ndarray, predicted: np.ndarray, weight: Weight, power: float) -> float:
    """Mean Tweedie deviance of power q: normal distribution for q = 0, Poisson for 1, gamma for 2.

    2 (max(y, 0)^(2 - q) / ((1 - q) (2 - q)) - y p^(1 - q) / (1 - q) + p^(2 - q) / (2 - q)),
    and the limits of this at q = 1 and 2. Source: Jørgensen, The theory of dispersion models (1997).
    """
    q = power
    with np.errstate(all="ignore"):  # a prediction that underflows to 0 has an infinite deviance
        if q == 1:
            terms = np.where(y > 0, y * np.log(y / predicted), 0.0) - y + predicted
        elif q == 2:
            terms = np.log(predicted / y) + y / predicted - 1.0
        else:
            of_y = np.maximum(y, 0.0) ** (2 - q) / ((1 - q) * (2 - q))
            terms = of_y - y * predicted ** (1 - q) / (1 - q) + predicted ** (2 - q) / (2 - q)
    return 2.0 * mean(terms, weight)


def d2(y: np.ndarray, predicted: np.ndarray, weight: Weight, power: float) -> float:
    """Explained deviance: 1 - deviance of p / deviance of the mean of y; NaN if y is constant."""
    return _explained(lambda p: deviance(y, p, weight, power), y, predicted, weight)


def _explained(error: Callable[[np.ndarray], float], y: np.ndarray, predicted: np.ndarray, weight: Weight) -> float:
    """1 - error of the predictions / error of the mean of y; NaN if y is constant."""
    counted = y if weight is None else y[weight > 0]
    spread = 0.0 if (counted == counted[0]).all() else error(np.full_like(y, mean(y, weight)))
    # The first test is needed since the mean of equal numbers may be rounded, which leaves a spread above 0.
    return 1.0 - error(predicted) / spread if spread > 0 else float("nan")


def log_loss(probability: np.ndarray, weight: Weight) -> float:
    """Mean of -log(probability of the true class); over several targets, the mean over all of them."""
    tiny = np.finfo(np.float64).eps
    logs = np.log(np.clip(probability, tiny, 1.0 - tiny))
    return -mean(logs if logs.ndim == 1 else logs.mean(axis=1), weight)


def brier(probability: np.ndarray, index: np.ndarray, weight: Weight) -> float:
    """Mean squared error of the probabilities: of the second of two classes, summed over more than two.

    ``probability``: (n_samples, n_classes); ``index``: class of each row. Source: Brier, Verification of forecasts
    expressed in terms of probability (1950).
    """
    if probability.shape[1] == 2:
        return mean((probability[:, 1] - (index == 1)) ** 2, weight)
    error = (probability**2).sum(axis=1) - 2.0 * probability[np.arange(len(index)), index] + 1.0
    return mean(error, weight)


def confusion(index: np.ndarray, predicted: np.ndarray, n_classes: int, weight: Weight) -> np.ndarray:
    """Rows (or the sum of their weights) of each true class, by row, and predicted class, by column."""
    cells = np.bincount(index * n_classes + predicted, weight, minlength=n_classes * n_classes)
    return cells.reshape(n_classes, n_classes)


def auc(positive: np.ndarray, score: np.ndarray, weight: Weight) -> float:
    """Area under the ROC curve: the probability that a positive row scores higher than a negative row; ties count half.

    NaN unless both classes occur. Source: Hanley and McNeil (1982).
    """
    _, rank = np.unique(score, return_inverse=True)
    above, below = (
        np.bincount(rank[rows], None if weight is None else weight[rows], minlength=rank.max() + 1)
        for rows in (positive, ~positive)
    )
    pairs = float(above.sum()) * float(below.sum())
    if pairs == 0:
        return float("nan")
    return float((above * (np.cumsum(below) - 0.5 * below)).sum() / pairs)
