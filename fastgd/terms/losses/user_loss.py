"""The check of a user's loss in plain Python, before anything is compiled."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from numbers import Real
from typing import Any

from ...errors import OptionError
from ...wording import name_and_message
from .loss_protocol import loss_traits

STEP = 1e-6  # of the finite differences that derivatives are compared with
ROUNDING = 1e-9  # relative to 1 + |value|


def check_own_loss(loss: Any, targets: Iterable[float]) -> None:
    """Check a user's loss at a few targets: derivatives, pieces and the minimum must agree with the value.

    Raises
    ------
    OptionError
        When a method fails, returns anything but a finite number, or contradicts another.
    """
    traits = loss_traits(loss)
    pairs = [("value", "derivative")]
    if traits.has_second_derivative:
        pairs.append(("derivative", "second_derivative"))
    for y in targets:
        for z in (y - 1.7, -0.6, 0.3, y + 0.9):
            for function, derivative in pairs:
                _check_derivative(loss, function, derivative, y, z)
            if traits.has_pieces:
                _check_pieces(loss, y, z)
            if traits.has_minimum and traits.convex:  # else nothing reads it
                _check_minimum(loss, y, z)


def _check_derivative(loss: Any, function: str, derivative: str, y: float, z: float) -> None:
    below, at, above = (_call(loss, function, y, z + h) for h in (-STEP, 0.0, STEP))
    stated = _call(loss, derivative, y, z)
    left, right = (at - below) / STEP, (above - at) / STEP
    margin = 1e-3 * (abs(left) + abs(right)) + 1e-6 * (1.0 + abs(at))
    if not min(left, right) - margin <= stated <= max(left, right) + margin:  # at a kink, any number between the two
        raise OptionError(
            f"loss {type(loss).__qualname__}: {derivative}({y:g}, {z:g}) is {stated:g}, but {function} changes there "
            f"by {(left + right) / 2:g} per unit of z; correct one of the two"
        )


def _check_pieces(loss: Any, y: float, z: float) -> None:
    import numpy as np  # not above, so that help texts do without it

    name, value = f"loss {type(loss).__qualname__}: pieces({y:g})", _call(loss, "value", y, z)
    with _fails_as(name):
        t, low, high = (np.asarray(part, float) for part in loss.pieces(np.array([y])))
        summed = float(np.maximum(low * (z - t), high * (z - t)).sum())
    if not abs(summed - value) <= ROUNDING * (1.0 + abs(value)):
        raise OptionError(f"{name} sum up to {summed:g} at z = {z:g}, where value is {value:g}; correct one of the two")


def _check_minimum(loss: Any, y: float, z: float) -> None:
    minimum, value = _call(loss, "minimum", y), _call(loss, "value", y, z)
    if not minimum <= value + ROUNDING * (1.0 + abs(value)):
        raise OptionError(
            f"loss {type(loss).__qualname__}: minimum({y:g}) is {minimum:g}, but value({y:g}, {z:g}) is {value:g}; "
            "correct one of the two"
        )


@contextmanager
def _fails_as(name: str) -> Iterator[None]:
    """Report whatever a method raises, even what would end the process, as an error that names the method."""
    try:
        yield
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise OptionError(f"{name} fails with {name_and_message(error)}") from error


def _call(loss: Any, method: str, *at: float) -> float:
    name = f"loss {type(loss).__qualname__}: {method}({', '.join(f'{number:g}' for number in at)})"
    with _fails_as(name):
        result = getattr(loss, method)(*at)
    if isinstance(result, bool) or not isinstance(result, Real) or not math.isfinite(result):
        raise OptionError(f"{name} returns {result!r}, not a finite number")
    return float(result)
