"""What a problem remembers of what it was asked, and which rows it draws."""

from __future__ import annotations

from fractions import Fraction
from math import floor

import numpy as np
import pytest
from fastgd.objective.evaluations import MOST_POINTS, MOST_VALUES, Evaluations
from fastgd.objective.problem import RowOptions
from hypothesis import given, settings
from hypothesis import strategies as st

from fastgd.data.row_order import spread_rows
from fastgd.fitting import pose
from fastgd.losses import LOSSES
from fastgd.penalties import ElasticNet


def test_only_the_last_weights_are_recalled():
    evaluations, losses = Evaluations(), np.zeros(1)
    assert not evaluations.recall(np.ones(2), losses)
    evaluations.add(np.ones(2), np.array([3.0]))
    assert evaluations.recall(np.ones(2), losses)
    assert losses == [3.0]
    assert not evaluations.recall(np.ones(2), losses, with_gradient=True)
    assert not evaluations.recall(np.zeros(2), losses)


def test_the_first_and_the_last_gradients_stay():
    evaluations = Evaluations()
    for k in range(MOST_POINTS + 5):
        evaluations.add(np.full(2, k), np.zeros(1), np.zeros(2))
    kept = [int(point.params[0]) for point in evaluations.points]
    assert kept == [0, *range(6, MOST_POINTS + 5)]


def test_of_many_weights_few_points_stay():
    evaluations = Evaluations()
    for _ in range(5):
        evaluations.add(np.zeros(MOST_VALUES), np.zeros(1), np.zeros(MOST_VALUES))
    assert len(evaluations.points) == 2


def test_points_are_copies():
    evaluations, params = Evaluations(), np.ones(2)
    evaluations.add(params, np.zeros(1), params)
    params[:] = 5.0
    assert evaluations.points[0].params.tolist() == evaluations.points[0].gradient.tolist() == [1.0, 1.0]


def test_rows_are_drawn_in_order_and_once():
    X = np.random.default_rng(0).normal(size=(50, 3))
    problem, _ = pose(X, X[:, 0], LOSSES.resolve("squared"), ElasticNet(), True, RowOptions())
    rows, some = problem.draw(20, 7)
    assert (np.diff(rows) > 0).all()
    np.testing.assert_array_equal(some, X[rows])
    assert problem.draw(20, 7)[1] is some
    assert not np.array_equal(problem.draw(20, 8)[0], rows)
    assert problem.draw(50, 7)[1] is problem.X


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 10**12), st.integers(1, 200), st.integers(0, 2**32))
def test_rows_are_spread_over_all_there_are(n, size, seed):
    size = min(size, n)
    rows, stretch = spread_rows(n, size, seed), Fraction(n, size)
    assert all(floor(k * stretch) <= row < floor((k + 1) * stretch) for k, row in enumerate(rows.tolist()))


def test_each_row_is_as_likely_to_be_drawn():
    times = np.bincount(np.concatenate([spread_rows(30, 10, seed) for seed in range(3_000)]))
    assert times == pytest.approx(np.full(30, 1_000), rel=0.15)  # 5 standard deviations
