"""The check that a loss is defined for the targets."""

from __future__ import annotations

from typing import Any

from ...errors import DataError, OptionError
from ...wording import plural
from ..registry import Members
from .loss_protocol import LOSSES, Loss


def check_targets(loss: Any, y: Any) -> None:
    """Check the targets in the array ``y`` by the method ``allows`` of the loss, if it has one.

    Raises
    ------
    DataError
        When a target is not allowed; the message has their number, the first of them, and what is allowed.
    OptionError
        When ``allows`` of a user's loss does not return a bool for each target, or the loss has no ``domain``.
    """
    members, name = Members(loss, Loss), LOSSES.describe(loss)
    if not members.has("allows"):
        return
    if not members.has("domain"):
        raise OptionError(f"loss {name} has allows(y), but no domain(), which states in words what y must be")
    wrong = (~_allowed(loss, name, y)).nonzero()
    count = len(wrong[0])
    if count:
        first = y[tuple(axis[0] for axis in wrong)]
        raise DataError(
            f"y must be {loss.domain()} for the loss {name}, but has {plural(count, 'other value')}, "
            f"the first in row {wrong[0][0] + 1}: {first:g}; remove those rows or use another loss"
        )


def _allowed(loss: Any, name: str, y: Any) -> Any:
    """A bool for each target, as an array."""
    try:
        allowed = loss.allows(y)
        if allowed.dtype == bool and allowed.shape == y.shape:
            return allowed
    except (AttributeError, TypeError, ValueError):  # an ``allows`` for a single number returns one value or fails
        pass
    raise OptionError(f"loss {name}: allows(y) must return True or False for each element of the array y")
