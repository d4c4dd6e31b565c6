"""Arrow's binary tables: .parquet, .feather and .arrow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pyarrow as pa

from ...errors import DataError
from ...wording import quoted
from ..encoding.column_source import ColumnSource
from ..encoding.origin import Origin
from .files import check_not_empty, reading


def read_arrow(path: str, suffix: str) -> ColumnSource:
    """The columns' names, and on demand the columns, of a Parquet, Feather or Arrow file.

    Raises
    ------
    DataError
        For a file that is not of its format, is cut short, has duplicate names or no rows.
    """
    check_not_empty(path)
    names, read = _guarded(path, suffix, _OPEN[suffix], path)
    origin = Origin(path)
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise origin.error(f"has the column {quoted(repeated)} more than once; rename these columns")
    return ColumnSource(tuple(names), True, origin, partial(_with_rows, path, suffix, read))


def _with_rows(path: str, suffix: str, read: Callable[[Sequence[str]], Any], wanted: Sequence[str]) -> Any:
    table = _guarded(path, suffix, read, wanted)
    if len(table) == 0:
        raise DataError(f"{path}: has columns but no rows; write it again")
    return table


def _guarded(path: str, suffix: str, function: Callable[..., Any], *arguments: Any) -> Any:
    """Call ``function``; whatever Arrow finds wrong with the file becomes one sentence."""
    try:
        return function(*arguments)
    except pa.ArrowException:
        raise _foreign(path, suffix) from None
    except OSError as error:
        if error.errno is None:  # Arrow's own; with a number it is the system's, and the file may be sound
            raise _foreign(path, suffix) from None
        with reading(path):
            raise


def _foreign(path: str, suffix: str) -> DataError:
    return DataError(f"{path}: is not a whole {suffix} file; it was cut short or is of another kind, so write it again")


def _open_parquet(path: str) -> tuple[list[str], Callable[[Sequence[str]], Any]]:
    from pyarrow import parquet

    with parquet.ParquetFile(path) as file:
        names: list[str] = file.schema_arrow.names

    def read(wanted: Sequence[str]) -> Any:
        with parquet.ParquetFile(path) as file:
            return file.read(columns=list(wanted)).select(list(wanted))

    return names, read


def _open_feather(path: str) -> tuple[list[str], Callable[[Sequence[str]], Any]]:
    from pyarrow import feather

    table = feather.read_table(path, memory_map=False)
    return table.column_names, lambda wanted: table.select(list(wanted))


def _open_arrow(path: str) -> tuple[list[str], Callable[[Sequence[str]], Any]]:
    """The file format, or else the stream format, of Arrow's inter-process communication."""
    with pa.OSFile(path) as file:
        try:
            table = pa.ipc.open_file(file).read_all()
        except pa.ArrowInvalid:
            file.seek(0)
            table = pa.ipc.open_stream(file).read_all()
    return table.column_names, lambda wanted: table.select(list(wanted))


_OPEN = {".parquet": _open_parquet, ".feather": _open_feather, ".arrow": _open_arrow}
