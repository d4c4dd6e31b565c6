"""A limit to what compressed files expand to: a file of a few kilobytes can hold zeros that fill any memory."""

from __future__ import annotations

import bz2
import gzip
import io
import os
import zlib
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ..errors import DataError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

# Content of up to FREE_BYTES is always taken; beyond, only LARGEST_RATIO times the compressed bytes. Tables of numbers
# are compressed 2 to 10 times, one-hot tables up to 100 times, and deflate can reach 1,000 times.
FREE_BYTES, LARGEST_RATIO = 1 << 26, 200
_PROGRAMS = {"gzip": "gunzip", "bz2": "bunzip2", "zstd": "unzstd"}
LARGEST_DEFLATE_RATIO = 1032  # of the format: 258 bytes from 2 bits


def check_expansion(path: str, n_bytes: int, compressed: int, advice: str) -> None:
    """Raise a `DataError` if ``n_bytes`` are more than ``compressed`` bytes should expand to."""
    if n_bytes > max(FREE_BYTES, LARGEST_RATIO * compressed):
        raise DataError(
            f"{path}: expands from {compressed / 1e6:.2g} MB to more than {FREE_BYTES / 1e6:.0f} MB, and more than "
            f"{LARGEST_RATIO} times, as no usual table does; if it is what you want, {advice}"
        )


def check_gzip(path: str) -> None:
    """Check what all of a gzip file expands to, before it is handed to a reader that has no limit.

    This is a pass of decompression, left out for a file so small that it cannot hold too much. Damage is not reported
    here: the reader finds it.
    """
    if os.path.getsize(path) * LARGEST_DEFLATE_RATIO < FREE_BYTES:
        return
    block = bytearray(1 << 20)
    with suppress(OSError, EOFError, zlib.error), open_compressed(path, "gzip") as file:
        while file.readinto(block):
            pass


def open_compressed(path: str, compression: str) -> io.BufferedReader:
    """The decompressed bytes of a file; reading raises a `DataError` where they become too many.

    Parameters
    ----------
    compression : "gzip", "bz2" or "zstd".
    """
    return io.BufferedReader(_Bounded(path, compression), 1 << 17)


class _Bounded(io.RawIOBase):
    def __init__(self, path: str, compression: str) -> None:
        self._path, self._compressed, self._n_bytes = path, os.path.getsize(path), 0
        self._advice = f"decompress it first, with {_PROGRAMS[compression]}"
        self._file: Any
        if compression == "zstd":
            import pyarrow as pa

            self._file = pa.input_stream(path, compression="zstd", buffer_size=0)
        else:
            self._file = {"gzip": gzip, "bz2": bz2}[compression].open(path, "rb")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        n = int(self._file.readinto(buffer))
        self._n_bytes += n
        check_expansion(self._path, self._n_bytes, self._compressed, self._advice)
        return n

    def close(self) -> None:
        self._file.close()
        super().close()
