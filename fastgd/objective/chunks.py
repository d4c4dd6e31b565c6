"""How passes over X are cut into chunks for threads: by the shape of X alone, so that the bits are the same too."""

from __future__ import annotations

import numpy as np

from ..compile.prefetch import VALUES_A_LINE
from ..kernels.row_access import BLOCK_ROWS, CSR

# Below this many stored values (1 MB in float64) starting the threads costs more than they save.
MIN_PARALLEL_VALUES = 1 << 17
# Python's threads take longer to wake while numba's threads spin: a `threaded` kernel pays from this many values on.
MIN_THREADED_VALUES = 1 << 21
# Values of a chunk of rows: its work is then far more than the cost of handing it to a thread.
CHUNK_VALUES = 1 << 15
MAX_CHUNKS = 64
# Longest rows, in bytes, that the gradient takes in blocks of rows: 32 columns of float64.
MAX_BLOCK_ROW_BYTES = 256
# All chunks together have at most this many values of partial gradients (64 MB), but two chunks are always allowed.
MAX_PARTIAL_VALUES = 1 << 23


def chunk_count(n_values: int, n_features: int) -> int:
    """Number of chunks to cut a pass into."""
    by_size = min(n_values // CHUNK_VALUES, MAX_CHUNKS)
    # Each chunk has a partial gradient of n_features: adding those up must stay a small part of the pass.
    by_width = max(2, min(n_values // 4, MAX_PARTIAL_VALUES) // max(n_features, 1))
    return max(1, min(by_size, by_width))


def row_blocks(X: np.ndarray | CSR, n_chunks: int) -> np.ndarray | None:
    """Workspace for `batch_gradient` to take short rows in blocks; None for longer rows."""
    if isinstance(X, CSR) or X.shape[1] * X.itemsize > MAX_BLOCK_ROW_BYTES:
        return None
    return np.zeros((n_chunks, BLOCK_ROWS + VALUES_A_LINE))  # no two chunks share a cache line
