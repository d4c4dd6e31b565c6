"""Reader of .xlsx files, through python-calamine."""

from __future__ import annotations

import os
import zipfile
from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

import pyarrow as pa

from ...errors import DataError
from ...wording import label, quoted
from ..encoding.column_source import ColumnSource
from ..encoding.feature_columns import index_names
from ..encoding.origin import Origin
from ..expansion import check_expansion
from ..text_format import TextFormat
from .files import check_not_empty, invalid_file, reading
from .spelled_numbers import without_marks

LARGEST_INTEGER = 2**53


def read_excel(path: str, text: TextFormat) -> ColumnSource:
    """The columns of the first sheet of an Excel file; its first row that is not empty is the header.

    Raises
    ------
    DataError
        For a file that is no .xlsx, that expands too much, whose sheet has no rows, or where python-calamine is not
        installed.
    """
    check_not_empty(path)
    sheets, rows = _first_sheet(path)
    filled = [i for i, row in enumerate(rows) if any(_is_filled(value) for value in row)]
    if not filled:
        raise DataError(f"{path}: its sheet {sheets[0]!r} is empty; put the table into the first sheet")
    first = filled[0]
    kept = [j for j in range(len(rows[first])) if any(_is_filled(rows[i][j]) for i in filled)]
    headed = text.header if text.header is not None else not all(_is_number(rows[first][j]) for j in kept)
    origin = Origin(path, lambda row: f"row {below[row] + 1:,} of the sheet")
    below = [i for i in filled if i > first or not headed]
    if not below:
        raise DataError(f"{path}: its sheet {sheets[0]!r} has a header but no rows; write it again")
    names = index_names(len(kept))
    if headed:
        names = tuple(_word(rows[first][j]).strip() or names[k] for k, j in enumerate(kept))
        repeated = [name for name, count in Counter(names).items() if count > 1]
        if repeated:
            raise origin.error(f"the header has {quoted(repeated)} more than once; rename these columns")
    columns = [_column([rows[i][j] for i in below]) for j in kept]
    table = without_marks(pa.table(columns, names=list(names)), text.na_values)
    remarks = () if len(sheets) == 1 else (f"of {len(sheets)} sheets the first, {sheets[0]!r}, is read",)
    nameless = headed and not _word(rows[first][kept[0]]).strip()
    return ColumnSource(names, headed, origin, lambda wanted: table.select(list(wanted)), remarks, nameless=nameless)


def _first_sheet(path: str) -> tuple[list[str], list[list[Any]]]:
    """The names of the sheets, and the rows of the first."""
    try:
        with reading(path), zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        raise invalid_file(path, ".xlsx") from None
    check_expansion(path, sum(part.file_size for part in parts), os.path.getsize(path), "save it as .csv first")
    try:
        import python_calamine as calamine
    except ImportError:
        raise DataError(
            f"{path}: .xlsx files need python-calamine, which is not installed: pip install 'fastgd[excel]'; or save "
            "the sheet as .csv"
        ) from None
    try:
        with reading(path), calamine.CalamineWorkbook.from_path(path) as book:
            return list(book.sheet_names), book.get_sheet_by_index(0).to_python(skip_empty_area=False)
    except (calamine.CalamineError, IndexError, ValueError):
        raise invalid_file(path, ".xlsx") from None


def _is_filled(value: Any) -> bool:
    return value is not None and (not isinstance(value, str) or bool(value.strip()))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _word(value: Any) -> str:
    if isinstance(value, float) and value.is_integer() and abs(value) < LARGEST_INTEGER:
        return str(int(value))
    return "" if value is None else label(value)


def _column(values: Sequence[Any]) -> Any:
    """Cells as a pyarrow array: booleans, whole numbers, numbers or dates where all are, or else words."""
    present = [value for value in values if _is_filled(value)]
    cells = [value if _is_filled(value) else None for value in values]
    if all(isinstance(value, bool) for value in present):
        return pa.array(cells, pa.bool_() if present else pa.null())
    if all(map(_is_number, present)):
        whole = all(float(value).is_integer() and abs(value) < LARGEST_INTEGER for value in present)
        kind = pa.int64() if whole else pa.float64()
        return pa.array([v if v is None else int(v) if whole else float(v) for v in cells], kind)
    for types, kind in (
        ((datetime, date), pa.timestamp("us")),
        ((time,), pa.time64("us")),
        ((timedelta,), pa.duration("us")),
    ):
        if all(isinstance(value, types) for value in present):
            return pa.array([v and _as_datetime(v) for v in cells], kind)
    return pa.array([None if v is None else _word(v) for v in cells], pa.string())


def _as_datetime(value: Any) -> Any:
    return datetime(value.year, value.month, value.day) if type(value) is date else value
