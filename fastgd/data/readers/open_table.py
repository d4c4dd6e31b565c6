"""``open``: a table from a file, a built-in data set or a data frame."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ...errors import DataError
from ...wording import near
from .. import BUILTINS
from ..encoding.columns import Columns
from ..encoding.encoder import Encoder
from ..encoding.request import Request
from ..file_formats import READ_SUFFIXES, SVMLIGHT_SUFFIXES, known_suffix, listed, split_suffix
from ..table import Table
from ..text_format import TextFormat, as_text_format
from .files import check_readable
from .read_columns import check_has_format


def open(  # noqa: A001  # the public name: fastgd.open
    source: str | os.PathLike[str] | Any, *, target: str | int | Sequence[str | int] | None = None,
    drop: Sequence[str] = (), features: Sequence[str] | None = None, need_target: bool = True,
    weight: str | int | None = None, offset: str | int | None = None, columns: Columns | Encoder | None = None,
    text: TextFormat | None = None,
) -> Table:  # fmt: skip
    """Read a table, ready to be fitted.

    Parameters
    ----------
    source : the name of a built-in (``linear``, ``logistic``, ``tutorial``, ``saddle``, ``valleys``, ``diabetes``);
        or a path: .csv .tsv .txt .jsonl .xlsx .parquet .feather .arrow .npy .npz .svm .svmlight .libsvm, text formats
        also with .gz, .bz2 or .zst (``./linear`` is a path); or a pandas, polars or Arrow table.
    target : the name or index of the target. For several targets a list, or one string with commas, unless a column
        has that name. The default is the column named y, target or label, or else the last column.
    drop : names of columns to leave out.
    features : use exactly these columns in this order, as a model does for prediction. Columns without names are
        matched by position if there are as many.
    need_target : whether a missing target is an error.
    weight, offset : names or indices of the columns with the weight of each row and the offset of its linear
        predictor; they are not features. In .npz each may also be a separate array.
    columns : how columns of words, dates and missing values become features; see `Columns`. Or the ``encoder`` of a
        table or a model, to encode another table as that one was.
    text : how a text file is written, where that is not what it seems; see `TextFormat`.

    Returns
    -------
    A ``Table``: features (n_samples, n_features), and targets or labels (n_samples,) or (n_samples, n_targets).

    Raises
    ------
    DataError
        One sentence that names the file, the line or row and the column, and says what to do.

    Examples
    --------
    >>> open("diabetes").X.shape
    (442, 10)
    """
    request = Request.of(target, drop, features, need_target, weight, offset, columns)
    table = _open(source, request, as_text_format(text))
    return table if offset is None else replace(table, offset_name=str(offset))


def _open(source: Any, request: Request, text: TextFormat) -> Table:
    """Read the source; each reader is imported only for its own formats."""
    check_has_format(source, text)
    if not isinstance(source, (str, os.PathLike)):
        from .data_frames import read_frame

        return read_frame(source, request)
    if isinstance(source, str) and source in BUILTINS:
        from .builtin_tables import load

        return load(source, request)
    path = os.fspath(source)
    _check_source(path)
    suffix, compression = split_suffix(path)
    if suffix in SVMLIGHT_SUFFIXES:
        from .svmlight_files import read_svmlight

        return read_svmlight(path, compression, request)
    if suffix in (".npy", ".npz"):
        from .numpy_files import read_npy, read_npz

        return read_npy(path, request) if suffix == ".npy" else read_npz(path, request)
    from ..encoding.column_source import table_from_columns
    from .read_columns import column_source

    return table_from_columns(column_source(path, suffix, compression, text), request)


def _check_source(path: str) -> None:
    """Check that the path is an existing file with a known suffix."""
    suffix, _ = split_suffix(path)
    known = known_suffix(path, READ_SUFFIXES)
    if not suffix and not os.path.exists(path):
        close = near(path, BUILTINS)
        advice = f"did you mean {close[0]!r}?" if close else "name a file with its suffix"
        raise DataError(f"{path}: is neither a file nor a built-in data set ({', '.join(BUILTINS)}); {advice}")
    if known or os.path.isdir(path):
        check_readable(path)
    if not known:
        raise DataError(f"{path}: the suffix {os.path.splitext(path)[1]!r} is not known; use {listed(READ_SUFFIXES)}")
