"""The order of the rows in each epoch; it depends on the seed and the number of the epoch only."""

from __future__ import annotations

import threading
from contextlib import suppress

import numpy as np

from ..compile.jit import threads_in_use
from ..kernels.row_access import AHEAD_BYTES
from ..kernels.shuffle import shuffle_blocks

# Memory reads a block of this size efficiently. A window of blocks fits into a core's cache together with the next
# window, which the kernels prefetch.
BLOCK_BYTES = 1 << 14
LARGEST_BLOCK = 64  # rows
MAX_IN_WINDOW = 16  # blocks
BLOCKS_A_CALL = 1 << 14  # bounds the time of one kernel call
AHEAD_FROM = 1 << 16  # rows from which a second thread prepares the order of the next epoch


def spread_rows(n_samples: int, size: int, seed: int) -> np.ndarray:
    """The sorted indices of ``size`` random rows, one from each of ``size`` equal parts of the data."""
    bounds = np.arange(size + 1) * n_samples // size
    return bounds[:-1] + (np.random.default_rng(seed).random(size) * np.diff(bounds)).astype(np.int64)


class RowOrder:
    """The order of the rows of each epoch.

    Parameters
    ----------
    n_samples : the number of rows.
    row_bytes : the mean size of a row of X.
    shuffle : "none" (the order of the data), "full" (a random permutation: a cache miss at every row) or "blocks"
        (blocks of rows in random order, then the rows shuffled within each window of blocks; a full permutation where
        the data fits into one window).
    seed : of the orders of all epochs.
    """

    def __init__(self, n_samples: int, row_bytes: float, shuffle: str, seed: int) -> None:
        self.n_samples = n_samples
        self.shuffle = shuffle
        self.seed = seed
        self.block_size = int(min(max(BLOCK_BYTES // max(row_bytes, 1), 1), LARGEST_BLOCK))
        self.window = int(min(max(AHEAD_BYTES // max(self.block_size * row_bytes, 1), 1), MAX_IN_WINDOW))
        self._order = np.arange(n_samples)
        self._helper: threading.Thread | None = None
        self._prepared = 0, self._order  # number of an epoch, its order

    def epoch(self, number: int) -> np.ndarray:
        """The row indices of epoch ``number``, shape (n_samples,); the caller must not change them."""
        if self.shuffle == "none":
            return self._order
        if self._helper is not None:
            self._helper.join()
        prepared, order = self._prepared
        if prepared != number:
            order = self._shuffled(number)
        if self.n_samples >= AHEAD_FROM and threads_in_use() > 1:
            helper = threading.Thread(target=self._prepare, args=(number + 1,), daemon=True)
            with suppress(RuntimeError):  # no thread can be started, as while the interpreter shuts down
                helper.start()
                self._helper = helper
        return order

    def _prepare(self, number: int) -> None:
        self._prepared = number, self._shuffled(number)

    def _shuffled(self, number: int) -> np.ndarray:
        random = np.random.default_rng([self.seed, number])
        if self.shuffle == "full":
            return random.permutation(self.n_samples)
        order = np.empty_like(self._order)
        blocks = random.permutation(-(-self.n_samples // self.block_size))
        filled = 0
        for first in range(0, len(blocks), BLOCKS_A_CALL):
            some = blocks[first : first + BLOCKS_A_CALL]
            bits = random.integers(1 << 32, size=len(some) * self.block_size, dtype=np.uint32)
            filled += shuffle_blocks(some, self.block_size, self.window, self.n_samples, bits, order[filled:])
        return order
