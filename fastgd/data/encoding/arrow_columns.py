"""From pyarrow columns to arrays: numbers as a matrix, the target as numbers or labels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ...errors import DataError
from ...wording import cell, plural
from ..table import Array
from .missing_values import check_finite, check_finite_target
from .origin import Origin

_BLOCK = 1 << 17  # cells filled at a time: they stay in cache while the columns are laid side by side
_LONGEST_LABEL = 200  # characters
_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$|^[+-]?(?i:inf|infinity|nan)$"
# From an array and not from a list, which would make pyarrow import pandas where it is installed.
_MISSING_WORDS = np.array(["", "NA", "N/A", "n/a", "na", "NULL", "null", "NaN", "nan"])
_MISSING = pa.array(_MISSING_WORDS).cast(pa.large_string())


def matrix(table: Any, origin: Origin) -> Array:
    """The columns of a pyarrow Table side by side.

    Returns
    -------
    (n_rows, n_columns) C-contiguous float64, or float32 when every column is float32.

    Raises
    ------
    DataError
        For a cell that is not a number, with its place, and for missing or infinite values.
    """
    names = table.column_names
    columns = [as_numbers(plain(column)) for column in table.columns]
    wordy = [j for j, column in enumerate(columns) if column is None]
    if wordy:
        raise _words(table.select(wordy), origin)
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
    """The target: (n_rows,) float64, or labels as an array of str when the column holds words."""
    column = plain(column)
    if is_number(column.type):
        y: Array = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
        check_finite_target(y, name, origin)
        return y
    labels = pc.utf8_trim_whitespace(_cast(column, pa.large_string(), name, origin))
    missing = pc.fill_null(pc.equal(labels, ""), True).to_numpy(zero_copy_only=False)
    check_finite_target(np.where(missing, np.nan, 0.0), name, origin)
    _check_labels(labels, name, origin)
    coded = labels.combine_chunks().dictionary_encode()
    words: Array = np.array(coded.dictionary.to_pylist(), dtype=np.str_)
    by_row: Array = words[coded.indices.to_numpy()]
    return by_row


def _check_labels(labels: Any, name: str, origin: Origin) -> None:
    """No label is a whole text: an array of str takes the room of the longest label for each row."""
    lengths = pc.utf8_length(labels).to_numpy()
    row = int(lengths.argmax()) if len(lengths) else 0
    if len(lengths) and lengths[row] > _LONGEST_LABEL:
        raise origin.error(
            f"{origin.place(row)}, target {name!r}: the label {cell(labels[row])} has {lengths[row]:,} characters; "
            "look for a quote that is not closed, or name another target"
        )


def plain(column: Any) -> Any:
    """A ChunkedArray without a dictionary, so that categories of numbers are numbers."""
    if not pa.types.is_dictionary(column.type):
        return column
    kind = pa.large_string() if _is_text(column.type.value_type) else column.type.value_type
    return pa.chunked_array([chunk.dictionary.cast(kind).take(chunk.indices) for chunk in column.chunks], kind)


def is_number(kind: Any) -> bool:
    types = pa.types
    return any(
        test(kind) for test in (types.is_integer, types.is_floating, types.is_boolean, types.is_decimal, types.is_null)
    )


def as_numbers(column: Any) -> Any | None:
    """The column as one that NumPy sees as numbers, missing values as NaN; None when it has words."""
    kind = column.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return column
    if pa.types.is_boolean(kind):
        return column.cast(pa.uint8())
    if is_number(kind):
        return column.cast(pa.float64())
    if not _is_text(kind):
        return None
    text = pc.utf8_trim_whitespace(column.cast(pa.large_string()))
    missing = _is_missing(text)
    if not pc.all(pc.or_(missing, pc.match_substring_regex(text, _NUMBER)), min_count=0).as_py():
        return None
    return pc.if_else(missing, None, pc.utf8_ltrim(text, "+")).cast(pa.float64())


def _is_text(kind: Any) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or str(kind) == "string_view")


def _is_missing(text: Any) -> Any:
    return pc.or_(pc.is_null(text), pc.is_in(text, _MISSING))


def _cast(column: Any, kind: Any, name: str, origin: Origin) -> Any:
    try:
        return column.cast(kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise origin.error(f"column {name!r} holds {column.type} values, which are no target; name another") from None


def _words(table: Any, origin: Origin) -> DataError:
    """The sentence about columns that are not numbers: those of words throughout first, else the first bad cell."""
    whole: list[str] = []
    mixed: list[tuple[str, int, int]] = []
    for name, column in zip(table.column_names, table.columns, strict=True):
        first, n_words, n_numbers = _count_words(plain(column))
        if n_numbers:
            mixed.append((name, first, n_words))
        else:
            whole.append(name)
    if whole:
        return _word_columns(table, whole, origin)
    name, row, n_words = mixed[0]
    what = "mend the cell" if n_words == 1 else f"mend the {n_words:,} such cells"
    value = cell(table.column(name)[row].as_py())
    advice = f"{what}, or {origin.leave_out([name])}"
    return origin.error(f"{origin.place(row)}, column {name!r}: {value} is not a number; {advice}")


def _word_columns(table: Any, whole: list[str], origin: Origin) -> DataError:
    name = whole[0]
    column = table.column(name)
    row = _count_words(plain(column))[0]
    value = cell(column[row].as_py())
    kind = plain(column).type
    if len(whole) > 1:
        told = f"{plural(len(whole), 'column')} hold words or dates throughout"
    elif _is_text(kind):
        told = "it is a column of words"
    else:
        told = f"it is a column of {'dates or times' if pa.types.is_temporal(kind) else f'{kind} values'}"
    advice = origin.leave_out(whole) if len(whole) > 1 else origin.leave_out(whole).replace("the column", "it")
    return origin.error(f"{origin.place(row)}, column {name!r}: {value} is not a number, and {told}; {advice}")


def _count_words(column: Any) -> tuple[int, int, int]:
    """The row of the first word, how many words there are, and how many numbers."""
    if not _is_text(column.type):
        present = pc.is_valid(column)
        return pc.index(present, True).as_py(), pc.sum(present).as_py(), 0
    text = pc.utf8_trim_whitespace(column.cast(pa.large_string()))
    missing = _is_missing(text)
    number = pc.and_(pc.invert(missing), pc.fill_null(pc.match_substring_regex(text, _NUMBER), False))
    word = pc.invert(pc.or_(missing, number))
    return pc.index(word, True).as_py(), pc.sum(word).as_py(), pc.sum(number).as_py()
