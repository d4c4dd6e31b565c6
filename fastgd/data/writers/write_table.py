"""Writers of tables and named columns; the suffix of the path decides the format, and each write is atomic."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ...errors import DataError
from ...wording import plural
from ..encoding.feature_columns import index_names
from ..file_formats import SVMLIGHT_SUFFIXES, WRITTEN_SUFFIXES, split_suffix
from ..sparse_checks import checked_csr
from ..table import Array, is_sparse
from .outputs import atomic_file
from .write_json_lines import write_json_lines
from .write_svmlight import write_svmlight

if TYPE_CHECKING:
    from scipy import sparse

Column: TypeAlias = Any  # an array or a pyarrow ChunkedArray, of which mypy knows nothing
ROWS_AT_A_TIME = 1 << 16  # rows formatted at a time
# Words that a spreadsheet takes for a formula: what begins with one of these characters, of which the last four are
# =, +, - and @ in full width, and is no number. Source: OWASP, CSV injection.
_FORMULA = r"^[=+\-@\t\r\n\x{ff1d}\x{ff0b}\x{ff0d}\x{ff20}]"
_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"


def write(
    path: str | os.PathLike[str], X: Array | sparse.csr_array, y: Array | None = None,
    names: Sequence[str] | None = None, *, target_name: str = "y",
) -> None:  # fmt: skip
    """Write features and target so that ``open`` reads the same table back.

    Parameters
    ----------
    path : .csv .tsv .parquet .feather .arrow .npy .npz .svm .svmlight .libsvm, text formats also with .gz.
        The target is the last column; .npz has arrays X (the parts of a CSR), y and feature_names; svmlight has no
        names.
    X : (n_samples, n_features) numbers, dense or sparse.
    y : (n_samples,) numbers or str labels; svmlight and .npy hold numbers only.
    names : one per feature, by default their indices.
    target_name : the name of the target's column.

    Raises
    ------
    DataError
        If X is damaged, the path cannot be written, or the format cannot hold the table. An existing file is then
        unchanged.
    """
    suffix, _ = split_suffix(path)
    X = checked_csr(X, lambda message: DataError(f"X {message}")) if is_sparse(X) else X
    names = index_names(X.shape[1]) if names is None else tuple(map(str, names))
    _check_table(os.fspath(path), suffix, X, y, names, target_name)
    with atomic_file(path) as file:
        if suffix == ".npz":
            _write_npz(file, X, y, names)
        elif suffix in SVMLIGHT_SUFFIXES:
            write_svmlight(file, X, y)
        else:
            dense = X if isinstance(X, np.ndarray) else X.toarray()
            if suffix == ".npy":
                np.save(file, dense if y is None else np.column_stack([dense, y]), allow_pickle=False)
            else:
                columns = dict(zip(names, dense.T, strict=True))
                _write_arrow(file, suffix, columns if y is None else {**columns, target_name: y})


def write_columns(path: str | os.PathLike[str], columns: Mapping[str, Column]) -> None:
    """Write named columns of one length, such as predictions or a trace.

    Parameters
    ----------
    path : .csv .tsv (also with .gz) .jsonl .parquet .feather .arrow .npy (a structured array, or a plain one for a
        single column).
    columns : name -> (n_rows,) numbers or strings, or a pyarrow array. In .csv and .tsv, words that a spreadsheet
        would take for a formula get an apostrophe in front. Source: OWASP, CSV injection.

    Raises
    ------
    DataError
        If the path cannot be written. An existing file is then unchanged.
    """
    suffix, _ = split_suffix(path)
    with atomic_file(path, WRITTEN_SUFFIXES) as file:
        if suffix in (".csv", ".tsv"):
            write_text(file, "," if suffix == ".csv" else "\t", without_formulas(columns))
        elif suffix == ".jsonl":
            write_json_lines(file, _blocks(columns, ROWS_AT_A_TIME))
        elif suffix != ".npy":
            _write_arrow(file, suffix, columns)
        else:
            arrays = {name: as_numpy(column, os.fspath(path), name) for name, column in columns.items()}
            only = next(iter(arrays.values())) if len(arrays) == 1 else None
            np.save(file, _structured(arrays) if only is None else only, allow_pickle=False)


def as_numpy(column: Column, path: str, name: str) -> Array:
    """The column as an array without objects; missing words are empty."""
    if isinstance(column, np.ndarray):
        return column
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return np.array(pc.fill_null(column, "").to_pylist(), dtype=np.str_)
    array: Array = column.to_numpy()
    if array.dtype.kind == "O":
        raise DataError(f"{path}: .npy cannot hold the {column.type} values of {name!r}; write .parquet or .jsonl")
    return array


def _check_table(
    path: str, suffix: str, X: Array | sparse.csr_array, y: Array | None, names: Sequence[str], target_name: str
) -> None:
    if len(names) != X.shape[1]:
        raise DataError(f"{path}: {plural(len(names), 'name')} for {plural(X.shape[1], 'feature')}; give one for each")
    if y is None:
        return
    if y.shape != (X.shape[0],):
        raise DataError(f"{path}: y has shape {y.shape} for {plural(X.shape[0], 'row')} of X; give one value per row")
    if y.dtype.kind == "U" and suffix in (".npy", *SVMLIGHT_SUFFIXES):
        raise DataError(f"{path}: {suffix} cannot hold labels in words; write .csv, .parquet or .npz instead")
    if target_name in names and suffix not in (".npy", ".npz", *SVMLIGHT_SUFFIXES):
        raise DataError(f"{path}: {target_name!r} is both the target and a feature; give the target another name")


def _write_npz(file: IO[Any], X: Array | sparse.csr_array, y: Array | None, names: Sequence[str]) -> None:
    parts: dict[str, Array] = {} if y is None else {"y": y}
    if tuple(names) != index_names(X.shape[1]):
        parts["feature_names"] = np.array(names, dtype=np.str_)
    if isinstance(X, np.ndarray):
        np.savez(file, X=X, **parts)  # type: ignore[arg-type]  # the stubs take the parts for allow_pickle
    else:
        shape = np.array(X.shape)
        np.savez(file, X_data=X.data, X_indices=X.indices, X_indptr=X.indptr, X_shape=shape, **parts)  # type: ignore[arg-type]


def _structured(columns: Mapping[str, Array]) -> Array:
    rows = np.empty(len(next(iter(columns.values()))), [(name, column.dtype) for name, column in columns.items()])
    for name, column in columns.items():
        rows[name] = column
    return rows


def _write_arrow(file: IO[Any], suffix: str, columns: Mapping[str, Column]) -> None:
    if suffix in (".csv", ".tsv"):
        write_text(file, "," if suffix == ".csv" else "\t", columns)
        return
    table = _arrow_table(columns)
    if suffix == ".parquet":
        from pyarrow import parquet

        parquet.write_table(table, file)
    elif suffix == ".feather":
        from pyarrow import feather

        feather.write_feather(table, file)
    else:
        with pa.ipc.new_file(file, table.schema) as writer:
            writer.write_table(table)


def write_text(
    file: IO[Any], delimiter: str, columns: Mapping[str, Column], rows_at_a_time: int = ROWS_AT_A_TIME
) -> None:
    """Write columns as text with a header to an open binary file; each number as its shortest exact decimal."""
    from pyarrow import csv as arrow_csv

    header = io.StringIO()
    csv.writer(header, delimiter=delimiter, lineterminator="\n").writerow(columns)
    file.write(header.getvalue().encode())
    options = arrow_csv.WriteOptions(include_header=False, delimiter=delimiter, quoting_style="needed")
    for block in _blocks(columns, rows_at_a_time):
        try:
            arrow_csv.write_csv(block, file, options)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError):
            nested = [str(field.type) for field in block.schema if pa.types.is_nested(field.type)]
            if not nested:
                raise
            raise DataError(f"text cannot hold {nested[0]} values; write .parquet or .jsonl") from None


def without_formulas(columns: Mapping[str, Column]) -> dict[str, Column]:
    """The columns with an apostrophe before names and words that a spreadsheet would take for a formula."""
    names = _without_formulas(np.array(list(columns), dtype=np.str_))
    values = (_without_formulas(column) if _has_words(column) else column for column in columns.values())
    return dict(zip(names.tolist(), values, strict=True))


def _has_words(column: Column) -> bool:
    if isinstance(column, np.ndarray):
        return bool(column.dtype.kind in "SU")
    return bool(pa.types.is_string(column.type) or pa.types.is_large_string(column.type))


def _without_formulas(words: Column) -> Column:
    if not isinstance(words, np.ndarray):
        return _safe(words)
    if words.dtype.kind == "S":
        words = np.char.decode(words, "utf-8", "backslashreplace")
    distinct, positions = np.unique(words, return_inverse=True)
    text = pa.array(distinct)
    safe = _safe(text)
    return words if safe is text else np.array(safe.to_pylist(), dtype=np.str_)[positions]


def _safe(text: Any) -> Any:
    """Arrow text with an apostrophe before what looks like a formula; the same object if nothing does."""
    risky = pc.and_not(pc.match_substring_regex(text, _FORMULA), pc.match_substring_regex(text, _NUMBER))
    if not pc.any(risky, min_count=0).as_py():
        return text
    apostrophe = pa.scalar("'", text.type)
    return pc.if_else(risky, pc.binary_join_element_wise(apostrophe, text, pa.scalar("", text.type)), text)


def _blocks(columns: Mapping[str, Column], rows_at_a_time: int) -> Iterator[pa.Table]:
    """The columns as Arrow tables, a block of rows each."""
    for start in range(0, len(next(iter(columns.values()))), rows_at_a_time):
        yield _arrow_table(columns, slice(start, start + rows_at_a_time))


def _arrow_table(columns: Mapping[str, Column], rows: slice = slice(None)) -> pa.Table:
    return pa.table(
        {
            name: pa.array(np.ascontiguousarray(column[rows])) if isinstance(column, np.ndarray) else column[rows]
            for name, column in columns.items()
        }
    )
