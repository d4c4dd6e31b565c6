"""Reader of svmlight files, ``label index:value index:value ... # comment``, parsed by pyarrow's string kernels.

Source: T. Joachims, SVMlight (1999), and the LIBSVM collection of data sets.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy import sparse

from ...errors import DataError, OptionError
from ..encoding.array_tables import table_from_arrays
from ..encoding.column_roles import in_words
from ..encoding.feature_columns import check_n_features, cover_all_indices, index_names
from ..encoding.missing_values import check_finite_target
from ..encoding.origin import Origin
from ..encoding.request import Request
from ..sparse_checks import check_width
from ..table import Array, Table
from .files import check_not_empty, open_bytes, reading
from .svmlight_errors import malformed

BLOCK_BYTES = 4 << 20  # bytes parsed at a time; parsing takes some 20 times as much memory
LONGEST_ROW = 1 << 29  # bytes; the offsets of pyarrow's strings have 31 bits
_LARGEST_INDEX = np.iinfo(np.int32).max - 1


@dataclass(frozen=True)
class Block:
    """Some rows of a file: the line number, label and number of entries of each row; index and value of each entry."""

    lines: Array
    labels: Array
    lengths: Array
    indices: Array
    values: Array
    has_qid: bool


def read_svmlight(path: str, compression: str, request: Request) -> Table:
    """A CSR table from an svmlight file.

    Indices count from 1, or from 0 if an index 0 appears in the file or among the model's features. With a model, the
    table has the model's number of columns, even if the largest index in the file is smaller.

    Raises
    ------
    DataError
        With the line of a malformed token or a repeated index; for more features than the model has.
    OptionError
        If a column of weights or offsets is asked for, which this format does not have.
    """
    check_not_empty(path)
    if request.row_columns:
        role, name = next(iter(request.row_columns.items()))
        raise OptionError(
            f"{path}: svmlight has no column {name!r} for the {in_words(role)} of each row; "
            "write the table as .csv, .parquet or .npz"
        )
    blocks = list(read_blocks(path, compression))
    if not blocks:
        raise DataError(f"{path}: has no samples, only blank lines and comments; write it again")
    lines = np.concatenate([block.lines for block in blocks])
    origin = Origin(path, lambda row: f"line {lines[row]:,}")
    indices = np.concatenate([block.indices for block in blocks])
    data = np.concatenate([block.values for block in blocks])
    lengths = np.concatenate([block.lengths for block in blocks])
    indptr = np.zeros(len(lines) + 1, np.int64)
    np.cumsum(lengths, out=indptr[1:])
    base = _base(indices, indptr, request, origin)
    if base:
        indices -= 1
    width = _width(int(indices.max(initial=-1)) + 1, base, request, origin)
    if request.features is None or width > len(request.features):
        check_width(width, len(data), origin.error)
    indptr = indptr.astype(np.int32) if len(data) <= np.iinfo(np.int32).max else indptr
    X = sparse.csr_array((data, indices, indptr), shape=(len(lines), width))
    y = np.concatenate([block.labels for block in blocks])
    check_finite_target(y, "label", origin)
    table = table_from_arrays(X, y, index_names(width, base), False, ("label",), request, origin)
    if not any(block.has_qid for block in blocks):
        return table
    return replace(table, remarks=("the query ids (qid:) are ignored",))


def read_blocks(path: str, compression: str, block_bytes: int = BLOCK_BYTES) -> Iterator[Block]:
    """The rows of the file, parsed ``block_bytes`` bytes at a time."""
    first_line, rest = 1, b""
    with reading(path), open_bytes(path, compression) as file:
        while chunk := file.read(block_bytes):
            whole, newline, rest_of_chunk = chunk.rpartition(b"\n")
            if not newline:
                rest += chunk
                if len(rest) > LONGEST_ROW:
                    raise DataError(f"{path}: line {first_line:,} has more than {LONGEST_ROW:,} characters; split it")
                continue
            text, rest = rest + whole, rest_of_chunk
            yield from _parse(text, first_line, path)
            first_line += text.count(b"\n") + 1
    yield from _parse(rest, first_line, path)


def _parse(text: bytes, first_line: int, path: str) -> Iterator[Block]:
    """One block from complete lines; none if all of them are blank."""
    lines = pc.split_pattern(_one_string(text.removeprefix(b"\xef\xbb\xbf")), "\n").flatten()
    if b"#" in text:
        lines = pc.list_element(pc.split_pattern(lines, "#", max_splits=1), 0)
    lines = pc.ascii_trim_whitespace(lines)
    kept = np.flatnonzero(pc.binary_length(lines).to_numpy())
    if not len(kept):
        return
    tokens = pc.ascii_split_whitespace(lines.take(pa.array(kept)))
    yield _block(tokens, kept + first_line, b"qid:" in text, path)


def _one_string(text: bytes) -> Any:
    """An Arrow array of one string, unchecked: comments need not be UTF-8, and the kernels used here take any bytes."""
    offsets = pa.py_buffer(np.array([0, len(text)], np.int32))
    return pa.Array.from_buffers(pa.string(), 1, [None, offsets, pa.py_buffer(text)])


def _block(tokens: Any, lines: Array, may_have_qid: bool, path: str) -> Block:
    """The block of rows whose tokens are the (n_rows,) lists."""
    offsets = tokens.offsets.to_numpy()
    words = tokens.flatten()
    is_label = np.zeros(len(words), bool)
    is_label[offsets[:-1]] = True
    labels, entries = words.filter(pa.array(is_label)), words.filter(pa.array(~is_label))
    lengths = np.diff(offsets).astype(np.int64) - 1
    rows = np.repeat(np.arange(len(lines)), lengths)
    has_qid = False
    if may_have_qid:
        is_qid = pc.starts_with(entries, "qid:").to_numpy(zero_copy_only=False)
        has_qid = bool(is_qid.any())
        entries, rows = entries.filter(pa.array(~is_qid)), rows[~is_qid]
    try:
        indices, values = _entries(entries)
        y = _floats(labels)
    except pa.ArrowInvalid:
        raise malformed(labels, entries, lines, rows, path) from None
    indices, values = _sorted(rows, indices, values, lines, path)
    return Block(lines, y, np.bincount(rows, minlength=len(lines)), indices, values, has_qid)


def _entries(entries: Any) -> tuple[Array, Array]:
    """The indices and values of tokens ``index:value``."""
    pairs = pc.split_pattern(entries, ":")
    if (np.diff(pairs.offsets.to_numpy()) != 2).any():
        raise pa.ArrowInvalid("a token is not a pair")
    halves = pairs.flatten()
    even = np.arange(0, len(halves), 2)
    indices = halves.take(pa.array(even)).cast(pa.int64()).to_numpy()
    if indices.min(initial=0) < 0 or indices.max(initial=0) > _LARGEST_INDEX:
        raise pa.ArrowInvalid("an index out of range")
    return indices.astype(np.int32), _floats(halves.take(pa.array(even + 1)))


def _floats(words: Any) -> Array:
    numbers: Array = pc.ascii_ltrim(words, "+").cast(pa.float64()).to_numpy(zero_copy_only=False)
    return numbers


def _sorted(rows: Array, indices: Array, values: Array, lines: Array, path: str) -> tuple[Array, Array]:
    """The entries sorted by index within each row; a repeated index is an error."""
    increasing = (indices[1:] > indices[:-1]) | (rows[1:] != rows[:-1])
    if increasing.all():
        return indices, values
    order = np.lexsort((indices, rows))
    rows, indices, values = rows[order], indices[order], values[order]
    repeated = np.flatnonzero((indices[1:] == indices[:-1]) & (rows[1:] == rows[:-1]))
    if len(repeated):
        first = repeated[0]
        raise DataError(
            f"{path}: line {lines[rows[first]]:,} has the index {indices[first]} twice; keep one of the two"
        )
    return indices, values


def _base(indices: Array, indptr: Array, request: Request, origin: Origin) -> int:
    """The index of the first feature, 0 or 1."""
    zeros = np.flatnonzero(indices == 0)
    of_model = request.features if cover_all_indices(request.features or ()) else None
    if of_model and "0" in of_model:
        return 0
    if of_model and len(zeros):
        row = int(np.searchsorted(indptr, zeros[0], side="right")) - 1
        raise origin.error(
            f"{origin.place(row)} has the index 0, but the model's features count from 1; add 1 to each index"
        )
    return 0 if len(zeros) else 1


def _width(found: int, base: int, request: Request, origin: Origin) -> int:
    """The number of columns: the model's if there is one, because a file does not show trailing columns of zeros."""
    wanted = request.features
    if wanted is None:
        if not found:
            raise origin.error("has labels but no features; write it again")
        return found
    if cover_all_indices(wanted) or not all(name.isdecimal() for name in wanted):
        if found > len(wanted):
            check_n_features(found, len(wanted), origin)
        return len(wanted)
    return max(found, max(map(int, wanted)) + 1 - base)
