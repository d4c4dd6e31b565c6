"""Reader of .npy (the target is a column), .npz (arrays X and y) and scipy.sparse's .npz; nothing is unpickled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import DataError
from ...wording import plural, quoted
from ..array_files import ArrayArchive, ArrayFile, DamagedArrayError, PickledArrayError, as_float64
from ..encoding.array_tables import table_from_arrays
from ..encoding.feature_columns import index_names
from ..encoding.missing_values import check_finite, check_finite_target
from ..encoding.origin import Origin
from ..encoding.request import Request
from ..sparse_checks import check_width, checked_csr
from ..table import Array, Table
from .files import check_not_empty, invalid_file, reading

if TYPE_CHECKING:
    from scipy import sparse

_CSR_PARTS = ("X_data", "X_indices", "X_indptr", "X_shape")
_TABLE_KEYS = ("X", "y", "feature_names", *_CSR_PARTS)
_SPARSE_KEYS = {"format", "shape", "data"}
_COMPRESSED = ("data", "indices", "indptr")
_PARTS = {
    "csr": _COMPRESSED, "csc": _COMPRESSED, "bsr": _COMPRESSED,
    "coo": ("data", "row", "col"), "dia": ("data", "offsets"),
}  # fmt: skip


def read_npy(path: str, request: Request) -> Table:
    """A table from an array of (n_samples, n_columns) numbers, whose columns are named by index."""
    check_not_empty(path)
    with array_errors(path, ".npy"):
        return _from_columns(ArrayFile.open(path), Origin(path), request)


def read_npz(path: str, request: Request) -> Table:
    """A table from the arrays X (dense, or the parts of a CSR) and y, or from a file of ``scipy.sparse.save_npz``."""
    check_not_empty(path)
    origin = Origin(path)
    with array_errors(path, ".npz"), ArrayArchive(path) as archive:
        if archive.names >= _SPARSE_KEYS and "X" not in archive.names:
            return _from_columns(_saved_by_scipy(archive, origin), origin, request)
        return _from_keys(archive, archive.names, origin, request)


def _from_keys(archive: ArrayArchive, keys: set[str], origin: Origin, request: Request) -> Table:
    """A table from the arrays X, y and, if present, ``feature_names``."""
    X: Array | sparse.csr_array
    if keys >= set(_CSR_PARTS):
        data, indices, indptr, shape = (archive[key] for key in _CSR_PARTS)
        X = _csr("csr", [data, indices, indptr], shape, origin)
    elif "X" in keys:
        X = archive["X"]
    else:
        raise origin.error(f"needs the arrays X and y, but has {quoted(sorted(keys)) if keys else 'none'}; rename them")
    if "y" not in keys and request.need_target:
        raise origin.error(f"has no array y for the target, only {quoted(sorted(keys))}; add it")
    _check_numbers(X, origin)
    headed = "feature_names" in keys
    names = _names(archive["feature_names"], origin) if headed else index_names(X.shape[1])
    if len(names) != X.shape[1]:
        raise origin.error(
            f"has {plural(len(names), 'feature name')} for {plural(X.shape[1], 'column')} of X; give one for each"
        )
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise origin.error(f"has the feature name {quoted(repeated)} more than once; rename these columns")
    y = _target(archive["y"], X.shape[0], origin) if "y" in keys else None
    target_names = ("y",) if y is None or y.ndim == 1 else tuple(f"y{k}" for k in range(y.shape[1]))
    arrays = {role: name for role, name in request.row_columns.items() if name in keys.difference(_TABLE_KEYS)}
    columns = {role: name for role, name in request.row_columns.items() if role not in arrays}
    table = table_from_arrays(X, y, names, headed, target_names, replace(request, row_columns=columns), origin)
    n = X.shape[0]
    values: Any = {role: _row_values(archive[name], name, n, origin.of_role(role)) for role, name in arrays.items()}
    return replace(table, **values)


def _names(names: Array, origin: Origin) -> tuple[str, ...]:
    if names.ndim != 1 or names.dtype.kind not in "iuU":
        raise origin.error(f"feature_names has values of type {names.dtype} and shape {names.shape}; give it strings")
    return tuple(map(str, names.tolist()))


def _from_columns(array: Array | ArrayFile | sparse.csr_array, origin: Origin, request: Request) -> Table:
    """A table from one array, in which the target is a column."""
    _check_numbers(array, origin)
    return table_from_arrays(array, None, index_names(array.shape[1]), False, None, request, origin)


def _check_numbers(array: Array | ArrayFile | sparse.csr_array, origin: Origin) -> None:
    _check_kind(array, origin)
    if array.ndim != 2:
        raise origin.error(
            f"the array has {plural(array.ndim, 'dimension')}, shape {array.shape}; it needs 2, with a row per sample"
        )
    if 0 in array.shape:
        raise origin.error(f"has no {'columns' if array.shape[0] else 'rows'}; write it again")


def _check_kind(array: Array | ArrayFile | sparse.csr_array, origin: Origin) -> None:
    if array.dtype.kind == "c":
        raise origin.error(f"holds complex numbers ({array.dtype}); keep the real part or the magnitude")
    if array.dtype.kind not in "biuf":
        raise origin.error(f"holds values of type {array.dtype}, not numbers; save an array of float64")


def _target(y: Array, n_samples: int, origin: Origin) -> Array:
    if y.ndim == 2 and y.shape[1] == 1:
        y = y.ravel()
    if y.ndim not in (1, 2) or len(y) != n_samples or y.size == 0:
        raise origin.error(f"y has shape {y.shape}, but X has {plural(n_samples, 'row')}; give y one value per row")
    if y.dtype.kind == "U":
        return y
    if y.dtype.kind not in "biuf":
        raise origin.error(f"y holds values of type {y.dtype}; save numbers, or labels as strings")
    if y.dtype.kind in "biu":
        return y
    numbers = as_float64(y)
    for k, column in enumerate(numbers.reshape(n_samples, -1).T):
        check_finite_target(column, f"y{k}" if y.ndim == 2 else "y", origin)
    return numbers


def _row_values(values: Array, name: str, n_samples: int, origin: Origin) -> Array:
    if values.shape != (n_samples,):
        raise origin.error(f"{name} has shape {values.shape}, but X has {plural(n_samples, 'row')}; {origin.instead}")
    if values.dtype.kind not in "biuf":
        raise origin.error(f"{name} holds values of type {values.dtype}, not numbers; {origin.instead}")
    numbers = as_float64(values)
    check_finite(numbers[:, np.newaxis], [name], origin)
    return numbers


def _saved_by_scipy(archive: ArrayArchive, origin: Origin) -> sparse.csr_array:
    """The matrix of a file that ``scipy.sparse.save_npz`` wrote, in any of its formats."""
    name = archive["format"]
    kind = name.item() if name.ndim == 0 and name.dtype.kind in "SU" else None
    kind = kind.decode("ascii", "replace") if isinstance(kind, bytes) else kind
    if kind not in _PARTS:
        raise origin.error(f"holds a sparse matrix of an unknown format; use one of {', '.join(_PARTS)}")
    return _csr(kind, [archive[key] for key in _PARTS[kind]], archive["shape"], origin)


def _csr(kind: str, parts: list[Array], shape: Array, origin: Origin) -> sparse.csr_array:
    """A matrix of SciPy's format ``kind`` as CSR with valid indices, in which no row has a column twice."""
    from scipy import sparse

    _check_kind(parts[0], origin)
    try:
        if shape.shape != (2,) or shape.dtype.kind not in "iu" or not all(part.ndim for part in parts[1:]):
            raise ValueError
        arguments: Any = (parts[0], tuple(parts[1:])) if kind == "coo" else tuple(parts)
        matrix = getattr(sparse, f"{kind}_array")(arguments, shape=tuple(shape.tolist()))
    except (ValueError, TypeError, OverflowError, IndexError):  # SciPy's words for parts that do not fit together
        raise origin.error("is damaged: its parts do not make a sparse matrix; write it again") from None
    X = checked_csr(matrix, origin.error)
    check_width(X.shape[1], X.nnz, origin.error)
    if X.dtype != np.float64:
        X.data = as_float64(X.data)
    X.sum_duplicates()
    return X


@contextmanager
def array_errors(path: str, suffix: str) -> Iterator[None]:
    """Turn an error about the format of arrays into a `DataError` that names the file."""
    try:
        with reading(path):
            yield
    except PickledArrayError:
        message = "holds pickled Python objects, which are never loaded; save an array of numbers"
        raise DataError(f"{path}: {message}") from None
    except DamagedArrayError:
        raise invalid_file(path, suffix) from None
