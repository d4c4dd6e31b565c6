"""Every registered loss, against the reference, arithmetic done by hand, and what a loss promises."""

from __future__ import annotations

import math
from dataclasses import fields, replace

import numpy as np
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st

from fastgd.errors import OptionError
from fastgd.fit import fit
from fastgd.kernels.gradient import apply_mean, mean_loss
from fastgd.losses import LOSSES, check_own_loss, log1p_of_fraction
from fastgd.term import term

TARGETS = {True: (-1.0, 1.0), False: (-3.5, 0.0, 0.25, 2.0)}  # by whether the loss classifies
PREDICTORS = [-1e4, -37.0, -7.3, -2.1, -1.35, -0.4, 0.0, 0.2, 1.35, 1.9, 12.5, 710.0, 1e4]


def close(value, tol=1e-14):
    return pytest.approx(value, rel=tol, abs=tol)


def expected(name):
    """The reference's loss of that name."""
    if name not in reference.LOSSES:
        pytest.fail(f"tests/reference.py has no loss {name!r} to hold the new one to: write it there from its formula")
    return reference.LOSSES[name]


def targets(loss):
    return TARGETS[getattr(loss, "classifies", False)]


def curvature(loss):
    if not hasattr(loss, "curvature"):
        pytest.skip("the second derivative of this loss has no largest value")
    return loss.curvature()


@pytest.fixture(params=LOSSES, scope="module")
def name(request):
    return request.param


@pytest.fixture(scope="module")
def loss(name):
    return LOSSES[name]()


# --- Values -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("z", PREDICTORS)
def test_it_is_the_references(name, loss, z):
    for y in targets(loss):
        assert loss.value(y, z) == close(expected(name).value(y, z))
        assert loss.derivative(y, z) == close(expected(name).derivative(y, z))
    assert loss.mean(z) == close(expected(name).mean(z))


@pytest.mark.parametrize("z", PREDICTORS)
def test_compiled_it_is_the_references(name, loss, z):
    X, coef, sums = np.ones((1, 1)), np.array([z]), np.zeros((1, 2))
    for y in targets(loss):
        assert mean_loss.serial(X, np.array([y]), coef, 0.0, loss, sums) == close(expected(name).value(y, z))
    means = np.array([z])
    apply_mean(loss, means)
    assert means[0] == close(expected(name).mean(z))


BY_HAND = [  # loss, y, z, value, derivative
    ("squared", 2.0, 5.0, 9.0, 6.0),  # r = 3
    ("squared", 6.0, 3.0, 9.0, -6.0),  # r = -3
    ("half_squared", 2.0, 5.0, 4.5, 3.0),
    ("half_squared", 1.0, 0.5, 0.125, -0.5),
    ("huber", 1.0, 2.0, 0.5, 1.0),  # |r| = 1 is below 1.35
    ("huber", 0.0, 1.35, 0.91125, 1.35),  # the border: 1.35^2 / 2
    ("huber", 0.0, 3.0, 3.13875, 1.35),  # 1.35 (3 - 0.675)
    ("huber", 3.0, 0.0, 3.13875, -1.35),
    ("huber:delta=0.5", 0.0, 2.0, 0.875, 0.5),  # 0.5 (2 - 0.25)
    ("huber:delta=4", 0.0, 2.0, 2.0, 2.0),
    ("logistic", 1.0, 0.0, math.log(2), -0.5),
    ("logistic", -1.0, 0.0, math.log(2), 0.5),
    ("logistic", 1.0, math.log(3), math.log(4 / 3), -0.25),  # log(1 + 1/3), -1 / (1 + 3)
    ("logistic", -1.0, math.log(3), math.log(4), 0.75),
    ("logistic", 1.0, 1e4, 0.0, 0.0),  # exp(-10000) is below the smallest float
    ("logistic", 1.0, -1e4, 1e4, -1.0),
    ("logistic", -1.0, 1e4, 1e4, 1.0),
    ("logistic", -1.0, -1e4, 0.0, 0.0),
]


