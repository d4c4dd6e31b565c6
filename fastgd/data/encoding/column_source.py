"""Tables from named columns that are read on demand: text, Arrow files and data frames."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...errors import DataError
from ...wording import quoted
from ..table import Table
from .array_tables import stack_targets, target_name
from .arrow_columns import numeric_array, target_array
from .column_checks import NAMELESS, is_row_number
from .column_roles import find_roles
from .encode_features import encode_features
from .feature_columns import choose_features
from .origin import Origin
from .request import Request

SPELLED = "\0spelled: "  # before the name of a column with the text of another; no file has such a name


@dataclass(frozen=True)
class ColumnSource:
    """Columns of one length; ``read`` returns the columns with the given names as a pyarrow Table.

    ``read_spelled`` does the same for text files, and also returns, of the columns in its second argument, the text of
    those whose numbers begin with a zero, such as 007.
    """

    names: tuple[str, ...]
    headed: bool
    origin: Origin
    read: Callable[[Sequence[str]], Any]
    remarks: tuple[str, ...] = ()
    read_spelled: Callable[..., tuple[Any, dict[str, Any]]] | None = None
    nameless: bool = False  # whether the first column has no name in the source


def index_columns(metadata: Any) -> set[str]:
    """The columns that hold the index of a pandas data frame, by the metadata of an Arrow schema."""
    try:
        index = json.loads((metadata or {})[b"pandas"])["index_columns"]
        return {name for name in index if isinstance(name, str)}
    except (KeyError, TypeError, ValueError):  # not pandas', or damaged
        return set()


def table_from_columns(source: ColumnSource, request: Request) -> Table:
    """Choose the columns, read only these, and convert them to arrays.

    Raises
    ------
    DataError
        For a column that does not exist, words among the features, and missing or infinite values.
    """
    names, origin = source.names, source.origin
    roles = find_roles(names, source.headed, request, origin)
    positions, feature_names = choose_features(names, source.headed, request, roles, origin)
    features, targets = [names[j] for j in positions], [names[j] for j in roles.targets]
    row_columns = {role: names[j] for role, j in roles.row_columns.items()}
    columns = _read(source, [*features, *targets, *row_columns.values()], targets)
    left_out = _row_numbers(columns, positions, source, request)
    if left_out is not None:
        positions, features, feature_names = positions[1:], features[1:], feature_names[1:]
    X, feature_names, encoder, kept, said = encode_features(columns.select(features), feature_names, request, origin)
    remarks = (*source.remarks, *roles.remarks, *said)
    if left_out is not None:
        remarks += ("the first column has no name and counts the rows; it is left out",)
    if kept is not None:
        columns, origin = columns.take(kept), replace(origin, place=lambda row: source.origin.place(int(kept[row])))
    gaps = [] if request.need_target else [name for name in targets if _has_gaps(columns.column(name))]
    if gaps:
        noun, has = ("target", "has") if len(gaps) == 1 else ("targets", "have")
        remarks += (f"the {noun} {quoted(gaps)} {has} missing values and {'is' if has == 'has' else 'are'} not used",)
    y = None
    if targets and not gaps:
        try:
            y = [target_array(columns.column(name), name, origin) for name in targets]
        except DataError:
            if request.need_target:
                raise
            remarks += (f"the target {quoted(targets)} cannot be a target and is not used",)
    stacked, rows = None if y is None else stack_targets(y), _row_values(columns, row_columns, origin)
    spelled = [SPELLED + name if SPELLED + name in columns.column_names else name for name in targets]
    label_text = None
    if y is not None and spelled != targets:
        words = (columns.column(text) for text in spelled)
        label_text = stack_targets([target_array(*pair, origin) for pair in zip(words, targets, strict=True)])
    return Table(
        X,
        stacked,
        feature_names,
        target_name(targets),
        origin.source,
        remarks=remarks,
        label_text=label_text,
        encoder=encoder,
        **rows,
    )


def _read(source: ColumnSource, wanted: Sequence[str], targets: Sequence[str]) -> Any:
    """The wanted columns; targets whose spelling matters have it in one more column."""
    if not targets or source.read_spelled is None:
        return source.read(wanted)
    columns, texts = source.read_spelled(wanted, targets)
    for name, text in texts.items():
        columns = columns.append_column(SPELLED + name, text)
    return columns


def _row_numbers(columns: Any, positions: Sequence[int], source: ColumnSource, request: Request) -> str | None:
    """The name of a first column that has none of its own and counts the rows, where the caller names no features."""
    if request.features is not None or len(positions) < 2 or positions[0] != 0 or not source.headed:
        return None
    name = source.names[0]
    nameless = name in NAMELESS or (name == "0" and source.nameless)
    return name if nameless and is_row_number(columns.column(name)) else None


def _has_gaps(column: Any) -> bool:
    """Whether values are missing; a target that is not needed is then not used."""
    import pyarrow.compute as pc

    return bool(pc.any(pc.is_null(column, nan_is_null=True), min_count=0).as_py())


def _row_values(columns: Any, row_columns: dict[str, str], origin: Origin) -> dict[str, Any]:
    """The weight and offset of each row as (n_rows,) float64, keyed by the attribute of `Table`."""
    numbers = {role: numeric_array(columns.select([name]), origin.of_role(role)) for role, name in row_columns.items()}
    return {role: column.ravel().astype("f8", copy=False) for role, column in numbers.items()}
