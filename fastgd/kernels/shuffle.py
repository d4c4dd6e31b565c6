"""The order of rows in an epoch: blocks in random order, rows shuffled within a window of a few blocks.

A full permutation makes every row a cache miss. This order is random enough for SGD and several times faster (De Sa,
Random reshuffling is not always better, 2020, compares such orders).
"""

from __future__ import annotations

import numpy as np

from ..compile.jit import kernel


@kernel
def shuffle_blocks(blocks, block_size, window, n_samples, random, order):
    """Write the rows of ``blocks`` into ``order``, shuffled within each ``window`` blocks; return their number.

    ``random`` has a uint32 for each row, for the Fisher-Yates shuffle.
    """
    filled = 0
    for first in range(0, blocks.shape[0], window):
        start = filled
        for k in range(first, min(first + window, blocks.shape[0])):
            for i in range(blocks[k] * block_size, min((blocks[k] + 1) * block_size, n_samples)):
                order[filled] = i
                filled += 1
        for k in range(filled - 1, start, -1):
            # Multiply and shift: a division would take most of the time. The bias is negligible for windows of this
            # size (Lemire, Fast random integer generation in an interval, 2019).
            other = start + np.int64((np.uint64(random[k]) * np.uint64(k - start + 1)) >> np.uint64(32))
            order[k], order[other] = order[other], order[k]
    return filled
