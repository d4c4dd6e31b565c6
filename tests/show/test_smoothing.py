"""`smooth`: compared with the weighted mean of all values so far, by hand, and on noise."""

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
def test_smooth_is_the_weighted_mean_of_all_values_so_far(values, beta):
    expected = reference.smooth(values, beta)
    np.testing.assert_allclose(fastgd.smooth(values, beta), expected, rtol=1e-9, atol=1e-9)


def test_smooth_by_hand():
    """Uncorrected 0.4, 1.16 and 1.844; divided by 0.1, 0.19 and 0.271."""
    expected = [4.0, 1.16 / 0.19, 1.844 / 0.271]
    np.testing.assert_allclose(fastgd.smooth([4.0, 8.0, 8.0]), expected, rtol=1e-12)


@given(st.floats(-1e9, 1e9), st.integers(1, 60), BETAS)
def test_constant_series_is_unchanged(value, n, beta):
    np.testing.assert_allclose(fastgd.smooth([value] * n, beta), value, rtol=1e-12)


def test_nan_stays_nan_and_is_skipped():
    smoothed = fastgd.smooth([math.nan, 1.0, math.nan, math.nan, 3.0], 0.5)
    assert np.isnan(smoothed).tolist() == [True, False, True, True, False]
    np.testing.assert_array_equal(smoothed[[1, 4]], fastgd.smooth([1.0, 3.0], 0.5))


def test_larger_beta_leaves_less_noise(rng):
    noise = rng.standard_normal(2000)
    spreads = [fastgd.smooth(noise, beta)[200:].std() for beta in (0.0, 0.5, 0.9, 0.98)]
    # The standard deviation of independent values shrinks to sqrt((1 - beta) / (1 + beta)) of it.
    np.testing.assert_allclose(spreads, [math.sqrt((1 - b) / (1 + b)) for b in (0.0, 0.5, 0.9, 0.98)], rtol=0.3)


def test_input_is_not_modified_and_may_be_empty():
    values = np.array([3, 1, 2])
    assert fastgd.smooth(values, 0.0).tolist() == [3.0, 1.0, 2.0]
    assert values.tolist() == [3, 1, 2]
    assert fastgd.smooth([]).shape == (0,)


@pytest.mark.parametrize("beta", [1.0, -0.1, math.nan, "0.9", None, True])
def test_invalid_beta_is_refused(beta):
    with pytest.raises(OptionError, match="the smoothing factor must be from 0 to less than 1"):
        fastgd.smooth([1.0], beta)


@pytest.mark.parametrize(("values", "message"), [([[1.0], [2.0]], "one-dimensional array"), (["a"], "must be numbers")])
def test_invalid_values_are_refused(values, message):
    with pytest.raises(OptionError, match=message):
        fastgd.smooth(values)
