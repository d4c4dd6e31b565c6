"""Records of a text table with their line numbers, to read its first line and to name a bad line."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass

from .files import lines, open_text, reading


@dataclass(frozen=True)
class TextFile:
    """A file of delimited text."""

    path: str
    delimiter: str
    gzipped: bool


def records(file: TextFile) -> Iterator[tuple[int, list[str]]]:
    """Each record with the number of its first line; blank lines and line ends within quotes count as lines."""
    with reading(file.path), open_text(file.path, file.gzipped) as text:
        reader = csv.reader(lines(file.path, text), delimiter=file.delimiter)
        last = 0
        for fields in reader:
            if any(field.strip() for field in fields) or len(fields) > 1:
                yield last + 1, fields
            last = reader.line_num


def line_of(file: TextFile, row: int, headed: bool) -> str:
    """The line of row ``row`` of the data, counted from 0, in words."""
    skipped = row + headed
    for count, (line, _) in enumerate(records(file)):
        if count == skipped:
            return f"line {line:,}"
    return f"row {row + 1:,}"


def first_ragged(file: TextFile, width: int) -> tuple[int, int] | None:
    """The line and the number of fields of the first record that does not have ``width`` fields."""
    for line, fields in records(file):
        if len(fields) != width:
            return line, len(fields)
    return None
