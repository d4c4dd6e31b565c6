"""Tables from arrays whose columns go by position, with the target as a separate array."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...wording import label, quoted
from ..array_files import ArrayFile, as_float64
from ..table import Array, Table
from .column_roles import Roles, find_roles
from .feature_columns import choose_features
from .missing_values import check_finite, check_finite_target
from .origin import Origin
from .request import Request

if TYPE_CHECKING:
    from scipy import sparse

    Matrix = Array | ArrayFile | sparse.csr_array


def table_from_arrays(
    X: Matrix, y: Array | None, names: Sequence[str], headed: bool,
    target_names: Sequence[str] | None, request: Request, origin: Origin,
) -> Table:  # fmt: skip
    """A table from (n_samples, n_columns) ``X``, without the columns that the request leaves out, and ``y``.

    ``target_names`` has one name for each column of ``y``; without it the targets are columns of X. ``headed`` says
    whether the source named the columns of X.

    Raises
    ------
    DataError
        If the request names another target or columns that do not exist, or a value is not finite.
    """
    if target_names is not None and request.features is None and not _are_targets(request.target, target_names):
        raise origin.error(f"has a separate target, {quoted(target_names)}; {request.target!r} cannot be the target")
    roles = find_roles(names, headed, request, origin, separate_target=target_names is not None)
    features, feature_names = choose_features(names, headed, request, roles, origin)
    chosen = take_columns(X, features)
    check_finite(chosen, [names[j] for j in features], origin)
    if target_names is None:
        target_names, columns = [names[j] for j in roles.targets], [_target_of(X, j) for j in roles.targets]
        for name, column in zip(target_names, columns, strict=True):
            check_finite_target(column, name, origin)
        y = stack_targets(columns) if columns else None
    target = None if y is None else target_name(target_names)
    rows = row_values(X, names, roles, origin)
    return Table(chosen, y, feature_names, target, origin.source, remarks=roles.remarks, **rows)


def _are_targets(target: str | tuple[str, ...] | None, target_names: Sequence[str]) -> bool:
    """Whether the target that the caller asks for, if any, is the separate one."""
    parts = target.split(",") if isinstance(target, str) else target
    return parts is None or tuple(parts) == tuple(target_names)


def row_values(array: Matrix, names: Sequence[str], roles: Roles, origin: Origin) -> dict[str, Any]:
    """The weight and offset of each row, finite numbers, keyed by the attribute of `Table`."""
    values = {role: column_of(array, j) for role, j in roles.row_columns.items()}
    for role, column in values.items():
        check_finite(column[:, np.newaxis], [names[roles.row_columns[role]]], origin.of_role(role))
    return values


def column_of(array: Matrix, j: int) -> Array:
    """A column as (n_samples,) float64."""
    column: Any = take_columns(array, (j,))
    return as_float64((column if isinstance(column, np.ndarray) else column.toarray()).ravel())


def _target_of(array: Matrix, j: int) -> Array:
    """A column as `column_of` has it, but booleans and integers in their own type."""
    if isinstance(array, (np.ndarray, ArrayFile)) and array.dtype.kind in "biu":
        exact = array.dtype.newbyteorder("=")
        return array.columns([j], exact).ravel() if isinstance(array, ArrayFile) else array[:, j].astype(exact)
    return column_of(array, j)


def take_columns(array: Matrix, columns: tuple[int, ...]) -> Array | sparse.csr_array:
    """These columns as C-contiguous float32 or float64, or as float64 CSR; of a file only these columns are kept."""
    first, last = columns[0], columns[-1]
    consecutive = columns == tuple(range(first, last + 1))
    chosen: Any = slice(first, last + 1) if consecutive else list(columns)
    single = array.dtype.kind == "f" and array.dtype.itemsize == 4
    dtype = np.dtype(np.float32 if single else np.float64)
    if isinstance(array, ArrayFile):
        return array.columns(chosen, dtype)
    if isinstance(array, np.ndarray):
        return np.ascontiguousarray(array[:, chosen], dtype=dtype)
    from scipy import sparse

    whole = consecutive and len(columns) == array.shape[1]
    picked: Any = array if whole else array[:, chosen]
    return sparse.csr_array(picked, dtype=np.float64)


def stack_targets(targets: Sequence[Array]) -> Array:
    """One target (n_rows,) unchanged; several as (n_rows, n_targets), all of them str labels if any of them is."""
    if len(targets) == 1:
        return targets[0]
    has_labels = any(target.dtype.kind == "U" for target in targets)
    return np.column_stack([_as_labels(target) for target in targets] if has_labels else targets)


def target_name(names: Sequence[str]) -> str | tuple[str, ...] | None:
    """The ``target_name`` of a `Table` with these targets."""
    return tuple(names) if len(names) > 1 else next(iter(names), None)


def _as_labels(target: Array) -> Array:
    """Each number as a label: its shortest exact decimal, without a decimal point if it is an integer."""
    values, inverse = np.unique(target, return_inverse=True)
    labels: Array = np.array([label(value) for value in values.tolist()])[inverse]
    return labels
