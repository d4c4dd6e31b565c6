"""The file formats that ``open`` reads and ``write`` writes, by suffix."""

from __future__ import annotations

import os

SVMLIGHT_SUFFIXES = (".svm", ".svmlight", ".libsvm")
DELIMITED_SUFFIXES = (".csv", ".tsv", ".txt")
TEXT_SUFFIXES = (".csv", ".tsv", *SVMLIGHT_SUFFIXES)  # that are written
BINARY_SUFFIXES = (".parquet", ".feather", ".arrow", ".npy", ".npz")
TABLE_SUFFIXES = (*TEXT_SUFFIXES, *BINARY_SUFFIXES)  # that are written
COLUMN_SUFFIXES = (".csv", ".tsv", ".parquet", ".feather", ".arrow", ".npy")
WRITTEN_SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet", ".feather", ".arrow", ".npy")  # of columns
READ_TEXT_SUFFIXES = (*DELIMITED_SUFFIXES, ".jsonl", *SVMLIGHT_SUFFIXES)
READ_SUFFIXES = (*READ_TEXT_SUFFIXES, ".xlsx", *BINARY_SUFFIXES)
READ_COLUMN_SUFFIXES = (*DELIMITED_SUFFIXES, ".jsonl", ".xlsx", ".parquet", ".feather", ".arrow", ".npy")
COMPRESSIONS = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}  # as pyarrow names them


def listed(suffixes: tuple[str, ...]) -> str:
    """The suffixes in words: ``.csv, .tsv or .npy (text also with .gz)``."""
    *first, last = suffixes
    packed = ".gz, .bz2 or .zst" if suffixes in (READ_SUFFIXES, READ_COLUMN_SUFFIXES) else ".gz"
    text = f" (text also with {packed})" if set(suffixes) & set(TEXT_SUFFIXES) else ""
    return f"{', '.join(first)} or {last}{text}" if first else last + text


def split_suffix(path: str | os.PathLike[str]) -> tuple[str, str]:
    """The lower-case suffix of the format, and the compression that a second suffix names, or an empty text."""
    stem, suffix = os.path.splitext(os.fspath(path).lower())
    if suffix not in COMPRESSIONS:
        return suffix, ""
    return os.path.splitext(stem)[1], COMPRESSIONS[suffix]


def known_suffix(path: str | os.PathLike[str], suffixes: tuple[str, ...] = TABLE_SUFFIXES) -> bool:
    """Whether the path has one of these formats; only text may be compressed, and is written with .gz only."""
    suffix, compression = split_suffix(path)
    to_read = suffixes in (READ_SUFFIXES, READ_COLUMN_SUFFIXES)
    compressed = READ_TEXT_SUFFIXES if to_read else TEXT_SUFFIXES if compression == "gzip" else ()
    return suffix in suffixes and (not compression or suffix in compressed)
