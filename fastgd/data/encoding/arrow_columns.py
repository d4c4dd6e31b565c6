"""Conversion of pyarrow columns to arrays: features to numbers, targets to numbers or labels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ...errors import DataError
from ...wording import cell, for_reader, has_option, option, plural
from ..table import Array
from .missing_values import check_finite, check_finite_target
from .number_spellings import all_spelled, spelling_advice, spelling_of
from .origin import Origin

_BLOCK = 1 << 17  # values copied at a time, so that the rows being filled stay in cache
_LONGEST_LABEL = 200  # characters
_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$|^[+-]?(?i:inf|infinity|nan)$"
_MISSING_WORDS = ("", "NA", "N/A", "n/a", "na", "NULL", "null", "NaN", "nan")
# From buffers, because pyarrow would import pandas, if installed, to convert a list, an array or a scalar.
_MISSING = pa.LargeStringArray.from_buffers(
    len(_MISSING_WORDS),
    pa.py_buffer(np.cumsum([0, *map(len, _MISSING_WORDS)], dtype=np.int64)),
    pa.py_buffer("".join(_MISSING_WORDS).encode()),
)


def check_buffers(table: Any, origin: Origin) -> Any:
    """The table, whose offsets, indices and text are valid: pyarrow's own functions follow them without checks.

    Numbers cost nothing, words about a seventh of their conversion.

    Raises
    ------
    DataError
        That names the first damaged column.
    """
    for name, column in zip(table.column_names, table.columns, strict=True):
        try:
            column.validate(full=True)
        except pa.ArrowException:
            again = "write it again" if origin.from_file else "make it again"
            raise origin.error(
                f"column {name!r} is damaged: its offsets, indices or text are not valid Arrow data; {again}"
            ) from None
    return table


def numeric_array(table: Any, origin: Origin) -> Array:
    """The columns of a pyarrow Table as one array.

    Returns
    -------
    (n_rows, n_columns) C-contiguous float64, or float32 when every column is float32.

    Raises
    ------
    DataError
        For a value that is not a number, with its place, and for missing or infinite values.
    """
    names = table.column_names
    columns = [as_numbers(decode_dictionary(column)) for column in table.columns]
    not_numeric = [j for j, column in enumerate(columns) if column is None]
    if not_numeric:
        raise not_numbers(table.select(not_numeric), origin)
    numbers = pa.table(columns, names=names)
    single = all(kind == pa.float32() for kind in numbers.schema.types)
    X = np.empty((len(numbers), len(names)), np.float32 if single else np.float64)
    start = 0
    for batch in numbers.to_batches(max_chunksize=max(64, _BLOCK // len(names))):
        for j, column in enumerate(batch.columns):
            X[start : start + len(batch), j] = column.to_numpy(zero_copy_only=False)
        start += len(batch)
    check_finite(X, names, origin)
    return X


def target_array(column: Any, name: str, origin: Origin) -> Array:
    """The target: (n_rows,) booleans and integers in their own type, other numbers as float64, words as str labels."""
    column = decode_dictionary(column)
    exact = pa.types.is_integer(column.type) or pa.types.is_boolean(column.type)
    if exact and column.null_count == 0:
        return np.asarray(column.to_numpy())
    if is_number(column.type):
        numbers: Array = column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        check_finite_target(numbers, name, origin)
        return numbers
    try:
        labels = pc.utf8_trim_whitespace(column.cast(pa.large_string()))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        message = f"column {name!r} has {column.type} values, which cannot be a target; name another"
        raise origin.error(message) from None
    missing = pc.fill_null(pc.equal(labels, ""), True).to_numpy(zero_copy_only=False)
    check_finite_target(np.where(missing, np.nan, 0.0), name, origin)
    _check_labels(labels, name, origin)
    if is_spelled(labels):
        row = next(i for i, word in enumerate(labels.to_pylist()) if spelling_of(word) is not None)
        advice = spelling_advice(labels[row].as_py(), origin.from_text)
        raise origin.error(f"{origin.place(row)}, target {name!r}: {cell(labels[row])} is not a number; {advice}")
    coded = labels.combine_chunks().dictionary_encode()
    distinct: Array = np.array(coded.dictionary.to_pylist(), dtype=np.str_)
    return np.asarray(distinct[coded.indices.to_numpy()])


def _check_labels(labels: Any, name: str, origin: Origin) -> None:
    """Check the lengths of labels: in an array of str every row takes the memory of the longest label."""
    lengths = pc.utf8_length(labels).to_numpy()
    row = int(lengths.argmax()) if len(lengths) else 0
    if len(lengths) and lengths[row] > _LONGEST_LABEL:
        raise origin.error(
            f"{origin.place(row)}, target {name!r}: the label {cell(labels[row])} has {lengths[row]:,} characters; "
            "look for a quote that is not closed, or name another target"
        )


def decode_dictionary(column: Any) -> Any:
    """The ChunkedArray without dictionary encoding, so that categories of numbers become numbers."""
    if not pa.types.is_dictionary(column.type):
        return column
    kind = pa.large_string() if is_text(column.type.value_type) else column.type.value_type
    return pa.chunked_array([chunk.dictionary.cast(kind).take(chunk.indices) for chunk in column.chunks], kind)


def is_number(kind: Any) -> bool:
    types = pa.types
    return any(
        test(kind) for test in (types.is_integer, types.is_floating, types.is_boolean, types.is_decimal, types.is_null)
    )


def as_numbers(column: Any) -> Any | None:
    """The column as numbers, missing values as nulls; None if it has words."""
    kind = column.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return column
    if pa.types.is_boolean(kind):
        return column.cast(pa.uint8())
    if is_number(kind):
        return column.cast(pa.float64(), safe=False)
    if not is_text(kind):
        return None
    text = pc.utf8_trim_whitespace(column.cast(pa.large_string()))
    missing = is_missing(text)
    if not pc.all(pc.or_(missing, pc.match_substring_regex(text, _NUMBER)), min_count=0).as_py():
        return None
    return pc.if_else(missing, None, pc.utf8_ltrim(text, "+")).cast(pa.float64())


def is_text(kind: Any) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or str(kind) == "string_view")


def is_missing(text: Any) -> Any:
    return pc.or_(pc.is_null(text), pc.is_in(text, _MISSING))


def not_numbers(table: Any, origin: Origin) -> DataError:
    """The error about columns that are not numbers: about columns without any number, or else the first bad value."""
    columns = {name: decode_dictionary(column) for name, column in zip(table.column_names, table.columns, strict=True)}
    counts = {name: count_words(column) for name, column in columns.items()}
    without_numbers = [name for name, (_, _, n_numbers) in counts.items() if not n_numbers]
    name = without_numbers[0] if without_numbers else table.column_names[0]
    row, n_words, _ = counts[name]
    word = table.column(name)[row].as_py()
    value = f"{origin.place(row)}, column {name!r}: {cell(word)} is not a number"
    spelled = spelling_advice(str(word), origin.from_text)
    if spelled and (not without_numbers or spelling_of(str(word)) is not None):
        python, flag = f"columns=Columns(categorical=[{name!r}])", option("categorical", [name])
        can_be_words = spelling_of(str(word)) is not None and has_option("categorical")
        as_words = f", take it as words with {for_reader(python, flag)}" if can_be_words else ""
        return origin.error(f"{value}; {spelled}{as_words}, or {origin.leave_out([name])}")
    if not without_numbers:
        what = "fix the value" if n_words == 1 else f"fix the {n_words:,} such values"
        return origin.error(f"{value}; {what}, or {origin.leave_out([name])}")
    advice = origin.leave_out(without_numbers)
    if len(without_numbers) > 1:
        return origin.error(f"{value}, and {plural(len(without_numbers), 'column')} have only words or dates; {advice}")
    kind = columns[name].type
    words = "words" if is_text(kind) else "dates or times" if pa.types.is_temporal(kind) else f"{kind} values"
    return origin.error(f"{value}, and it is a column of {words}; {advice.replace('the column', 'it')}")


def is_spelled(words: Any) -> bool:
    """Whether the words of a column are all numbers, some in a spelling that is not read as one."""
    present = (word for chunk in words.chunks for value in chunk if (word := value.as_py()) is not None)
    return all_spelled(word for word in present if word.strip() not in _MISSING_WORDS)


def count_words(column: Any) -> tuple[int, int, int]:
    """The row of the first word, the number of words, and the number of numbers."""
    if not is_text(column.type):
        present = pc.is_valid(column)
        return pc.index(present, True).as_py(), pc.sum(present).as_py(), 0
    text = pc.utf8_trim_whitespace(column.cast(pa.large_string()))
    missing = is_missing(text)
    number = pc.and_(pc.invert(missing), pc.fill_null(pc.match_substring_regex(text, _NUMBER), False))
    word = pc.invert(pc.or_(missing, number))
    return pc.index(word, True).as_py(), pc.sum(word).as_py(), pc.sum(number).as_py()
