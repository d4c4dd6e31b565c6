"""Every registered loss against the plain Python reference and against values computed by hand; its settings."""

from __future__ import annotations

import math
from dataclasses import fields, replace

import numpy as np
import pytest
from helpers.loss_cases import CASES, PREDICTORS, close, compiled, expected, kinks, plain, targets
from helpers.optimum import KINKED
from hypothesis import given
from hypothesis import strategies as st

from fastgd.errors import OptionError
from fastgd.kernels.batch_gradient import apply_mean, mean_loss
from fastgd.kernels.row_targets import Targets
from fastgd.losses import LOSSES, log1p_of_fraction, loss_traits


@pytest.fixture(params=CASES, scope="module")
def text(request):
    return request.param


@pytest.fixture(scope="module")
def loss(text):
    return LOSSES.resolve(text)


@pytest.fixture(params=LOSSES)
def name(request):
    return request.param


# --- Values -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", [plain, compiled], ids=["plain", "compiled"])
def test_value_derivative_and_mean_equal_the_reference(text, loss, way):
    for y in targets(loss):
        for z in [*PREDICTORS, *kinks(loss, y)]:
            assert list(way(loss, y, z)) == [close(v) for v in plain(expected(text), y, z)], (y, z)


def test_mean_loss_and_apply_mean_equal_the_reference(text, loss):
    X, y, means = np.array([[1.0], [-0.5], [2.0]]), np.array([targets(loss)[-1]] * 3), np.array([0.5, -0.25, 1.0])
    values = [expected(text).value(y[0], z) for z in means]
    assert mean_loss.serial(X, Targets(y), np.array([0.5]), 0.0, loss, np.zeros((1, 2))) == close(sum(values) / 3)
    apply_mean(loss, means)
    assert means.tolist() == [close(expected(text).mean(z)) for z in (0.5, -0.25, 1.0)]


