"""Arrays in .npy and .npz files, read without trust in what their headers declare, and without pickles or mapping.

A file that is cut short while it is mapped into memory kills the process; a declared shape costs nothing here until
the file is seen to hold that many values. Format: NumPy Enhancement Proposal 1 (2007), "A simple file format".
"""

from __future__ import annotations

import ast
import errno
import lzma
import math
import re
import struct
import sys
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import IO, NamedTuple, Self

import numpy as np

from .expansion import check_expansion
from .table import Array

_MAGIC = b"\x93NUMPY"
_LONGEST_HEADER = 1 << 16  # bytes; NumPy's own limit is 10,000, and structured arrays of many columns exceed that
_BLOCK_BYTES = 1 << 22  # bytes read at a time, so that choosing columns needs no second copy of the file


class DamagedArrayError(ValueError):
    """The bytes are not a complete array in NumPy's format."""


class PickledArrayError(ValueError):
    """The array holds pickled Python objects, which are never loaded."""


class Header(NamedTuple):
    """What precedes the values of an array; ``n_bytes`` is its own length."""

    dtype: np.dtype
    shape: tuple[int, ...]
    fortran_order: bool
    n_bytes: int

    @property
    def data_bytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


@dataclass(frozen=True)
class ArrayFile:
    """An array in a .npy file, of which columns are read on demand."""

    path: str
    header: Header

    @property
    def shape(self) -> tuple[int, ...]:
        return self.header.shape

    @property
    def ndim(self) -> int:
        return len(self.header.shape)

    @property
    def dtype(self) -> np.dtype:
        return self.header.dtype

    @classmethod
    def open(cls, path: str) -> ArrayFile:
        """The file, its header and size checked; raises `DamagedArrayError`, `PickledArrayError` or OSError."""
        with open(path, "rb") as file:
            header = read_header(file)
            if file.seek(0, 2) < header.n_bytes + header.data_bytes:
                raise DamagedArrayError
        return cls(path, header)

    def read(self) -> Array:
        """The whole array."""
        with open(self.path, "rb") as file:
            file.seek(self.header.n_bytes)
            return _values(file, self.header)

    def columns(self, chosen: slice | list[int], dtype: np.dtype) -> Array:
        """The chosen columns of an array of two dimensions, C-contiguous."""
        n_rows, n_columns = self.shape
        positions = range(n_columns)[chosen] if isinstance(chosen, slice) else chosen
        result = np.empty((n_rows, len(positions)), dtype)
        with open(self.path, "rb") as file, np.errstate(invalid="ignore"):
            if self.header.fortran_order:
                for k, j in enumerate(positions):
                    file.seek(self.header.n_bytes + j * n_rows * self.dtype.itemsize)
                    result[:, k] = _numbers(file, self.dtype, n_rows)
                return result
            file.seek(self.header.n_bytes)
            step = max(1, _BLOCK_BYTES // (n_columns * self.dtype.itemsize))
            for start in range(0, n_rows, step):
                rows = _numbers(file, self.dtype, min(step, n_rows - start) * n_columns).reshape(-1, n_columns)
                result[start : start + step] = rows[:, chosen]
        return result


class ArrayArchive:
    """The arrays of a .npz file, or of an open one, by name; each is read when it is asked for.

    Raises `DamagedArrayError` for a file that is no zip or has a name twice, and where an array is read also
    `PickledArrayError`, and `DataError` for one that expands too much.
    """

    def __init__(self, path: str, file: IO[bytes] | None = None) -> None:
        self._path = path
        with _zip_errors():
            self._zip = zipfile.ZipFile(path if file is None else file)
        self._members = {member.filename.removesuffix(".npy"): member for member in self._zip.infolist()}
        if len(self._members) < len(self._zip.infolist()):
            raise DamagedArrayError("a name occurs twice")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._zip.close()

    @property
    def names(self) -> set[str]:
        return set(self._members)

    def __getitem__(self, name: str) -> Array:
        if name not in self._members:
            raise DamagedArrayError("a part is missing")
        member = self._members[name]
        with _zip_errors(), self._zip.open(member) as file:
            header = read_header(file)
            if header.n_bytes + header.data_bytes != member.file_size:
                raise DamagedArrayError
            check_expansion(self._path, member.file_size, member.compress_size, "save it without compression")
            values = _values(file, header)
            if file.read(1):  # also makes zipfile compare its checksum
                raise DamagedArrayError
            return values


@contextmanager
def _zip_errors() -> Iterator[None]:
    """Turn the errors of zipfile about damaged, encrypted or unknown content into `DamagedArrayError`."""
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError) as error:
        raise DamagedArrayError from error
    except (RuntimeError, UnicodeDecodeError, IndexError, OverflowError) as error:
        raise DamagedArrayError from error
    except OSError as error:
        if error.errno not in (errno.EINVAL, None):  # a place outside the file, or bz2's own error
            raise
        raise DamagedArrayError from error


