"""Which targets a loss is defined for."""

from __future__ import annotations

from typing import Any

from ...errors import DataError, OptionError
from ...wording import plural
from ..registry import Members
from .loss_protocol import LOSSES, Loss


def check_targets(loss: Any, y: Any) -> None:
    """Say which targets in the array ``y`` a loss is not defined for, if it has a method ``allows`` to tell.

    Raises
    ------
    DataError
        When there are any: how many, the first of them, and what is allowed.
    OptionError
        When a user's loss does not say of each target whether it is allowed, or not in words what is.
    """
    members, name = Members(loss, Loss), LOSSES.describe(loss)
    if not members.has("allows"):
        return
    if not members.has("domain"):
        raise OptionError(f"loss {name} has allows(y), but no domain() that says in words what y must be")
    wrong = (~_allowed(loss, name, y)).nonzero()
    count = len(wrong[0])
    if count:
        first = y[tuple(axis[0] for axis in wrong)]
        raise DataError(
            f"y must be {loss.domain()} for the loss {name}, but has {plural(count, 'other value')}, "
            f"the first in row {wrong[0][0] + 1}: {first:g}; leave those rows out or take another loss"
        )


def _allowed(loss: Any, name: str, y: Any) -> Any:
    """An array of True and False, one for each target."""
    try:
        allowed = loss.allows(y)
        if allowed.dtype == bool and allowed.shape == y.shape:
            return allowed
    except (AttributeError, TypeError, ValueError):  # written for one number, it gives one or fails
        pass
    raise OptionError(f"loss {name}: allows(y) gets all targets as an array, and gives True or False for each")