TWO = math.log(2)  # e^z is 2 there
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
    ("absolute", 2.0, 5.0, 3.0, 1.0),
    ("absolute", 6.0, 3.0, 3.0, -1.0),
    ("absolute", 2.0, 2.0, 0.0, -1.0),  # the kink
    ("quantile", 2.0, 5.0, 1.5, 0.5),
    ("quantile", 6.0, 3.0, 1.5, -0.5),
    ("quantile:quantile=0.75", 2.0, 6.0, 1.0, 0.25),  # too high by 4, at 1/4
    ("quantile:quantile=0.75", 6.0, 2.0, 3.0, -0.75),  # too low by 4, at 3/4
    ("quantile:quantile=0.75", 2.0, 2.0, 0.0, -0.75),  # the kink
    ("epsilon_insensitive", 2.0, 5.0, 2.9, 1.0),
    ("epsilon_insensitive", 6.0, 3.0, 2.9, -1.0),
    ("epsilon_insensitive", 2.0, 2.0625, 0.0, 0.0),
    ("epsilon_insensitive:epsilon=0.5", 2.0, 2.5, 0.0, 0.0),  # the two kinks
    ("epsilon_insensitive:epsilon=0.5", 2.0, 1.5, 0.0, 0.0),
    ("squared_epsilon_insensitive", 2.0, 5.0, 8.41, 5.8),  # 2.9^2
    ("squared_epsilon_insensitive:epsilon=0.5", 6.0, 5.0, 0.25, -1.0),
    ("squared_epsilon_insensitive:epsilon=0.5", 2.0, 2.25, 0.0, 0.0),
    ("logistic", 1.0, 0.0, math.log(2), -0.5),
    ("logistic", -1.0, 0.0, math.log(2), 0.5),
    ("logistic", 1.0, math.log(3), math.log(4 / 3), -0.25),  # log(1 + 1/3), -1 / (1 + 3)
    ("logistic", -1.0, math.log(3), math.log(4), 0.75),
    ("logistic", 1.0, 1e4, 0.0, 0.0),  # exp(-10000) is below the smallest float
    ("logistic", 1.0, -1e4, 1e4, -1.0),
    ("logistic", -1.0, 1e4, 1e4, 1.0),
    ("logistic", -1.0, -1e4, 0.0, 0.0),
    ("hinge", 1.0, 0.25, 0.75, -1.0),
    ("hinge", -1.0, 0.25, 1.25, 1.0),
    ("hinge", -1.0, -3.0, 0.0, 0.0),
    ("hinge", -1.0, -1.0, 0.0, 1.0),  # the kink
    ("squared_hinge", 1.0, 0.25, 0.5625, -1.5),  # 0.75^2
    ("squared_hinge", -1.0, 2.0, 9.0, 6.0),
    ("squared_hinge", 1.0, 3.0, 0.0, 0.0),
    ("modified_huber", 1.0, 0.25, 0.5625, -1.5),
    ("modified_huber", 1.0, -1.0, 4.0, -4.0),  # the border: 2^2 and 4 x 1
    ("modified_huber", -1.0, 3.0, 12.0, 4.0),
    ("modified_huber", -1.0, -2.0, 0.0, 0.0),
    ("perceptron", 1.0, -2.0, 2.0, -1.0),
    ("perceptron", -1.0, 2.0, 2.0, 1.0),
    ("perceptron", -1.0, -0.5, 0.0, 0.0),
    ("perceptron", -1.0, 0.0, 0.0, 1.0),  # the kink, where every fit starts
    ("poisson", 3.0, TWO, 2 - 3 * TWO, -1.0),
    ("poisson", 0.0, -1e4, 0.0, 0.0),
    ("poisson", 2.0, -1e4, 2e4, -2.0),
    ("poisson", 2.0, 1e4, math.inf, math.inf),
    ("gamma", 3.0, TWO, TWO + 1.5, -0.5),
    ("gamma", 2.0, 1e4, 1e4, 1.0),
    ("gamma", 2.0, -1e4, math.inf, -math.inf),
    ("gamma", 2.0**-1000, -1010 * TWO, 1024 - 1010 * TWO, -1023.0),  # 2^-1000 x 2^1010
    ("tweedie", 3.0, 2 * TWO, 7.0, 0.5),  # mu = 4: 2 x 2 + 2 x 3 / 2, 2 - 3 / 2
    ("tweedie", 0.0, -1e4, 0.0, 0.0),
    ("tweedie", 2.0, -1e4, math.inf, -math.inf),
    ("tweedie", 2.0, 1e4, math.inf, math.inf),
    ("tweedie:power=0", 3.0, TWO, -4.0, -2.0),  # 4 / 2 - 3 x 2, 4 - 3 x 2
    ("tweedie:power=0", 3.0, 1e4, math.inf, math.inf),
    ("tweedie:power=1", 3.0, TWO, 2 - 3 * TWO, -1.0),
    ("tweedie:power=2", 3.0, TWO, TWO + 1.5, -0.5),
    ("tweedie:power=3", 3.0, TWO, -0.125, -0.25),  # -1/2 + 3 / 4 / 2, 1/2 - 3 / 4
    ("tweedie:power=3", 3.0, -1e4, math.inf, -math.inf),
    ("tweedie:power=102", 1e-6, -10.0, -math.inf, math.inf),  # e^1000 (-1/100 + e^10 / 101 millions), e^1000 (1 - ...)
    ("phase_retrieval", 4.0, 3.0, 6.25, 15.0),  # (9 - 4)^2 / 4, 3 (9 - 4)
    ("phase_retrieval", 4.0, -3.0, 6.25, -15.0),
    ("phase_retrieval", 4.0, -2.0, 0.0, 0.0),
    ("phase_retrieval", 4.0, 0.0, 4.0, 0.0),  # the saddle
    ("phase_retrieval", -1.0, 1.0, 1.0, 2.0),
]


@pytest.mark.parametrize("way", [plain, compiled], ids=["plain", "compiled"])
def test_value_and_derivative_by_hand(way):
    for case, y, z, value, derivative in BY_HAND:
        tolerance = 1e-12 if abs(z) > 100 else 1e-14  # 1010 log 2 is rounded
        assert way(LOSSES.resolve(case), y, z)[:2] == (close(value, tolerance), close(derivative, tolerance)), (case, z)


