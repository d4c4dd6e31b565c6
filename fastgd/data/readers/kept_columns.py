"""Columns of a table as they are, to be written beside predictions: an id, a name, or all of them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from ...errors import DataError
from ...wording import hint, option
from .. import BUILTINS
from ..encoding.arrow_columns import decode_dictionary
from ..file_formats import READ_COLUMN_SUFFIXES, split_suffix
from ..text_format import TextFormat, as_text_format
from .files import check_readable
from .open_table import open as open_table
from .read_columns import column_source

MOST_COLUMNS = 10_000  # of a sparse table, for which all columns together may take more memory than there is


def kept_columns(source: str, names: Sequence[str] | None, text: TextFormat | None = None) -> dict[str, Any]:
    """Columns of a file or a built-in data set as pyarrow arrays of their own types, in the order asked for.

    Whole numbers that begin with a zero, such as 007, stay as they are spelled.

    Parameters
    ----------
    names : of the columns; None for all of them, in the order of the file.
    text : how a text file is written.

    Raises
    ------
    DataError
        For a file that cannot be read, and a column that it does not have.
    """
    suffix, compression = split_suffix(source)
    if source in BUILTINS or suffix == ".npy" or suffix not in READ_COLUMN_SUFFIXES:
        return _of_table(source, names)
    check_readable(source)
    columns = column_source(os.fspath(source), suffix, compression, as_text_format(text))
    chosen = _checked(source, names, columns.names)
    if columns.read_spelled is None:
        table = columns.read(chosen)
        return {name: decode_dictionary(table.column(name)) for name in chosen}
    table, spellings = columns.read_spelled(chosen, chosen, all_words=True)
    return {name: spellings.get(name, table.column(name)) for name in chosen}


def _of_table(source: str, names: Sequence[str] | None) -> dict[str, Any]:
    """Columns of a table of numbers: its features, then its targets."""
    table = open_table(source, need_target=False)
    targets: Any = table.target_name if isinstance(table.target_name, tuple) else (table.target_name or "y",)
    values = {} if table.y is None else dict(zip(targets, table.y.reshape(table.n_samples, -1).T, strict=True))
    chosen = _checked(source, names, (*table.feature_names, *values))
    if names is None and table.n_features > MOST_COLUMNS:
        raise DataError(f"{source}: has {table.n_features:,} columns; name those to keep with {option('keep')}")
    position = {name: j for j, name in enumerate(table.feature_names)}
    found = {}
    for name in chosen:
        column: Any = values[name] if name in values else table.X[:, [position[name]]]
        dense = column if isinstance(column, np.ndarray) else column.toarray()
        found[name] = pa.chunked_array([pa.array(np.ascontiguousarray(dense.ravel()))])
    return found


def _checked(source: str, names: Sequence[str] | None, known: Sequence[str]) -> list[str]:
    if names is None:
        return list(known)
    for name in names:
        if name not in known:
            raise DataError(f"{source}: has no column {name!r} to keep; {hint(name, known)}")
    return list(dict.fromkeys(names))