def as_float64(values: Array) -> Array:
    """A copy as float64; a NaN that signals, as damaged bytes may, gives no warning."""
    with np.errstate(invalid="ignore"):
        return values.astype(np.float64)


def read_header(file: IO[bytes]) -> Header:
    """The header at the position of the file; raises `DamagedArrayError` or `PickledArrayError`."""
    start = file.read(8)
    if len(start) < 8 or start[:6] != _MAGIC or start[6] not in (1, 2, 3):
        raise DamagedArrayError
    size_format = "<H" if start[6] == 1 else "<I"
    size_bytes = file.read(struct.calcsize(size_format))
    if len(size_bytes) < struct.calcsize(size_format):
        raise DamagedArrayError
    (length,) = struct.unpack(size_format, size_bytes)
    text = file.read(min(length, _LONGEST_HEADER))
    if len(text) < length:
        raise DamagedArrayError
    dtype, shape, fortran_order = _described(text.decode("utf-8" if start[6] == 3 else "latin-1", "replace"))
    if dtype.hasobject:
        raise PickledArrayError
    if dtype.itemsize == 0 or dtype.subdtype is not None:
        raise DamagedArrayError
    return Header(dtype, shape, fortran_order, len(start) + len(size_bytes) + length)


def _described(text: str) -> tuple[np.dtype, tuple[int, ...], bool]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # such as about escapes that Python does not know
            described = ast.literal_eval(re.sub(r"(\d)L\b", r"\1", text.strip()))  # Python 2 wrote 3L
            dtype = np.lib.format.descr_to_dtype(described["descr"])
        shape, fortran_order = described["shape"], described["fortran_order"]
    except Exception:  # literal_eval and dtype raise a dozen kinds of error for text that is no header
        raise DamagedArrayError from None
    if not isinstance(shape, tuple) or not all(type(size) is int and size >= 0 for size in shape):
        raise DamagedArrayError
    if not isinstance(fortran_order, bool):
        raise DamagedArrayError
    return dtype, shape, fortran_order


def _values(file: IO[bytes], header: Header) -> Array:
    values = _numbers(file, header.dtype, math.prod(header.shape))
    return values.reshape(header.shape, order="F" if header.fortran_order else "C")


def _numbers(file: IO[bytes], dtype: np.dtype, count: int) -> Array:
    """The next values of the file, which the array owns."""
    buffer = bytearray(count * dtype.itemsize)
    view, filled = memoryview(buffer), 0
    while filled < len(buffer):
        n = file.readinto(view[filled:])  # type: ignore[attr-defined]  # binary files have it
        if not n:
            raise DamagedArrayError
        filled += n
    values: Array = np.frombuffer(buffer, dtype)
    if dtype.kind == "U" and (values.view(f"{dtype.byteorder}u4") > sys.maxunicode).any():
        raise DamagedArrayError("not characters")
    return values
