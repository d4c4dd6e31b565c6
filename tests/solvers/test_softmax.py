"""Softmax, the loss of all classes at once: against the reference, scikit-learn, and arithmetic done by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference.losses import Logistic, Softmax

from fastgd.compile.jit import kernel
from fastgd.kernels.outputs_gradient import apply_means
from fastgd.losses import LOSSES

SOFTMAX = LOSSES["softmax"]()
LOG2, LOG3 = math.log(2), math.log(3)
EPS = float(np.finfo(np.float64).eps)


def plain(loss, y, z, slopes, means):
    """The value on its own, and the value that comes with the derivative; the latter and the mean in place."""
    loss.mean(means)
    return loss.value(y, z), loss.derivative(y, slopes)


compiled = kernel(plain)


def parts(y, z, way=plain):
    """Value, derivative and probabilities; the two ways to the value agree."""
    z = np.array(z, dtype=np.float64)
    before, slopes, means = (z.copy() for _ in range(3))
    value, beside = way(SOFTMAX, float(y), z, slopes, means)
    assert beside == pytest.approx(value, rel=4 * EPS, nan_ok=True)
    assert z.tolist() == before.tolist() or np.isnan(z).any()
    return value, slopes, means


each_way = pytest.mark.parametrize("way", [plain, compiled], ids=["plain", "compiled"])
predictors = st.lists(st.floats(-50, 50, allow_subnormal=False), min_size=1, max_size=7)


def close(value, tolerance=1e-15):
    return pytest.approx(value, rel=tolerance, abs=tolerance)


# --- Values -----------------------------------------------------------------------------------------------------------

BY_HAND = [  # y, z, value, derivative
    (0, [0.0, 0.0], LOG2, [-1 / 2, 1 / 2]),
    (1, [0.0, 0.0, 0.0, 0.0], math.log(4), [1 / 4, -3 / 4, 1 / 4, 1 / 4]),
    (0, [LOG2, 0.0], math.log(3 / 2), [-1 / 3, 1 / 3]),  # e^z is 2 and 1
    (2, [0.0, LOG2, LOG3], LOG2, [1 / 6, 1 / 3, -1 / 2]),  # 1, 2 and 3 of 6
    (0, [0.0, LOG2, LOG3], math.log(6), [-5 / 6, 1 / 3, 1 / 2]),
    (1, [5.0, 5.0 + LOG2, 5.0 + LOG3], LOG3, [1 / 6, -2 / 3, 1 / 2]),
    (0, [1e4, -1e4, 0.0], 0.0, [0.0, 0.0, 0.0]),  # e^-10000 is below the smallest float
    (1, [1e4, -1e4, 0.0], 2e4, [1.0, -1.0, 0.0]),
    (2, [1e4, 1e4, -1e4], 2e4 + LOG2, [1 / 2, 1 / 2, -1.0]),
    (0, [-1e4, -1e4, -1e4], LOG3, [-2 / 3, 1 / 3, 1 / 3]),
    (0, [1e4, 1e4], LOG2, [-1 / 2, 1 / 2]),  # to all digits, though 1e4 + log 2 has four fewer
    (0, [3.5], 0.0, [0.0]),  # one class, and so no doubt
]


@each_way
@pytest.mark.parametrize(("y", "z", "value", "derivative"), BY_HAND)
def test_values_and_derivatives_by_hand(way, y, z, value, derivative):
    found, slopes, means = parts(y, z, way)
    assert found == close(value)
    # 5 + log 2 is rounded.
    assert slopes.tolist() == close(derivative)
    assert means.tolist() == close([slope + (k == y) for k, slope in enumerate(derivative)])


@each_way
@given(z=predictors | st.lists(st.floats(-1e4, 1e4), min_size=2, max_size=7), data=st.data())
def test_softmax_matches_the_reference(way, z, data):
    y, expected = data.draw(st.integers(0, len(z) - 1)), Softmax()
    value, slopes, means = parts(y, z, way)
    # Differences of predictors are rounded, and the exponential passes that on.
    tolerance = 4 * EPS * (4 + max(z) - min(z))
    assert value == close(expected.value(y, z), tolerance)
    assert slopes.tolist() == close(expected.derivative(y, z), tolerance)
    assert means.tolist() == close(expected.mean(z), tolerance)


def test_softmax_matches_scikit_learn():
    theirs = pytest.importorskip("sklearn._loss").HalfMultinomialLoss(n_classes=5)
    random = np.random.default_rng(0)
    Z, y = 20 * random.normal(size=(40, 5)), random.integers(0, 5, 40).astype(np.float64)
    values, gradients = theirs.loss_gradient(y, Z)
    ours = [parts(*row, compiled) for row in zip(y, Z, strict=True)]
    np.testing.assert_allclose([value for value, _, _ in ours], values, rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose([slopes for _, slopes, _ in ours], gradients, rtol=0, atol=1e-13)
    np.testing.assert_allclose([means for _, _, means in ours], theirs.predict_proba(Z), rtol=1e-12)
    apply_means(SOFTMAX, Z)
    assert Z.tolist() == [means.tolist() for _, _, means in ours]


# --- What it promises -------------------------------------------------------------------------------------------------


@given(z=predictors, data=st.data())
def test_derivative_matches_finite_differences(z, data):
    y, h = data.draw(st.integers(0, len(z) - 1)), 1e-4
    for k, slope in enumerate(parts(y, z)[1]):
        above, below = ([*z[:k], z[k] + step, *z[k + 1 :]] for step in (h, -h))
        value = parts(y, above)[0] - parts(y, below)[0]
        # But for h^2 / 6 times the third derivative, which is below 1 / 10, and the rounding of the values.
        assert value / (2 * h) == pytest.approx(slope, abs=h * h / 60 + 8 * EPS * (1 + max(z) - min(z)) / h)


@given(z=predictors, data=st.data(), h=st.floats(1e-3, 10))
def test_softmax_is_convex_with_bounded_curvature(z, data, h):
    """In any direction the derivative grows, and by no more than 1/2 of the way."""
    random = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    direction = random.normal(size=len(z))
    direction *= h / np.linalg.norm(direction)
    growth = (parts(0, z + direction)[1] - parts(0, z)[1]) @ direction
    rounding = 8 * EPS * h * (4 + 2 * max(map(abs, z)) + h) * len(z)
    assert -rounding <= growth <= SOFTMAX.curvature() * h**2 + rounding


@given(z=predictors)
def test_the_largest_eigenvalue_is_at_most_the_curvature(z):
    p = parts(0, z)[2]
    largest = np.linalg.eigvalsh(np.diag(p) - np.outer(p, p))[-1]
    assert largest <= SOFTMAX.curvature() + 1e-15


def test_the_curvature_is_reached():
    h = 1e-5
    growth = (parts(0, [h, -h])[1] - parts(0, [0.0, 0.0])[1]) @ [h, -h]
    assert growth / (2 * h * h) == pytest.approx(SOFTMAX.curvature(), rel=1e-6)
    assert SOFTMAX.curvature() == 0.5


@given(z=predictors, shift=st.integers(-1000, 1000))
def test_adding_a_constant_to_all_classes_changes_nothing(z, shift):
    z = np.round(np.array(z) * 1024) / 1024  # so that adding is exact
    for at, shifted in zip(parts(0, z), parts(0, z + shift), strict=True):
        np.testing.assert_array_equal(at, shifted)


@given(z=st.lists(st.floats(-1e4, 1e4), min_size=2, max_size=7))
def test_the_means_are_probabilities(z):
    means = parts(0, z)[2]
    assert (means >= 0).all()
    assert means.sum() == close(1.0)
    assert means[np.argmax(z)] == means.max()


@given(z=st.tuples(st.floats(-50, 50), st.floats(-50, 50)))
def test_softmax_of_two_classes_is_logistic(z):
    value, slopes, means = parts(1, z)
    difference, logistic = z[1] - z[0], Logistic()
    assert value == close(logistic.value(1.0, difference), 1e-14)
    assert slopes[1] == close(logistic.derivative(1.0, difference))
    assert means[1] == close(logistic.mean(difference))


# --- Numbers of any size ----------------------------------------------------------------------------------------------


@each_way
@given(z=st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=7))
def test_large_predictors_stay_finite(way, z):
    value, slopes, means = parts(0, z, way)
    assert 0 <= value < math.inf
    assert np.isfinite(slopes).all()
    assert np.isfinite(means).all()


@each_way
@pytest.mark.parametrize("place", range(3))
def test_nan_propagates(way, place):
    z = [0.5, -0.5, 2.0]
    z[place] = math.nan
    value, slopes, means = parts(1, z, way)
    assert math.isnan(value)
    assert np.isnan(slopes).any()
    assert np.isnan(means).any()
