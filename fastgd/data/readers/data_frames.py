"""Reader of pandas, polars and pyarrow tables, all through the Arrow PyCapsule protocol, without importing them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from ...errors import DataError, OptionError
from ...wording import plural
from ..encoding.arrow_columns import check_buffers, numeric_array, target_array
from ..encoding.column_roles import Roles
from ..encoding.column_source import ColumnSource, index_columns, table_from_columns
from ..encoding.columns import Columns
from ..encoding.encode_features import encode_features
from ..encoding.encoder import Encoder
from ..encoding.feature_columns import choose_features
from ..encoding.origin import Origin
from ..encoding.request import Request
from ..table import Array, Table

TABLE = Origin("the table", from_file=False)
TARGET = Origin("y", from_file=False)


def read_frame(frame: Any, request: Request) -> Table:
    """A table from a pandas or polars DataFrame, a pyarrow Table, or any object that exports an Arrow stream.

    Raises
    ------
    DataError
        One sentence that names the row (counted from 1) and the column.
    """
    table = _arrow_table(frame)
    return table_from_columns(ColumnSource(tuple(table.column_names), True, TABLE, partial(_select, table)), request)


def encode_frame(frame: Any, columns: Columns | Encoder | None) -> Table:
    """The columns of a frame as features, without a target; by an encoder as that was fitted, else fitted to them.

    Raises
    ------
    DataError
        See `read_frame`.
    OptionError
        For columns that leave rows out, since the target would need to leave out the same.
    """
    request = Request.of(None, (), None, False, None, None, columns)
    table = _arrow_table(frame)
    if len(table) == 0 or table.num_columns == 0:
        raise TABLE.error(f"has {plural(len(table), 'row')} and {plural(table.num_columns, 'column')}; give it some")
    names = table.column_names
    if request.encoder is not None:
        names = [table.column_names[j] for j in _positions(table.column_names, request.encoder)]
    found = encode_features(table.select(names), names, request, TABLE)
    if found.kept is not None:
        raise OptionError(
            "missing='drop' leaves out rows, and y would have to leave out the same: open the table with its target, "
            "fastgd.open(frame, target=...)"
        )
    return Table(found.X, None, found.names, None, TABLE.source, remarks=found.remarks, encoder=found.encoder)


def _positions(names: Sequence[str], encoder: Encoder) -> tuple[int, ...]:
    """The positions of the columns that an encoder reads."""
    request = Request(features=encoder.column_names, need_target=False)
    return choose_features(names, True, request, Roles((), {}, frozenset(), ()), TABLE)[0]


def to_arrays(X: Any) -> tuple[Any, tuple[str, ...] | None]:
    """The features as an array, and the names of the columns.

    Parameters
    ----------
    X : pandas or polars DataFrame, pyarrow Table (columns of numbers or booleans); or array-like.

    Returns
    -------
    (n_samples, n_features) array and names. A frame becomes C-contiguous float64, or float32 if all its columns are
    float32. An array is returned unchanged and unchecked, without names.

    Raises
    ------
    DataError
        For words and missing values in a frame, with the row (counted from 1) and the column.
    """
    check_arrow_array(X, "X")
    if isinstance(X, pa.ChunkedArray) or not is_frame(X):
        return np.asarray(X), None
    table = _arrow_table(X)
    if len(table) == 0 or table.num_columns == 0:
        raise TABLE.error(f"has {plural(len(table), 'row')} and {plural(table.num_columns, 'column')}; give it some")
    return numeric_array(table, TABLE), tuple(table.column_names)


def to_target(y: Any) -> Array:
    """The target as an array, from a Series, an Arrow array, a frame of one column, or a sequence.

    Returns
    -------
    (n_samples,) booleans, integers, float64 or str labels; a NumPy array keeps its shape.

    Raises
    ------
    DataError
        For missing values, with the row of the first (counted from 1), and for values of mixed types.
    """
    if isinstance(y, np.ndarray) and y.dtype.kind != "O":
        return y if y.dtype.kind in "biuU" else y.astype(np.float64, copy=False)
    return target_array(_arrow_column(y), "y", TARGET)


def check_arrow_array(values: Any, name: str) -> None:
    """Raise a `DataError` about ``name`` if ``values`` is a damaged Arrow array; all else passes."""
    if isinstance(values, (pa.Array, pa.ChunkedArray)):
        check_buffers(pa.table({name: values}), Origin(name, from_file=False))


def to_targets(y: Any) -> list[Array]:
    """Each column of a frame, or the only one of anything else, as an array; see `to_target`."""
    return [to_target(column) for column in _arrow_table(y).columns] if _has_columns(y) else [to_target(y)]


def is_frame(X: Any) -> bool:
    """Whether ``X`` has named columns: it exports an Arrow stream, or is a frame older than that protocol."""
    return hasattr(X, "__arrow_c_stream__") or hasattr(X, "to_arrow") or _is_pandas(X)


def _is_pandas(obj: Any) -> bool:
    return type(obj).__module__.partition(".")[0] == "pandas"


def _has_columns(y: Any) -> bool:
    return getattr(y, "ndim", 1) == 2 or isinstance(y, pa.Table) or hasattr(y, "columns")


def _select(table: Any, wanted: Sequence[str]) -> Any:
    if len(table) == 0:
        raise TABLE.error("has no rows; give it some")
    return table.select(list(wanted))


def _by_protocol(obj: Any, convert: Callable[[Any], Any]) -> Any:
    """``obj`` as Arrow data; polars before 1.3 has no Arrow stream but a method ``to_arrow``."""
    if isinstance(obj, (pa.Table, pa.ChunkedArray)):
        return obj
    if hasattr(obj, "__arrow_c_stream__") or not hasattr(obj, "to_arrow"):
        return convert(obj)
    return obj.to_arrow()


def _arrow_table(frame: Any) -> Any:
    """The frame as a pyarrow Table with unique names, without the index of pandas."""
    try:
        table = _by_protocol(frame, pa.table)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise TABLE.error(f"cannot be read ({_first_line(error)}); give columns of one type each") from None
    # pandas exports the index that a shuffle or a split leaves behind as one more column.
    index = index_columns(table.schema.metadata)
    table = table.select([name for name in table.column_names if name not in index])
    if len(set(table.column_names)) < table.num_columns:
        raise TABLE.error("has several columns of one name; rename them")
    return check_buffers(table, TABLE)


def _arrow_column(y: Any) -> Any:
    return check_buffers(pa.table({"y": _unchecked_column(y)}), TARGET).column(0)


def _unchecked_column(y: Any) -> Any:
    try:
        if isinstance(y, pa.Array):
            return pa.chunked_array([y])
        if _has_columns(y):
            table = _arrow_table(y)
            if table.num_columns != 1:
                raise TARGET.error(f"has {plural(table.num_columns, 'column')}; give the one that is the target")
            return table.column(0)
        values = _by_protocol(y, _values)
        return values if isinstance(values, pa.ChunkedArray) else pa.chunked_array([values])
    except (pa.ArrowException, TypeError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise TARGET.error(f"cannot be read ({_first_line(error)}); give numbers, or labels as strings") from None


def _values(y: Any) -> Any:
    """A Series or a sequence as a pyarrow array; ``pa.array`` converts pandas in all versions of both."""
    if hasattr(y, "__arrow_c_stream__") and not _is_pandas(y):
        return pa.chunked_array(y)
    return pa.array(y if _is_pandas(y) else list(y), from_pandas=True)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0].rstrip(".")