def test_every_loss_has_values_computed_by_hand(name):
    worked_out = {"softmax", *(case.partition(":")[0] for case, *_ in BY_HAND)}  # softmax: see test_softmax.py
    assert name in worked_out, f"add values of {name!r} to BY_HAND, worked out by hand"


def test_means_by_hand():
    scalar = [name for name, loss in LOSSES.items() if not loss_traits(loss()).joint]
    means = {name: [LOSSES[name]().mean(z) for z in (-2.5, 0.5)] for name in scalar}
    by_hand = {
        "logistic": [close(1 / (1 + math.exp(2.5))), close(1 / (1 + math.exp(-0.5)))],
        "modified_huber": [0.0, 0.75],
        **{key: [close(math.exp(-2.5)), close(math.exp(0.5))] for key in ("poisson", "gamma", "tweedie")},
        "phase_retrieval": [6.25, 0.25],
    }
    assert means == {name: by_hand.get(name, [-2.5, 0.5]) for name in scalar}
    assert [LOSSES["logistic"]().mean(z) for z in (0.0, 1e4, -1e4)] == [0.5, 1.0, 0.0]
    assert [LOSSES["poisson"]().mean(z) for z in (0.0, 1e4, -1e4)] == [1.0, math.inf, 0.0]


@pytest.mark.parametrize("margin", [20.0, 40.0, 300.0])
def test_small_logistic_losses_are_precise(margin):
    loss = LOSSES["logistic"]()
    for y in (-1.0, 1.0):
        assert loss.value(y, y * margin) == pytest.approx(math.exp(-margin), rel=1e-8)  # log(1 + e) = e - e^2/2 ...
        assert loss.derivative(y, y * margin) == pytest.approx(-y * math.exp(-margin), rel=1e-8)
    assert loss.mean(-margin) == pytest.approx(math.exp(-margin), rel=1e-8)


WITH_SECOND = [text for text in CASES if loss_traits(LOSSES.resolve(text)).has_second_derivative]


def test_smooth_and_piecewise_quadratic_losses_state_their_second_derivative():
    kinked = {text for text in CASES if loss_traits(LOSSES.resolve(text)).kinked}
    assert set(WITH_SECOND) == set(CASES) - kinked


@pytest.mark.parametrize("text", WITH_SECOND)
def test_second_derivative_equals_differences_of_the_derivative(text):
    loss, h = LOSSES.resolve(text), 1e-5
    for y in targets(loss):
        for z in (-2.3, -1.2, -0.37, 0.23, 0.7, 1.87, 3.1):
            difference = (loss.derivative(y, z + h) - loss.derivative(y, z - h)) / (2.0 * h)
            assert loss.second_derivative(y, z) == pytest.approx(difference, rel=1e-7, abs=1e-9), (y, z)


WITH_PIECES = [text for text in CASES if loss_traits(LOSSES.resolve(text)).has_pieces]


def test_piecewise_linear_losses_state_their_pieces():
    assert {text.partition(":")[0] for text in WITH_PIECES} == set(KINKED)


@pytest.mark.parametrize("text", WITH_PIECES)
def test_pieces_sum_up_to_the_value(text):
    loss = LOSSES.resolve(text)
    y = np.array(targets(loss))
    t, low, high = (np.atleast_2d(part) for part in loss.pieces(y))
    assert t.shape == low.shape == high.shape
    assert (low <= high).all()
    for z in sorted({z for one in y for z in [*PREDICTORS, *kinks(loss, one)]}):
        summed = np.maximum(low * (z - t), high * (z - t)).sum(axis=0)
        assert summed.tolist() == [close(expected(text).value(one, z)) for one in y.tolist()], z


