"""Compiled kernels on disk: one file for each kernel and signature, written atomically.

numba's own disk cache has an index of numbered data files and writes the index first. Two processes that compile at the
same time can use one number, and a kill between the two writes leaves an index that points at old code: both return
wrong code silently. Here there is no index. A file's name is a digest of its key; it is written to a temporary file and
renamed; it contains its key and a checksum, so that a damaged file is a cache miss, never a wrong result.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import shutil
import sys
import tempfile
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import numba
from numba.core.caching import CompileResultCacheImpl, FunctionCache
from numba.core.serialize import dumps

PACKAGE = Path(__file__).parents[1]
# All code that is compiled into kernels. Editing any other file recompiles nothing. Terms are not here: the name of a
# term's numba type has a digest of its code.
SOURCES = ("compile/*.py", "kernels/*.py")
GENERATIONS_KEPT = 4
DIGEST_SIZE = hashlib.sha256().digest_size


@cache
def cache_directory() -> Path | None:
    """The folder of this version's machine code; None, with one warning, if no folder is writable.

    It is in ``NUMBA_CACHE_DIR`` if that is set, else in the user's cache folder. Its name has a digest of `SOURCES` and
    of the versions of numba and Python.
    """
    for root in _roots():
        directory = root / f"kernels-{_generation()}"
        try:
            directory.mkdir(parents=True, exist_ok=True)
            os.utime(directory)  # `_prune` keeps the most recently used folders
            with tempfile.TemporaryFile(dir=directory):
                pass
        except OSError:
            continue
        _prune(root, keep=directory)
        return directory
    warnings.warn(
        "no folder for compiled kernels is writable, so each process compiles them again; "
        "set NUMBA_CACHE_DIR to a writable folder",
        RuntimeWarning,
        stacklevel=2,
    )
    return None


def _roots() -> list[Path]:
    home = Path(os.path.expanduser("~"))  # "~" itself where no home is known
    if numba.config.CACHE_DIR:
        given = Path(os.path.expanduser(numba.config.CACHE_DIR))
        return [] if given.parts[0].startswith("~") else [given / "fastgd"]
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", home / "AppData" / "Local"))
    elif sys.platform == "darwin":
        base = home / "Library" / "Caches"
    else:
        given = Path(os.environ.get("XDG_CACHE_HOME", ""))
        base = given if given.is_absolute() else home / ".cache"  # as the specification of XDG says
    return [base / "fastgd"] if base.is_absolute() else []


def _generation() -> str:
    content = hashlib.sha256(f"{numba.__version__} {sys.implementation.cache_tag}".encode())
    for pattern in SOURCES:
        for path in sorted(PACKAGE.glob(pattern)):
            content.update(path.name.encode() + b"\0" + path.read_bytes())
    return content.hexdigest()[:12]


def _prune(root: Path, keep: Path) -> None:
    """Delete the least recently used generations, so that the cache does not grow with every edit."""
    try:
        generations = sorted(root.glob("kernels-*"), key=lambda path: path.stat().st_mtime, reverse=True)
    except OSError:
        return  # another process is pruning too
    for old in generations[GENERATIONS_KEPT:]:
        if old != keep:
            shutil.rmtree(old, ignore_errors=True)


class _Implementation(CompileResultCacheImpl):  # type: ignore[misc]  # numba ships no type hints
    """numba's serialisation of compiled code, without its search for a folder."""

    def __init__(self) -> None:
        pass

    def check_cachable(self, compiled: Any) -> bool:
        # Code that uses a large global array contains a pointer to it; numba would warn.
        return not compiled.library.has_dynamic_globals


class KernelCache(FunctionCache):  # type: ignore[misc]
    """The cache of one numba dispatcher; see the module's docstring."""

    def __init__(self, py_func: Any) -> None:
        self._py_func = py_func
        self._name = f"{py_func.__module__}.{py_func.__qualname__}"
        self._impl = _Implementation()
        self.enable()

    @property
    def cache_path(self) -> str:
        return str(cache_directory())

    def flush(self) -> None:
        directory = cache_directory()
        for path in directory.glob(f"{self._name}-*.kernel") if directory else ():
            path.unlink(missing_ok=True)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        directory = cache_directory()
        if directory is None:
            return None
        target_context.refresh()
        key = repr(self._index_key(sig, target_context.codegen()))
        try:
            stored = self._path(directory, key).read_bytes()
            checksum, content = stored[:DIGEST_SIZE], stored[DIGEST_SIZE:]
            if hashlib.sha256(content).digest() != checksum:
                return None
            stored_key, reduced = pickle.loads(content)
            return self._impl.rebuild(target_context, reduced) if stored_key == key else None
        except Exception:  # a damaged file: the kernel is compiled again
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        directory = cache_directory()
        if directory is None or not self._impl.check_cachable(data):
            return
        key = repr(self._index_key(sig, data.codegen))
        content = dumps((key, self._impl.reduce(data)))
        try:
            directory.mkdir(parents=True, exist_ok=True)  # another version or the user may have deleted it
            _write_whole(self._path(directory, key), hashlib.sha256(content).digest() + content)
        except OSError as error:
            warnings.warn(f"a compiled kernel could not be saved: {error}", RuntimeWarning, stacklevel=2)

    def _path(self, directory: Path, key: str) -> Path:
        return directory / f"{self._name}-{hashlib.sha256(key.encode()).hexdigest()[:24]}.kernel"


def _write_whole(path: Path, content: bytes) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".writing-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
