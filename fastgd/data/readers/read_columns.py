"""Reader of named columns of numbers, such as a trace that ``write_columns`` wrote."""

from __future__ import annotations

import os
from typing import Any

from ...errors import DataError, OptionError
from ...wording import option, quoted
from ..array_files import ArrayFile, as_float64
from ..encoding.column_source import ColumnSource
from ..encoding.feature_columns import index_names
from ..file_formats import DELIMITED_SUFFIXES, READ_COLUMN_SUFFIXES, known_suffix, listed, split_suffix
from ..table import Array
from ..text_format import TextFormat
from .files import check_readable


def read_columns(path: str | os.PathLike[str]) -> dict[str, Array]:
    """The numeric columns of a file, missing values as NaN; columns with words are left out.

    Parameters
    ----------
    path : .csv .tsv .txt .jsonl (also with .gz, .bz2 or .zst) .xlsx .parquet .feather .arrow
        .npy (a structured array, or an array of numbers).

    Returns
    -------
    name -> (n_rows,) float64, in the order of the file.

    Raises
    ------
    DataError
        If the file is missing, damaged or has another format.
    """
    path = os.fspath(path)
    suffix, compression = split_suffix(path)
    check_readable(path)
    if not known_suffix(path, READ_COLUMN_SUFFIXES):
        raise DataError(f"{path}: is not a file of columns by its suffix; use {listed(READ_COLUMN_SUFFIXES)}")
    if suffix == ".npy":
        return _structured(path)
    import pyarrow as pa

    from ..encoding.arrow_columns import as_numbers, decode_dictionary

    source = column_source(path, suffix, compression, TextFormat())
    table = source.read(source.names)
    numbers = {name: as_numbers(decode_dictionary(table.column(name))) for name in source.names}
    return {
        name: column.cast(pa.float64(), safe=False).to_numpy() for name, column in numbers.items() if column is not None
    }


def column_source(path: str, suffix: str, compression: str, text: TextFormat) -> ColumnSource:
    """The columns of a file, read on demand; only the reader needed is imported."""
    if suffix in DELIMITED_SUFFIXES:
        from .text_files import read_text

        return read_text(path, suffix, compression, text)
    if suffix == ".jsonl":
        from .json_files import read_json_lines

        return read_json_lines(path, compression, text)
    if suffix == ".xlsx":
        from .excel_files import read_excel

        return read_excel(path, text)
    from .arrow_files import read_arrow

    return read_arrow(path, suffix)


def check_has_format(source: Any, text: TextFormat) -> None:
    """Raise an `OptionError` for a text format of a source that has none.

    Delimited text has all of its options, an Excel sheet a header and marks, and JSON lines only marks.
    """
    suffix = split_suffix(source)[0] if isinstance(source, (str, os.PathLike)) else ""
    allowed = {".jsonl": ("na_values",), ".xlsx": ("header", "na_values")}.get(suffix, ())
    refused = [name for name in text.given() if suffix not in DELIMITED_SUFFIXES and name not in allowed]
    if refused:
        what = os.fspath(source) if suffix else "the table"
        raise OptionError(f"{option(refused[0])} is for text files such as .csv, and {what} is none; leave it out")


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
