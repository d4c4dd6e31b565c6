"""Opening files for reading; every failure becomes a DataError with one sentence."""

from __future__ import annotations

import builtins
import csv
import gzip
import io
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ...errors import DataError
from ...wording import near
from ..expansion import open_gzip

LONGEST_LINE = 1 << 24  # characters; rows of 100,000 columns of the longest numbers take 2 million


@contextmanager
def reading(path: str) -> Iterator[None]:
    """Turn an error while the file is read into a DataError that names the file."""
    try:
        yield
    except PermissionError:
        raise DataError(f"{path}: cannot be read: permission denied; change its permissions") from None
    except gzip.BadGzipFile:
        raise DataError(f"{path}: is not a gzip file, despite its name; rename it or compress it again") from None
    except EOFError:
        raise DataError(f"{path}: is truncated; download or write it again") from None
    except zlib.error:
        raise DataError(f"{path}: is damaged; download or write it again") from None
    except csv.Error as error:
        raise DataError(f"{path}: is not delimited text ({error}); look for a quote that is not closed") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error}); check the file and its disk") from None


def check_readable(path: str) -> None:
    """Check that the path is an existing regular file: reading a pipe or a device may never end.

    Raises
    ------
    DataError
        For a folder, a pipe or a device; for a missing file with the files of similar names in the same folder.
    """
    if os.path.isdir(path):
        raise DataError(f"{path}: is a folder; name a file in it")
    check_regular(path)
    if os.path.exists(path):
        return
    folder = Path(path).parent
    if not folder.is_dir():
        raise DataError(f"{path}: there is no folder {str(folder)!r}; check the path")
    with reading(path):
        close = near(Path(path).name, sorted(os.listdir(folder)))
    advice = f"did you mean {' or '.join(map(repr, close))}?" if close else "check the name and the folder"
    raise DataError(f"{path}: there is no such file; {advice}")


def check_regular(path: str) -> None:
    """Raise a `DataError` for a pipe or a device, of which reading may never end."""
    if os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path):
        raise DataError(f"{path}: is a pipe or a device, not a file; write its content to a file first")


def check_not_empty(path: str) -> None:
    if os.path.getsize(path) == 0:
        raise DataError(f"{path}: is empty (0 bytes); write it again")


def invalid_file(path: str, suffix: str) -> DataError:
    """The error for a file that is not of the format that its suffix says."""
    return DataError(f"{path}: is not a complete {suffix} file: truncated, or another format; write it again")


def open_bytes(path: str, gzipped: bool) -> io.BufferedReader:
    """The file's bytes, decompressed."""
    return open_gzip(path) if gzipped else builtins.open(path, "rb")


def open_text(path: str, gzipped: bool) -> io.TextIOWrapper:
    """The file's text: line ends unchanged, no byte order mark, bytes that are not UTF-8 as surrogates."""
    return io.TextIOWrapper(open_bytes(path, gzipped), encoding="utf-8-sig", errors="surrogateescape", newline="")


def lines(path: str, file: io.BufferedReader | io.TextIOWrapper) -> Iterator[Any]:
    """The lines of an open file; a `DataError` for one that is too long to be a row of a table."""
    number = 0
    while line := file.readline(LONGEST_LINE):
        number += 1
        if len(line) == LONGEST_LINE:
            raise DataError(f"{path}: line {number:,} has {LONGEST_LINE:,} characters or more; is it a table?")
        yield line


def first_not_utf8(path: str, gzipped: bool) -> DataError | None:
    """The error that names the first line that is not UTF-8; None if all are."""
    with reading(path), open_bytes(path, gzipped) as file:
        for number, line in enumerate(lines(path, file), 1):
            if number == 1 and line[:2] in (b"\xff\xfe", b"\xfe\xff"):
                return DataError(f"{path}: is UTF-16 text; save it as UTF-8")
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                byte = f"0x{line[error.start]:02x}"
                return DataError(f"{path}: line {number:,} is not UTF-8 text (byte {byte}); save the file as UTF-8")
    return None
