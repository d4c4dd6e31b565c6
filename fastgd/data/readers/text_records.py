"""Records of a text table with their line numbers, to read its first line and to name a bad line."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from ..text_format import BLANKS
from .files import lines, open_text, reading
from .text_sniffing import Dialect, is_row, quoting, squeezed

_LINES = 4096  # rewritten at a time


@dataclass(frozen=True)
class TextFile:
    """A file of delimited text; ``compression`` as in `split_suffix`."""

    path: str
    compression: str
    dialect: Dialect

    def is_for_arrow(self) -> bool:
        """Whether pyarrow reads the file as it is."""
        plain = self.compression in ("", "gzip") and self.dialect.encoding == "utf-8"
        return plain and not self.dialect.comment and self.dialect.separator != BLANKS


def table_lines(file: TextFile) -> Iterator[str]:
    """The lines of the file; comments are blank lines, and so are those before the header or the first row."""
    dialect = file.dialect
    with reading(file.path), open_text(file.path, file.compression, dialect.encoding) as text:
        for number, line in enumerate(lines(file.path, text)):
            if number < dialect.skipped or (dialect.comment and line.lstrip().startswith(dialect.comment)):
                yield line[len(line.rstrip("\r\n")) :] or "\n"
            else:
                yield squeezed(line) if dialect.separator == BLANKS else line


def records(file: TextFile) -> Iterator[tuple[int, list[str]]]:
    """Each record with the number of its first line; blank lines and line ends within quotes count as lines."""
    dialect = file.dialect
    with reading(file.path):
        reader = csv.reader(
            table_lines(file), delimiter=dialect.separator, skipinitialspace=dialect.separator == BLANKS,
            **quoting(dialect.quote),
        )  # fmt: skip
        last = 0
        for fields in reader:
            if is_row(fields):
                yield last + 1, fields
            last = reader.line_num


def rewritten(file: TextFile) -> Any:
    """The table as UTF-8 in a pyarrow buffer, with one blank between fields that have several.

    In memory, because the threads of pyarrow may call nothing written in Python.
    """
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    dialect = file.dialect
    quoted = re.compile(" +|{0}[^{0}]*{0}".format(re.escape(dialect.quote)))
    source = table_lines(file)
    while block := list(islice(source, _LINES)):
        text = "".join(block)
        if dialect.separator == BLANKS and dialect.quote and dialect.quote in text:
            text = quoted.sub(lambda found: " " if found[0][0] == " " else found[0], text)
        elif dialect.separator == BLANKS:
            text = re.sub(" +", " ", text)
        sink.write(text.encode("utf-8", "surrogateescape"))
    return sink.getvalue()


def line_of(file: TextFile, row: int, header_rows: int) -> str:
    """The line of row ``row`` of the data, counted from 0, in words."""
    skipped = row + header_rows
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
