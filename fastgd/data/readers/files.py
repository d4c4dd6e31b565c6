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
from ..expansion import open_compressed

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
    except UnicodeError as error:
        encoding = getattr(error, "encoding", "valid")
        raise DataError(
            f"{path}: has bytes that are not {encoding} text; name its encoding, or save it again"
        ) from None
    except zlib.error:
        raise DataError(f"{path}: is damaged; download or write it again") from None
    except csv.Error as error:
        raise DataError(f"{path}: is not delimited text ({error}); look for a quote that is not closed") from None
    except OSError as error:
        if error.errno is None:  # of a decompressor, not of the system
            raise DataError(
                f"{path}: is damaged, or not compressed as its name says; download or write it again"
            ) from None
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


def open_bytes(path: str, compression: str) -> io.BufferedReader:
    """The file's bytes, decompressed; ``compression`` is that of `split_suffix`."""
    return open_compressed(path, compression) if compression else builtins.open(path, "rb")


def open_text(path: str, compression: str, encoding: str = "utf-8") -> io.TextIOWrapper:
    """The file's text: line ends unchanged, no byte order mark, bytes that are not UTF-8 as surrogates."""
    is_utf8 = encoding == "utf-8"
    return io.TextIOWrapper(
        open_bytes(path, compression), encoding="utf-8-sig" if is_utf8 else encoding,
        errors="surrogateescape" if is_utf8 else "strict", newline="",
    )  # fmt: skip


def lines(path: str, file: io.BufferedReader | io.TextIOWrapper) -> Iterator[Any]:
    """The lines of an open file; a `DataError` for one that is too long to be a row of a table."""
    number = 0
    while line := file.readline(LONGEST_LINE):
        number += 1
        if len(line) == LONGEST_LINE:
            raise DataError(f"{path}: line {number:,} has {LONGEST_LINE:,} characters or more; is it a table?")
        yield line
