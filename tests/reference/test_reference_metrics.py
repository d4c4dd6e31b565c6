"""The reference's metrics match arithmetic by hand."""

from __future__ import annotations

import math

import pytest

from reference import metrics


def test_two_classes_by_hand():
    labels, predicted, weights = [0, 0, 1, 1], [0, 1, 1, 1], [1.0, 2.0, 1.0, 1.0]
    matrix = metrics.confusion(labels, predicted, [0, 1], weights)
    assert matrix == [[1.0, 2.0], [0.0, 2.0]]
    assert (metrics.precision(matrix, 0), metrics.precision(matrix, 1)) == (1.0, 0.5)
    assert (metrics.recall(matrix, 0), metrics.recall(matrix, 1)) == (pytest.approx(1 / 3), 1.0)
    assert metrics.accuracy(labels, predicted, weights) == 0.6
    probabilities = [[0.75, 0.25], [0.5, 0.5], [0.25, 0.75], [0.0, 1.0]]
    assert metrics.brier(labels, probabilities, [0, 1], weights) == pytest.approx((0.0625 + 2 * 0.25 + 0.0625) / 5)
    expected = (2 * -math.log(0.75) + 2 * math.log(2)) / 5
    assert metrics.log_loss(labels, probabilities, [0, 1], weights) == pytest.approx(expected)
    assert metrics.auc([False, False, True, True], [0.25, 0.5, 0.5, 1.0], [1.0] * 4) == 3.5 / 4


def test_three_classes_have_the_whole_brier_score():
    assert metrics.brier(["b"], [[0.2, 0.5, 0.3]], ["a", "b", "c"], [1.0]) == pytest.approx(0.04 + 0.25 + 0.09)


def test_what_is_not_defined_is_nan():
    assert math.isnan(metrics.precision([[0.0, 1.0], [0.0, 1.0]], 0))
    assert math.isnan(metrics.recall([[0.0, 0.0], [0.0, 1.0]], 0))
    assert math.isnan(metrics.auc([True, True], [0.1, 0.2], [1.0, 1.0]))


def test_numbers_by_hand():
    y, predicted, weights = [1.0, 2.0, 6.0], [2.0, 2.0, 4.0], [1.0, 1.0, 2.0]  # the mean of y is 15 / 4
    assert metrics.mae(y, predicted, weights) == 5 / 4
    assert metrics.rmse(y, predicted, weights) == 1.5
    spread = ((1 - 3.75) ** 2 + (2 - 3.75) ** 2 + 2 * (6 - 3.75) ** 2) / 4
    assert metrics.r2(y, predicted, weights) == pytest.approx(1 - 2.25 / spread)
