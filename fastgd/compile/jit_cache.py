"""Compiled kernels on disk: one file for each kernel and signature, written whole or not at all.

numba's own disk cache keeps an index that names numbered data files and writes the index first.
Two processes that compile at once can share a number, and a kill between the two writes leaves an
index that points at old code: both return wrong code silently. Here there is no index. A file's
name is a digest of what it holds; it is written beside and renamed into place; and it carries its
key and a checksum, so that whatever else may happen to it is a miss, never a wrong result.
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
# Whatever is compiled into kernels. Editing anything else (a plot, say) must recompile nothing;
# terms are not here because each carries its own digest in its type's name.
SOURCES = ("compile/*.py", "kernels/*.py")
GENERATIONS_KEPT = 4


@cache
def cache_directory() -> Path | None:
    """Where this version's machine code lives; None (and one warning) where no place is writable.

    ``NUMBA_CACHE_DIR`` where it is set, else the user's cache folder. The name holds a digest of
    the sources above and of numba's and Python's versions.
    """
    for root in _roots():
        directory = root / f"kernels-{_generation()}"
        try:
            directory.mkdir(parents=True, exist_ok=True)
            os.utime(directory)  # the most recently used ones are kept
            with tempfile.TemporaryFile(dir=directory):
                pass
        except OSError:
            continue
        _prune(root, keep=directory)
        return directory
    warnings.warn(
        "no folder to keep compiled kernels in is writable, so each process compiles them anew; "
        "set NUMBA_CACHE_DIR to a writable folder to mend that",
        RuntimeWarning,
        stacklevel=2,
    )
    return None


def _roots() -> list[Path]:
    if numba.config.CACHE_DIR:
        return [Path(numba.config.CACHE_DIR) / "fastgd"]
    home = Path(os.path.expanduser("~"))
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", home / "AppData" / "Local"))
    elif sys.platform == "darwin":
        base = home / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    return [base / "fastgd"]


def _generation() -> str:
    content = hashlib.sha256(f"{numba.__version__} {sys.implementation.cache_tag}".encode())
    for pattern in SOURCES:
        for path in sorted(PACKAGE.glob(pattern)):
            content.update(path.name.encode() + b"\0" + path.read_bytes())
    return content.hexdigest()[:12]


def _prune(root: Path, keep: Path) -> None:
    """Drop the least recently used generations, so that the cache does not grow with every edit."""
    try:
        generations = sorted(root.glob("kernels-*"), key=lambda path: path.stat().st_mtime, reverse=True)
    except OSError:
        return  # another process is pruning too
    for old in generations[GENERATIONS_KEPT:]:
        if old != keep:
            shutil.rmtree(old, ignore_errors=True)


class _Implementation(CompileResultCacheImpl):  # type: ignore[misc]  # numba ships no type hints
    """numba's own (de)serialization of compile results, without its search for a folder."""

    def __init__(self) -> None:
        pass

    def check_cachable(self, compiled: Any) -> bool:
        # A term may use a large global array, to which machine code holds a pointer; numba would warn.
        return not compiled.library.has_dynamic_globals


class KernelCache(FunctionCache):  # type: ignore[misc]
    """What a numba dispatcher asks for machine code; see the module's docstring."""

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
            checksum, content = _split(self._path(directory, key).read_bytes())
            if hashlib.sha256(content).digest() != checksum:
                return None
            stored_key, reduced = pickle.loads(content)
            return self._impl.rebuild(target_context, reduced) if stored_key == key else None
        except Exception:  # whatever is wrong with a file, compiling anew mends it
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        directory = cache_directory()
        if directory is None or not self._impl.check_cachable(data):
            return
        key = repr(self._index_key(sig, data.codegen))
        content = dumps((key, self._impl.reduce(data)))
        try:
            directory.mkdir(parents=True, exist_ok=True)  # another version, or a clean-up, may have dropped it since
            _write_whole(self._path(directory, key), hashlib.sha256(content).digest() + content)
        except OSError as error:
            warnings.warn(f"a compiled kernel could not be kept: {error}", RuntimeWarning, stacklevel=2)

    def _path(self, directory: Path, key: str) -> Path:
        return directory / f"{self._name}-{hashlib.sha256(key.encode()).hexdigest()[:24]}.kernel"


def _split(stored: bytes) -> tuple[bytes, bytes]:
    size = hashlib.sha256().digest_size
    return stored[:size], stored[size:]


def _write_whole(path: Path, content: bytes) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".writing-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
