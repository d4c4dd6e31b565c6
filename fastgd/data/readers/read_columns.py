"""Reader of named columns of numbers, such as a trace that ``write_columns`` wrote."""

from __future__ import annotations

import os

from ...errors import DataError
from ...wording import quoted
from ..array_files import ArrayFile, as_float64
from ..encoding.column_source import ColumnSource
from ..encoding.feature_columns import index_names
from ..file_formats import COLUMN_SUFFIXES, TEXT_SUFFIXES, known_suffix, listed, split_suffix
from ..table import Array
from .files import check_readable


def read_columns(path: str | os.PathLike[str]) -> dict[str, Array]:
    """The numeric columns of a file, missing values as NaN; columns with words are left out.

    Parameters
    ----------
    path : .csv .tsv (also with .gz) .parquet .feather .arrow .npy (a structured array, or an array of numbers).

    Returns
    -------
    name -> (n_rows,) float64, in the order of the file.

    Raises
    ------
    DataError
        If the file is missing, damaged or has another format.
    """
    path = os.fspath(path)
    suffix, gzipped = split_suffix(path)
    check_readable(path)
    if not known_suffix(path, COLUMN_SUFFIXES):
        raise DataError(f"{path}: is not a file of columns by its suffix; use {listed(COLUMN_SUFFIXES)}")
    if suffix == ".npy":
        return _structured(path)
    import pyarrow as pa

    from ..encoding.arrow_columns import as_numbers, decode_dictionary

    source = column_source(path, suffix, gzipped)
    table = source.read(source.names)
    numbers = {name: as_numbers(decode_dictionary(table.column(name))) for name in source.names}
    return {
        name: column.cast(pa.float64(), safe=False).to_numpy() for name, column in numbers.items() if column is not None
    }


def column_source(path: str, suffix: str, gzipped: bool) -> ColumnSource:
    """The columns of delimited text or of an Arrow file, read on demand; only the reader needed is imported."""
    if suffix in TEXT_SUFFIXES:
        from .text_files import read_text

        return read_text(path, suffix, gzipped)
    from .arrow_files import read_arrow

    return read_arrow(path, suffix)


def _structured(path: str) -> dict[str, Array]:
    from .numpy_files import array_errors

    with array_errors(path, ".npy"):
        rows = ArrayFile.open(path).read()
    if rows.size == 0 or rows.ndim > 2 or (rows.dtype.names is None and rows.dtype.kind not in "biuf"):
        raise DataError(f"{path}: is no table of numbers, but {rows.dtype} of shape {rows.shape}; write it again")
    if rows.dtype.names is None:
        columns = rows.reshape(len(rows), -1).T if rows.ndim else rows.reshape(1, 1)
        return {name: as_float64(column) for name, column in zip(index_names(len(columns)), columns, strict=True)}
    not_numeric = [name for name in rows.dtype.names if rows.dtype[name].kind not in "biuf"]
    if not_numeric:
        raise DataError(f"{path}: the column {quoted(not_numeric)} is not numeric; write it again")
    return {name: as_float64(rows[name]) for name in rows.dtype.names}
