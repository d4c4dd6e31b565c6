"""A table whose columns are known by name and read on demand; its conversion to arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ...wording import quoted
from ..table import Table
from .array_tables import called, side_by_side
from .arrow_columns import matrix, target_array
from .column_roles import find_roles
from .feature_columns import choose_features
from .origin import Origin
from .request import Request


@dataclass(frozen=True)
class ColumnSource:
    """Columns of one length; ``read`` returns those with the given names as a pyarrow Table."""

    names: tuple[str, ...]
    headed: bool
    origin: Origin
    read: Callable[[Sequence[str]], Any]
    remarks: tuple[str, ...] = ()


def table_from_columns(frame: ColumnSource, request: Request) -> Table:
    """Choose columns, read only these, and convert them.

    Raises
    ------
    DataError
        For a column that is not there, words among the features, and missing or infinite values.
    """
    names, origin = frame.names, frame.origin
    roles = find_roles(names, frame.headed, request, origin)
    positions, feature_names = choose_features(names, frame.headed, request, roles, origin)
    features, targets = [names[j] for j in positions], [names[j] for j in roles.targets]
    of_rows = {role: names[j] for role, j in roles.of_rows.items()}
    columns = frame.read([*features, *targets, *of_rows.values()])
    X = matrix(columns.select(features), origin)
    remarks = (*frame.remarks, *roles.remarks)
    gaps = [] if request.need_target else [name for name in targets if _has_gaps(columns.column(name))]
    if gaps:
        noun, has = ("target", "has") if len(gaps) == 1 else ("targets", "have")
        remarks += (f"the {noun} {quoted(gaps)} {has} missing values and {'is' if has == 'has' else 'are'} not used",)
    y = None if gaps or not targets else [target_array(columns.column(name), name, origin) for name in targets]
    return Table(
        X,
        None if y is None else side_by_side(y),
        feature_names,
        called(targets),
        origin.source,
        remarks=remarks,
        **_row_values(columns, of_rows, origin),
    )


def _has_gaps(column: Any) -> bool:
    """A target that nobody asked for may have gaps: it is left aside then."""
    import pyarrow.compute as pc

    return bool(pc.any(pc.is_null(column, nan_is_null=True), min_count=0).as_py())


def _row_values(columns: Any, of_rows: dict[str, str], origin: Origin) -> dict[str, Any]:
    """What some columns say about each row, as (n_rows,) float64."""
    numbers = {role: matrix(columns.select([name]), origin.of_role(role)) for role, name in of_rows.items()}
    return {role: column.ravel().astype("f8", copy=False) for role, column in numbers.items()}
