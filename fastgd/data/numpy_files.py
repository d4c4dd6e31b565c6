"""NumPy's files: .npy with the target as a column, .npz with X and y, and scipy.sparse's .npz. Nothing is unpickled."""

from __future__ import annotations

import zipfile
from typing import Any

import numpy as np
from scipy import sparse

from ..errors import DataError
from .apart import apart_table, take_columns
from .choose import Request, choose, index_names
from .files import check_not_empty, reading
from .finite import check_finite, check_finite_target
from .origin import Origin
from .table import Array, Table
from .wording import plural, quoted

_CSR_PARTS = ("X_data", "X_indices", "X_indptr", "X_shape")
_SPARSE_KEYS = {"format", "shape", "data"}


def read_npy(path: str, request: Request) -> Table:
    """An array of (n_samples, n_columns) numbers whose columns go by their index."""
    check_not_empty(path)
    try:
        with reading(path):
            array = np.lib.format.open_memmap(path, mode="r")
    except ValueError as error:
        raise _foreign(path, error) from None
    return _from_columns(array, Origin(path), request)


def read_npz(path: str, request: Request) -> Table:
    """The arrays X and y, X perhaps in CSR parts, or one matrix that ``scipy.sparse.save_npz`` wrote."""
    check_not_empty(path)
    origin = Origin(path)
    try:
        with reading(path):
            if not zipfile.is_zipfile(path):  # np.load would take it for a pickle
                raise zipfile.BadZipFile
        with reading(path), np.load(path, allow_pickle=False) as archive:
            keys = set(archive.files)
            if keys >= _SPARSE_KEYS and "X" not in keys:
                return _from_columns(_csr(sparse.load_npz(path), origin), origin, request)
            return _from_keys(archive, keys, origin, request)
    except DataError:
        raise
    except (ValueError, zipfile.BadZipFile, KeyError, NotImplementedError) as error:
        raise _foreign(path, error) from None


def _from_keys(archive: Any, keys: set[str], origin: Origin, request: Request) -> Table:
    """A table from X, y and, where there, ``feature_names``."""
    if keys >= set(_CSR_PARTS):
        data, indices, indptr, shape = (archive[key] for key in _CSR_PARTS)
        n_rows, n_columns = map(int, shape)
        X = _csr(sparse.csr_array((data, indices, indptr), shape=(n_rows, n_columns)), origin)
    elif "X" in keys:
        X = archive["X"]
    else:
        raise origin.error(f"needs the arrays X and y, but has {quoted(sorted(keys)) if keys else 'none'}; rename them")
    if "y" not in keys and request.need_target:
        raise origin.error(f"has no array y for the target, only {quoted(sorted(keys))}; add it")
    _check_numbers(X, origin)
    headed = "feature_names" in keys
    names = tuple(map(str, archive["feature_names"])) if headed else index_names(X.shape[1])
    if len(names) != X.shape[1]:
        raise origin.error(
            f"has {plural(len(names), 'feature name')} for {plural(X.shape[1], 'column')} of X; mend one"
        )
    y = _target(archive["y"], X.shape[0], origin) if "y" in keys else None
    return apart_table(X, y, names, headed, "y", request, origin)


def _from_columns(array: Array | sparse.csr_array, origin: Origin, request: Request) -> Table:
    """A table from one matrix, in which the target is a column."""
    _check_numbers(array, origin)
    names = index_names(array.shape[1])
    choice = choose(names, False, request, origin)
    X = take_columns(array, choice.features)
    check_finite(X, [names[j] for j in choice.features], origin)
    y = None
    if choice.target is not None:
        column = array[:, [choice.target]]
        y = (column if isinstance(column, np.ndarray) else column.toarray()).ravel().astype(np.float64)
        check_finite_target(y, names[choice.target], origin)
    target_name = None if choice.target is None else names[choice.target]
    return Table(X, y, choice.names, target_name, origin.source, remarks=choice.remarks)


def _check_numbers(array: Array | sparse.csr_array, origin: Origin) -> None:
    if array.dtype.kind == "c":
        raise origin.error(f"holds complex numbers ({array.dtype}); keep the real part or the magnitude")
    if array.dtype.kind not in "biuf":
        raise origin.error(f"holds values of type {array.dtype}, not numbers; save an array of float64")
    if array.ndim != 2:
        raise origin.error(
            f"the array has {plural(array.ndim, 'dimension')}, shape {array.shape}; it takes 2, a row per sample"
        )
    if array.shape[0] == 0:
        raise origin.error("has no rows; write it again")
    if array.shape[1] == 0:
        raise origin.error("has no columns; write it again")


def _target(y: Array, n_samples: int, origin: Origin) -> Array:
    if y.ndim == 2 and y.shape[1] == 1:
        y = y.ravel()
    if y.shape != (n_samples,):
        raise origin.error(f"y has shape {y.shape}, but X has {plural(n_samples, 'row')}; give y one value per row")
    if y.dtype.kind == "U":
        return y
    if y.dtype.kind not in "biuf":
        raise origin.error(f"y holds values of type {y.dtype}; save numbers, or labels as strings")
    numbers: Array = y.astype(np.float64)
    check_finite_target(numbers, "y", origin)
    return numbers


def _csr(matrix: Any, origin: Origin) -> sparse.csr_array:
    """A sound CSR array: kernels follow its indices without looking."""
    if matrix.dtype.kind not in "biuf":
        _check_numbers(matrix, origin)
    X = sparse.csr_array(matrix, dtype=np.float64)
    X.check_format(full_check=True)
    X.sum_duplicates()
    return X


def _foreign(path: str, error: Exception) -> DataError:
    if "bject" in str(error):  # NumPy's words: "Object arrays", "Python objects in dtype"
        return DataError(f"{path}: holds pickled Python objects, which are never loaded; save an array of numbers")
    suffix = path[-4:].lower()
    return DataError(f"{path}: is not a whole {suffix} file; it was cut short or is of another kind, so write it again")
