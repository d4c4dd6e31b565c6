"""The file formats that ``open`` reads and ``write`` writes, by suffix."""

from __future__ import annotations

import os

SVMLIGHT_SUFFIXES = (".svm", ".svmlight", ".libsvm")
TEXT_SUFFIXES = (".csv", ".tsv", *SVMLIGHT_SUFFIXES)
BINARY_SUFFIXES = (".parquet", ".feather", ".arrow", ".npy", ".npz")
TABLE_SUFFIXES = (*TEXT_SUFFIXES, *BINARY_SUFFIXES)
COLUMN_SUFFIXES = (".csv", ".tsv", ".parquet", ".feather", ".arrow", ".npy")
WRITTEN_SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet", ".feather", ".arrow", ".npy")  # of columns


def listed(suffixes: tuple[str, ...]) -> str:
    """The suffixes in words: ``.csv, .tsv or .npy (text also with .gz)``."""
    *first, last = suffixes
    text = " (text also with .gz)" if set(suffixes) & set(TEXT_SUFFIXES) else ""
    return f"{', '.join(first)} or {last}{text}" if first else last + text


def split_suffix(path: str | os.PathLike[str]) -> tuple[str, bool]:
    """The lower-case suffix of the format, without ``.gz``, and whether the path ends in ``.gz``."""
    stem, suffix = os.path.splitext(os.fspath(path).lower())
    if suffix != ".gz":
        return suffix, False
    return os.path.splitext(stem)[1], True


def known_suffix(path: str | os.PathLike[str], suffixes: tuple[str, ...] = TABLE_SUFFIXES) -> bool:
    """Whether the path has one of these formats; only text formats may be compressed."""
    suffix, gzipped = split_suffix(path)
    return suffix in suffixes and not (gzipped and suffix not in TEXT_SUFFIXES)
