"""What ``open`` and ``write`` know by name: built-in data and file suffixes. Imports nothing heavy."""

from __future__ import annotations

import os
from collections.abc import Mapping

BUILTINS: Mapping[str, str] = {
    "linear": "1,000,000 x 20 standard normal, a linear target with noise",
    "logistic": "500,000 x 20 standard normal, labels 0 and 1 from a logistic model",
    "tutorial": "the lesson's three points: x = 1, 2, 3 and y = 2 x",
    "saddle": "7 rows x 2, whose loss has a saddle point between its minima at (0, 1) and (0, -1)",
    "valleys": "4 rows x 2, whose loss has a wide valley and a narrower one that is deeper",
    "diabetes": "442 patients x 10 measurements, the progression of their disease (Efron et al. 2004)",
}

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
