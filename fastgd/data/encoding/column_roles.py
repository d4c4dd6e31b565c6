"""Which columns of a table are no features: targets, the weight of each row, the offset of each row."""

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
    """Positions of columns: ``aside`` those that are no features, among them targets that cannot be used."""

    targets: tuple[int, ...]
    of_rows: dict[str, int]
    aside: frozenset[int]
    remarks: tuple[str, ...]


def find_roles(
    names: Sequence[str], headed: bool, request: Request, origin: Origin, *, target_apart: bool = False
) -> Roles:
    """The columns among ``names`` that the request wants for something else than features.

    With ``target_apart`` there is no target among them. To predict, targets may be missing: they are used when all
    of them are there.

    Raises
    ------
    DataError
        For a name that is not there, and for a column that is wanted for two things.
    """
    for name in request.drop:
        if name not in names:
            raise origin.error(f"has no column {name!r} to drop; {hint(name, names)}")
    of_rows = {role: _required(names, name, in_words(role), origin) for role, name in request.of_rows.items()}
    found, remarks = _find_targets(names, headed, request, of_rows.values(), origin) if not target_apart else ([], ())
    there = [j for j in found if j is not None]
    _check_one_claim_each(names, headed, request, there, of_rows, origin)
    targets = tuple(there) if len(there) == len(found) else ()
    return Roles(targets, of_rows, frozenset([*there, *of_rows.values()]), remarks)


def in_words(role: str) -> str:
    return role.replace("_", " ")


def _find_targets(
    names: Sequence[str], headed: bool, request: Request, taken: Collection[int], origin: Origin
) -> tuple[Sequence[int | None], tuple[str, ...]]:
    """Where each target is, None for one that is missing and need not be there; and what is worth saying."""
    if _is_without_target(len(names) - len(taken), headed, request):
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
    """One by one; a string with commas stands for several, unless a column is called so."""
    if isinstance(target, tuple):
        return target
    parts = tuple(part.strip() for part in target.split(",") if part.strip())
    return parts if len(parts) > 1 and position(names, target) is None else (target,)


def _is_without_target(n_columns: int, headed: bool, request: Request) -> bool:
    """A table without header to predict on that holds the features and nothing else."""
    width = n_columns - len(request.drop)
    return not (headed or request.need_target or request.features is None) and width == len(request.features)


def position(names: Sequence[str], name: str) -> int | None:
    """Where a column is, by its name or else by its index, which may count from the end as in Python."""
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
        there = f"it has {plural(len(names), 'column')}, counted from 0"
        raise origin.error(f"has no column {name} to be the {role}; {there}")
    raise origin.error(f"has no column {name!r} to be the {role}; {hint(name, names)}")


def _default_target(names: Sequence[str], request: Request, taken: Collection[int], origin: Origin) -> tuple[int, str]:
    unwanted = {*request.drop, *(request.features or ())}
    left = [j for j, name in enumerate(names) if name not in unwanted and j not in taken]
    if not left:
        raise origin.error("no column is left to be the target; add one, or drop fewer columns")
    for known in TARGET_NAMES:
        for j in left:
            if names[j].lower() == known:
                return j, f"the target is the column {names[j]!r}"
    return left[-1], f"the target is the last column, {names[left[-1]]!r}"


def _check_one_claim_each(
    names: Sequence[str],
    headed: bool,
    request: Request,
    targets: Sequence[int],
    of_rows: Mapping[str, int],
    origin: Origin,
) -> None:
    claimed: dict[int, str] = {}
    for j, claim in _claims(names, headed, request, targets, of_rows):
        if j in claimed and claimed[j] == claim:
            raise origin.error(f"column {names[j]!r} is named twice as {claim}; name it once")
        if j in claimed:
            raise origin.error(f"column {names[j]!r} is both {claimed[j]} and {claim}; decide for one")
        claimed[j] = claim


def _claims(
    names: Sequence[str], headed: bool, request: Request, targets: Sequence[int], of_rows: Mapping[str, int]
) -> Iterator[tuple[int, str]]:
    """Which column is wanted for what; without a header, a model's features have names that mean little."""
    yield from ((j, "the target") for j in targets)
    yield from ((j, f"the {in_words(role)}") for role, j in of_rows.items())
    yield from ((names.index(name), "to be dropped") for name in dict.fromkeys(request.drop))
    if headed and request.features:
        features = set(request.features)
        yield from ((j, "one of the model's features") for j, name in enumerate(names) if name in features)
