"""The columns of a text file, parsed by pyarrow."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

from ...errors import DataError
from ...wording import plural
from ..expansion import check_compressed
from .files import first_not_encoded, reading
from .spelled_numbers import Spelling, check_spelling, has_leading_zeros, retyped, without_thousands
from .text_records import CONTROL_Z, TextFile, as_utf8, first_ragged, line_of

_RAGGED = re.compile(r"Expected \d+ columns, got \d+")  # pyarrow's words, before the text of the row
_FIELD_BYTES = 128  # an upper bound for most fields: a row must fit into one of pyarrow's blocks
# What pyarrow takes for a missing value.
MISSING = (
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "N/A", "NA", "NULL",
    "NaN", "n/a", "nan", "null",
)  # fmt: skip


class Layout(NamedTuple):
    """A text file, the names of its columns, whether its first record is a header, and the lines before that."""

    file: TextFile
    names: tuple[str, ...]
    headed: bool
    lines_before: int

    @property
    def spelling(self) -> Spelling:
        return Spelling(self.file.decimal, self.file.thousands, (*MISSING, *self.file.na_values))


def read_spelled(
    layout: Layout, wanted: Sequence[str], spelled: Sequence[str], all_words: bool = False
) -> tuple[Any, dict[str, Any]]:
    """The wanted columns as `read_columns` has them, and the text of whole numbers that begin with a zero.

    With ``all_words``, words such as NA among the columns ``spelled`` are not missing values.
    """
    table = read_columns(layout, wanted, spelled, words_are_missing=not all_words)
    spellings = {}
    for name in spelled:
        text = table.column(name)
        typed = retyped(text, layout.spelling)
        if has_leading_zeros(text, typed):
            spellings[name] = text
        kept = text if all_words and typed.type == text.type else typed
        table = table.set_column(table.column_names.index(name), name, kept)
    return table, spellings


def read_columns(
    layout: Layout, wanted: Sequence[str], as_text: Sequence[str] = (), words_are_missing: bool = True
) -> Any:
    """The wanted columns as a pyarrow Table, each with the type that pyarrow infers from the whole column, or text.

    Raises
    ------
    DataError
        For rows of several lengths, bytes that are not text, and numbers with marks that are not in the format.
    """
    import pyarrow as pa

    every = layout.file.thousands is not None
    table = _parsed(layout, wanted, wanted if every else as_text, words_are_missing)
    if any(pa.types.is_binary(kind) for kind in table.schema.types):
        raise not_encoded(layout.file)
    if table.num_rows == 0:
        raise DataError(f"{layout.file.path}: has a header but no rows; write it again")
    for j, name in enumerate(table.column_names):
        column = table.column(j)
        if name in as_text or not pa.types.is_string(column.type):
            continue
        if every:
            column = retyped(without_thousands(column, layout.spelling), layout.spelling)
            table = table.set_column(j, name, column)
        if pa.types.is_string(column.type):
            check_spelling(column, partial(_place, layout, name))
    return table


def not_encoded(file: TextFile) -> DataError:
    """The error about a file that is known not to be text in its encoding."""
    found = first_not_encoded(file.path, file.compression, file.encoding)
    return found or DataError(f"{file.path}: is not UTF-8 text; save it as UTF-8")


def _place(layout: Layout, name: str, row: int) -> str:
    return f"{layout.file.path}: {line_of(layout.file, row, layout.headed)}, column {name!r}"


def _parsed(layout: Layout, wanted: Sequence[str], as_text: Sequence[str], words_are_missing: bool) -> Any:
    import pyarrow as pa
    from pyarrow import csv

    file, names = layout.file, layout.names
    size = max(1 << 20, _FIELD_BYTES * len(names))
    convert = csv.ConvertOptions(
        include_columns=list(wanted), strings_can_be_null=words_are_missing, decimal_point=file.decimal,
        column_types=dict.fromkeys(as_text, pa.string()), null_values=[*MISSING, *file.na_values],
    )  # fmt: skip
    content = None if file.is_for_pyarrow else as_utf8(file)
    rewritten = file.separator == " "

    def parse(on_ragged: Callable[[Any], str] | None) -> Any:
        # Nothing written in Python may be called by pyarrow's own threads, which outlive an error: such a call while
        # the interpreter ends aborts the process. So the stream is pyarrow's, and a handler is called by this thread.
        read = csv.ReadOptions(
            use_threads=on_ragged is None, column_names=list(names), block_size=size,
            skip_rows=0 if rewritten else layout.lines_before, skip_rows_after_names=int(layout.headed),
        )  # fmt: skip
        parsing = csv.ParseOptions(
            delimiter="\t" if rewritten else file.separator, quote_char=file.quote, newlines_in_values=True,
            invalid_row_handler=on_ragged,
        )  # fmt: skip
        with reading(file.path), _stream(file, content) as stream:
            return csv.read_csv(stream, read, parsing, convert)

    if content is None and file.compression:
        check_compressed(file.path, file.compression)
    try:
        return parse(None)
    except pa.ArrowInvalid as error:
        return _without_blank_lines(parse, layout, str(error))


def _stream(file: TextFile, content: bytes | None) -> Any:
    import pyarrow as pa

    if content is not None:
        return pa.BufferReader(content)
    return pa.input_stream(file.path, compression=file.compression or None)


def _without_blank_lines(parse: Callable[[Callable[[Any], str]], Any], layout: Layout, error: str) -> Any:
    """The table without lines of blanks, which pyarrow takes for rows of one field; the error about all other lines."""
    import pyarrow as pa

    file, width = layout.file, len(layout.names)
    # Of bytes that are not text pyarrow would print a traceback for each ragged row.
    bad = first_not_encoded(file.path, file.compression, file.encoding)
    if bad is not None:
        raise bad
    ragged = _RAGGED.search(error) is not None
    if ragged:
        try:
            return parse(lambda row: "error" if row.text.strip().strip(CONTROL_Z) else "skip")
        except pa.ArrowInvalid as second:
            error = str(second)
    found = first_ragged(file, width) if ragged else None
    if found is None:
        reason = _RAGGED.split(error)[0].removeprefix("CSV parse error: ") or "rows of several lengths"
        raise DataError(f"{file.path}: is not a regular table ({reason}); look for a quote that is not closed")
    line, n_fields = found
    model = "the header" if layout.headed else "the first line"
    raise DataError(
        f"{file.path}: line {line:,} has {plural(n_fields, 'field')} where {model} has {width}; "
        "fix the line (a field that contains the separator needs quotes)"
    )
