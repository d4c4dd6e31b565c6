"""The trial of a user's loss, before any of it is compiled."""

from __future__ import annotations

import math
from collections.abc import Iterable
from numbers import Real
from typing import Any

from ...errors import OptionError

STEP = 1e-6  # of the finite differences that the derivative is held to


def check_own_loss(loss: Any, targets: Iterable[float]) -> None:
    """Try a user's loss as plain Python on a few targets: its derivative has to be that of its value.

    Raises
    ------
    OptionError
        When a method fails, gives anything but a number, or the two contradict each other.
    """
    name = type(loss).__qualname__
    for y in targets:
        for z in (y - 1.7, -0.6, 0.3, y + 0.9):
            below, at, above = (_call(loss, name, "value", y, z + h) for h in (-STEP, 0.0, STEP))
            slope = _call(loss, name, "derivative", y, z)
            left, right = (at - below) / STEP, (above - at) / STEP
            margin = 1e-3 * (abs(left) + abs(right)) + 1e-6 * (1.0 + abs(at))
            if not min(left, right) - margin <= slope <= max(left, right) + margin:  # between the two at a kink
                told = f"derivative({y:g}, {z:g}) is {slope:g}, but value rises there by {(left + right) / 2:g}"
                raise OptionError(f"loss {name}: {told} for each unit of z; mend one of the two")


def _call(loss: Any, name: str, method: str, y: float, z: float) -> float:
    try:
        result = getattr(loss, method)(y, z)
    except Exception as error:
        told = f"{type(error).__name__}: {error}"
        raise OptionError(f"loss {name}: {method}({y:g}, {z:g}) fails with {told}") from error
    if isinstance(result, bool) or not isinstance(result, Real) or not math.isfinite(result):
        raise OptionError(f"loss {name}: {method}({y:g}, {z:g}) gives {result!r}, not a finite number")
    return float(result)
