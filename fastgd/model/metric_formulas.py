"""Metrics of one target, by scikit-learn's definitions, with a weight for each row or None for equal ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

Weight = np.ndarray | None


class Metric(Protocol):
    """Compares the targets ``y`` with predictions of them, both (n_samples,)."""

    def __call__(self, y: np.ndarray, predicted: np.ndarray, weight: Weight) -> float: ...


def mean(values: np.ndarray, weight: Weight) -> float:
    return float(np.average(values, weights=weight))


def r2(y: np.ndarray, predicted: np.ndarray, weight: Weight) -> float:
    """1 - sum (y - p)^2 / sum (y - mean y)^2; NaN where y is constant."""
    return _explained(lambda p: mean((y - p) ** 2, weight), y, predicted, weight)


def rmse(y: np.ndarray, predicted: np.ndarray, weight: Weight) -> float:
    """The square root of the mean squared error."""
    return float(np.sqrt(mean((y - predicted) ** 2, weight)))


def mae(y: np.ndarray, predicted: np.ndarray, weight: Weight) -> float:
    """The mean absolute error."""
    return mean(np.abs(y - predicted), weight)


def pinball(y: np.ndarray, predicted: np.ndarray, weight: Weight, quantile: float) -> float:
    """Mean of quantile (y - p) where y is above p, else (1 - quantile) (p - y). Koenker and Bassett (1978)."""
    residual = y - predicted
    return mean(np.where(residual > 0, quantile * residual, (quantile - 1.0) * residual), weight)


def deviance(y: np.ndarray, predicted: np.ndarray, weight: Weight, power: float) -> float:
    """Mean Tweedie deviance: of the normal distribution for power 0, Poisson's for 1, the gamma's for 2.

    2 (max(y, 0)^(2 - q) / ((1 - q) (2 - q)) - y p^(1 - q) / (1 - q) + p^(2 - q) / (2 - q)), with its limits
    at q = 1 and 2. Source: Jørgensen, The theory of dispersion models (1997).
    """
    q = power
    with np.errstate(all="ignore"):  # a mean that has underflown to 0 has an infinite deviance
        if q == 1:
            terms = np.where(y > 0, y * np.log(y / predicted), 0.0) - y + predicted
        elif q == 2:
            terms = np.log(predicted / y) + y / predicted - 1.0
        else:
            own = np.maximum(y, 0.0) ** (2 - q) / ((1 - q) * (2 - q))
            terms = own - y * predicted ** (1 - q) / (1 - q) + predicted ** (2 - q) / (2 - q)
    return 2.0 * mean(terms, weight)


def d2(y: np.ndarray, predicted: np.ndarray, weight: Weight, power: float) -> float:
    """The share of the deviance explained: 1 - deviance of p / deviance of the mean of y; NaN where y is constant."""
    return _explained(lambda p: deviance(y, p, weight, power), y, predicted, weight)


def _explained(error: Callable[[np.ndarray], float], y: np.ndarray, predicted: np.ndarray, weight: Weight) -> float:
    """1 - the error of the predictions / that of the mean of y."""
    counted = y if weight is None else y[weight > 0]
    spread = 0.0 if (counted == counted[0]).all() else error(np.full_like(y, mean(y, weight)))
    # Not left to the spread alone: the mean of equal numbers may round to another.
    return 1.0 - error(predicted) / spread if spread > 0 else float("nan")


def log_loss(probability: np.ndarray, weight: Weight) -> float:
    """Mean of -log of the probability that the true class was given; over all targets where there are several."""
    tiny = np.finfo(np.float64).eps
    logs = np.log(np.clip(probability, tiny, 1.0 - tiny))
    return -mean(logs if logs.ndim == 1 else logs.mean(axis=1), weight)


def auc(positive: np.ndarray, score: np.ndarray, weight: Weight) -> float:
    """The area under the ROC curve: how often a positive row has a higher score than another, ties counting half.

    NaN unless there are rows of both kinds. Source: Hanley and McNeil (1982).
    """
    _, place = np.unique(score, return_inverse=True)
    above, below = (
        np.bincount(place[rows], None if weight is None else weight[rows], minlength=place.max() + 1)
        for rows in (positive, ~positive)
    )
    pairs = float(above.sum()) * float(below.sum())
    if pairs == 0:
        return float("nan")
    return float((above * (np.cumsum(below) - 0.5 * below)).sum() / pairs)
