"""Numbers in text whose spelling says more than their value, or that are numbers only to a person.

01234 is a label, and not 1234. A column of "12%" or "1,234.50" would become words, one feature for each value, which
nobody wants: such a column gets an error that names the mark and what to do.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from ...errors import DataError
from ...wording import cell
from ..text_format import in_format

_LEADING_ZERO = r"^\s*[+-]?0[0-9]"
_PLAIN = r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?"
_AMOUNT = r"\d[\d.,]*"
# Values that a person reads as numbers: a pattern, what it is, and what to do.
MARKED = (
    (r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?", "commas between thousands", "thousands", ","),
    (r"[+-]?\d{1,3}(\.\d{3}){2,}(,\d*)?", "points between thousands", "thousands", "."),
    (r"[+-]?\d*,\d+", "decimal commas", "decimal", ","),
    (rf"[+-]?{_AMOUNT}\s*%", "percent signs", None, "remove them"),
    (rf"[+-]?\s*[$€£¥]\s*[+-]?{_AMOUNT}|[+-]?{_AMOUNT}\s*[$€£¥]", "currency signs", None, "remove them"),
    (rf"\({_AMOUNT}\)", "parentheses around negative values", None, "write them with a minus sign"),
    (f"\u2212\\s*{_AMOUNT}", "another character than - for minus", None, "write them with -"),
    ("[+-]?\\d+([\u00a0\u202f\u2009 ']\\d{3})+([.,]\\d*)?", "marks between thousands", "thousands", None),
    (rf"'\s*{_PLAIN}\s*'", "single quotes", "quote", "'"),
    (r"[+-]?(\d+\.?\d*|\.\d+)[dD][+-]?\d+", "exponents written with D, as Fortran does", None, "write them with e"),
    (r"[+-]?\d+(_\d+)+(\.\d*)?", "underscores", "thousands", "_"),
)


class Spelling(NamedTuple):
    """How numbers are written, and the marks of missing values."""

    decimal: str = "."
    thousands: str | None = None
    missing: tuple[str, ...] = ("",)


def has_leading_zeros(text: Any, typed: Any) -> bool:
    """Whether a column of whole numbers has some that begin with a zero."""
    return pa.types.is_integer(typed.type) and bool(
        pc.any(pc.match_substring_regex(text, _LEADING_ZERO), min_count=0).as_py()
    )


def retyped(text: Any, spelling: Spelling) -> Any:
    """A column of text with the type that pyarrow infers when it reads the column from a file."""
    buffer = pa.BufferOutputStream()
    csv.write_csv(pa.table({"text": text}), buffer, csv.WriteOptions(include_header=False))
    parsing = csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False)
    convert = csv.ConvertOptions(
        strings_can_be_null=True, decimal_point=spelling.decimal, null_values=list(spelling.missing)
    )
    try:
        table = csv.read_csv(
            pa.BufferReader(buffer.getvalue()), csv.ReadOptions(column_names=["text"]), parsing, convert
        )
    except pa.ArrowInvalid:  # a value longer than a block of the reader
        return text
    return table.column(0) if len(table) == len(text) else text


def without_thousands(text: Any, spelling: Spelling) -> Any:
    """Numbers in groups of three digits without the mark between these; a column of other words as it is."""
    mark, decimal = re.escape(str(spelling.thousands)), re.escape(spelling.decimal)
    number = (
        rf"^\s*([+-]?\d{{1,3}}({mark}\d{{3}})+({decimal}\d*)?|[+-]?(\d+{decimal}?\d*|{decimal}\d+)([eE][+-]?\d+)?)\s*$"
    )
    if not pc.all(pc.match_substring_regex(text, number), min_count=0).as_py():
        return text
    return pc.replace_substring(text, str(spelling.thousands), "")


def check_spelling(text: Any, place: Callable[[int], str]) -> None:
    """Raise a `DataError` for a column of words that are numbers to a person; ``place`` names the row of one.

    That is so where all values are numbers, some with a mark that pyarrow does not know.
    """
    values = text.combine_chunks() if isinstance(text, pa.ChunkedArray) else text
    unique = pc.drop_null(pc.unique(values))
    unique = unique.filter(pc.not_equal(pc.utf8_trim_whitespace(unique), ""))
    left = unique.filter(pc.invert(_matches(unique, _PLAIN)))
    first: tuple[Any, str, str | None, str | None] | None = None
    for pattern, what, option, value in MARKED:
        if not len(left):
            break
        found = _matches(left, pattern)
        if first is None and pc.any(found).as_py():
            first = left.filter(found)[0], what, option, value
        left = left.filter(pc.invert(found))
    if first is None or len(left):
        return
    example, what, option, value = first
    where = place(pc.index(values, example).as_py())
    if option is not None and value is None:
        value = next((c for c in example.as_py() if not c.isalnum() and c not in "+-.,"), " ")
    advice = str(value) if option is None else f"if that is so, {in_format(option, value)}"
    raise DataError(f"{where}: {cell(example.as_py())} is a number with {what}; {advice}")


def _matches(values: Any, pattern: str) -> Any:
    return pc.match_substring_regex(values, rf"^\s*({pattern})\s*$")
