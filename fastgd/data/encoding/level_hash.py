"""MurmurHash3 of many strings at once: the same number in every process and on every machine."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..table import Array

_C1, _C2 = np.uint32(0xCC9E2D51), np.uint32(0x1B873593)


def murmur3(strings: Any) -> Array:
    """The 32-bit MurmurHash3 (Appleby, 2011; x86, seed 0) of the UTF-8 bytes of each string of a pyarrow large_string.

    Returns
    -------
    (n,) int32, as scikit-learn's FeatureHasher has them.
    """
    _, ends, text = strings.buffers()
    offsets = np.frombuffer(ends, np.int64)[strings.offset : strings.offset + len(strings) + 1]
    data = np.zeros(0, np.uint8) if text is None else np.frombuffer(text, np.uint8)
    starts, lengths = offsets[:-1], np.diff(offsets)
    hashes = np.zeros(len(lengths), np.uint32)
    rows = np.arange(len(lengths))
    for k in range(int(lengths.max(initial=0)) // 4):
        rows = rows[lengths[rows] >= 4 * k + 4]
        h = hashes[rows] ^ _mixed(_word(data, starts[rows] + 4 * k, 4))
        hashes[rows] = _rotated(h, 13) * np.uint32(5) + np.uint32(0xE6546B64)
    for n in (1, 2, 3):
        rows = np.flatnonzero(lengths % 4 == n)
        hashes[rows] ^= _mixed(_word(data, starts[rows] + lengths[rows] - n, n))
    hashes ^= lengths.astype(np.uint32)
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        hashes = (hashes ^ (hashes >> np.uint32(shift))) * np.uint32(factor)
    return (hashes ^ (hashes >> np.uint32(16))).view(np.int32)


def _word(data: Array, at: Array, n_bytes: int) -> Array:
    """The ``n_bytes`` bytes at each position as a little-endian number."""
    word = np.zeros(len(at), np.uint32)
    for k in range(n_bytes):
        word |= data[at + k].astype(np.uint32) << np.uint32(8 * k)
    return word


def _mixed(word: Array) -> Array:
    return _rotated(word * _C1, 15) * _C2


def _rotated(word: Array, bits: int) -> Array:
    return (word << np.uint32(bits)) | (word >> np.uint32(32 - bits))
