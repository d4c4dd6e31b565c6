"""The error that names the malformed token of an svmlight file, searched for only after the fast parser failed."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pyarrow as pa

from ...errors import DataError
from ...wording import cell
from ..table import Array

_NUMBER = re.compile(rb"[+-]?((\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|inf|infinity|nan)", re.IGNORECASE)
_INDEX = re.compile(rb"\d{1,10}")


def malformed(labels: Any, entries: Any, lines: Array, rows: Array, path: str) -> DataError:
    """The error about the first token that is neither a number as a label nor ``index:value`` as an entry."""
    bad_label = next((i for i, word in enumerate(_bytes(labels)) if not _NUMBER.fullmatch(word)), None)
    bad_entry = next((p for p, word in enumerate(_bytes(entries)) if not _is_entry(word)), None)
    if bad_label is not None and (bad_entry is None or bad_label <= rows[bad_entry]):
        return DataError(f"{path}: line {lines[bad_label]:,}: {_label_error(_bytes(labels.slice(bad_label, 1))[0])}")
    if bad_entry is None:
        return DataError(f"{path}: is not svmlight text; check that each line is 'label index:value ...'")
    word = _bytes(entries.slice(bad_entry, 1))[0]
    return DataError(f"{path}: line {lines[rows[bad_entry]]:,}: {_entry_error(word)}")


def _bytes(words: Any) -> list[bytes]:
    as_bytes: list[bytes] = words.cast(pa.binary()).to_pylist()
    return as_bytes


def _is_entry(word: bytes) -> bool:
    index, colon, value = word.partition(b":")
    if not (colon and _INDEX.fullmatch(index) and _NUMBER.fullmatch(value)):
        return False
    return int(index) < np.iinfo(np.int32).max


def _shown(word: bytes) -> str:
    return cell(word.decode("utf-8", errors="replace"))


def _label_error(word: bytes) -> str:
    if b":" in word:
        return f"starts with {_shown(word)}, not with a label; put one before it (0 if unknown)"
    return f"the label {_shown(word)} is not a number; fix it (labels in words need another format, such as .csv)"


def _entry_error(word: bytes) -> str:
    index, _, value = word.partition(b":")
    if word.count(b":") != 1:
        return f"{_shown(word)} is not of the form index:value; fix it"
    if not _INDEX.fullmatch(index):
        return f"in {_shown(word)} the index is not an integer of 0 or more; fix it"
    if not _NUMBER.fullmatch(value):
        return f"in {_shown(word)} the value is not a number; fix it"
    return f"in {_shown(word)} the index is larger than {np.iinfo(np.int32).max - 1:,}; renumber the features"
