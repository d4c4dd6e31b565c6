"""The order of rows in each epoch, deterministic by (seed, epoch)."""

from __future__ import annotations

import threading

import numpy as np

from ..compile.jit import threads_in_use
from ..kernels.row_access import AHEAD_BYTES
from ..kernels.shuffle import shuffle_blocks

# A block is what memory reads well in one go. A window of blocks fits a core's cache together with the next, which the
# kernels fetch meanwhile.
BLOCK_BYTES = 1 << 14
LARGEST_BLOCK = 64
MOST_IN_WINDOW = 16  # blocks
BLOCKS_A_CALL = 1 << 14
# From so many rows on, the next epoch's order is made by another thread during this one.
AHEAD_FROM = 1 << 16


def spread_rows(n_samples: int, size: int, seed: int) -> np.ndarray:
    """The numbers of ``size`` random rows, in order: one from each of as many stretches of equal length."""
    bounds = np.arange(size + 1) * n_samples // size
    return bounds[:-1] + (np.random.default_rng(seed).random(size) * np.diff(bounds)).astype(np.int64)


class RowOrder:
    """Row numbers for epoch after epoch.

    Parameters
    ----------
    shuffle : "none" (as they lie), "full" (a random permutation, a cache miss at every row) or "blocks"
        (random blocks of rows, the rows shuffled within a window of blocks; all of them where the data is small).
    """

    def __init__(self, n_samples: int, row_bytes: float, shuffle: str, seed: int) -> None:
        self.n_samples = n_samples
        self.shuffle = shuffle
        self.seed = seed
        self.block_size = int(min(max(BLOCK_BYTES // max(row_bytes, 1), 1), LARGEST_BLOCK))
        self.window = int(min(max(AHEAD_BYTES // max(self.block_size * row_bytes, 1), 1), MOST_IN_WINDOW))
        self._order = np.arange(n_samples)
        self._helper: threading.Thread | None = None
        self._prepared = 0, self._order  # the number of an epoch, and its order

    def epoch(self, number: int) -> np.ndarray:
        """The order of epoch ``number``, shape (n_samples,); not to be changed."""
        if self.shuffle == "none":
            return self._order
        if self._helper is not None:
            self._helper.join()
        prepared, order = self._prepared
        if prepared != number:
            order = self._shuffled(number)
        if self.n_samples >= AHEAD_FROM and threads_in_use() > 1:
            self._helper = threading.Thread(target=self._prepare, args=(number + 1,), daemon=True)
            self._helper.start()
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
