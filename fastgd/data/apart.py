"""Arrays as tables: columns by position, and a target that stands apart from the features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import sparse

from .choose import Request, check_drop, choose_features
from .finite import check_finite
from .origin import Origin
from .table import Array, Table


def apart_table(
    X: Array | sparse.csr_array,
    y: Array | None,
    names: Sequence[str],
    headed: bool,
    target_name: str,
    request: Request,
    origin: Origin,
) -> Table:
    """A table from (n_samples, n_columns) ``X``, of which the request may leave columns out, and ``y``.

    Raises
    ------
    DataError
        When the request names another target, or columns that are not there; for values that are not finite.
    """
    if request.target not in (None, target_name) and request.features is None:
        raise origin.error(f"has its target apart, {target_name!r}; do not name {request.target!r} as the target")
    check_drop(names, request, origin)
    features, feature_names = choose_features(names, range(len(names)), headed, request, origin)
    chosen = take_columns(X, features)
    check_finite(chosen, [names[j] for j in features], origin)
    return Table(chosen, y, feature_names, None if y is None else target_name, origin.source)


def take_columns(array: Array | sparse.csr_array, columns: tuple[int, ...]) -> Array | sparse.csr_array:
    """These columns, as C-contiguous float32 or float64, or as float64 CSR; a mapped file is copied to memory."""
    first, last = columns[0], columns[-1]
    in_a_row = columns == tuple(range(first, last + 1))
    chosen: Any = slice(first, last + 1) if in_a_row else list(columns)
    if not isinstance(array, np.ndarray):
        whole = in_a_row and len(columns) == array.shape[1]
        picked: Any = array if whole else array[:, chosen]
        return sparse.csr_array(picked, dtype=np.float64)
    single = array.dtype.kind == "f" and array.dtype.itemsize == 4
    X: Array = np.ascontiguousarray(array[:, chosen], dtype=np.float32 if single else np.float64)
    return np.array(X) if isinstance(array, np.memmap) else X
