"""Reader of .csv, .tsv and .txt files: the format of the file, its header, and remarks."""

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
from ..text_format import TextFormat, in_format
from .files import check_not_empty
from .text_columns import Layout, not_encoded, read_columns, read_spelled
from .text_records import line_of, records
from .text_sniffing import are_numbers, sniffed

_LATE_QUOTES = re.compile(r'^\s+"(.*)"\s*$', re.DOTALL)  # the csv module keeps quotes that follow a blank
MOST_COLUMNS = 100_000  # pyarrow takes 10 kB for each column of text, whatever is in it
LONGEST_NAME = 1000  # characters of a column's name, which messages quote in full
_SEPARATORS = re.compile(r"[;\t|,]")


def read_text(path: str, suffix: str, compression: str, text: TextFormat) -> ColumnSource:
    """The columns of delimited text, read on demand.

    Raises
    ------
    DataError
        For a file that is empty, is not text, or has duplicate column names.
    """
    check_not_empty(path)
    file, remarks = sniffed(path, suffix, compression, text)
    line, first = next(records(file), (0, []))
    if not first:
        raise DataError(f"{path}: has only blank lines; write it again")
    if any("\udc80" <= letter <= "\udcff" for field in first for letter in field):
        raise not_encoded(file)
    if len(first) > MOST_COLUMNS:
        raise DataError(
            f"{path}: has {len(first):,} columns, but text may have up to {MOST_COLUMNS:,}; write it as .npy or .npz"
        )
    numbers = are_numbers(first, file.decimal)
    headed = not all(numbers) if text.header is None else text.header
    origin = Origin(path, partial(line_of, file, headed=headed), is_text=True)
    if len(first) == 1 and (found := _SEPARATORS.search(first[0])):
        raise origin.error(
            f"has one column, called {cell(first[0])}; if {found[0]!r} separates its fields, "
            f"{in_format('separator', found[0])}"
        )
    if headed and first[0].startswith("#"):  # NumPy's header
        first[0] = first[0].lstrip("# ")
    names = _names(first, origin) if headed else index_names(len(first))
    if text.header is None:
        remarks += _remarks_on_header(first, names, numbers, headed, line)
    layout = Layout(file, names, headed, line - 1)
    return ColumnSource(
        names=names, headed=headed, origin=origin, read=partial(read_columns, layout),
        read_spelled=partial(read_spelled, layout), remarks=remarks,
        nameless=tuple(name for name, field in zip(names, first, strict=True) if headed and not field.strip()),
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
        raise origin.error(
            f"the header has {quoted(repeated)} more than once; rename these columns, or add a header if it has none"
        )
    return names


def _remarks_on_header(
    first: Sequence[str], names: Sequence[str], numbers: Sequence[bool], headed: bool, line: int
) -> tuple[str, ...]:
    if not headed:
        whole = [int(field) for field in first if field.strip().isdecimal()]
        if len(whole) < len(first) or whole != sorted(set(whole)) or len(whole) < 2:
            return ()
        return (f"line {line} has only numbers and is not taken as the header ({in_format('header', True)} if it is)",)
    nameless = [name for name, field in zip(names, first, strict=True) if not field.strip()]
    remarks = [f"column {names.index(name) + 1} has no name and is called {name!r}" for name in nameless]
    n_numbers = sum(numbers) - len(nameless)
    if 2 * n_numbers > len(first):
        remarks.append(
            f"line {line} is taken as the header, though {n_numbers} of its {len(first)} fields are numbers "
            f"({in_format('header', False)} if it is not)"
        )
    return tuple(remarks)
