"""Samples of the rows: random, in order, spread over all rows."""

from __future__ import annotations

from fractions import Fraction
from math import floor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastgd.data.row_order import spread_rows
from fastgd.data.row_source import MemoryRows
from fastgd.kernels.row_targets import Targets


def test_sample_has_random_rows_in_order_each_once(rng):
    X = rng.normal(size=(50, 3))
    rows = MemoryRows(X, Targets(X[:, 0]))
    positions, sample = rows.sample(20, 7)
    assert (np.diff(positions) > 0).all()
    np.testing.assert_array_equal(sample.X, X[positions])
    np.testing.assert_array_equal(sample.targets.y, X[positions, 0])
    assert rows.sample(20, 7)[1] is sample
    assert not np.array_equal(rows.sample(20, 8)[0], positions)
    assert rows.sample(50, 7)[1] is rows


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 10**12), st.integers(1, 200), st.integers(0, 2**32))
def test_rows_are_spread_over_all_there_are(n, size, seed):
    size = min(size, n)
    rows, stretch = spread_rows(n, size, seed), Fraction(n, size)
    assert all(floor(k * stretch) <= row < floor((k + 1) * stretch) for k, row in enumerate(rows.tolist()))


def test_each_row_is_as_likely_to_be_drawn():
    times = np.bincount(np.concatenate([spread_rows(30, 10, seed) for seed in range(3_000)]))
    assert times == pytest.approx(np.full(30, 1_000), rel=0.15)  # 5 standard deviations
