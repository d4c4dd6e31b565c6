"""Files that are there whole or not at all: written beside, then renamed into place."""

from __future__ import annotations

import builtins
import gzip
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any, cast

from ...errors import DataError
from ..file_formats import TABLE_SUFFIXES, TEXT_SUFFIXES, known_suffix


def check_writable(path: str | os.PathLike[str], suffixes: tuple[str, ...] | None = None) -> None:
    """A file can be written there: to be called before any work is done for it.

    Parameters
    ----------
    path : the file that shall be written.
    suffixes : the formats that may be; None for any.

    Raises
    ------
    DataError
        When the folder is missing or may not be written, the path is a folder, or the suffix is not known.
    """
    path = os.fspath(path)
    folder = os.path.dirname(os.path.abspath(path))
    if os.path.isdir(path):
        raise DataError(f"{path}: is a folder; name a file in it")
    if suffixes is not None and not known_suffix(path, suffixes):
        text = [suffix for suffix in suffixes if suffix in TEXT_SUFFIXES]
        zipped = f", and {' '.join(text)} with .gz" if text else ""
        suffix = os.path.splitext(path)[1]
        told = f"the suffix {suffix!r} is not known" if suffix else "there is no suffix to tell the format"
        raise DataError(f"{path}: {told}; it writes {' '.join(suffixes)}{zipped}")
    if not os.path.isdir(folder):
        raise DataError(f"{path}: there is no folder {folder!r}; make it first")
    if not os.access(folder, os.W_OK):
        raise DataError(f"{path}: the folder {folder!r} may not be written; choose another or change its permissions")


def write_atomically(path: str | os.PathLike[str], content: bytes) -> None:
    """Write all of ``content`` or nothing, whatever the suffix; raises as ``atomic_file``."""
    with atomic_file(path, suffixes=None, compress=False) as file:
        file.write(content)


@contextmanager
def atomic_file(
    path: str | os.PathLike[str], suffixes: tuple[str, ...] | None = TABLE_SUFFIXES, compress: bool = True
) -> Iterator[IO[Any]]:
    """A binary file to write to, which takes the place of ``path`` when all went well; compressed for ``.gz``.

    Raises
    ------
    DataError
        As ``check_writable``, and when the disk is full or fails.
    """
    check_writable(path, suffixes)
    final = os.path.realpath(path)  # a link stays a link
    part = f"{final}.{secrets.token_hex(4)}.part"
    try:
        with builtins.open(part, "xb") as file:
            if compress and os.fspath(path).lower().endswith(".gz"):
                # No name and no time within, so that the same table gives the same bytes.
                with gzip.GzipFile(filename="", mode="wb", compresslevel=3, fileobj=file, mtime=0) as zipped:
                    yield cast(IO[bytes], zipped)  # an IO in all but name
            else:
                yield file
        os.replace(part, final)
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror or error}); nothing was changed") from None
    finally:
        with suppress(OSError):
            os.unlink(part)
