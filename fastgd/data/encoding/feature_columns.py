"""Which columns of a table are features, in which order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ...wording import plural, quoted
from .column_roles import Roles
from .origin import Origin
from .request import Request


def index_names(n: int, start: int = 0) -> tuple[str, ...]:
    """The names of columns without a header: their index."""
    return tuple(map(str, range(start, start + n)))


def choose_features(
    names: Sequence[str], headed: bool, request: Request, roles: Roles, origin: Origin
) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """The positions and the names of the features; the names are the model's own when taken in order.

    Raises
    ------
    DataError
        For no feature left, a name that is not there, or more or fewer columns than a model has features.
    """
    left = [j for j, name in enumerate(names) if j not in roles.aside and name not in request.drop]
    if request.features is None:
        if not left:
            raise origin.error("no column is left for the features; name another target or drop fewer columns")
        return tuple(left), tuple(names[j] for j in left)
    wanted = request.features
    n_columns = len(names) - len(roles.of_rows)
    if not headed and _in_order(n_columns, len(left), request):
        return tuple(left), wanted
    position = {names[j]: j for j in left}
    missing = [name for name in wanted if name not in position]
    if not headed and (missing or counts_all(wanted, request.beside_features())):
        check_width(len(left) if len(left) != len(wanted) else n_columns, len(wanted), origin)
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
    certain = request.need_target or n_columns == len(wanted) or counts_all(wanted, request.beside_features())
    return n_left == len(wanted) and certain


def counts_all(features: Sequence[str], others: Iterable[str] = ()) -> bool:
    """Whether the features, with the other columns, are all of a table without header: another width is a mistake."""
    numbers = {int(name) for name in features if name.isdecimal()}
    if not features or len(numbers) < len(features):
        return False
    numbers |= {int(name) for name in others if name.isdecimal()}
    return max(numbers) - min(numbers) + 1 == len(numbers) and min(numbers) <= 1


def check_width(found: int, wanted: int, origin: Origin) -> None:
    """As many features as the model was fitted with."""
    if found != wanted:
        advice = "drop what is too much" if found > wanted else "add what is missing"
        raise origin.error(
            f"has {plural(found, 'feature')}, but the model was fitted with {wanted:,}; {advice}, or fit a model on it"
        )
