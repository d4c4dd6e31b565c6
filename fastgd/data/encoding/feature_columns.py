"""The columns of a table that are features, and their order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ...wording import plural, quoted
from .column_roles import Roles
from .origin import Origin
from .request import Request


def index_names(n: int, start: int = 0) -> tuple[str, ...]:
    """The names of columns without a header: their indices."""
    return tuple(map(str, range(start, start + n)))


def choose_features(
    names: Sequence[str], headed: bool, request: Request, roles: Roles, origin: Origin
) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """The positions and the names of the features; the names are the model's if the columns are matched by position.

    Raises
    ------
    DataError
        If no feature is left, a name does not exist, or the number of columns does not fit the model.
    """
    left = [j for j, name in enumerate(names) if j not in roles.not_features and name not in request.drop]
    if request.features is None:
        if not left:
            raise origin.error("no column is left for the features; name another target or drop fewer columns")
        return tuple(left), tuple(names[j] for j in left)
    wanted = request.features
    n_columns = len(names) - len(roles.row_columns)
    if not headed and _match_by_position(n_columns, len(left), request):
        return tuple(left), wanted
    position = {names[j]: j for j in left}
    missing = [name for name in wanted if name not in position]
    if not headed and (missing or cover_all_indices(wanted, request.other_columns())):
        check_n_features(len(left) if len(left) != len(wanted) else n_columns, len(wanted), origin)
    if missing:
        are_missing = "is missing" if len(missing) == 1 else "are missing"
        raise origin.error(
            f"{len(missing)} of the model's {plural(len(wanted), 'column')} {are_missing}: {quoted(missing)}; "
            "add what is missing, or fit a model without it"
        )
    return tuple(position[name] for name in wanted), wanted


def _match_by_position(n_columns: int, n_left: int, request: Request) -> bool:
    """Whether columns without names are the model's features one by one.

    There must be as many columns left as features. For prediction that is conclusive only if the table has nothing but
    the features, or the model used every column of its training table: otherwise the column taken for the target may
    be one that the model dropped.
    """
    wanted = request.features or ()
    certain = request.need_target or n_columns == len(wanted) or cover_all_indices(wanted, request.other_columns())
    return n_left == len(wanted) and certain


def cover_all_indices(features: Sequence[str], others: Iterable[str] = ()) -> bool:
    """Whether the features and the other columns are all columns of a table without header, counted from 0 or 1."""
    numbers = {int(name) for name in features if name.isdecimal()}
    if not features or len(numbers) < len(features):
        return False
    numbers |= {int(name) for name in others if name.isdecimal()}
    return max(numbers) - min(numbers) + 1 == len(numbers) and min(numbers) <= 1


def check_n_features(found: int, wanted: int, origin: Origin) -> None:
    """Raise a `DataError` unless there are as many features as the model was fitted with."""
    if found != wanted:
        advice = "drop the others" if found > wanted else "add what is missing"
        raise origin.error(
            f"has {plural(found, 'feature')}, but the model was fitted with {wanted:,}; {advice}, or fit a model on it"
        )
