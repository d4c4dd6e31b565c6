"""The file formats that ``open`` reads and ``write`` writes, by suffix."""

from __future__ import annotations

import os

SVMLIGHT_SUFFIXES = (".svm", ".svmlight", ".libsvm")
TEXT_SUFFIXES = (".csv", ".tsv", *SVMLIGHT_SUFFIXES)
BINARY_SUFFIXES = (".parquet", ".feather", ".arrow", ".npy", ".npz")
TABLE_SUFFIXES = (*TEXT_SUFFIXES, *BINARY_SUFFIXES)
COLUMN_SUFFIXES = (".csv", ".tsv", ".parquet", ".feather", ".arrow", ".npy")


def split_suffix(path: str | os.PathLike[str]) -> tuple[str, bool]:
    """The suffix that tells the format, in lower case and without ``.gz``, and whether ``.gz`` was there."""
    stem, suffix = os.path.splitext(os.fspath(path).lower())
    if suffix != ".gz":
        return suffix, False
    return os.path.splitext(stem)[1], True


def known_suffix(path: str | os.PathLike[str], suffixes: tuple[str, ...] = TABLE_SUFFIXES) -> bool:
    """Whether the format is one of ``suffixes``; only text formats come with ``.gz``."""
    suffix, gzipped = split_suffix(path)
    return suffix in suffixes and not (gzipped and suffix not in TEXT_SUFFIXES)
