"""Properties of every loss: derivative, convexity, curvature, mean, and values at extreme arguments."""

from __future__ import annotations

import math

import numpy as np
import pytest
from helpers.loss_cases import CASES, NOT_CONVEX, compiled, expected, kinks, plain, targets
from hypothesis import given
from hypothesis import strategies as st

from fastgd.losses import LOSSES, loss_traits

ordinary = st.floats(-50, 50, allow_subnormal=False)


@pytest.fixture(params=CASES, scope="module")
def text(request):
    return request.param


@pytest.fixture(scope="module")
def loss(text):
    return LOSSES.resolve(text)


def slopes(loss, y, z, h):
    """Difference quotients of the value to the left and to the right, and their rounding error."""
    below, at, above = (loss.value(y, z + step) for step in (-h, 0.0, h))
    rounding = 4e-15 * (1 + max(abs(below), abs(above)) + abs(y * z)) / h
    return (at - below) / h, (above - at) / h, rounding


# --- The derivative ---------------------------------------------------------------------------------------------------


@given(st.data())
def test_derivative_equals_differences_of_the_value(text, data):
    loss, h = LOSSES.resolve(text), 1e-4
    y, z = data.draw(st.sampled_from(targets(loss))), data.draw(ordinary)
    left, right, rounding = slopes(loss, y, z, h)
    # The mean of the two, up to h^2 times the third derivative; around a kink, a number between them.
    tolerance = 0.51 * abs(right - left) + rounding + h * h * (1 + abs(z) + abs(left) + abs(right))
    assert loss.derivative(y, z) == pytest.approx((left + right) / 2, abs=tolerance)


@pytest.mark.parametrize("text", [text for text in CASES if text not in NOT_CONVEX])
def test_derivative_at_a_kink_is_a_subgradient(text):
    loss = LOSSES.resolve(text)
    for y in targets(loss):
        for z in kinks(loss, y):
            left, right, rounding = slopes(loss, y, z, 1e-6)
            assert left - rounding <= loss.derivative(y, z) <= right + rounding, (y, z)


@given(st.data())
def test_convex_losses_are_convex_with_second_differences_up_to_curvature(text, data):
    loss = LOSSES.resolve(text)
    y, z, h = data.draw(st.sampled_from(targets(loss))), data.draw(ordinary), data.draw(st.floats(1e-3, 10))
    before, after = loss.derivative(y, z), loss.derivative(y, z + h)
    # Rounding errors of z + h and of exponents.
    rounding = 2e-15 * (abs(y) + abs(z) + h + 60 * (abs(before) + abs(after)))
    if text not in NOT_CONVEX:
        assert after - before >= -rounding
    if loss_traits(loss).curvature is not None:
        assert after - before <= loss.curvature() * h + rounding


@pytest.mark.parametrize("text", NOT_CONVEX)
def test_losses_that_are_not_convex_say_so(text):
    loss = LOSSES.resolve(text)
    derivatives = [[loss.derivative(y, z) for z in np.linspace(-5, 5, 101)] for y in targets(loss)]
    assert np.diff(derivatives).min() < -0.01


def second_differences(loss, h):
    return [
        (loss.derivative(y, z + h / 2) - loss.derivative(y, z - h / 2)) / h
        for y in targets(loss)
        for z in [*np.linspace(-50, 50, 10001), *kinks(loss, y)]
    ]


def test_curvature_is_attained_or_does_not_exist(loss):
    # Otherwise automatic learning rates would be too small, or not exist.
    if loss_traits(loss).curvature is not None:
        assert max(second_differences(loss, 1e-3)) == pytest.approx(loss.curvature(), rel=1e-6)
    else:
        assert max(second_differences(loss, 1e-6)) > 7000


def test_random_start_means_zero_derivatives_at_zero(loss):
    flat = all(loss.derivative(y, 0.0) == 0.0 for y in targets(loss))
    assert loss_traits(loss).random_start == flat


# --- The mean ---------------------------------------------------------------------------------------------------------


def test_mean_is_a_probability_or_the_minimiser_of_the_loss(loss):
    z = np.linspace(-5, 5, 41)
    means = np.array([loss.mean(v) for v in z])
    if loss_traits(loss).probabilistic:
        assert loss.classifies
        assert loss.mean(0.0) == 0.5
        assert [loss.mean(1e4), loss.mean(-1e4)] == [1.0, 0.0]
        np.testing.assert_allclose(means + means[::-1], 1.0, rtol=1e-15)
        assert (np.diff(means) >= 0).all()
        # If the share of +1 is the mean, the expected derivative is 0: Zhang (2004).
        inner = z[np.abs(z) <= 1]
        balance = [
            loss.mean(v) * loss.derivative(1.0, v) + (1 - loss.mean(v)) * loss.derivative(-1.0, v) for v in inner
        ]
        np.testing.assert_allclose(balance, 0.0, atol=1e-15)
    elif loss_traits(loss).classifies:
        np.testing.assert_array_equal(means, z)
    else:
        allowed = [v for v in z if not loss_traits(loss).checks_targets or loss.allows(loss.mean(v))]
        values = [
            (loss.value(loss.mean(v), v + step), loss.value(loss.mean(v), v)) for v in allowed for step in (-1, 1)
        ]
        assert all(elsewhere >= at for elsewhere, at in values)


# --- Numbers of any size ----------------------------------------------------------------------------------------------


def extremes(loss):
    """Very small and very large targets, if the loss allows them."""
    tried = [] if loss_traits(loss).classifies else [1e-300, -1e-300, 1e-10, 1e10, 1e280, -1e280]
    return [*targets(loss), *(y for y in tried if not loss_traits(loss).checks_targets or loss.allows(y))]


@pytest.mark.parametrize("way", [plain, compiled], ids=["plain", "compiled"])
@given(st.data())
def test_value_is_infinite_only_beyond_the_largest_double(text, way, data):
    loss = LOSSES.resolve(text)
    y, z = data.draw(st.sampled_from(extremes(loss))), data.draw(st.floats(-1e4, 1e4) | st.floats(-1500, 1500))
    for found, true in zip(way(loss, y, z), plain(expected(text), y, z), strict=True):
        assert not math.isnan(found)
        assert found == true if math.isinf(true) else math.isfinite(found)


@given(st.data())
def test_losses_with_a_curvature_are_finite_at_every_finite_z(text, data):
    loss = LOSSES.resolve(text)
    y, z = data.draw(st.sampled_from(targets(loss))), data.draw(st.floats(-1e150, 1e150))
    for value in (*plain(loss, y, z), *compiled(loss, y, z)):
        assert not math.isnan(value)
        assert math.isfinite(value) or loss_traits(loss).curvature is None


def test_nan_propagates(loss):
    for way in (plain, compiled):
        assert math.isnan(way(loss, targets(loss)[-1], math.nan)[0])
