"""Reader of .jsonl files: one JSON object in a line."""

from __future__ import annotations

import re
from typing import Any

import pyarrow as pa
from pyarrow import json

from ...errors import DataError
from ..encoding.column_source import ColumnSource
from ..encoding.origin import Origin
from ..expansion import check_compressed
from .files import check_not_empty, first_not_encoded, reading

_ROW = re.compile(r"in row (\d+)")
BLOCK_BYTES = 1 << 24  # a line must fit into it


def read_json_lines(path: str, compression: str) -> ColumnSource:
    """The fields of the objects as columns, in the order in which they first occur.

    Raises
    ------
    DataError
        For a line that is not a JSON object, fields of several types, and fields that hold lists or objects.
    """
    check_not_empty(path)
    if compression:
        check_compressed(path, compression)
    origin = Origin(path, lambda row: f"line {row + 1:,}")
    try:
        with reading(path), pa.input_stream(path, compression=compression or None) as stream:
            table = json.read_json(stream, json.ReadOptions(use_threads=False, block_size=BLOCK_BYTES))
            table.validate(full=True)
        names = tuple(table.column_names)
    except (pa.ArrowInvalid, UnicodeDecodeError) as error:
        raise first_not_encoded(path, compression, "utf-8-sig") or _invalid(path, str(error)) from None
    if not len(table) or not names:
        raise DataError(f"{path}: has no rows; write it again")
    nested = [field.name for field in table.schema if pa.types.is_nested(field.type)]
    if nested:
        raise origin.error(f"the field {nested[0]!r} holds lists or objects; write numbers or words")
    return ColumnSource(names, True, origin, lambda wanted: table.select(list(wanted)))


def _invalid(path: str, error: str) -> DataError:
    found: Any = _ROW.search(error)
    where = f"line {int(found[1]) + 1:,}" if found else "a line"
    reason = error.split(" in row ")[0].removeprefix("JSON parse error: ").rstrip(". ")
    return DataError(f"{path}: {where} is not a JSON object as the lines before it ({reason}); write it again")
