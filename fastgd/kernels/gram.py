"""Weighted products of the columns of X: of dense rows by tiles held in registers, of sparse ones row by row."""

from __future__ import annotations

import numpy as np

from ..jit import subroutine, threaded
from ..rows import n_rows
from .gradient import chunk_bound

# So many dense rows are worked on at a time, stored column by column. Columns are multiplied three by three: the nine
# sums and the six vectors that they come from fill the registers. So many of them, a panel, stay in the first-level
# cache while all others pass.
BLOCK_ROWS, TILE, PANEL = 256, 3, 12
# Behind each column of a block, lest all begin at the same place of the cache.
GAP = 16


@subroutine
def fill(X, first, last, weight, shift, inverse, block):
    """Store sqrt(weight_i) inverse (x_i - shift) in the columns of ``block``, for the rows first..last.

    Where they are fewer than `BLOCK_ROWS`, the last one is there again, without weight. Behind the columns of X is that
    of the roots, as if one of ones.
    """
    roots = block[X.shape[1]]
    for r in range(BLOCK_ROWS):
        roots[r] = weight[first + r] ** 0.5 if first + r < last else 0.0
    for r in range(0, BLOCK_ROWS, 4):  # four numbers side by side are sooner stored than one
        r0, r1, r2, r3 = roots[r], roots[r + 1], roots[r + 2], roots[r + 3]
        i = first + r
        i0, i1, i2, i3 = min(i, last - 1), min(i + 1, last - 1), min(i + 2, last - 1), min(i + 3, last - 1)
        for j in range(X.shape[1]):
            centre, factor, column = shift[j], inverse[j], block[j]
            column[r] = (X[i0, j] - centre) * factor * r0
            column[r + 1] = (X[i1, j] - centre) * factor * r1
            column[r + 2] = (X[i2, j] - centre) * factor * r2
            column[r + 3] = (X[i3, j] - centre) * factor * r3


@subroutine
def add_tile(block, i, j, sums):
    """Add the products of the columns i, i + 1, i + 2 with j, j + 1, j + 2 of ``block`` over its rows."""
    a0, a1, a2, b0, b1, b2 = block[i], block[i + 1], block[i + 2], block[j], block[j + 1], block[j + 2]
    s00 = s01 = s02 = s10 = s11 = s12 = s20 = s21 = s22 = block.dtype.type(0)
    for r in range(BLOCK_ROWS):
        x0, x1, x2, y0, y1, y2 = a0[r], a1[r], a2[r], b0[r], b1[r], b2[r]
        s00 += x0 * y0
        s01 += x0 * y1
        s02 += x0 * y2
        s10 += x1 * y0
        s11 += x1 * y1
        s12 += x1 * y2
        s20 += x2 * y0
        s21 += x2 * y1
        s22 += x2 * y2
    sums[i, j] += s00
    sums[i, j + 1] += s01
    sums[i, j + 2] += s02
    sums[i + 1, j] += s10
    sums[i + 1, j + 1] += s11
    sums[i + 1, j + 2] += s12
    sums[i + 2, j] += s20
    sums[i + 2, j + 1] += s21
    sums[i + 2, j + 2] += s22


@threaded("sums")
def dense_products(begin, end, X, weights, shift, inverse, blocks, sums):
    """Add sum_i s_ki v_i v_i', v_i = (inverse (x_i - shift), 1), to ``sums`` for each row k of ``weights``.

    Of each two columns in one order, and of some in the other. ``sums`` has the shape (n_chunks, n_sums, n_columns,
    n_columns), n_columns a multiple of `TILE`; ``blocks`` is workspace, for each chunk a row for each column, of
    `BLOCK_ROWS` + `GAP` numbers, zero where there is no column.
    """
    n_chunks, n_columns = sums.shape[0], sums.shape[2]
    for c in range(begin, end):
        start, stop = chunk_bound(c, n_chunks, 0, X.shape[0]), chunk_bound(c + 1, n_chunks, 0, X.shape[0])
        for k in range(weights.shape[0]):
            for first in range(start, stop, BLOCK_ROWS):
                fill(X, first, min(first + BLOCK_ROWS, stop), weights[k], shift, inverse, blocks[c])
                for panel in range(0, n_columns, PANEL):
                    behind = min(panel + PANEL, n_columns)
                    for i in range(0, behind, TILE):
                        for j in range(max(panel, i), behind, TILE):
                            add_tile(blocks[c], i, j, sums[c, k])


@threaded("sums")
def sparse_products(begin, end, X, weights, sums):
    """The same for v_i = (x_i, 1), of each two values of a row in one order or the other.

    Centred columns would fill every row.
    """
    data, indices, indptr, d = X.data, X.indices, X.indptr, X.n_features
    n_samples, n_chunks = n_rows(X), sums.shape[0]
    for c in range(begin, end):
        for k in range(weights.shape[0]):
            total = sums[c, k]
            for i in range(chunk_bound(c, n_chunks, 0, n_samples), chunk_bound(c + 1, n_chunks, 0, n_samples)):
                first, behind = np.uint64(indptr[i]), np.uint64(indptr[i + 1])
                for p in range(first, behind):
                    a, row = weights[k, i] * data[p], np.uint64(indices[p])
                    for q in range(p, behind):
                        total[row, np.uint64(indices[q])] += a * data[q]
                    total[row, d] += a
                total[d, d] += weights[k, i]
