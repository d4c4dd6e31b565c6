"""Which columns of a table are features and which one is the target."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from .origin import Origin
from .wording import hint, plural, quoted

TARGET_NAMES = ("y", "target", "label")


@dataclass(frozen=True)
class Request:
    """What the caller asks of a table; see ``open`` for the meaning."""

    target: str | None = None
    drop: tuple[str, ...] = ()
    features: tuple[str, ...] | None = None
    need_target: bool = True


@dataclass(frozen=True)
class Choice:
    """Positions of the chosen columns; ``names`` are the features' names, the model's own when taken in order."""

    features: tuple[int, ...]
    names: tuple[str, ...]
    target: int | None
    remarks: tuple[str, ...] = ()


def index_names(n: int, start: int = 0) -> tuple[str, ...]:
    """The names of columns without a header: their index."""
    return tuple(map(str, range(start, start + n)))


def choose(names: Sequence[str], headed: bool, request: Request, origin: Origin) -> Choice:
    """Choose the target and the features among the columns ``names``.

    Raises
    ------
    DataError
        For a name that is not there, no feature left, or more or fewer columns than a model has features.
    """
    check_drop(names, request, origin)
    target, remarks = _find_target(names, headed, request, origin)
    others = [j for j in range(len(names)) if j != target]
    features, feature_names = choose_features(names, others, headed, request, origin)
    return Choice(features, feature_names, target, remarks)


def choose_features(
    names: Sequence[str], candidates: Sequence[int], headed: bool, request: Request, origin: Origin
) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """The positions and names of the features among ``candidates``, from which the target is already gone."""
    left = [j for j in candidates if names[j] not in request.drop]
    if request.features is None:
        if not left:
            raise origin.error("no column is left for the features; name another target or drop fewer columns")
        return tuple(left), tuple(names[j] for j in left)
    wanted = request.features
    if not headed and _in_order(len(names), len(left), request):
        return tuple(left), wanted
    position = {names[j]: j for j in left}
    missing = [name for name in wanted if name not in position]
    if not headed and (missing or counts_all(wanted, request.target)):
        check_width(len(left) if len(left) != len(wanted) else len(names), len(wanted), origin)
    if missing:
        raise origin.error(
            f"{len(missing)} of the model's {plural(len(wanted), 'column')} {'is' if len(missing) == 1 else 'are'} not "
            f"there: {quoted(missing)}; add what is missing, or fit a model without it"
        )
    return tuple(position[name] for name in wanted), wanted


def _in_order(n_columns: int, n_left: int, request: Request) -> bool:
    """Whether columns without names are the model's features one by one.

    One column too many is the target if the model's target was a column by index. Where the model left columns out,
    that one may as well be such a column: only the full layout, taken by index, or the bare features are clear then.
    """
    wanted = request.features or ()
    certain = request.need_target or n_columns == len(wanted) or counts_all(wanted, request.target)
    return n_left == len(wanted) and certain


def counts_all(features: Sequence[str], target: str | None) -> bool:
    """Whether the features are every column of a table without header: then a different width is a mistake."""
    numbers = {int(name) for name in features if name.isdecimal()}
    if not features or len(numbers) < len(features):
        return False
    if target is not None and target.isdecimal():
        numbers.add(int(target))
    return max(numbers) - min(numbers) + 1 == len(numbers) and min(numbers) <= 1


def check_width(found: int, wanted: int, origin: Origin) -> None:
    """As many features as the model was fitted with."""
    if found != wanted:
        advice = "drop what is too much" if found > wanted else "add what is missing"
        raise origin.error(
            f"has {plural(found, 'feature')}, but the model was fitted with {wanted:,}; {advice}, or fit a model on it"
        )


def check_drop(names: Sequence[str], request: Request, origin: Origin) -> None:
    for name in request.drop:
        if name not in names:
            raise origin.error(f"has no column {name!r} to drop; {hint(name, names)}")
        if name == request.target:
            raise origin.error(f"column {name!r} is both the target and to be dropped; decide for one")


def _find_target(
    names: Sequence[str], headed: bool, request: Request, origin: Origin
) -> tuple[int | None, tuple[str, ...]]:
    if _is_without_target(names, headed, request):
        return None, ()
    if request.target is None:
        return _default_target(names, request, origin) if request.need_target else (None, ())
    found = position(names, request.target)
    if found is not None and request.features and headed and names[found] in request.features:
        raise origin.error(f"column {names[found]!r} is both the target and one of the model's features")
    if found is None and request.need_target:
        raise origin.error(_no_target(names, request.target))
    return found, ()


def _is_without_target(names: Sequence[str], headed: bool, request: Request) -> bool:
    """A table without header to predict on that holds the features and nothing else."""
    width = len(names) - len(request.drop)
    return not (headed or request.need_target or request.features is None) and width == len(request.features)


def position(names: Sequence[str], target: str) -> int | None:
    """Where a column is, by its name or else by its index, which may count from the end as in Python."""
    if target in names:
        return names.index(target)
    if re.fullmatch(r"-?\d+", target) and -len(names) <= int(target) < len(names):
        return int(target) % len(names)
    return None


def _no_target(names: Sequence[str], target: str) -> str:
    if re.fullmatch(r"-?\d+", target):
        return f"has no column {target} to be the target; it has {plural(len(names), 'column')}, counted from 0"
    return f"has no column {target!r} to be the target; {hint(target, names)}"


def _default_target(names: Sequence[str], request: Request, origin: Origin) -> tuple[int, tuple[str, ...]]:
    taken = {*request.drop, *(request.features or ())}
    left = [j for j, name in enumerate(names) if name not in taken]
    if not left:
        raise origin.error("no column is left to be the target; add one, or drop fewer columns")
    for known in TARGET_NAMES:
        for j in left:
            if names[j].lower() == known:
                return j, (f"the target is the column {names[j]!r}",)
    return left[-1], (f"the target is the last column, {names[left[-1]]!r}",)
