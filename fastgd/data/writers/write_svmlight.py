"""Writer of svmlight text, through pyarrow's string kernels."""

from __future__ import annotations

from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy import sparse

from ..table import Array

ENTRIES_AT_A_TIME = 1 << 20  # entries formatted at a time


def write_svmlight(
    file: IO[Any], X: Array | sparse.csr_array, y: Array | None, entries: int = ENTRIES_AT_A_TIME
) -> None:
    """Write (n_samples, n_features) ``X`` with indices from 1 and without zeros; without ``y`` every label is 0."""
    labels = np.zeros(X.shape[0]) if y is None else y
    per_row = X.shape[1] if isinstance(X, np.ndarray) else X.nnz / max(1, X.shape[0])
    step = max(1, int(entries / max(1.0, per_row)))
    for start in range(0, X.shape[0], step):
        rows = sparse.csr_array(X[start : start + step])
        rows.sum_duplicates()
        file.write(_text(rows, labels[start : start + step]))


def _text(rows: sparse.csr_array, labels: Array) -> bytes:
    indices = pa.array(rows.indices.astype(np.int64) + 1).cast(pa.string())
    entries = pc.binary_join_element_wise(indices, pa.array(rows.data).cast(pa.string()), ":")
    joined = pc.binary_join(pa.ListArray.from_arrays(pa.array(rows.indptr, pa.int32()), entries), " ")
    lines = pc.binary_join_element_wise(pa.array(labels).cast(pa.string()), joined, " ")
    text: str = pc.binary_join(pa.ListArray.from_arrays(pa.array([0, len(lines)], pa.int32()), lines), "\n")[0].as_py()
    return text.encode() + b"\n"
