"""Arrays as tables: columns by position, and a target that stands apart from the features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...wording import label, quoted
from ..table import Array, Table
from .column_roles import Roles, find_roles
from .feature_columns import choose_features
from .missing_values import check_finite
from .origin import Origin
from .request import Request

if TYPE_CHECKING:
    from scipy import sparse


def table_from_arrays(
    X: Array | sparse.csr_array,
    y: Array | None,
    names: Sequence[str],
    headed: bool,
    target_names: Sequence[str],
    request: Request,
    origin: Origin,
) -> Table:
    """A table from (n_samples, n_columns) ``X``, of which the request may leave columns out, and ``y``.

    ``target_names`` has one for each column of ``y``.

    Raises
    ------
    DataError
        When the request names another target, or columns that are not there; for values that are not finite.
    """
    if request.features is None and not _is_apart(request.target, target_names):
        raise origin.error(
            f"has its target apart, {quoted(target_names)}; do not name {request.target!r} as the target"
        )
    roles = find_roles(names, headed, request, origin, target_apart=True)
    features, feature_names = choose_features(names, headed, request, roles, origin)
    chosen = take_columns(X, features)
    check_finite(chosen, [names[j] for j in features], origin)
    return Table(
        chosen,
        y,
        feature_names,
        None if y is None else called(target_names),
        origin.source,
        **row_values(X, names, roles, origin),
    )


def _is_apart(target: str | tuple[str, ...] | None, target_names: Sequence[str]) -> bool:
    """Whether what is asked for as the target is what stands apart."""
    parts = target.split(",") if isinstance(target, str) else target
    return parts is None or tuple(parts) == tuple(target_names)


def row_values(array: Array | sparse.csr_array, names: Sequence[str], roles: Roles, origin: Origin) -> dict[str, Any]:
    """What some columns say about each row, finite numbers, by the `Table`'s name for it."""
    values = {role: column_of(array, j) for role, j in roles.of_rows.items()}
    for role, column in values.items():
        check_finite(column[:, np.newaxis], [names[roles.of_rows[role]]], origin.of_role(role))
    return values


def column_of(array: Array | sparse.csr_array, j: int) -> Array:
    """A column as (n_samples,) float64."""
    column: Any = array[:, [j]]
    values: Array = (column if isinstance(column, np.ndarray) else column.toarray()).ravel().astype(np.float64)
    return values


def take_columns(array: Array | sparse.csr_array, columns: tuple[int, ...]) -> Array | sparse.csr_array:
    """These columns, as C-contiguous float32 or float64, or as float64 CSR; a mapped file is copied to memory."""
    first, last = columns[0], columns[-1]
    in_a_row = columns == tuple(range(first, last + 1))
    chosen: Any = slice(first, last + 1) if in_a_row else list(columns)
    if not isinstance(array, np.ndarray):
        whole = in_a_row and len(columns) == array.shape[1]
        picked: Any = array if whole else array[:, chosen]
        from scipy import sparse

        return sparse.csr_array(picked, dtype=np.float64)
    single = array.dtype.kind == "f" and array.dtype.itemsize == 4
    X: Array = np.ascontiguousarray(array[:, chosen], dtype=np.float32 if single else np.float64)
    return np.array(X) if isinstance(array, np.memmap) else X


def side_by_side(targets: Sequence[Array]) -> Array:
    """One target as it is, (n_rows,); several as (n_rows, n_targets), all of them words when one has words."""
    if len(targets) == 1:
        return targets[0]
    wordy = any(target.dtype.kind == "U" for target in targets)
    return np.column_stack([_words(target) for target in targets] if wordy else targets)


def called(names: Sequence[str]) -> str | tuple[str, ...] | None:
    """What a `Table` calls its target or targets."""
    return tuple(names) if len(names) > 1 else next(iter(names), None)


def _words(target: Array) -> Array:
    """Each number in the fewest digits that give it back, without a point where it is whole."""
    values, by_row = np.unique(target, return_inverse=True)
    words: Array = np.array([label(value) for value in values.tolist()])[by_row]
    return words
