"""Losses, their derivatives and means, against the formulas in 50 digits, compiled and as plain Python.

The error is measured against the sum of the absolute terms of the formula, each evaluated at the numbers as they are.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pytest

from fastgd.compile.jit import kernel
from fastgd.losses import LOSSES

mp = pytest.importorskip("mpmath").mp
mp.dps = 50
EPS = 2.0**-52
DELTA, EPSILON = mp.mpf(1.35), mp.mpf(0.1)  # the defaults, as the numbers that they are
SIZES = (0.0, 1e-300, 1e-17, 1e-8, 0.01, 0.3, 0.999, 1.0, 1.35, 2.5, 17.0, 36.5, 300.0, 700.0, 1e4, 1e9, 1e100)
REAL = tuple(sorted({s * x for x in SIZES for s in (-1.0, 1.0)}))
LOG = tuple(x for x in REAL if abs(x) <= 300.0)  # of a log link: e^z
NUMBERS, LABELS, COUNTS, AMOUNTS = (
    (-3.7, 0.0, 1e-9, 2.0, 1e12),
    (-1.0, 1.0),
    (0.0, 1.0, 7.0, 1e9),
    (1e-6, 0.5, 3.0, 1e9),
)


class Oracle(NamedTuple):
    """The terms of the value, of the derivative and of the mean, whose sums they are; y and z in many digits."""

    value: object
    derivative: object
    mean: object
    ys: tuple = NUMBERS
    zs: tuple = REAL
    second: object = None


def power_of(z, p):
    return mp.exp(p * z)


def log_mean(z):
    return [mp.exp(z)]


def sigmoid(z):
    return 1 / (1 + mp.exp(-z))


ORACLES = {
    "squared": Oracle(lambda y, z: [(z - y) ** 2], lambda y, z: [2 * (z - y)], lambda z: [z]),
    "half_squared": Oracle(lambda y, z: [(z - y) ** 2 / 2], lambda y, z: [z - y], lambda z: [z]),
    "huber": Oracle(
        lambda y, z: [(z - y) ** 2 / 2 if abs(z - y) <= DELTA else DELTA * (abs(z - y) - DELTA / 2)],
        lambda y, z: [max(min(z - y, DELTA), -DELTA)],
        lambda z: [z],
    ),
    "absolute": Oracle(lambda y, z: [abs(z - y)], None, lambda z: [z]),
    "quantile": Oracle(lambda y, z: [abs(z - y) / 2], None, lambda z: [z]),
    "epsilon_insensitive": Oracle(lambda y, z: [max(abs(z - y) - EPSILON, 0)], None, lambda z: [z]),
    "squared_epsilon_insensitive": Oracle(lambda y, z: [max(abs(z - y) - EPSILON, 0) ** 2], None, lambda z: [z]),
    "logistic": Oracle(
        lambda y, z: [mp.log1p(mp.exp(-y * z))], lambda y, z: [-y * sigmoid(-y * z)], lambda z: [sigmoid(z)], LABELS,
        second=lambda y, z: [sigmoid(z) * sigmoid(-z)],
    ),
    "hinge": Oracle(lambda y, z: [max(1 - y * z, 0)], None, None, LABELS),
    "squared_hinge": Oracle(
        lambda y, z: [max(1 - y * z, 0) ** 2], lambda y, z: [-2 * y * max(1 - y * z, 0)], None, LABELS
    ),
    "modified_huber": Oracle(
        lambda y, z: [max(1 - y * z, 0) ** 2 if y * z >= -1 else -4 * y * z],
        lambda y, z: [-2 * y * max(1 - y * z, 0) if y * z >= -1 else -4 * y], None, LABELS,
    ),
    "perceptron": Oracle(lambda y, z: [max(-y * z, 0)], None, None, LABELS),
    "poisson": Oracle(
        lambda y, z: [mp.exp(z), -y * z], lambda y, z: [mp.exp(z), -y], log_mean, COUNTS, LOG, lambda y, z: [mp.exp(z)]
    ),
    "gamma": Oracle(
        lambda y, z: [z, y * mp.exp(-z)], lambda y, z: [mp.mpf(1), -y * mp.exp(-z)], log_mean, AMOUNTS, LOG,
        lambda y, z: [y * mp.exp(-z)],
    ),
    "tweedie": Oracle(
        lambda y, z: [2 * power_of(z, mp.mpf(0.5)), 2 * y * power_of(z, -mp.mpf(0.5))],
        lambda y, z: [power_of(z, mp.mpf(0.5)), -y * power_of(z, -mp.mpf(0.5))], log_mean, COUNTS, LOG,
    ),
    "phase_retrieval": Oracle(
        lambda y, z: [(z * z - y) ** 2 / 4], lambda y, z: [(z * z - y) * z], None, (0.0, 2.0, 1e6),
        tuple(x for x in REAL if abs(x) <= 1e9),
    ),
}  # fmt: skip


@kernel
def evaluate(loss, y, z, values, derivatives):
    for i in range(y.shape[0]):
        values[i] = loss.value(y[i], z[i])
        derivatives[i] = loss.derivative(y[i], z[i])


def assert_accurate(name, found, terms, at, ulps):
    """``terms`` in many digits; overflow must be infinite of the right sign."""
    exact, scale = mp.fsum(terms), mp.fsum(abs(term) for term in terms)
    if scale > mp.mpf(1.7e308):
        assert found == math.copysign(math.inf, exact), (name, at)
        return
    error = abs(mp.mpf(found) - exact)
    assert error <= ulps * EPS * scale + mp.mpf(1e-307), (name, at, found, float(error / scale) / EPS)


def points(oracle):
    return np.array([(y, z) for y in oracle.ys for z in oracle.zs]).T.copy()


def test_every_loss_has_an_oracle():
    assert set(ORACLES) == set(LOSSES) - {"softmax"}


@pytest.mark.parametrize("compiled", [True, False], ids=["compiled", "plain"])
@pytest.mark.parametrize("name", ORACLES)
def test_values_and_derivatives(name, compiled):
    oracle, loss = ORACLES[name], LOSSES[name]()
    y, z = points(oracle)
    values, derivatives = np.empty_like(y), np.empty_like(y)
    with np.errstate(all="ignore"):
        (evaluate if compiled else getattr(evaluate, "py_func", evaluate))(loss, y, z, values, derivatives)
    for at in zip(y.tolist(), z.tolist(), values.tolist(), derivatives.tolist(), strict=True):
        exact = mp.mpf(at[0]), mp.mpf(at[1])
        assert_accurate("value", at[2], oracle.value(*exact), at, 6)
        if oracle.derivative:
            assert_accurate("derivative", at[3], oracle.derivative(*exact), at, 6)


@pytest.mark.parametrize("name", [name for name, oracle in ORACLES.items() if oracle.mean])
def test_means_and_second_derivatives(name):
    oracle, loss = ORACLES[name], LOSSES[name]()
    for z in oracle.zs:
        assert_accurate("mean", float(loss.mean(z)), oracle.mean(mp.mpf(z)), z, 4)
        for y in oracle.ys if oracle.second else ():
            assert_accurate("second", loss.second_derivative(y, z), oracle.second(mp.mpf(y), mp.mpf(z)), (y, z), 6)


@pytest.mark.parametrize(
    "z", [[0.0, 0.0, 0.0], [1e-17, -3.0, 2.0], [700.0, -700.0, 1.0], [1e9, 1e9 - 1, -1e300], [36.5, 0.0, -36.5]]
)
def test_softmax(z):
    loss = LOSSES["softmax"]()
    exact = [mp.mpf(x) for x in z]
    total = mp.fsum(mp.exp(x - max(exact)) for x in exact)
    shares = [mp.exp(x - max(exact)) / total for x in exact]
    for y in range(3):
        value = [
            max(exact) - exact[y],
            mp.log(total) - 1,
            mp.mpf(1),
        ]  # the logarithm has the rounding of a sum of about 1
        assert_accurate("value", float(loss.value(float(y), np.array(z))), value, (y, z), 6)
        gradient = np.array(z)
        assert_accurate("value", float(loss.derivative(float(y), gradient)), value, (y, z), 6)
        for k in range(3):
            assert_accurate("gradient", gradient[k], [shares[k], mp.mpf(-int(k == y))], (y, k, z), 6)
