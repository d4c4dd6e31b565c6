"""The file formats that ``open`` reads and ``write`` writes, by suffix."""

from __future__ import annotations

import os

SVMLIGHT_SUFFIXES = (".svm", ".svmlight", ".libsvm")
TEXT_SUFFIXES = (".csv", ".tsv", *SVMLIGHT_SUFFIXES)
BINARY_SUFFIXES = (".parquet", ".feather", ".arrow", ".npy", ".npz")
TABLE_SUFFIXES = (*TEXT_SUFFIXES, *BINARY_SUFFIXES)
COLUMN_SUFFIXES = (".csv", ".tsv", ".parquet", ".feather", ".arrow", ".npy")
WRITTEN_SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet", ".feather", ".arrow", ".npy")  # of columns


READ_SUFFIXES = (*TABLE_SUFFIXES, ".txt", ".jsonl", ".xlsx")
READ_COLUMN_SUFFIXES = (*COLUMN_SUFFIXES, ".txt", ".jsonl", ".xlsx")
LINE_SUFFIXES = (*TEXT_SUFFIXES, ".txt", ".jsonl")  # formats that may be compressed
COMPRESSIONS = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}  # with pyarrow's names


def listed(suffixes: tuple[str, ...]) -> str:
    """The suffixes in words: ``.csv, .tsv or .npy (text also with .gz)``."""
    *first, last = suffixes
    also = ".gz, .bz2 or .zst" if ".txt" in suffixes else ".gz"
    text = f" (text also with {also})" if set(suffixes) & set(TEXT_SUFFIXES) else ""
    return f"{', '.join(first)} or {last}{text}" if first else last + text


def split_suffix(path: str | os.PathLike[str]) -> tuple[str, str]:
    """The lower-case suffix of the format, and the name of the compression, empty where there is none."""
    stem, suffix = os.path.splitext(os.fspath(path).lower())
    if suffix not in COMPRESSIONS:
        return suffix, ""
    return os.path.splitext(stem)[1], COMPRESSIONS[suffix]


def known_suffix(path: str | os.PathLike[str], suffixes: tuple[str, ...] = TABLE_SUFFIXES) -> bool:
    """Whether the path has one of these formats; only text may be compressed, and .txt is only read."""
    suffix, compression = split_suffix(path)
    is_read = ".txt" in suffixes
    allowed = suffix in LINE_SUFFIXES and (is_read or compression == "gzip")
    return suffix in suffixes and (not compression or allowed)
