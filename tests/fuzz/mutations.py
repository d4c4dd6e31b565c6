"""Random damage to the bytes of a file, to the members of a zip or gzip file, and to the header of a model."""

from __future__ import annotations

import gzip
import io
import json
import re
import warnings
import zipfile
from typing import Any

import numpy as np
import pyarrow as pa

NUMBERS = (
    0,
    1,
    2,
    3,
    7,
    127,
    128,
    255,
    256,
    65535,
    10**6,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**40,
    10**12,
    2**63 - 1,
    2**64 - 1,
)
TEXTS = (
    b"", b"nan", b"-inf", b"1e999", b"-1", b"1" * 400, b"9" * 25, b"\xff\xfe", b"\x00", b"\x1b[31m", b'"', b"\n",
    b"\r", b",", b"\t", b":", b"#", b"qid:1", "\u202e\u20ac".encode(), b"True", b"[" * 50, b"{}", b"()", b"L", b"'O'",
    b"'<f8'",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    2**63,
    10**400,
    0.5,
    float("nan"),
    float("inf"),
    "",
    "a\0b",
    "1",
    [],
    ["a"],
    [["a"]],
    {},
    {"a": 1},
)


def mutated(content: bytes, suffix: str, rng: np.random.Generator) -> bytes:
    """The content of a file of this suffix with some damage."""
    inside = rng.random() < 0.75
    if suffix in (".npz", ".xlsx", ".fastgd") and inside and zipfile.is_zipfile(io.BytesIO(content)):
        return _zip_with_damage(content, suffix, rng)
    if suffix.endswith(".gz") and inside:
        return gzip.compress(_damaged(gzip.decompress(content), rng), 1)
    if suffix.endswith(".zst") and inside:
        damaged = _damaged(pa.CompressedInputStream(pa.BufferReader(content), "zstd").read(), rng)
        return bytes(pa.compress(damaged, codec="zstd", asbytes=True))
    return _damaged(content, rng)


def _damaged(content: bytes, rng: np.random.Generator) -> bytes:
    for _ in range(int(rng.choice([1, 1, 1, 2, 3, 6]))):
        content = bytes(rng.choice(_DAMAGES)(bytearray(content), rng))
    return content


def _zip_with_damage(content: bytes, suffix: str, rng: np.random.Generator) -> bytes:
    """The zip with one member damaged, dropped, renamed or doubled; its checksums are right."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    k, kind = int(rng.integers(len(members))), rng.random()
    if kind < 0.03:
        members.append(members[k])
    elif kind < 0.06:
        members.pop(k)
    elif kind < 0.1:
        members[k] = (members[int(rng.integers(len(members)))][0], members[k][1])
    elif kind < 0.5 and suffix == ".fastgd":
        members = [(name, _other_header(data, rng) if name == "header.npy" else data) for name, data in members]
    else:
        name, data = members[k]
        front = int(rng.choice([0, 10, min(128, len(data))]))  # often the numbers only, and the header whole
        members[k] = (name, data[:front] + _damaged(data[front:], rng))
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w") as archive:
        warnings.simplefilter("ignore")  # about a name that occurs twice
        for name, data in members:
            archive.writestr(name, data)
    return buffer.getvalue()


def _other_header(data: bytes, rng: np.random.Generator) -> bytes:
    """The JSON header of a model with another value at some place."""
    try:
        header = json.loads(np.load(io.BytesIO(data)).tobytes())
    except ValueError:
        return data
    place: Any = header
    while True:
        keys = list(place) if isinstance(place, dict) else range(len(place))
        if not len(keys):
            break
        key = keys[int(rng.integers(len(keys)))]
        if not isinstance(place[key], (dict, list)) or rng.random() < 0.3:
            place[key] = VALUES[int(rng.integers(len(VALUES)))]
            break
        place = place[key]
    buffer = io.BytesIO()
    np.save(buffer, np.frombuffer(json.dumps(header).encode(), np.uint8))
    return buffer.getvalue()


def _place(content: bytearray, rng: np.random.Generator) -> int:
    """A place, in the first or last hundred bytes as often as anywhere."""
    n, near = len(content), int(rng.integers(100))
    return int(rng.choice([rng.integers(n + 1), min(near, n), max(0, n - near)]))


def _flip(content: bytearray, rng: np.random.Generator) -> bytearray:
    if content:
        content[_place(content, rng) % len(content)] ^= 1 << int(rng.integers(8))
    return content


def _set_byte(content: bytearray, rng: np.random.Generator) -> bytearray:
    if content:
        content[_place(content, rng) % len(content)] = int(rng.integers(256))
    return content


def _set_integer(content: bytearray, rng: np.random.Generator) -> bytearray:
    """A number of 2, 4 or 8 bytes, at a multiple of its size mostly."""
    size = int(rng.choice([2, 4, 8]))
    number = (int(rng.choice(NUMBERS[:-1])) * int(rng.choice([1, 1, -1]))) % 256**size
    start = _place(content, rng)
    start -= start % size if rng.random() < 0.8 else 0
    content[start : start + size] = number.to_bytes(size, "little")
    return content


def _cut(content: bytearray, rng: np.random.Generator) -> bytearray:
    start = _place(content, rng)
    del content[start : start + int(rng.choice([1, 2, 4, 8, 100, len(content)]))]
    return content


def _double(content: bytearray, rng: np.random.Generator) -> bytearray:
    start, size = _place(content, rng), int(rng.choice([1, 4, 8, 50, 500]))
    return content[: start + size] + content[start:]


def _insert(content: bytearray, rng: np.random.Generator) -> bytearray:
    start = _place(content, rng)
    return content[:start] + rng.bytes(int(rng.integers(1, 20))) + content[start:]


def _insert_text(content: bytearray, rng: np.random.Generator) -> bytearray:
    start = _place(content, rng)
    return content[:start] + TEXTS[int(rng.integers(len(TEXTS)))] + content[start:]


def _other_number(content: bytearray, rng: np.random.Generator) -> bytearray:
    """Another number in place of one that is written in digits."""
    numbers = list(re.finditer(rb"\d+", content[:5000]))
    if not numbers:
        return _flip(content, rng)
    found = numbers[int(rng.integers(len(numbers)))]
    other = str(NUMBERS[int(rng.integers(len(NUMBERS)))]).encode()
    return content[: found.start()] + other + content[found.end() :]


_DAMAGES = (_flip, _set_byte, _set_integer, _set_integer, _cut, _double, _insert, _insert_text, _other_number)
