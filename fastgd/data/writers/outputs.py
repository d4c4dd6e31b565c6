"""Where every output of fastgd goes: a model, a trace, a table, a picture, a report.

- A regular file is written under a temporary name beside it, brought to the disk, and renamed into place, with the
  permissions and the owner of the file that it replaces. A link stays a link. A read-only file is not replaced.
- A device or a pipe, such as /dev/stdout, is written to as it is.
- Everything else, such as a folder or a socket, is refused.
"""

from __future__ import annotations

import builtins
import errno
import gzip
import io
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any, cast

from ...errors import DataError
from ..file_formats import TABLE_SUFFIXES, known_suffix, listed

LONGEST_BEGINNING = 200  # bytes of a name


def check_writable(path: str | os.PathLike[str], suffixes: tuple[str, ...] | None = None) -> None:
    """Check that a file can be written to this path, before the work of making its content.

    Parameters
    ----------
    path : of the file to write.
    suffixes : the allowed formats; None for any.

    Raises
    ------
    DataError
        If the folder is missing or not writable, the path is a folder or too long, or the suffix is not known.
    """
    path = os.fspath(path)
    folder = os.path.dirname(os.path.realpath(path))
    if os.path.isdir(path):
        raise DataError(f"{path}: is a folder; name a file in it")
    if _is_too_long(path):
        raise DataError(f"{path}: the name is too long; choose a shorter one")
    mode = _mode(path)
    if mode is not None and not stat.S_ISREG(mode):
        if not (stat.S_ISCHR(mode) or stat.S_ISFIFO(mode)):
            raise DataError(f"{path}: is neither a file nor a pipe; name another file")
        if not os.access(path, os.W_OK):
            raise DataError(f"{path}: cannot be written to; name another file")
        return
    if mode is not None and not mode & 0o222:
        raise DataError(f"{path}: is read-only; name another file or change its permissions")
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
    zipped = compress and os.fspath(path).lower().endswith(".gz")
    mode = _mode(path)
    is_stream = mode is not None and not stat.S_ISREG(mode)
    try:
        with _stream(path) if is_stream else _replacement(os.path.realpath(path)) as file:
            if not zipped:
                yield file
                return
            # Without file name and time in the header, so that equal tables give equal bytes.
            with gzip.GzipFile(filename="", mode="wb", compresslevel=3, fileobj=file, mtime=0) as packed:
                yield cast(IO[bytes], packed)  # a GzipFile has the methods of IO[bytes]
    except OSError as error:
        rest = "" if is_stream else "; nothing was changed"
        raise DataError(f"{path}: cannot be written ({error.strerror or error}){rest}") from None


@contextmanager
def _stream(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """A device or a pipe. Writers that seek, as those of archives do, get a file in memory first."""
    content = io.BytesIO()
    yield content
    with suppress(BrokenPipeError), builtins.open(path, "wb") as stream:  # the reader of a pipe may need no more
        stream.write(content.getbuffer())


@contextmanager
def _replacement(final: str) -> Iterator[IO[bytes]]:
    """A file that replaces ``final`` if no error occurs."""
    _sweep(final)
    part = f"{_beginning(final)}.{os.getpid()}-{secrets.token_hex(4)}.part"
    try:
        with builtins.open(part, "xb") as file:
            yield file
            _take_permissions(file.fileno(), final)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, final)
        _bring_to_disk(os.path.dirname(final))
    finally:
        with suppress(OSError):
            os.unlink(part)


def _beginning(final: str) -> str:
    """The path, with so much of the name that a suffix can follow it: file systems have limits of 255 bytes."""
    folder, name = os.path.split(final)
    return os.path.join(folder, os.fsdecode(os.fsencode(name)[:LONGEST_BEGINNING]))


def _is_too_long(path: str) -> bool:
    try:
        os.lstat(path)
    except OSError as error:
        return error.errno == errno.ENAMETOOLONG
    return False


def _mode(path: str | os.PathLike[str]) -> int | None:
    """The type and permissions of what is at a path, links followed; None if there is nothing."""
    try:
        return os.stat(path).st_mode
    except OSError:
        return None


def _take_permissions(descriptor: int, final: str) -> None:
    """Give a file the permissions, and where that is allowed the owner, of the one that it will replace."""
    try:
        old = os.stat(final)
    except OSError:
        return
    if hasattr(os, "fchown"):
        with suppress(OSError):
            os.fchown(descriptor, old.st_uid, old.st_gid)
        os.fchmod(descriptor, stat.S_IMODE(old.st_mode))


def _bring_to_disk(folder: str) -> None:
    """Bring the new name of a file to the disk, on systems that can."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _sweep(final: str) -> None:
    """Remove what killed processes left of earlier writes to this file."""
    name = re.compile(re.escape(os.path.basename(_beginning(final))) + r"\.(\d+)-[0-9a-f]{8}\.part")
    folder = os.path.dirname(final)
    with suppress(OSError):
        for entry in os.listdir(folder):
            found = name.fullmatch(entry)
            if found and not _is_running(int(found[1])):
                os.unlink(os.path.join(folder, entry))


def _is_running(pid: int) -> bool:
    if not hasattr(os, "fork"):  # elsewhere a signal of 0 would end the process
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
