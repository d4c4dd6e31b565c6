"""Reader of .csv and .tsv files, through pyarrow."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from ...errors import DataError
from ...wording import cell, plural, quoted
from ..encoding.column_source import ColumnSource
from ..encoding.feature_columns import index_names
from ..encoding.origin import Origin
from ..expansion import check_gzip
from .files import check_not_empty, first_not_utf8, reading
from .spelled_numbers import has_leading_zeros, retyped
from .text_records import TextFile, first_ragged, line_of, records

DELIMITERS = {".csv": ",", ".tsv": "\t"}
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(inf|infinity|nan)|na|n/a|null|", re.IGNORECASE)
_LATE_QUOTES = re.compile(r'^\s+"(.*)"\s*$', re.DOTALL)  # the csv module keeps quotes that follow a blank
_RAGGED = re.compile(r"Expected \d+ columns, got \d+")  # pyarrow's words, before the text of the row
MOST_COLUMNS = 100_000  # pyarrow takes 10 kB for each column of text, whatever is in it
LONGEST_NAME = 1000  # characters of a column's name, which messages quote in full
_FIELD_BYTES = 128  # an upper bound for most fields: a row must fit into one of pyarrow's blocks


def read_text(path: str, suffix: str, gzipped: bool) -> ColumnSource:
    """The columns of delimited text, read on demand.

    Raises
    ------
    DataError
        For a file that is empty, is not UTF-8 text, or has duplicate column names.
    """
    check_not_empty(path)
    file = TextFile(path, DELIMITERS[suffix], gzipped)
    line, first = next(records(file), (0, []))
    if not first:
        raise DataError(f"{path}: has only blank lines; write it again")
    if any("\udc80" <= letter <= "\udcff" for field in first for letter in field):
        raise _not_utf8(file)
    if len(first) > MOST_COLUMNS:
        raise DataError(
            f"{path}: has {len(first):,} columns, but text may have up to {MOST_COLUMNS:,}; write it as .npy or .npz"
        )
    numbers = [_NUMBER.fullmatch(field.strip()) is not None for field in first]
    headed = not all(numbers)
    origin = Origin(path, partial(line_of, file, headed=headed))
    _check_delimiter(first, origin)
    names = _names(first, origin) if headed else index_names(len(first))
    return ColumnSource(
        names=names, headed=headed, origin=origin, read=partial(_read_columns, file, line - 1, headed, names),
        read_spelled=partial(_read_spelled, file, line - 1, headed, names),
        remarks=_remarks(first, names, numbers, line) if headed else (), nameless=not first[0].strip(),
    )  # fmt: skip


def _not_utf8(file: TextFile) -> DataError:
    """The error about a file that is known not to be UTF-8 text."""
    return first_not_utf8(file.path, file.gzipped) or DataError(f"{file.path}: is not UTF-8 text; save it as UTF-8")


def _names(first: Sequence[str], origin: Origin) -> tuple[str, ...]:
    # A column without a name is named by its index: many programs write row numbers this way.
    longest = max(first, key=len)
    if len(longest) > LONGEST_NAME:
        raise origin.error(
            f"the header has a name of {len(longest):,} characters, {cell(longest)}; look for an open quote"
        )
    names = tuple(_LATE_QUOTES.sub(r"\1", field).strip() or str(j) for j, field in enumerate(first))
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise origin.error(
            f"the header has {quoted(repeated)} more than once; rename these columns, or add a header if it has none"
        )
    return names


def _remarks(first: Sequence[str], names: Sequence[str], numbers: Sequence[bool], line: int) -> tuple[str, ...]:
    nameless = [name for name, field in zip(names, first, strict=True) if not field.strip()]
    remarks = [f"the column without a name is named {name!r}" for name in nameless]
    n_numbers = sum(numbers) - len(nameless)
    if 2 * n_numbers > len(first):
        remarks.append(f"line {line} is taken as the header, though {n_numbers} of its {len(first)} fields are numbers")
    return tuple(remarks)


def _check_delimiter(first: Sequence[str], origin: Origin) -> None:
    if len(first) > 1:
        return
    for mark, name, advice in (
        ("\t", "tabs", "name it .tsv"),
        (";", "semicolons", "save it with commas"),
        (",", "commas", "name it .csv"),
    ):
        if mark in first[0]:
            raise origin.error(f"has only one column, but {name} in its first line; if they separate fields, {advice}")
    if len(first[0].split()) > 1 and all(map(_NUMBER.fullmatch, first[0].split())):
        raise origin.error("has only one column, of numbers with blanks between them; save it with commas")


def _read_spelled(
    file: TextFile, blank_lines: int, headed: bool, names: Sequence[str], wanted: Sequence[str], spelled: Sequence[str],
    all_words: bool = False,
) -> tuple[Any, dict[str, Any]]:  # fmt: skip
    """The wanted columns as `_read_columns` has them, and the text of whole numbers that begin with a zero.

    With ``all_words``, words such as NA among the columns ``spelled`` are not missing values.
    """
    table = _read_columns(file, blank_lines, headed, names, wanted, spelled, words_are_missing=not all_words)
    spellings = {}
    for name in spelled:
        text = table.column(name)
        typed = retyped(text)
        if has_leading_zeros(text, typed):
            spellings[name] = text
        kept = text if all_words and typed.type == text.type else typed
        table = table.set_column(table.column_names.index(name), name, kept)
    return table, spellings


def _read_columns(
    file: TextFile, blank_lines: int, headed: bool, names: Sequence[str], wanted: Sequence[str],
    as_text: Sequence[str] = (), words_are_missing: bool = True,
) -> Any:  # fmt: skip
    """The wanted columns as a pyarrow Table, each with the type that pyarrow infers from the whole column, or text."""
    import pyarrow as pa
    from pyarrow import csv

    size = max(1 << 20, _FIELD_BYTES * len(names))
    convert = csv.ConvertOptions(
        include_columns=list(wanted), strings_can_be_null=words_are_missing,
        column_types=dict.fromkeys(as_text, pa.string()),
    )  # fmt: skip

    def parse(on_ragged: Callable[[Any], str] | None) -> Any:
        # Nothing written in Python may be called by pyarrow's own threads, which outlive an error: such a call while
        # the interpreter ends aborts the process. So the stream is pyarrow's, and a handler is called by this thread.
        read = csv.ReadOptions(
            use_threads=on_ragged is None, column_names=list(names), skip_rows=blank_lines,
            skip_rows_after_names=int(headed), block_size=size,
        )  # fmt: skip
        parsing = csv.ParseOptions(delimiter=file.delimiter, newlines_in_values=True, invalid_row_handler=on_ragged)
        with reading(file.path), pa.input_stream(file.path, compression="gzip" if file.gzipped else None) as stream:
            try:
                return csv.read_csv(stream, read, parsing, convert)
            except OSError as error:
                if not file.gzipped or error.errno is not None:
                    raise
                raise DataError(f"{file.path}: is truncated or damaged; download or write it again") from None

    if file.gzipped:
        check_gzip(file.path)
    try:
        table = parse(None)
    except pa.ArrowInvalid as error:
        table = _without_blank_lines(parse, file, headed, len(names), str(error))
    if any(pa.types.is_binary(kind) for kind in table.schema.types):
        raise _not_utf8(file)
    if table.num_rows == 0:
        raise DataError(f"{file.path}: has a header but no rows; write it again")
    return table


def _without_blank_lines(
    parse: Callable[[Callable[[Any], str]], Any], file: TextFile, headed: bool, width: int, error: str
) -> Any:
    """The table without lines of blanks, which pyarrow takes for rows of one field; the error about all other lines."""
    import pyarrow as pa

    bad = first_not_utf8(file.path, file.gzipped)  # of which pyarrow would print a traceback for each ragged row
    if bad is not None:
        raise bad
    ragged = _RAGGED.search(error) is not None
    if ragged:
        try:
            return parse(lambda row: "error" if row.text.strip() else "skip")
        except pa.ArrowInvalid as second:
            error = str(second)
    found = first_ragged(file, width) if ragged else None
    if found is None:
        reason = _RAGGED.split(error)[0].removeprefix("CSV parse error: ") or "rows of several lengths"
        raise DataError(f"{file.path}: is not a regular table ({reason}); look for a quote that is not closed")
    line, n_fields = found
    model = "the header" if headed else "the first line"
    raise DataError(
        f"{file.path}: line {line:,} has {plural(n_fields, 'field')} where {model} has {width}; "
        "fix the line (a field that contains the separator needs quotes)"
    )
