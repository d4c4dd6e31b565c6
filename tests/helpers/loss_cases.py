"""The losses, targets and predictors of the tests; every registered loss is included automatically."""

from __future__ import annotations

import math

import pytest
import reference

from fastgd.compile.jit import kernel
from fastgd.losses import LOSSES, loss_traits

CASES = [
    *(name for name, loss in LOSSES.items() if not loss_traits(loss()).joint),  # softmax has its own file
    "huber:delta=0.5",
    "quantile:quantile=0.8",
    "epsilon_insensitive:epsilon=0.5",
    "squared_epsilon_insensitive:epsilon=0.5",
    *(f"tweedie:power={power}" for power in (-1, 0, 1, 1.9, 2, 3)),
]
NOT_CONVEX = ("phase_retrieval", "tweedie:power=-1", "tweedie:power=0", "tweedie:power=3")

PREDICTORS = [-1e4, -37.0, -7.3, -2.1, -1.35, -0.4, 0.0, 0.2, 1.35, 1.9, 12.5, 710.0, 1e4]


def targets(loss):
    """Some targets for which the loss is defined."""
    if loss_traits(loss).classifies:
        return [-1.0, 1.0]
    everywhere = [-3.5, 0.0, 0.25, 2.0]
    return [y for y in everywhere if not loss_traits(loss).checks_targets or loss.allows(y)]


def kinks(loss, y):
    """Predictors at which a value or a derivative may have a kink, and some more."""
    around = [0.0, 0.1, 1.0, *(getattr(loss, name, 0.0) for name in ("delta", "epsilon"))]
    return sorted({v for a in around for v in (y - a, y + a, -a, a)})


def expected(text):
    """The reference's loss for a name with settings."""
    name, _, settings = text.partition(":")
    if name not in reference.LOSSES:
        pytest.fail(f"tests/reference_losses.py has no loss {name!r} to hold the new one to: write it there")
    given = (setting.split("=") for setting in filter(None, settings.split(",")))
    return type(reference.LOSSES[name])(**{key: float(number) for key, number in given})


@kernel
def compiled(loss, y, z):
    """Value, derivative and mean in compiled code."""
    return loss.value(y, z), loss.derivative(y, z), loss.mean(z)


def plain(loss, y, z):
    return loss.value(y, z), loss.derivative(y, z), loss.mean(z)


def close(value, tol=1e-14):
    """Equal to ``tol``, with more tolerance for e^x, whose relative error is the absolute error of x."""
    spread = math.log(abs(value)) if 1 < abs(value) < math.inf else 0.0
    return pytest.approx(value, rel=tol + 4e-16 * spread, abs=tol)
