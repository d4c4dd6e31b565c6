"""``open``: a table from a file or from a built-in data set."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ...errors import DataError
from ...wording import near
from .. import BUILTINS
from ..encoding.request import Request
from ..file_formats import SVMLIGHT_SUFFIXES, TABLE_SUFFIXES, TEXT_SUFFIXES, known_suffix, split_suffix
from ..table import Table
from .files import check_readable


def open(  # noqa: A001  # the public name: fastgd.open
    source: str | os.PathLike[str] | Any,
    *,
    target: str | int | Sequence[str | int] | None = None,
    drop: Sequence[str] = (),
    features: Sequence[str] | None = None,
    need_target: bool = True,
    weight: str | int | None = None,
    offset: str | int | None = None,
) -> Table:
    """Read a table, ready to be fitted.

    Parameters
    ----------
    source : the name of a built-in (``linear``, ``logistic``, ``tutorial``, ``diabetes``), or a file: .csv .tsv
        .parquet .feather .arrow .npy .npz .svm .svmlight .libsvm, text ones also with .gz; ``./linear`` is a file.
        Or a pandas, polars or Arrow table.
    target : the target's name or index, or several: a list of them, or one string with commas between them, unless a
        column is called so. By default the column called y, target or label, or else the last one.
    drop : names of columns not to use.
    features : take exactly these columns in this order, as a model asks for them. Columns without names are taken
        in order when there are just as many.
    need_target : whether a missing target is an error.
    weight, offset : names or indices of the columns that hold the weight of each row and the offset of its linear
        predictor; they are no features then. In .npz either may be an array of its own.

    Returns
    -------
    A ``Table`` of (n_samples, n_features) features, and (n_samples,) targets or labels, or (n_samples, n_targets).

    Raises
    ------
    DataError
        One sentence that names the file, the line or row and the column, and says what to do.

    Examples
    --------
    >>> open("diabetes").X.shape
    (442, 10)
    """
    table = _open(source, Request.of(target, drop, features, need_target, weight, offset))
    return table if offset is None else replace(table, offset_name=str(offset))


def _open(source: Any, request: Request) -> Table:
    if hasattr(source, "__arrow_c_stream__"):
        from .data_frames import read_frame

        return read_frame(source, request)
    if isinstance(source, str) and source in BUILTINS:
        from .builtin_tables import load

        return load(source, request)
    path = os.fspath(source)
    _check_source(path)
    return _read(path, request)


def _check_source(path: str) -> None:
    """A file that is there and whose suffix is known."""
    suffix, _ = split_suffix(path)
    known = known_suffix(path)
    if not suffix and not os.path.exists(path):
        close = near(path, BUILTINS)
        advice = f"did you mean {close[0]!r}?" if close else "name a file with its suffix"
        raise DataError(f"{path}: is neither a file nor a built-in data set ({', '.join(BUILTINS)}); {advice}")
    if known or os.path.isdir(path):
        check_readable(path)
    if not known:
        raise DataError(
            f"{path}: the suffix {os.path.splitext(path)[1]!r} is not known; "
            f"it reads {' '.join(TABLE_SUFFIXES)}, and {' '.join(TEXT_SUFFIXES)} with .gz"
        )


def _read(path: str, request: Request) -> Table:
    """Each reader is imported only when its kind of file is read."""
    suffix, gzipped = split_suffix(path)
    if suffix in SVMLIGHT_SUFFIXES:
        from .svmlight_files import read_svmlight

        return read_svmlight(path, gzipped, request)
    if suffix in (".npy", ".npz"):
        from .numpy_files import read_npy, read_npz

        return read_npy(path, request) if suffix == ".npy" else read_npz(path, request)
    from ..encoding.column_source import table_from_columns

    if suffix in TEXT_SUFFIXES:
        from .text_files import read_text

        return table_from_columns(read_text(path, suffix, gzipped), request)
    from .arrow_files import read_arrow

    return table_from_columns(read_arrow(path, suffix), request)
