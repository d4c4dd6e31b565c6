"""The reference's losses match arithmetic by hand, and their derivatives match finite differences."""

import math

import pytest

from reference.losses import LOSSES, EpsilonInsensitive, Huber, Quantile, Tweedie


def close(value, tol=1e-12):
    return pytest.approx(value, rel=tol, abs=tol)


BY_HAND = [  # loss, y, z, value, derivative
    ("squared", 2.0, 5.0, 9.0, 6.0),  # r = 3
    ("squared", 6.0, 3.0, 9.0, -6.0),  # r = -3
    ("half_squared", 2.0, 5.0, 4.5, 3.0),
    ("half_squared", 1.0, 0.5, 0.125, -0.5),
    ("huber", 1.0, 2.0, 0.5, 1.0),  # |r| = 1 <= 1.35
    ("huber", 0.0, 1.35, 0.91125, 1.35),  # the border: 1.35^2 / 2 = 1.8225 / 2
    ("huber", 0.0, 3.0, 3.13875, 1.35),  # 1.35 (3 - 0.675) = 1.35 x 2.325
    ("huber", 3.0, 0.0, 3.13875, -1.35),
    ("logistic", 1.0, 0.0, 0.6931471805599453, -0.5),  # log 2
    ("logistic", -1.0, 0.0, 0.6931471805599453, 0.5),
    ("logistic", 1.0, 1.0986122886681098, 0.28768207245178096, -0.25),  # z = log 3: log(1 + 1/3) = log(4/3), -1/(1 + 3)
    ("logistic", -1.0, 1.0986122886681098, 1.3862943611198906, 0.75),  # log(1 + 3) = log 4, 3/(1 + 3)
    ("logistic", 1.0, 1e4, 0.0, 0.0),  # exp(-10000) is below the smallest float
    ("logistic", 1.0, -1e4, 1e4, -1.0),
    ("logistic", -1.0, 1e4, 1e4, 1.0),
    ("logistic", -1.0, -1e4, 0.0, 0.0),
    ("absolute", 2.0, 4.5, 2.5, 1.0),
    ("absolute", 2.0, 2.0, 0.0, -1.0),  # a kink
    ("quantile", 2.0, 4.5, 1.25, 0.5),
    ("quantile", 2.0, 2.0, 0.0, -0.5),  # a kink
    ("epsilon_insensitive", 2.0, 4.5, 2.4, 1.0),
    ("epsilon_insensitive", 2.0, 1.0, 0.9, -1.0),
    ("epsilon_insensitive", 0.0, 0.1, 0.0, 0.0),  # a kink
    ("squared_epsilon_insensitive", 2.0, 1.0, 0.81, -1.8),
    ("squared_epsilon_insensitive", 2.0, 4.5, 5.76, 4.8),  # 2.4^2
    ("squared_epsilon_insensitive", 2.0, 2.05, 0.0, 0.0),
    ("hinge", 1.0, -0.5, 1.5, -1.0),
    ("hinge", -1.0, -1.5, 0.0, 0.0),
    ("hinge", 1.0, 1.0, 0.0, -1.0),  # a kink
    ("squared_hinge", 1.0, -0.5, 2.25, -3.0),  # 1.5^2
    ("squared_hinge", -1.0, -1.5, 0.0, 0.0),
    ("modified_huber", 1.0, -0.5, 2.25, -3.0),
    ("modified_huber", -1.0, 2.5, 10.0, 4.0),  # y z is below -1: 4 x 2.5
    ("modified_huber", -1.0, -1.5, 0.0, 0.0),
    ("perceptron", -1.0, 1.5, 1.5, 1.0),
    ("perceptron", 1.0, 1.5, 0.0, 0.0),
    ("perceptron", 1.0, 0.0, 0.0, -1.0),  # a kink
    ("poisson", 3.0, 0.6931471805599453, 2 - 3 * 0.6931471805599453, -1.0),  # z = log 2
    ("poisson", 3.0, 1e4, math.inf, math.inf),
    ("gamma", 3.0, 0.6931471805599453, 0.6931471805599453 + 1.5, -0.5),
    ("gamma", 3.0, -1e4, math.inf, -math.inf),
    ("tweedie", 3.0, 1.3862943611198906, 7.0, 0.5),  # mu = 4: 4^(1/2) / (1/2) + 3 x 4^(-1/2) / (1/2), 2 - 3 / 2
    ("tweedie", 0.0, -1e4, 0.0, 0.0),
    ("phase_retrieval", 1.0, 3.0, 16.0, 24.0),  # 8^2 / 4, 3 x 8
    ("phase_retrieval", 1.0, -3.0, 16.0, -24.0),
]


