"""`smooth` beside the mean of all values so far, weighted by how long ago they were."""

from __future__ import annotations

import math

import numpy as np
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st

import fastgd
from fastgd import OptionError

NUMBERS = st.one_of(st.floats(-1e6, 1e6), st.just(math.nan))
BETAS = st.floats(0.0, 0.99)


@given(st.lists(NUMBERS, max_size=40), BETAS)
def test_it_is_the_weighted_mean_of_all_values_so_far(values, beta):
    expected = reference.smooth(values, beta)
    np.testing.assert_allclose(fastgd.smooth(values, beta), expected, rtol=1e-9, atol=1e-9)


def test_by_hand():
    """Uncorrected 0.4, 1.16 and 1.844; divided by 0.1, 0.19 and 0.271."""
    expected = [4.0, 1.16 / 0.19, 1.844 / 0.271]
    np.testing.assert_allclose(fastgd.smooth([4.0, 8.0, 8.0]), expected, rtol=1e-12)


@given(st.floats(-1e9, 1e9), st.integers(1, 60), BETAS)
def test_a_constant_stays_itself_from_the_first_value_on(value, n, beta):
    np.testing.assert_allclose(fastgd.smooth([value] * n, beta), value, rtol=1e-12)


def test_a_gap_stays_a_gap_and_counts_for_nothing():
    smoothed = fastgd.smooth([math.nan, 1.0, math.nan, math.nan, 3.0], 0.5)
    assert np.isnan(smoothed).tolist() == [True, False, True, True, False]
    np.testing.assert_array_equal(smoothed[[1, 4]], fastgd.smooth([1.0, 3.0], 0.5))


def test_less_noise_is_left_the_larger_beta_is():
    noise = np.random.default_rng(0).standard_normal(2000)
    spreads = [fastgd.smooth(noise, beta)[200:].std() for beta in (0.0, 0.5, 0.9, 0.98)]
    # Of independent values sqrt((1 - beta) / (1 + beta)) of the spread is left.
    np.testing.assert_allclose(spreads, [math.sqrt((1 - b) / (1 + b)) for b in (0.0, 0.5, 0.9, 0.98)], rtol=0.3)


def test_nothing_is_changed_and_nothing_is_something():
    values = np.array([3, 1, 2])
    assert fastgd.smooth(values, 0.0).tolist() == [3.0, 1.0, 2.0]
    assert values.tolist() == [3, 1, 2]
    assert fastgd.smooth([]).shape == (0,)


@pytest.mark.parametrize("beta", [1.0, -0.1, math.nan, "0.9", None, True])
def test_a_beta_that_is_none(beta):
    with pytest.raises(OptionError, match="the beta of smoothing is a number from 0 to less than 1"):
        fastgd.smooth([1.0], beta)


@pytest.mark.parametrize(("values", "told"), [([[1.0], [2.0]], "one dimension, not in 2"), (["a"], "a series of")])
def test_values_that_are_no_series(values, told):
    with pytest.raises(OptionError, match=told):
        fastgd.smooth(values)
