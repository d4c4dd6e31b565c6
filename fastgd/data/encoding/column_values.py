"""A column of a pyarrow Table as numbers or as levels, and which of the two it is."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ...wording import label
from ..table import Array
from .arrow_columns import as_numbers, count_words, decode_dictionary, is_missing, is_spelled, is_text, not_numbers
from .origin import Origin

DATE_PARTS = ("month", "weekday", "hour")
_DAY = 86400


class Levels(NamedTuple):
    """``codes[i]`` is the place of the level of row i in ``names``, a pyarrow large_string; -1 where it is missing."""

    names: Any
    codes: Array
    ordered: bool

    def counts(self) -> Array:
        return np.bincount(self.codes[self.codes >= 0], minlength=len(self.names))


def kind_of(column: Any, name: str, categorical: bool, origin: Origin) -> str:
    """What a column is made into: "number", "category" or "date".

    Raises
    ------
    DataError
        For a column that is mostly numbers but has words too, and for types such as lists.
    """
    kind = column.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return "category" if categorical else "date"
    if pa.types.is_duration(kind) or pa.types.is_time(kind):
        return "number"
    if categorical or pa.types.is_dictionary(kind):
        return "category"
    if is_text(kind):
        distinct = pa.chunked_array([column.unique()] if column.num_chunks else [], kind)
        _, n_words, n_numbers = count_words(distinct)
        if n_words and (n_words <= n_numbers or is_spelled(distinct)):
            raise not_numbers(pa.table({name: column}), origin)
        return "category" if n_words else "number"
    if as_numbers(column) is not None:
        return "number"
    raise not_numbers(pa.table({name: column}), origin)


def numbers_of(column: Any) -> Array | None:
    """The column as (n_rows,) float64: dates as days since 1970-01-01, durations as seconds, NaN where missing.

    None if it has words.
    """
    kind = column.type
    if pa.types.is_date(kind):
        return _floats(column.cast(pa.date32()).cast(pa.int32()))
    if pa.types.is_timestamp(kind):
        return _floats(column.cast(pa.timestamp("us", kind.tz), safe=False).cast(pa.int64())) / (1e6 * _DAY)
    if pa.types.is_duration(kind):
        return _floats(column.cast(pa.duration("us"), safe=False).cast(pa.int64())) / 1e6
    if pa.types.is_time(kind):
        return _floats(column.cast(pa.time64("us"), safe=False).cast(pa.int64())) / 1e6
    numbers = as_numbers(decode_dictionary(column))
    return None if numbers is None else _floats(numbers)


def _floats(column: Any) -> Array:
    values: Array = column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return values


def date_part(column: Any, part: str) -> Any:
    """A part of each date as words: the number of the month (from 1), of the weekday (Monday is 1) or of the hour."""
    if part == "weekday":
        numbers = pc.day_of_week(column, count_from_zero=False)
    else:
        numbers = {"month": pc.month, "hour": pc.hour}[part](column)
    return numbers.cast(pa.int64())


def levels_of(column: Any) -> Levels:
    """The levels of a column of any kind, in no order; of words the blanks around them are not part."""
    coded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    ordered = bool(coded.type.ordered)
    whole = pa.chunked_array([pa.array([], coded.type)]) if coded.num_chunks == 0 else coded.unify_dictionaries()
    values = whole.chunk(0).dictionary
    codes = np.concatenate([_indices(chunk) for chunk in whole.chunks])
    if pa.types.is_floating(values.type):
        written = pa.array([None if v is None else label(v) for v in values.to_pylist()], pa.large_string())
    else:
        written = values.cast(pa.large_string())
    names = pc.utf8_trim_whitespace(written)
    missing = is_missing(names)
    if pc.any(missing, min_count=0).as_py():
        codes = _renamed(codes, np.where(missing.to_numpy(zero_copy_only=False), -1, np.arange(len(names))))
    names = names.fill_null("")
    if len(names.unique()) < len(names):  # two spellings of one level, or a damaged dictionary
        again = names.dictionary_encode()
        codes, names = _renamed(codes, again.indices.to_numpy()), again.dictionary
    return Levels(names, codes, ordered)


def _indices(chunk: Any) -> Array:
    indices = chunk.indices if chunk.null_count == 0 else chunk.indices.cast(pa.int64()).fill_null(-1)
    values: Array = indices.to_numpy(zero_copy_only=False)
    return values


def _renamed(codes: Array, names: Array) -> Array:
    """``names[codes]``, -1 where the code is."""
    return np.append(names, -1).astype(np.int32)[codes]