@pytest.mark.parametrize(("name", "y", "z", "value", "derivative"), BY_HAND)
def test_losses_by_hand(name, y, z, value, derivative):
    assert LOSSES[name].value(y, z) == close(value)
    assert LOSSES[name].derivative(y, z) == close(derivative)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("y", [-1.0, 1.0])
@pytest.mark.parametrize("z", [-7.3, -2.1, -0.4, 0.05, 0.2, 1.9, 12.5])
def test_derivative_matches_finite_differences(name, y, z):
    loss, h = LOSSES[name], 1e-5
    assert loss.derivative(y, z) == close((loss.value(y, z + h) - loss.value(y, z - h)) / (2 * h), tol=1e-7)


def test_each_loss_has_values_by_hand():
    assert {name for name, *_ in BY_HAND} == set(LOSSES)


def test_settings():
    assert Huber(delta=0.5).value(0.0, 2.0) == 0.875  # 0.5 (2 - 0.25)
    assert Huber(delta=0.5).derivative(2.0, 0.0) == -0.5
    assert Quantile(0.75).value(0.0, 2.0) == 0.5  # 2 / 4
    assert Quantile(0.75).derivative(2.0, 0.0) == -0.75
    assert EpsilonInsensitive(0.5).value(0.0, 2.0) == 1.5


@pytest.mark.parametrize(("power", "value", "derivative"), [
    (0, 2 - 6, 4 - 6),  # mu^2 / 2 - y mu, with y = 3 and mu = 2
    (1, 2 - 3 * 0.6931471805599453, 2 - 3),  # mu - y log mu
    (2, 0.6931471805599453 + 1.5, 1 - 1.5),  # log mu + y / mu
    (3, -0.5 + 0.375, 0.5 - 0.75),  # -1 / mu + y / mu^2 / 2
])  # fmt: skip
def test_powers_of_tweedie(power, value, derivative):
    loss = Tweedie(power)
    assert loss.value(3.0, 0.6931471805599453) == close(value)
    assert loss.derivative(3.0, 0.6931471805599453) == close(derivative)


def test_means():
    assert [LOSSES[name].mean(-2.5) for name in ("squared", "half_squared", "huber")] == [-2.5, -2.5, -2.5]
    assert [LOSSES["modified_huber"].mean(z) for z in (-3.0, -0.5, 3.0)] == [0.0, 0.25, 1.0]
    assert [LOSSES[name].mean(0.6931471805599453) for name in ("poisson", "gamma", "tweedie")] == [close(2.0)] * 3
    assert LOSSES["phase_retrieval"].mean(-3.0) == 9.0
    assert LOSSES["logistic"].mean(0.0) == 0.5
    assert LOSSES["logistic"].mean(-1.0986122886681098) == close(0.25)  # z = -log 3: 1 / (1 + 3)
    assert [LOSSES["logistic"].mean(z) for z in (1e4, -1e4)] == [1.0, 0.0]


def test_small_logistic_losses_are_precise():
    assert LOSSES["logistic"].value(1.0, 40.0) == pytest.approx(math.exp(-40.0), rel=1e-12)
    assert LOSSES["logistic"].derivative(1.0, 40.0) == pytest.approx(-math.exp(-40.0), rel=1e-12)
