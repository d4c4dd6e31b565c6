"""Named columns of numbers out of a file, as ``write_columns`` puts them there."""

from __future__ import annotations

import os

import numpy as np

from ...errors import DataError
from ...wording import quoted
from ..encoding.column_source import ColumnSource
from ..encoding.feature_columns import index_names
from ..file_formats import COLUMN_SUFFIXES, TEXT_SUFFIXES, known_suffix, split_suffix
from ..table import Array
from .files import check_readable, reading


def read_columns(path: str | os.PathLike[str]) -> dict[str, Array]:
    """The columns of numbers in a file; those of words are left out, and a cell without a number is NaN.

    Parameters
    ----------
    path : .csv .tsv (also with .gz) .parquet .feather .arrow .npy; the last with a structured array.

    Returns
    -------
    name -> (n_rows,) float64, in the order of the file.

    Raises
    ------
    DataError
        When the file is missing, damaged or of another kind.
    """
    path = os.fspath(path)
    suffix, gzipped = split_suffix(path)
    check_readable(path)
    if not known_suffix(path, COLUMN_SUFFIXES):
        raise DataError(
            f"{path}: is no file of columns by its suffix; those are {' '.join(COLUMN_SUFFIXES)}, text also with .gz"
        )
    if suffix == ".npy":
        return _structured(path)
    if suffix in TEXT_SUFFIXES:
        from .text_files import read_text

        return _columns(read_text(path, suffix, gzipped))
    from .arrow_files import read_arrow

    return _columns(read_arrow(path, suffix))


def _columns(frame: ColumnSource) -> dict[str, Array]:
    import pyarrow as pa

    from ..encoding.arrow_columns import as_numbers, plain

    table = frame.read(frame.names)
    numbers = {name: as_numbers(plain(table.column(name))) for name in frame.names}
    return {name: column.cast(pa.float64()).to_numpy() for name, column in numbers.items() if column is not None}


def _structured(path: str) -> dict[str, Array]:
    with reading(path):
        try:
            rows = np.load(path, allow_pickle=False)
        except (ValueError, EOFError):
            raise DataError(f"{path}: is not a whole .npy file of numbers; write it again") from None
    if rows.dtype.names is None:
        columns = rows.reshape(len(rows), -1).T if rows.ndim else rows.reshape(1, 1)
        return {name: column.astype("f8") for name, column in zip(index_names(len(columns)), columns, strict=True)}
    wordy = [name for name in rows.dtype.names if rows.dtype[name].kind not in "biuf"]
    if wordy:
        raise DataError(f"{path}: the column {quoted(wordy)} holds no numbers; write it again")
    return {name: rows[name].astype("f8") for name in rows.dtype.names}
