"""Reader of .jsonl files: one JSON object in each line, a row."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

from ...errors import DataError
from ...wording import cell, quoted
from ..encoding.column_source import ColumnSource
from ..encoding.origin import Origin
from ..text_format import TextFormat
from .files import check_not_empty, lines, open_bytes, reading
from .spelled_numbers import without_marks

_KINDS = {bool: "true or false", int: "numbers", float: "numbers", str: "words", list: "lists", dict: "objects"}


def read_json_lines(path: str, compression: str, text: TextFormat) -> ColumnSource:
    """The columns of a file of JSON lines; a row without a key has a missing value there.

    Raises
    ------
    DataError
        That names the line of the first row that is no JSON object, or has a value of another kind than its column.
    """
    import pyarrow as pa
    from pyarrow import json as arrow_json

    check_not_empty(path)
    with reading(path), open_bytes(path, compression) as file:
        content = file.read()
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        line, byte = content[: error.start].count(b"\n") + 1, f"0x{content[error.start]:02x}"
        raise DataError(f"{path}: line {line:,} is not UTF-8 text (byte {byte}); save the file as UTF-8") from None
    # In one block, because the type of a column must be the same in all blocks, and a row must fit into one.
    options = arrow_json.ReadOptions(block_size=min(len(content) + 1, _LARGEST), use_threads=False)
    try:
        table = arrow_json.read_json(pa.BufferReader(content), options)
    except pa.ArrowException as error:
        raise _error(path, compression) or DataError(f"{path}: is not JSON lines ({error}); write it again") from None
    if table.num_rows == 0 or table.num_columns == 0:
        raise DataError(f"{path}: has no rows with values; write it again")
    repeated = [name for name in table.column_names if table.column_names.count(name) > 1]
    if repeated:
        raise DataError(f"{path}: has the key {quoted(repeated[:1])} more than once; rename it")
    table = without_marks(table, text.na_values)
    origin = Origin(path, partial(_place, path, compression))
    return ColumnSource(tuple(table.column_names), True, origin, lambda wanted: table.select(list(wanted)))


_LARGEST = (1 << 31) - 1  # bytes of a block


def _rows(path: str, compression: str) -> Iterator[tuple[int, bytes]]:
    """Each line that is not blank, with its number."""
    with reading(path), open_bytes(path, compression) as file:
        for number, line in enumerate(lines(path, file), 1):
            if line.strip():
                yield number, line


def _place(path: str, compression: str, row: int) -> str:
    for count, (number, _) in enumerate(_rows(path, compression)):
        if count == row:
            return f"line {number:,}"
    return f"row {row + 1:,}"


def _error(path: str, compression: str) -> DataError | None:
    """The error about the first line that is not an object, or has a value of another kind than before."""
    kinds: dict[str, str] = {}
    for number, line in _rows(path, compression):
        try:
            row: Any = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
        except json.JSONDecodeError as error:
            if number == 1 and line.strip() in (b"[", b"{"):
                return DataError(f"{path}: line 1 begins a JSON document of many lines; write one object in each line")
            return DataError(
                f"{path}: line {number:,}, character {error.colno}: is not JSON ({error.msg}); fix the line"
            )
        except RecursionError:
            return DataError(f"{path}: line {number:,} is nested too deeply; write a flat object")
        if not isinstance(row, dict):
            return DataError(f'{path}: line {number:,} is not an object such as {{"a": 1}}; fix the line')
        for name, value in row.items():
            kind = _KINDS.get(type(value))
            if kind is not None and kinds.setdefault(name, kind) != kind:
                return DataError(
                    f"{path}: line {number:,}, key {name!r}: {cell(value)} is not of the kind of the values before "
                    f"({kinds[name]}); fix the value"
                )
    return None
