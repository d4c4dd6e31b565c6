"""What kind of text a file holds by its first bytes: its compression and its encoding, or that it is no table."""

from __future__ import annotations

import codecs
import io
from typing import NamedTuple

from ...errors import DataError
from ..text_format import text_option
from .files import lines, open_bytes, reading
from .text_sniffing import END

HEAD_BYTES = 1 << 20  # that are looked at
WESTERN = "cp1252"  # Latin-1 with the quotes and dashes of Windows
_PACKED = {b"\x1f\x8b": "gzip", b"BZh": "bz2", b"\x28\xb5\x2f\xfd": "zstd"}
_OTHERS = (
    (b"PK\x03\x04", "is an Excel or zip file, not text; name it .xlsx, or unzip it"),
    (b"\xd0\xcf\x11\xe0", "is a file of an old Excel (.xls), not text; save it as .xlsx or .csv"),
    (b"PAR1", "is a Parquet file; name it .parquet"),
    (b"ARROW1", "is an Arrow file; name it .arrow"),
    (b"%PDF", "is a PDF document, not a table; save the table as .csv"),
    (b"\x93NUMPY", "is a NumPy array; name it .npy"),
    (b"SQLite format 3", "is an SQLite database, not a table; export the table as .csv"),
)
_CONTROL = bytes(set(range(32)) - set(b"\t\n\r\x0b\x0c" + END.encode()))


class Content(NamedTuple):
    """The beginning of a file: complete lines, each with its line end."""

    lines: list[str]
    compression: str
    encoding: str
    remarks: tuple[str, ...]


def look_at(path: str, compression: str, encoding: str | None) -> Content:
    """The first lines of a text file, with what was found out about it.

    Parameters
    ----------
    compression, encoding : those that are known, from the name and from the user.

    Raises
    ------
    DataError
        For a file that is not text: a web page, an Excel file; and for text of no encoding that is sure.
    """
    remarks: tuple[str, ...] = ()
    with reading(path), open(path, "rb") as file:
        start = file.read(16)
    if not compression:
        found = next((name for mark, name in _PACKED.items() if start.startswith(mark)), "")
        if found and not (found == "bz2" and start[4:10] != b"1AY&SY"):
            compression, remarks = found, (f"the file is compressed ({found}), which its name does not say",)
    with reading(path), open_bytes(path, compression) as file:
        head = file.read(HEAD_BYTES)
        whole = not file.read(1)
    _check_kind(path, head)
    if encoding is None:
        encoding, said = _encoding(path, compression, head, whole)
        remarks += said
    errors = "surrogateescape" if encoding == "utf-8" else "replace"
    text = codecs.getincrementaldecoder("utf-8-sig" if encoding == "utf-8" else encoding)(errors).decode(head, whole)
    found_lines = io.StringIO(text, newline="").readlines()
    return Content(found_lines if whole else found_lines[:-1] or found_lines, compression, encoding, remarks)


def _check_kind(path: str, head: bytes) -> None:
    for mark, message in _OTHERS:
        if head.startswith(mark):
            raise DataError(f"{path}: {message}")
    text = head[:1000].removeprefix(codecs.BOM_UTF8).lstrip().lower()
    if text.startswith((b"<!doctype html", b"<html", b"<head")):
        raise DataError(f"{path}: is a web page, not a table; download the file itself")
    if text.startswith(b"<?xml"):
        raise DataError(f"{path}: is XML, not a table; save the table as .csv")


def _encoding(path: str, compression: str, head: bytes, whole: bool) -> tuple[str, tuple[str, ...]]:
    """The encoding of a file that begins with ``head``, and a remark unless it is UTF-8."""
    for mark, name in (
        (codecs.BOM_UTF32_LE, "utf-32"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if head.startswith(mark):
            return name, (f"the file is {name.upper()} text",)
    odd, even = head[1::2].count(0), head[::2].count(0)
    if 2 * max(odd, even) > len(head) // 2 and len(head) > 2:
        name = "utf-16-le" if odd > even else "utf-16-be"
        return name, (f"the file is taken as {name.upper()} text without a byte order mark",)
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head, whole)
    except UnicodeDecodeError:
        if not _is_western(head):
            raise surely_not_utf8(path, compression) from None
        flag = text_option("encoding")
        other = f"; {flag} says otherwise" if flag else ""
        return WESTERN, (f"the file is not UTF-8 and is taken as Western European text ({WESTERN}){other}",)
    if b"\0" in head:
        line = head[: head.index(b"\0")].count(b"\n") + 1
        raise DataError(f"{path}: line {line:,} has a byte 0, which is not text; write the file again")
    return "utf-8", ()


def _is_western(head: bytes) -> bool:
    """Whether text that is not UTF-8 is surely of one byte a letter: no line with such bytes is valid UTF-8."""
    if head.translate(None, _CONTROL) != head:
        return False
    marked = [line for line in head.splitlines() if not line.isascii()]
    letters = sum(byte >= 0xC0 for line in marked for byte in line)
    if 2 * letters < sum(byte >= 0x80 for line in marked for byte in line):  # mostly signs: hardly text
        return False
    try:
        for line in marked:
            line.decode(WESTERN)
    except UnicodeDecodeError:
        return False
    return not any(_is_utf8(line) for line in marked[:-1] or marked)


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def not_utf8(path: str, compression: str) -> DataError | None:
    """The error that names the first line that is not UTF-8; None if all are."""
    flag = text_option("encoding")
    advice = "save the file as UTF-8" + (f", or name its encoding with {flag}" if flag else "")
    with reading(path), open_bytes(path, compression) as file:
        for number, line in enumerate(lines(path, file), 1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                byte = f"0x{line[error.start]:02x}"
                return DataError(f"{path}: line {number:,} is not UTF-8 text (byte {byte}); {advice}")
    return None


def surely_not_utf8(path: str, compression: str) -> DataError:
    """The error about a file that is known not to be UTF-8 text."""
    return not_utf8(path, compression) or DataError(f"{path}: is not UTF-8 text; save it as UTF-8")
