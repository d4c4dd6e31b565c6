"""Chunks of a pass over X, for threads. They depend on the shape of X only, so that results have the same bits on any
number of threads.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..compile.prefetch import VALUES_A_LINE
from ..kernels.row_access import BLOCK_ROWS, CSR

# Minimum stored values (1 MB in float64) for numba's threads: with fewer, starting them costs more than they save.
MIN_PARALLEL_VALUES = 1 << 17
# Minimum stored values for Python's threads, which take longer to wake while numba's threads spin.
MIN_THREADED_VALUES = 1 << 21
# Values per chunk: its work then far exceeds the cost of handing it to a thread.
CHUNK_VALUES = 1 << 15
MAX_CHUNKS = 64
# Maximum size of a row, in bytes, for `batch_gradient` to process rows in blocks: 32 columns of float64.
MAX_BLOCK_ROW_BYTES = 256
# Maximum values of the partial gradients of all chunks (64 MB); two chunks are always allowed.
MAX_PARTIAL_VALUES = 1 << 23


def chunk_count(n_values: int, n_features: int) -> int:
    """Number of chunks of a pass."""
    by_size = min(n_values // CHUNK_VALUES, MAX_CHUNKS)
    # Each chunk has a partial gradient of n_features values: adding them up must stay a small part of the pass.
    by_width = max(2, min(n_values // 4, MAX_PARTIAL_VALUES) // max(n_features, 1))
    return max(1, min(by_size, by_width))


def threaded(kernel: Any, n_values: int) -> Any:
    """The kernel on Python's threads where ``n_values`` are enough work for them, else its serial form."""
    return kernel if n_values >= MIN_THREADED_VALUES else kernel.serial


def row_blocks(X: np.ndarray | CSR, n_chunks: int) -> np.ndarray | None:
    """Workspace of `batch_gradient` for blocks of short rows; None where rows are too long for blocks."""
    if isinstance(X, CSR) or X.shape[1] * X.itemsize > MAX_BLOCK_ROW_BYTES:
        return None
    return np.zeros((n_chunks, BLOCK_ROWS + VALUES_A_LINE))  # no two chunks share a cache line