def test_second_derivatives_far_out_are_not_nan():
    for text in WITH_SECOND:
        loss = LOSSES.resolve(text)
        for y in targets(loss):
            seconds = [loss.second_derivative(y, z) for z in (-1e4, -710.0, 710.0, 1e4)]
            assert not np.isnan(seconds).any(), text


@given(st.floats(1e-300, 1.0))
def test_log1p_of_fraction_is_log1p(e):
    assert log1p_of_fraction(e) == pytest.approx(math.log1p(e), rel=4e-16, abs=0)


# --- Settings, errors, documentation ----------------------------------------------------------------------------------


def test_resolve_reads_a_name_with_settings():
    assert LOSSES.resolve("huber") == LOSSES["huber"](1.35)
    assert LOSSES.resolve("huber:delta=2") == LOSSES["huber"](delta=2.0)
    assert [LOSSES.resolve(name) for name in ("quantile", "epsilon_insensitive", "tweedie")] == [
        LOSSES["quantile"](0.5), LOSSES["epsilon_insensitive"](0.1), LOSSES["tweedie"](1.5),
    ]  # fmt: skip


OUTSIDE = "must lie between 0 and 1, not at"
NEGATIVE = "must be a finite number, 0 or more, not"
IMPOSSIBLE = "must be a finite number, 0 or less or 1 or more, not"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hubr", "unknown loss 'hubr'; did you mean 'huber'? (known: squared, half_squared, huber, absolute"),
        ("", "unknown loss ''"),
        ("huber:dleta=2", "loss 'huber' has no setting 'dleta'; did you mean 'delta'? (it has: delta)"),
        ("squared:delta=2", "loss 'squared' has no setting 'delta' (it has: none)"),
        ("huber:delta=wide", "loss 'huber': delta='wide' is not a number"),
        ("huber:delta", "loss 'huber': delta='' is not a number"),
        ("huber:delta=nan", "Huber: delta must be a number, not nan"),
        ("huber:delta=0", "huber: delta must be above 0, not 0.0"),
        ("huber:delta=-1", "huber: delta must be above 0, not -1.0"),
        (LOSSES["huber"], "loss: pass an instance, Huber(), not the class itself"),
        (3, "loss: 3 is neither a name (squared, half_squared, huber, absolute"),
        ("quantile:quantile=0", f"quantile: quantile {OUTSIDE} 0.0"),
        ("quantile:quantile=1", f"quantile: quantile {OUTSIDE} 1.0"),
        ("epsilon_insensitive:epsilon=-0.1", f"epsilon_insensitive: epsilon {NEGATIVE} -0.1"),
        ("epsilon_insensitive:epsilon=inf", f"epsilon_insensitive: epsilon {NEGATIVE} inf"),
        ("squared_epsilon_insensitive:epsilon=-1", f"squared_epsilon_insensitive: epsilon {NEGATIVE} -1.0"),
        ("tweedie:power=0.5", f"tweedie: power {IMPOSSIBLE} 0.5"),
        ("tweedie:power=-inf", f"tweedie: power {IMPOSSIBLE} -inf"),
        ("tweedie:power=inf", f"tweedie: power {IMPOSSIBLE} inf"),
    ],
)
def test_error_names_the_loss_and_setting(text, message):
    with pytest.raises(OptionError) as caught:
        LOSSES.resolve(text)
    assert str(caught.value).startswith(message)


def test_settings_must_be_numbers(name):
    loss = LOSSES[name]()
    for field in fields(loss):
        for wrong in (math.nan, "2", None, True):
            with pytest.raises(OptionError, match=field.name):
                replace(loss, **{field.name: wrong})


def test_docstring_has_a_formula_the_settings_and_a_source(name):
    doc = LOSSES[name].__doc__
    formula = doc.partition("Source")[0]
    assert "Source: " in doc
    assert "y" in formula
    assert "z" in formula
    for field in fields(LOSSES[name]):
        assert field.name in doc


def test_docstring_tells_why_there_is_no_curvature(name):
    assert (loss_traits(LOSSES[name]()).curvature is None) == ("curvature" in LOSSES[name].__doc__)
