"""Reader of delimited text, .csv, .tsv and .txt files, through pyarrow."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import partial

from ...errors import DataError
from ...wording import cell, quoted
from ..encoding.column_source import ColumnSource
from ..encoding.feature_columns import index_names
from ..encoding.origin import Origin
from ..text_format import BLANKS, TextFormat, text_option
from .files import check_not_empty
from .text_columns import TextColumns
from .text_content import look_at, surely_not_utf8
from .text_records import TextFile, line_of, records
from .text_sniffing import SEPARATORS, Dialect, find_dialect, split

DEFAULT_SEPARATORS = {".csv": ",", ".tsv": "\t", ".txt": ","}
_LATE_QUOTES = re.compile(r'^\s+"(.*)"\s*$', re.DOTALL)  # the csv module keeps quotes that follow a blank
MOST_COLUMNS = 100_000  # pyarrow takes 10 kB for each column of text, whatever is in it
LONGEST_NAME = 1000  # characters of a column's name, which messages quote in full


def read_text(path: str, suffix: str, compression: str, text: TextFormat) -> ColumnSource:
    """The columns of delimited text, read on demand.

    Raises
    ------
    DataError
        For a file that is empty, is no text, or has duplicate column names.
    """
    check_not_empty(path)
    content = look_at(path, compression, text.encoding)
    dialect = find_dialect(content.lines, text, DEFAULT_SEPARATORS[suffix], content.encoding)
    file = TextFile(path, content.compression, dialect)
    line, first = next(records(file), (0, []))
    if not first:
        raise DataError(f"{path}: has only blank lines; write it again")
    if any("\udc80" <= letter <= "\udcff" for field in first for letter in field):
        raise surely_not_utf8(path, content.compression)
    if len(first) > MOST_COLUMNS:
        raise DataError(
            f"{path}: has {len(first):,} columns, but text may have up to {MOST_COLUMNS:,}; write it as .npy or .npz"
        )
    header_rows = int(dialect.headed and dialect.names is None)
    origin = Origin(path, partial(line_of, file, header_rows=header_rows), from_text=True)
    _check_separator(first, origin)
    header = dialect.names or (first if header_rows else ())
    names = _names(header, origin) if header else index_names(len(first))
    columns = TextColumns(file, line - 1, header_rows, names)
    remarks = (*content.remarks, *dialect.remarks)
    empty = _empty_end(header, content.lines, dialect)
    if empty:
        remarks += ("the last column has no name and no values; it is left out",)
    kept = names[: len(names) - empty]
    remarks += tuple(
        f"the column without a name is named {name!r}"
        for name, field in zip(kept, header, strict=False)
        if not field.strip()
    )
    return ColumnSource(
        names=kept, headed=dialect.headed, origin=origin, read=columns.read, read_spelled=columns.read_spelled,
        remarks=remarks, nameless=bool(header) and not header[0].strip(),
    )  # fmt: skip


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
        flag = text_option("header", False)
        advice = f"say so with {flag}" if flag else "add a header"
        raise origin.error(
            f"the header has {quoted(repeated)} more than once; rename these columns, or if it is no header, {advice}"
        )
    return names


def _empty_end(header: Sequence[str], lines: Sequence[str], dialect: Dialect) -> int:
    """1 if the last column has neither a name nor values, as where each line ends with a separator, or else 0."""
    if len(header) < 2 or header[-1].strip():
        return 0
    rows = split(lines, dialect.separator, dialect.quote)[1:]
    return int(bool(rows) and all(len(row) == len(header) and not row[-1].strip() for row in rows))


def _check_separator(first: Sequence[str], origin: Origin) -> None:
    """Check a table of one column for other separators: such a table is mostly a wrong guess."""
    if len(first) > 1:
        return
    found = [(mark, name) for mark, name in SEPARATORS.items() if mark in first[0].strip() and mark != BLANKS]
    for mark, name in found:
        flag = text_option("separator", mark)
        advice = f"say so with {flag}" if flag else "save it with commas"
        shown = "a tab" if mark == "\t" else repr(mark)
        raise origin.error(
            f"has one column, {cell(first[0])}, but {name} in its first line; if {shown} is the separator, {advice}"
        )