@pytest.mark.parametrize(("text", "y", "z", "value", "derivative"), BY_HAND)
def test_by_hand(text, y, z, value, derivative):
    loss = LOSSES.resolve(text)
    assert loss.value(y, z) == close(value)
    assert loss.derivative(y, z) == close(derivative)


def test_every_loss_is_worked_out_by_hand(name):
    worked_out = {text.partition(":")[0] for text, *_ in BY_HAND}
    assert name in worked_out, f"add values of {name!r} to BY_HAND, worked out by hand"


def test_means_by_hand():
    assert [LOSSES[name]().mean(-2.5) for name in ("squared", "half_squared", "huber")] == [-2.5, -2.5, -2.5]
    assert [LOSSES["logistic"]().mean(z) for z in (0.0, 1e4, -1e4)] == [0.5, 1.0, 0.0]
    assert [LOSSES["logistic"]().mean(z) for z in (-math.log(3), math.log(3))] == [close(0.25), close(0.75)]


@pytest.mark.parametrize("margin", [20.0, 40.0, 300.0])
def test_small_logistic_losses_keep_their_digits(margin):
    loss = LOSSES["logistic"]()
    for y in (-1.0, 1.0):
        assert loss.value(y, y * margin) == pytest.approx(math.exp(-margin), rel=1e-8)  # log(1 + e) = e - e^2/2 ...
        assert loss.derivative(y, y * margin) == pytest.approx(-y * math.exp(-margin), rel=1e-8)
    assert loss.mean(-margin) == pytest.approx(math.exp(-margin), rel=1e-8)


# --- What a loss promises ---------------------------------------------------------------------------------------------

ordinary = st.floats(-50, 50, allow_subnormal=False)


@given(st.data())
def test_the_derivative_is_the_slope_of_the_value(name, data):
    loss, h = LOSSES[name](), 1e-4
    y, z = data.draw(st.sampled_from(targets(loss))), data.draw(ordinary)
    slope = (loss.value(y, z + h) - loss.value(y, z - h)) / (2 * h)
    # A kink of the derivative within h costs h times the curvature; rounding, a few eps of the value over h.
    steepest = getattr(loss, "curvature", lambda: 1 + abs(slope))()
    tolerance = h * steepest + 1e-15 * (1 + loss.value(y, z)) / h
    assert loss.derivative(y, z) == pytest.approx(slope, abs=tolerance)


@given(st.data())
def test_it_is_convex_and_curvature_bounds_its_second_differences(name, data):
    loss = LOSSES[name]()
    y, z, h = data.draw(st.sampled_from(targets(loss))), data.draw(ordinary), data.draw(st.floats(1e-3, 10))
    rise = loss.derivative(y, z + h) - loss.derivative(y, z)
    rounding = 2e-15 * (abs(y) + abs(z) + h)
    assert -rounding <= rise <= curvature(loss) * (h + rounding)


def test_curvature_is_reached(loss):
    # Otherwise automatic learning rates would be smaller than they need to be.
    h, z = 1e-3, np.linspace(-5, 5, 1001)
    steepest = max((loss.derivative(y, v + h) - loss.derivative(y, v)) / h for y in targets(loss) for v in z)
    assert steepest == pytest.approx(curvature(loss), rel=1e-3)


@given(st.data())
def test_no_finite_predictor_is_too_large(name, data):
    loss = LOSSES[name]()
    y, z = data.draw(st.sampled_from(targets(loss))), data.draw(st.floats(-1e150, 1e150))
    assert math.isfinite(loss.value(y, z))
    assert math.isfinite(loss.derivative(y, z))
    assert math.isfinite(loss.mean(z))
    assert loss.value(y, z) >= 0.0


def test_nan_stays_nan(loss):
    y = targets(loss)[0]
    assert math.isnan(loss.value(y, math.nan))
    assert math.isnan(mean_loss.serial(np.ones((1, 1)), np.array([y]), np.array([np.nan]), 0.0, loss, np.zeros((1, 2))))


# --- Settings, errors, documentation ----------------------------------------------------------------------------------


