"""Blocks of features with at most one value that is not zero in each row, and the matrix they form side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..table import Array

if TYPE_CHECKING:
    from scipy import sparse

# X is dense up to this many features, and above it where at least DENSE of its values are stored.
FEW_FEATURES = 64
DENSE = 0.25
_ROWS = 1 << 14  # filled at a time, so that they stay in cache


class FeatureBlock(NamedTuple):
    """``width`` features: row i has ``values[i]`` in the feature ``codes[i]``, or zeros only where that is -1.

    A column of numbers is a block of width 1, a one-hot column has the values 1, and the interaction of two blocks is
    again a block. None stands for codes that are all 0, and for values that are all 1.
    """

    width: int
    codes: Array | None = None
    values: Array | None = None

    def times(self, other: FeatureBlock) -> FeatureBlock:
        """The products of each feature of this block with each of the other."""
        codes = None
        if self.codes is not None or other.codes is not None:
            a = np.int64(0) if self.codes is None else self.codes.astype(np.int64)
            b = np.int64(0) if other.codes is None else other.codes.astype(np.int64)
            codes = np.where((a < 0) | (b < 0), -1, a * other.width + b)
        known = [values for values in (self.values, other.values) if values is not None]
        return FeatureBlock(
            self.width * other.width, codes, np.multiply(*known) if len(known) == 2 else next(iter(known), None)
        )


def side_by_side(blocks: Sequence[FeatureBlock], n_rows: int) -> Array | sparse.csr_array:
    """The blocks as (n_rows, n_features) float64: dense, or CSR where that is wide and has few values.

    Every row of the CSR array stores one value for each block, which may be zero, so nothing has to be sorted.
    """
    starts = np.cumsum([0, *(block.width for block in blocks)])
    width = int(starts[-1])
    if width <= FEW_FEATURES or len(blocks) >= DENSE * width:
        X = np.zeros((n_rows, width))
        for start, block in zip(starts.tolist(), blocks, strict=False):
            _write(X, start, block)
        return X
    from scipy import sparse

    indices = np.empty((n_rows, len(blocks)), np.int32 if width < 2**31 else np.int64)
    data = np.empty((n_rows, len(blocks)))
    for first in range(0, n_rows, _ROWS):
        rows = slice(first, first + _ROWS)
        for k, (start, block) in enumerate(zip(starts.tolist(), blocks, strict=False)):
            values = 1.0 if block.values is None else block.values[rows]
            if block.codes is None:
                indices[rows, k], data[rows, k] = start, values
            else:
                codes = block.codes[rows]
                indices[rows, k] = np.maximum(codes, 0) + start
                data[rows, k] = (codes >= 0) * values
    ends = np.arange(0, data.size + 1, len(blocks), dtype=np.int64)
    return sparse.csr_array((data.ravel(), indices.ravel(), ends), shape=(n_rows, width))


def _write(X: Array, start: int, block: FeatureBlock) -> None:
    if block.codes is None:
        X[:, start] = 1.0 if block.values is None else block.values
        return
    rows = np.flatnonzero(block.codes >= 0)
    X[rows, start + block.codes[rows]] = 1.0 if block.values is None else block.values[rows]
