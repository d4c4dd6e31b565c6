"""Deferred steps of svrg and saga: the closed form against single steps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference.penalties import soft_threshold

from fastgd.compile.jit import kernel
from fastgd.kernels.lazy_updates import drifted, growth


@kernel
def moved(w, k, drift, decay, threshold):
    """`drifted`, called from Python."""
    return drifted(w, k, drift, decay, threshold, growth(k, decay))


def naive(w, k, drift, decay, threshold):
    for _ in range(k):
        w = soft_threshold(w - (decay * w + drift), threshold)
    return w


sixteenths = st.integers(-64, 64).map(lambda n: n / 16)
sizes = st.sampled_from([0.0, 1e-9, 1e-3, 0.0625, 0.5, 1.0, 3.0])


@given(
    w=st.one_of(sixteenths, st.floats(-1e-3, 1e-3)),
    k=st.integers(0, 200),
    drift=st.tuples(sizes, st.sampled_from([-1.0, 1.0])).map(lambda pair: pair[0] * pair[1]),
    decay=st.sampled_from([0.0, 1e-12, 1e-6, 0.01, 0.25, 0.9]),
    threshold=sizes,
)
def test_missed_steps_in_closed_form_equal_single_steps(w, k, drift, decay, threshold):
    expected = naive(w, k, drift, decay, threshold)
    # Each step rounds the coefficient and its change; no step increases an error.
    tolerance = 4e-16 * (k + 4) * (abs(w) + k * (abs(drift) + threshold))
    assert moved(w, float(k), drift, decay, threshold) == pytest.approx(expected, rel=0, abs=tolerance)


CROSSINGS = {
    "stays on its side": (1.0, 5, 0.125, 0.0, 0.0625),
    "meets 0 and stays": (1.0, 9, 0.0625, 0.0, 0.125),
    "meets 0 just at the end of a step": (1.0, 8, 0.0625, 0.0, 0.0625),
    "goes through 0": (1.0, 12, 0.5, 0.0, 0.125),
    "goes through 0 and is held there for a step": (0.25, 6, 0.25, 0.0, 0.1875),
    "leaves 0": (0.0, 7, 0.5, 0.25, 0.125),
    "is held at 0": (0.0, 7, 0.125, 0.25, 0.125),
    "is drawn back through 0 by a drift, with decay": (-2.0, 50, -0.5, 0.125, 0.25),
    "only decays": (3.0, 20, 0.0, 0.25, 0.0),
}


@pytest.mark.parametrize("name", CROSSINGS)
def test_every_case_of_the_closed_form(name):
    w, k, drift, decay, threshold = CROSSINGS[name]
    for sign in (1.0, -1.0):
        result = moved(sign * w, float(k), sign * drift, decay, threshold)
        assert result == pytest.approx(naive(sign * w, k, sign * drift, decay, threshold), rel=1e-13, abs=1e-15)
        assert (result == 0.0) == (naive(sign * w, k, sign * drift, decay, threshold) == 0.0)


def test_nan_propagates():
    assert np.isnan(moved(np.nan, 5.0, 0.1, 0.1, 0.1))
    assert np.isnan(moved(1.0, 5.0, np.nan, 0.1, 0.1))
