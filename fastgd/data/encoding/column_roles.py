"""The columns of a table that are not features: targets, and the weight and offset of each row."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ...wording import hint, plural
from .origin import Origin
from .request import Request

TARGET_NAMES = ("y", "target", "label")


@dataclass(frozen=True)
class Roles:
    """Positions of columns, and remarks for the user.

    ``targets`` is empty if one of several targets is missing; ``not_features`` has the others all the same.
    """

    targets: tuple[int, ...]
    row_columns: dict[str, int]
    not_features: frozenset[int]
    remarks: tuple[str, ...]


def find_roles(
    names: Sequence[str], headed: bool, request: Request, origin: Origin, *, separate_target: bool = False
) -> Roles:
    """The columns among ``names`` that the request uses as targets, weight or offset.

    With ``separate_target`` no column is a target. Where the request does not need targets (prediction), they may be
    missing, and are used only if all of them exist.

    Raises
    ------
    DataError
        If a name does not exist, or a column has two roles.
    """
    for name in request.drop:
        if name not in names:
            raise origin.error(f"has no column {name!r} to drop; {hint(name, names)}")
    rows = {role: _required(names, name, in_words(role), origin) for role, name in request.row_columns.items()}
    found, remarks = ((), ()) if separate_target else _find_targets(names, headed, request, rows.values(), origin)
    present = [j for j in found if j is not None]
    _check_one_role_each(names, headed, request, present, rows, origin)
    targets = tuple(present) if len(present) == len(found) else ()
    return Roles(targets, rows, frozenset([*present, *rows.values()]), remarks)


def in_words(role: str) -> str:
    return role.replace("_", " ")


def _find_targets(
    names: Sequence[str], headed: bool, request: Request, taken: Collection[int], origin: Origin
) -> tuple[Sequence[int | None], tuple[str, ...]]:
    """The position of each target, None for a missing one that is not needed; and remarks for the user."""
    if _has_features_only(len(names) - len(taken), headed, request):
        return (), ()
    if request.target is None:
        if not request.need_target:
            return (), ()
        j, remark = _default_target(names, request, taken, origin)
        return (j,), (remark,)
    wanted = _target_names(names, request.target)
    if request.need_target:
        return [_required(names, name, "target", origin) for name in wanted], ()
    return [position(names, name) for name in wanted], ()


def _target_names(names: Sequence[str], target: str | tuple[str, ...]) -> tuple[str, ...]:
    """A string with commas is split into several names, unless a column has that name."""
    if isinstance(target, tuple):
        return target
    parts = tuple(part.strip() for part in target.split(",") if part.strip())
    return parts if len(parts) > 1 and position(names, target) is None else (target,)


def _has_features_only(n_columns: int, headed: bool, request: Request) -> bool:
    """Whether this is a table for prediction, without a header, with just the columns of the model's features."""
    width = n_columns - len(request.drop)
    return not (headed or request.need_target or request.features is None) and width == len(request.features)


def position(names: Sequence[str], name: str) -> int | None:
    """The position of a column given by name, or else by index; a negative index counts from the end."""
    if name in names:
        return names.index(name)
    if re.fullmatch(r"-?\d+", name) and -len(names) <= int(name) < len(names):
        return int(name) % len(names)
    return None


def _required(names: Sequence[str], name: str, role: str, origin: Origin) -> int:
    found = position(names, name)
    if found is not None:
        return found
    if re.fullmatch(r"-?\d+", name):
        raise origin.error(
            f"has no column {name} to be the {role}; it has {plural(len(names), 'column')}, counted from 0"
        )
    raise origin.error(f"has no column {name!r} to be the {role}; {hint(name, names)}")


def _default_target(names: Sequence[str], request: Request, taken: Collection[int], origin: Origin) -> tuple[int, str]:
    excluded = {*request.drop, *(request.features or ())}
    candidates = [j for j, name in enumerate(names) if name not in excluded and j not in taken]
    if not candidates:
        raise origin.error("no column is left to be the target; add one, or drop fewer columns")
    for known in TARGET_NAMES:
        for j in candidates:
            if names[j].lower() == known:
                return j, f"the target is the column {names[j]!r}"
    return candidates[-1], f"the target is the last column, {names[candidates[-1]]!r}"


def _check_one_role_each(
    names: Sequence[str], headed: bool, request: Request, targets: Sequence[int], row_columns: Mapping[str, int],
    origin: Origin,
) -> None:  # fmt: skip
    roles: dict[int, str] = {}
    for j, role in _roles_in_words(names, headed, request, targets, row_columns):
        if j in roles and roles[j] == role:
            raise origin.error(f"column {names[j]!r} is named twice as {role}; name it once")
        if j in roles:
            raise origin.error(f"column {names[j]!r} is both {roles[j]} and {role}; choose one")
        roles[j] = role


def _roles_in_words(
    names: Sequence[str], headed: bool, request: Request, targets: Sequence[int], row_columns: Mapping[str, int]
) -> Iterator[tuple[int, str]]:
    """(position, role) of each column that the request names; features only by name, not by index without a header."""
    yield from ((j, "the target") for j in targets)
    yield from ((j, f"the {in_words(role)}") for role, j in row_columns.items())
    yield from ((names.index(name), "to be dropped") for name in dict.fromkeys(request.drop))
    if headed and request.features:
        features = set(request.features)
        yield from ((j, "one of the model's features") for j, name in enumerate(names) if name in features)
