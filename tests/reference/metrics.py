"""Metrics in plain Python, as their textbooks define them: a loop over rows, with a weight for each."""

from __future__ import annotations

import math


def mean(values, weights):
    return sum(w * value for w, value in zip(weights, values, strict=True)) / sum(weights)


def confusion(labels, predicted, classes, weights):
    """A list for each true class of the weight predicted as each class."""
    cells = {(true, guess): 0.0 for true in classes for guess in classes}
    for true, guess, weight in zip(labels, predicted, weights, strict=True):
        cells[true, guess] += weight
    return [[cells[true, guess] for guess in classes] for true in classes]


def precision(matrix, k):
    said = sum(row[k] for row in matrix)
    return matrix[k][k] / said if said else math.nan


def recall(matrix, k):
    there = sum(matrix[k])
    return matrix[k][k] / there if there else math.nan


def accuracy(labels, predicted, weights):
    return mean([float(true == guess) for true, guess in zip(labels, predicted, strict=True)], weights)


def log_loss(labels, probabilities, classes, weights):
    """``probabilities``: a list for each row, in the order of ``classes``."""
    chosen = [row[classes.index(true)] for true, row in zip(labels, probabilities, strict=True)]
    return mean([-math.log(p) for p in chosen], weights)


def brier(labels, probabilities, classes, weights):
    """Brier (1950): the sum over classes of (p - is it)^2; of two classes half of that, which is one class alone."""
    errors = [
        sum((p - (name == true)) ** 2 for name, p in zip(classes, row, strict=True))
        for true, row in zip(labels, probabilities, strict=True)
    ]
    return mean(errors, weights) / (2 if len(classes) == 2 else 1)


def auc(positive, scores, weights):
    """Of all pairs of a positive and a negative row, the share in which the positive scores higher; ties count half."""
    won = pairs = 0.0
    rows = list(zip(positive, scores, weights, strict=True))
    for is_positive, score, weight in rows:
        for other_positive, other, other_weight in rows:
            if is_positive and not other_positive:
                pairs += weight * other_weight
                won += weight * other_weight * (1.0 if score > other else 0.5 if score == other else 0.0)
    return won / pairs if pairs else math.nan


def r2(y, predicted, weights):
    centre = mean(y, weights)
    return 1 - mean([(a - b) ** 2 for a, b in zip(y, predicted, strict=True)], weights) / mean(
        [(a - centre) ** 2 for a in y], weights
    )


def rmse(y, predicted, weights):
    return math.sqrt(mean([(a - b) ** 2 for a, b in zip(y, predicted, strict=True)], weights))


def mae(y, predicted, weights):
    return mean([abs(a - b) for a, b in zip(y, predicted, strict=True)], weights)
