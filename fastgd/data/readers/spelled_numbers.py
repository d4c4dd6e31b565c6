"""Numbers in text as they are spelled: 01234 is a label, and not 1234; 1.234,5 has marks of its own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from ..encoding.arrow_columns import is_missing, is_text
from .text_sniffing import Dialect

_IS_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_LEADING_ZERO = r"^\s*[+-]?0[0-9]"


def has_leading_zeros(text: Any, typed: Any) -> bool:
    """Whether a column of whole numbers has some that begin with a zero."""
    return pa.types.is_integer(typed.type) and bool(
        pc.any(pc.match_substring_regex(text, _LEADING_ZERO), min_count=0).as_py()
    )


def retyped(text: Any, dialect: Dialect) -> Any:
    """A column of text with the type that pyarrow infers when it reads the column from a file."""
    text = marked_as_missing(text, dialect.na_values)
    marked = with_marks_as_numbers(text, dialect)
    if marked.type != text.type:
        return marked
    buffer = pa.BufferOutputStream()
    csv.write_csv(pa.table({"text": text}), buffer, csv.WriteOptions(include_header=False))
    parsing = csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False)
    convert = csv.ConvertOptions(strings_can_be_null=True, decimal_point=dialect.decimal)
    try:
        table = csv.read_csv(
            pa.BufferReader(buffer.getvalue()), csv.ReadOptions(column_names=["text"]), parsing, convert
        )
    except pa.ArrowInvalid:  # a value longer than a block of the reader
        return text
    return table.column(0) if len(table) == len(text) else text


def marked_as_missing(text: Any, na_values: Sequence[str]) -> Any:
    """The text with nulls in place of the user's marks of missing values, which may have blanks around them."""
    if not na_values:
        return text
    return pc.if_else(pc.is_in(pc.utf8_trim_whitespace(text), pa.array(na_values, text.type)), None, text)


def without_marks(table: Any, na_values: Sequence[str]) -> Any:
    """The table with nulls in place of the user's marks; numbers are compared by their value."""
    for j, (name, column) in enumerate(zip(table.column_names, table.columns, strict=True)):
        if is_text(column.type):
            table = table.set_column(j, name, marked_as_missing(column, na_values))
        elif na_values and (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
            numbers = [float(mark) for mark in na_values if _IS_NUMBER.fullmatch(mark)]
            missing = pc.is_in(column.cast(pa.float64(), safe=False), pa.array(numbers, pa.float64()))
            table = table.set_column(j, name, pc.if_else(missing, None, column))
    return table


def with_marks_as_numbers(text: Any, dialect: Dialect) -> Any:
    """The text as numbers if all of it is numbers with the dialect's marks; of blanks around them as well.

    Where most of it is, these are spelled with a point only, so that an error is about the others.
    """
    if dialect.decimal == "." and not dialect.thousands:
        return text
    thousands, decimal = re.escape(dialect.thousands), re.escape(dialect.decimal)
    whole = rf"[0-9]{{1,3}}({thousands}[0-9]{{3}})+|[0-9]+" if thousands else "[0-9]+"
    pattern = rf"^[+-]?(({whole})({decimal}[0-9]*)?|{decimal}[0-9]+)([eE][+-]?[0-9]+)?$"
    trimmed = pc.utf8_trim_whitespace(text)
    missing = is_missing(trimmed.cast(pa.large_string()))
    number = pc.and_(pc.invert(missing), pc.fill_null(pc.match_substring_regex(trimmed, pattern), False))
    n_numbers = pc.sum(number).as_py() or 0
    n_present = len(text) - (pc.sum(missing).as_py() or 0)
    if 2 * n_numbers <= n_present:
        return text
    plain = pc.utf8_ltrim(trimmed, "+")
    if dialect.thousands:
        plain = pc.replace_substring(plain, dialect.thousands, "")
    with_point = pc.replace_substring(plain, dialect.decimal, ".")
    if n_numbers < n_present:
        return pc.if_else(number, with_point, text)
    try:
        return pc.if_else(missing, None, plain).cast(pa.int64())
    except pa.ArrowInvalid:
        return pc.if_else(missing, None, with_point).cast(pa.float64())
