"""How a text file is written, as far as its beginning says so surely."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice

from ...errors import DataError
from ..text_format import NAMES, TextFormat, in_format
from .files import open_bytes, reading
from .text_records import TextFile, parsed

# Bytes and records at the beginning of a file that are looked at.
HEAD_BYTES, HEAD_RECORDS = 1 << 20, 50
SEPARATORS = {".csv": ",", ".tsv": "\t", ".txt": "\t"}
MAGIC = {b"\x1f\x8b": "gzip", b"BZh": "bz2", b"\x28\xb5\x2f\xfd": "zstd"}
OTHER_FORMATS = {
    b"PK\x03\x04": "an Excel workbook or a zip file, despite its name; name it .xlsx, or unpack it",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook (.xls), despite its name; save it as .xlsx or .csv",
    b"PAR1": "a Parquet file, despite its name; name it .parquet",
    b"ARROW1": "an Arrow file, despite its name; name it .arrow",
    b"\x93NUMPY": "a NumPy array, despite its name; name it .npy",
    b"%PDF": "a PDF document, not a table; export the table as .csv",
}
BYTE_ORDER_MARKS = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_WEB_PAGE = re.compile(rb"\s*<(!doctype|html|\?xml)", re.IGNORECASE)
_EXCEL_LINE = re.compile(r"sep=(.)\r?\n")
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x19\x1b-\x1f]")
_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*|\s*")
# With a comma these are decimals; 1,234 may be thousands.
_DECIMAL_COMMA = re.compile(r"\s*[+-]?(\d*,\d{1,2}|\d*,\d{4,}|0,\d+|\d{4,},\d+)\s*")
_DECIMAL_POINT = re.compile(r"\s*[+-]?\d*\.\d+\s*")


def sniffed(path: str, suffix: str, compression: str, asked: TextFormat) -> tuple[TextFile, tuple[str, ...]]:
    """The file with its format, and remarks on what was found that is not usual for its suffix.

    Raises
    ------
    DataError
        For a file of another format.
    """
    head = _head(path, compression)
    for magic, found in MAGIC.items():
        if head.startswith(magic) and not compression:
            return sniffed(path, suffix, found, asked)
    for magic, what in OTHER_FORMATS.items():
        if head.startswith(magic):
            raise DataError(f"{path}: is {what}")
    if _WEB_PAGE.match(head):
        raise DataError(f"{path}: is a web page, not a table; download the table itself")
    encoding, remarks = _encoding(head, asked)
    text = codecs.getincrementaldecoder(encoding)("replace").decode(head)
    file = TextFile(
        path, compression, asked.separator or SEPARATORS[suffix], encoding, asked.quote, asked.comment,
        decimal=asked.decimal or ".", thousands=asked.thousands, na_values=tuple(asked.na_values),
    )  # fmt: skip
    if (told := _EXCEL_LINE.match(text)) and asked.separator is None:
        return _with_decimal(replace(file, separator=told[1], skipped=1), text, asked, remarks)
    file, said = _without_comments(file, text)
    remarks += said
    if asked.separator is None and (better := _separator(file, text)) != file.separator:
        file = replace(file, separator=better)
        between = NAMES.get(better, f"{better!r}")
        remarks += (f"the fields are separated by {between} ({in_format('separator', ',')} sets another)",)
    return _with_decimal(file, text, asked, remarks)


def head_records(file: TextFile, text: str) -> list[list[str]]:
    """The first records of a beginning of the file, without one that may be cut off."""
    whole = text if len(text) < HEAD_BYTES // 4 else text[: text.rfind("\n") + 1]
    try:
        return [fields for _, fields in islice(parsed(file, io.StringIO(whole, newline="")), HEAD_RECORDS)]
    except csv.Error:  # an open quote, for one: the reader of the whole file finds it
        return []


def _head(path: str, compression: str) -> bytes:
    with reading(path), open_bytes(path, compression) as file:
        return file.read(HEAD_BYTES)


def _encoding(head: bytes, asked: TextFormat) -> tuple[str, tuple[str, ...]]:
    if asked.encoding is not None:
        return ("utf-8-sig" if codecs.lookup(asked.encoding).name == "utf-8" else asked.encoding), ()
    for mark, name in BYTE_ORDER_MARKS.items():
        if head.startswith(mark):
            return name, ()
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError as error:
        if _CONTROL.search(head):  # no text at all
            return "utf-8-sig", ()
        name = "cp1252" if _is_cp1252(head) else "latin-1"
        byte = f"byte 0x{head[error.start]:02x}"
        return name, (
            f"the text is not UTF-8 ({byte}) and is read as {name}; {in_format('encoding', 'latin-1')} sets another",
        )
    return "utf-8-sig", ()


def _is_cp1252(head: bytes) -> bool:
    try:
        head.decode("cp1252")
    except UnicodeDecodeError:
        return False
    return True


def _without_comments(file: TextFile, text: str) -> tuple[TextFile, tuple[str, ...]]:
    """The file without lines of comments at its beginning; the last of them may be the header, as NumPy writes it."""
    begin = text.splitlines(keepends=True)
    n = next((k for k, line in enumerate(begin) if not line.startswith("#")), len(begin))
    if file.comment is not None or n == 0 or n == len(begin):
        return file, ()
    separator = _separator(replace(file, skipped=n), text)
    apart = replace(file, separator=separator)
    header, first = (next(parsed(apart, [line]), (0, [""]))[1] for line in begin[n - 1 : n + 1])
    is_header = len(header) == len(first) and all(map(_NUMBER.fullmatch, first))
    skipped = n - is_header
    what = "1 line" if skipped == 1 else f"{skipped} lines"
    return replace(file, skipped=skipped), (f"{what} of comments at the beginning left out",) if skipped else ()


def _separator(file: TextFile, text: str) -> str:
    """The usual separator where it fits, else the one that gives all records the same number of fields."""
    if _width(file, text) > 1:
        return file.separator
    for candidate in (",", ";", "\t", "|", " "):
        if _width(replace(file, separator=candidate), text) > 1:
            return candidate
    return file.separator


def _width(file: TextFile, text: str) -> int:
    """The number of fields of each record; 0 where they differ."""
    widths = {len(fields) for fields in head_records(file, text)}
    return widths.pop() if len(widths) == 1 else 0


def _with_decimal(
    file: TextFile, text: str, asked: TextFormat, remarks: tuple[str, ...]
) -> tuple[TextFile, tuple[str, ...]]:
    """The decimal mark is a comma where fields can be nothing else, and none has a decimal point."""
    if asked.decimal is not None or file.separator == "," or file.thousands == ",":
        return file, remarks
    fields = [field for record in head_records(file, text) for field in record]
    if not any(map(_DECIMAL_COMMA.fullmatch, fields)) or any(map(_DECIMAL_POINT.fullmatch, fields)):
        return file, remarks
    said = f"the comma is the decimal mark ({in_format('decimal', '.')} sets another)"
    return replace(file, decimal=","), (*remarks, said)


def are_numbers(fields: Sequence[str], decimal: str) -> list[bool]:
    """Which fields of a first line are numbers, or marks of missing values, but not empty."""
    return [_FIRST_NUMBER.fullmatch(field.strip().replace(decimal, ".")) is not None for field in fields]


_FIRST_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(inf|infinity|nan)|na|n/a|null|", re.IGNORECASE)
