"""Reader of .xlsx workbooks: the first sheet, whose first row has the names of the columns."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime
from typing import Any

import pyarrow as pa

from ...errors import DataError
from ...wording import plural, quoted
from ..encoding.column_checks import MAX_EXACT_INTEGER
from ..encoding.column_source import ColumnSource
from ..encoding.origin import Origin
from .files import check_not_empty


def read_workbook(path: str) -> ColumnSource:
    """The columns of the first sheet.

    Raises
    ------
    DataError
        For a damaged file, a sheet without rows, and where the package python-calamine is missing.
    """
    check_not_empty(path)
    try:
        import python_calamine as calamine
    except ImportError:
        raise DataError(f"{path}: needs the package python-calamine; pip install 'fastgd[excel]'") from None
    try:
        workbook = calamine.load_workbook(path)
        sheets = workbook.sheet_names
        rows = workbook.get_sheet_by_index(0).to_python(skip_empty_area=True)
    except (calamine.CalamineError, OSError, ValueError):
        raise DataError(f"{path}: is not a complete .xlsx workbook; write it again") from None
    if len(rows) < 2:
        raise DataError(f"{path}: the sheet {sheets[0]!r} has {plural(len(rows), 'row')}; write a header and rows")
    origin = Origin(path, lambda row: f"row {row + 2:,} of the sheet")
    names = tuple(str(name).strip() or str(j) for j, name in enumerate(rows[0]))
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise origin.error(f"the header has {quoted(repeated)} more than once; rename these columns")
    columns = {name: _column([row[j] for row in rows[1:]], name, origin) for j, name in enumerate(names)}
    table = pa.table(columns)
    remarks = (f"of {len(sheets)} sheets the first, {sheets[0]!r}, is read",) if len(sheets) > 1 else ()
    return ColumnSource(names, True, origin, lambda wanted: table.select(list(wanted)), remarks)


def _column(cells: list[Any], name: str, origin: Origin) -> Any:
    """One type for the cells; an empty cell is missing, and a number among words is a word."""
    values = [None if cell == "" else cell for cell in cells]
    kinds = {type(value) for value in values if value is not None}
    if kinds <= {int, float}:
        return pa.array(_whole(values), from_pandas=True)
    if kinds == {bool} or kinds <= {date, datetime}:
        return pa.array(values)
    if str in kinds and kinds <= {str, int, float, bool}:
        return pa.array([None if value is None else _text(value) for value in values])
    row = next(i for i, value in enumerate(values) if value is not None and type(value) is not type(values[0]))
    raise origin.error(
        f"{origin.place(row)}, column {name!r}: {values[row]!r} has another type than the cells above it"
    )


def _whole(values: list[Any]) -> list[Any]:
    """A workbook has only floating-point numbers: whole ones are integers if all are."""
    if all(value is None or (float(value).is_integer() and abs(value) <= MAX_EXACT_INTEGER) for value in values):
        return [None if value is None else int(value) for value in values]
    return [None if value is None else float(value) for value in values]


def _text(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
