"""Atomic writes: a file is written under a temporary name beside its path, then renamed into place."""

from __future__ import annotations

import builtins
import gzip
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any, cast

from ...errors import DataError
from ..file_formats import TABLE_SUFFIXES, known_suffix, listed


def check_writable(path: str | os.PathLike[str], suffixes: tuple[str, ...] | None = None) -> None:
    """Check that a file can be written to this path, before the work of making its content.

    Parameters
    ----------
    path : of the file to write.
    suffixes : the allowed formats; None for any.

    Raises
    ------
    DataError
        If the folder is missing or not writable, the path is a folder, or the suffix is not known.
    """
    path = os.fspath(path)
    folder = os.path.dirname(os.path.abspath(path))
    if os.path.isdir(path):
        raise DataError(f"{path}: is a folder; name a file in it")
    if suffixes is not None and not known_suffix(path, suffixes):
        suffix = os.path.splitext(path)[1]
        problem = f"the suffix {suffix!r} is not known" if suffix else "there is no suffix to tell the format"
        raise DataError(f"{path}: {problem}; use {listed(suffixes)}")
    if not os.path.isdir(folder):
        raise DataError(f"{path}: there is no folder {folder!r}; make it first")
    if not os.access(folder, os.W_OK):
        raise DataError(f"{path}: the folder {folder!r} is not writable; choose another or change its permissions")


def write_atomically(path: str | os.PathLike[str], content: bytes) -> None:
    """Write all of ``content`` or nothing, uncompressed for any suffix; raises as `atomic_file` does."""
    with atomic_file(path, suffixes=None, compress=False) as file:
        file.write(content)


@contextmanager
def atomic_file(
    path: str | os.PathLike[str], suffixes: tuple[str, ...] | None = TABLE_SUFFIXES, compress: bool = True
) -> Iterator[IO[Any]]:
    """A binary file to write to, which replaces ``path`` if no error occurs; compressed for ``.gz``.

    Raises
    ------
    DataError
        As `check_writable` does, and if the disk is full or fails.
    """
    check_writable(path, suffixes)
    final = os.path.realpath(path)  # a link stays a link
    part = f"{final}.{secrets.token_hex(4)}.part"
    try:
        with builtins.open(part, "xb") as file:
            if compress and os.fspath(path).lower().endswith(".gz"):
                # Without file name and time in the header, so that equal tables give equal bytes.
                with gzip.GzipFile(filename="", mode="wb", compresslevel=3, fileobj=file, mtime=0) as zipped:
                    yield cast(IO[bytes], zipped)  # a GzipFile has the methods of IO[bytes]
            else:
                yield file
        os.replace(part, final)
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror or error}); nothing was changed") from None
    finally:
        with suppress(OSError):
            os.unlink(part)
