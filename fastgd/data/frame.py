"""A table whose columns are known by name and read on demand; its conversion to arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from .choose import Request, choose
from .columns import matrix, target_array
from .origin import Origin
from .table import Table


@dataclass(frozen=True)
class Frame:
    """Columns of one length; ``read`` returns those with the given names as a pyarrow Table."""

    names: tuple[str, ...]
    headed: bool
    origin: Origin
    read: Callable[[Sequence[str]], Any]
    remarks: tuple[str, ...] = ()


def frame_table(frame: Frame, request: Request) -> Table:
    """Choose columns, read only these, and convert them.

    Raises
    ------
    DataError
        For a column that is not there, words among the features, and missing or infinite values.
    """
    choice = choose(frame.names, frame.headed, request, frame.origin)
    features = [frame.names[j] for j in choice.features]
    target = None if choice.target is None else frame.names[choice.target]
    columns = frame.read(features if target is None else [*features, target])
    X = matrix(columns.select(features), frame.origin)
    y, remarks = None, (*frame.remarks, *choice.remarks)
    if target is not None and _usable(columns.column(target), request):
        y = target_array(columns.column(target), target, frame.origin)
    elif target is not None:
        remarks += (f"the target {target!r} has missing values and is not used",)
    return Table(X, y, choice.names, target, frame.origin.source, remarks=remarks)


def _usable(column: Any, request: Request) -> bool:
    """A target that nobody asked for may have gaps: it is left aside then."""
    import pyarrow.compute as pc

    return request.need_target or not pc.any(pc.is_null(column, nan_is_null=True), min_count=0).as_py()
