"""Reader of .parquet, .feather and .arrow files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pyarrow as pa

from ...errors import DataError
from ...wording import quoted
from ..encoding.arrow_columns import check_buffers
from ..encoding.column_source import ColumnSource, index_columns
from ..encoding.origin import Origin
from .files import check_not_empty, invalid_file, reading


def read_arrow(path: str, suffix: str) -> ColumnSource:
    """The columns of a Parquet, Feather or Arrow file, read on demand.

    Raises
    ------
    DataError
        For a file that has another format, is truncated, or has duplicate column names or no rows.
    """
    check_not_empty(path)
    schema, read = _call_arrow(path, suffix, _OPEN[suffix], path)
    names, metadata = _call_arrow(path, suffix, lambda: (schema.names, schema.metadata))
    origin = Origin(path)
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise origin.error(f"has the column {quoted(repeated)} more than once; rename these columns")
    index = index_columns(metadata)
    kept = tuple(name for name in names if name not in index)
    if not kept:
        index, kept = set(), tuple(names)
    remarks = tuple(
        f"the column {name!r} is the index of a data frame; it is left out" for name in names if name in index
    )
    return ColumnSource(kept, True, origin, partial(_with_rows, path, suffix, read), remarks)


def _with_rows(path: str, suffix: str, read: Callable[[Sequence[str]], Any], wanted: Sequence[str]) -> Any:
    table = _call_arrow(path, suffix, read, wanted)
    if len(table) == 0:
        raise DataError(f"{path}: has columns but no rows; write it again")
    return check_buffers(table, Origin(path))


def _call_arrow(path: str, suffix: str, function: Callable[..., Any], *arguments: Any) -> Any:
    """Call ``function``; an error of Arrow about the file becomes a DataError."""
    try:
        return function(*arguments)
    except (pa.ArrowException, ValueError):  # names of columns are decoded when they are asked for
        raise invalid_file(path, suffix) from None
    except OSError as error:
        if error.errno is None:  # Arrow's own error; one with a number is the system's, and the file may be valid
            raise invalid_file(path, suffix) from None
        with reading(path):
            raise


def _open_parquet(path: str) -> tuple[Any, Callable[[Sequence[str]], Any]]:
    from pyarrow import parquet

    with parquet.ParquetFile(path) as file:
        schema = file.schema_arrow

    def read(wanted: Sequence[str]) -> Any:
        with parquet.ParquetFile(path) as file:
            return file.read(columns=list(wanted)).select(list(wanted))

    return schema, read


def _open_feather(path: str) -> tuple[Any, Callable[[Sequence[str]], Any]]:
    from pyarrow import feather

    table = feather.read_table(path, memory_map=False)
    return table.schema, lambda wanted: table.select(list(wanted))


def _open_arrow(path: str) -> tuple[Any, Callable[[Sequence[str]], Any]]:
    """Arrow's file format, or else its stream format."""
    with pa.OSFile(path) as file:
        try:
            table = pa.ipc.open_file(file).read_all()
        except pa.ArrowInvalid:
            file.seek(0)
            table = pa.ipc.open_stream(file).read_all()
    return table.schema, lambda wanted: table.select(list(wanted))


_OPEN = {".parquet": _open_parquet, ".feather": _open_feather, ".arrow": _open_arrow}
