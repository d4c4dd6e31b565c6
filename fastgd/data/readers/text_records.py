"""Records of a text table with their line numbers, to read its first line and to name a bad line."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from .files import lines, open_text, reading

CONTROL_Z = "\x1a"  # the end of a text file under DOS


@dataclass(frozen=True)
class TextFile:
    """A file of delimited text, and how it is written; see `TextFormat`.

    ``separator`` " " stands for one or more blanks. The first ``skipped`` lines are not part of the table.
    """

    path: str
    compression: str
    separator: str
    encoding: str = "utf-8-sig"
    quote: str = '"'
    comment: str | None = None
    skipped: int = 0
    decimal: str = "."
    thousands: str | None = None
    na_values: tuple[str, ...] = ()

    @property
    def is_for_pyarrow(self) -> bool:
        """Whether pyarrow can read the bytes as they are."""
        return self.encoding == "utf-8-sig" and self.separator != " " and self.comment is None


def records(file: TextFile) -> Iterator[tuple[int, list[str]]]:
    """Each record with the number of its first line; blank lines and line ends within quotes count as lines."""
    with reading(file.path), open_text(file.path, file.compression, file.encoding) as text:
        yield from parsed(file, lines(file.path, text))


def parsed(file: TextFile, text: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    """The records of some lines."""
    reader, last = csv.reader(_of_table(file, text), **_dialect(file)), 0
    for fields in reader:
        if any(field.strip() for field in fields) or len(fields) > 1:
            yield last + 1, fields
        last = reader.line_num


def as_utf8(file: TextFile) -> bytes:
    """The table as UTF-8 with a line for each record, as pyarrow reads it; in memory."""
    out = io.StringIO(newline="")
    with reading(file.path), open_text(file.path, file.compression, file.encoding) as text:
        if file.separator == " ":
            writer = csv.writer(out, delimiter="\t", quotechar=file.quote, lineterminator="\n")
            writer.writerows(fields for _, fields in parsed(file, lines(file.path, text)))
        else:
            out.writelines(_of_table(file, lines(file.path, text)))
    return out.getvalue().encode("utf-8", "surrogateescape")


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


def _of_table(file: TextFile, text: Iterable[str]) -> Iterator[str]:
    """The lines, with blank ones in place of those that are not part of the table."""
    for number, line in enumerate(text):
        if number < file.skipped or (file.comment and line.startswith(file.comment)) or line.strip() == CONTROL_Z:
            yield "\n"
        else:
            yield line.strip() + "\n" if file.separator == " " else line


def _dialect(file: TextFile) -> dict[str, Any]:
    return {"delimiter": file.separator, "quotechar": file.quote, "skipinitialspace": file.separator == " "}
