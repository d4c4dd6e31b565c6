"""Numbers in text whose spelling says more than their value: 01234 is a label, and not 1234."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

_LEADING_ZERO = r"^\s*[+-]?0[0-9]"


def has_leading_zeros(text: Any, typed: Any) -> bool:
    """Whether a column of whole numbers has some that begin with a zero."""
    return pa.types.is_integer(typed.type) and bool(
        pc.any(pc.match_substring_regex(text, _LEADING_ZERO), min_count=0).as_py()
    )


def retyped(text: Any) -> Any:
    """A column of text with the type that pyarrow infers when it reads the column from a file."""
    buffer = pa.BufferOutputStream()
    csv.write_csv(pa.table({"text": text}), buffer, csv.WriteOptions(include_header=False))
    parsing = csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False)
    convert = csv.ConvertOptions(strings_can_be_null=True)
    try:
        table = csv.read_csv(
            pa.BufferReader(buffer.getvalue()), csv.ReadOptions(column_names=["text"]), parsing, convert
        )
    except pa.ArrowInvalid:  # a value longer than a block of the reader
        return text
    return table.column(0) if len(table) == len(text) else text