def test_a_name_with_settings():
    assert LOSSES.resolve("huber") == LOSSES["huber"](1.35)
    assert LOSSES.resolve("huber:delta=2") == LOSSES["huber"](delta=2.0)
    assert LOSSES.resolve("huber:delta=2.5e-1").delta == 0.25
    term = LOSSES["huber"](delta=3.0)
    assert LOSSES.resolve(term) is term


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hubr", "unknown loss 'hubr'; did you mean 'huber'? (known: squared, half_squared, huber, logistic"),
        ("", "unknown loss ''"),
        ("huber:dleta=2", "loss 'huber' has no setting 'dleta'; did you mean 'delta'? (it has: delta)"),
        ("squared:delta=2", "loss 'squared' has no setting 'delta' (it has: none)"),
        ("huber:delta=wide", "loss 'huber': delta='wide' is not a number"),
        ("huber:delta", "loss 'huber': delta='' is not a number"),
        ("huber:delta=nan", "Huber: delta is a number, not nan"),
        ("huber:delta=0", "huber: delta must be above 0, not 0.0"),
        ("huber:delta=-1", "huber: delta must be above 0, not -1.0"),
        (LOSSES["huber"], "loss: pass an instance, Huber(), not the class itself"),
        (3, "loss: 3 is neither a name (squared, half_squared, huber, logistic"),
    ],
)
def test_what_is_wrong_is_said(text, message):
    with pytest.raises(OptionError) as caught:
        LOSSES.resolve(text)
    assert str(caught.value).startswith(message)


def test_settings_are_numbers(loss):
    for field in fields(loss):
        for wrong in (math.nan, "2", None, True):
            with pytest.raises(OptionError, match=field.name):
                replace(loss, **{field.name: wrong})


def test_the_docstring_has_a_formula_its_settings_and_a_source(name):
    doc = LOSSES[name].__doc__
    formula = doc.partition("Source")[0]
    assert "Source: " in doc
    assert "y" in formula
    assert "z" in formula
    for field in fields(LOSSES[name]):
        assert field.name in doc


@given(st.floats(1e-300, 1.0))
def test_log1p_of_fraction_is_log1p(e):
    assert log1p_of_fraction(e) == pytest.approx(math.log1p(e), rel=4e-16, abs=0)


# --- A loss of one's own is tried before it is used -------------------------------------------------------------------


@term
class Asymmetric:
    """Twice as dear above the target as below it: right, with a kink."""

    def value(self, y: float, z: float) -> float:
        return 2.0 * (z - y) if z > y else y - z

    def derivative(self, y: float, z: float) -> float:
        return 2.0 if z > y else -1.0

    def mean(self, z: float) -> float:
        return z


@term
class WrongSign(Asymmetric):
    def derivative(self, y: float, z: float) -> float:
        return -2.0 if z > y else 1.0


@term
class Nothing(Asymmetric):
    def value(self, y, z):
        pass


@term
class Fails(Asymmetric):
    def value(self, y: float, z: float) -> float:
        return math.sqrt(y - 100.0)


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (WrongSign(), r"loss WrongSign: derivative\(2, 0.3\) is 1, but value rises there by -1 for each unit of z"),
        (Nothing(), r"loss Nothing: value\(2, 0.3\) gives None, not a finite number"),
        (Fails(), r"loss Fails: value\(2, 0.3\) fails with ValueError: math domain error"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_wrong_loss_of_ones_own_gets_a_sentence(loss, message):
    with pytest.raises(OptionError, match="^" + message.replace("0.3", r"[-0-9.]+")):
        check_own_loss(loss, [2.0, -1.0])
    with pytest.raises(OptionError, match=f"^loss {type(loss).__name__}"):
        fit([[1.0], [2.0]], [1.0, 3.0], loss=loss, learning_rate=0.1)


def test_a_right_loss_of_ones_own_passes_the_trial_and_so_does_every_one_of_ours():
    check_own_loss(Asymmetric(), [2.0, -1.0])
    for name in LOSSES:
        check_own_loss(LOSSES[name](), [1.0, -1.0])
