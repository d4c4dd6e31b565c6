"""Weighted Gram matrices of the columns of X: of dense X by tiles held in registers, of sparse X row by row."""

from __future__ import annotations

import numpy as np
from numba import prange

from ..compile.jit import parallel_kernel, subroutine, threaded
from .batch_gradient import chunk_bound, clear
from .row_access import n_rows

# A block of BLOCK_ROWS dense rows is stored column by column. TALL x WIDE columns are multiplied at a time: the twelve
# sums and their operands fill the registers. A panel of PANEL columns stays in the first-level cache.
BLOCK_ROWS, TALL, WIDE, PANEL = 512, 4, 3, 12
# Padding of each column of a block, so that the columns do not begin in the same cache set.
GAP = 16


@subroutine
def fill(X, first, last, weight, shift, scale, block):
    """Store sqrt(weight_i) scale (x_i - shift) in the columns of ``block``, for the rows first..last.

    Fewer rows than `BLOCK_ROWS` are filled up with the last one, with weight 0. After the columns of X comes a column
    of sqrt(weight_i): an intercept's column of ones.
    """
    roots = block[X.shape[1]]
    for r in range(BLOCK_ROWS):
        roots[r] = weight[first + r] ** 0.5 if first + r < last else 0.0
    for r in range(0, BLOCK_ROWS, 4):  # storing four adjacent numbers is faster than one
        r0, r1, r2, r3 = roots[r], roots[r + 1], roots[r + 2], roots[r + 3]
        i = first + r
        i0, i1, i2, i3 = min(i, last - 1), min(i + 1, last - 1), min(i + 2, last - 1), min(i + 3, last - 1)
        for j in range(X.shape[1]):
            centre, factor, column = shift[j], scale[j], block[j]
            column[r] = (X[i0, j] - centre) * factor * r0
            column[r + 1] = (X[i1, j] - centre) * factor * r1
            column[r + 2] = (X[i2, j] - centre) * factor * r2
            column[r + 3] = (X[i3, j] - centre) * factor * r3


@subroutine
def add_tile(block, i, j, sums):
    """Add the products of columns i to i + 3 with columns j to j + 2 of ``block`` to ``sums``."""
    i0, i1, i2, i3 = np.uint64(i), np.uint64(i + 1), np.uint64(i + 2), np.uint64(i + 3)
    j0, j1, j2 = np.uint64(j), np.uint64(j + 1), np.uint64(j + 2)
    a0, a1, a2, a3, b0, b1, b2 = block[i0], block[i1], block[i2], block[i3], block[j0], block[j1], block[j2]
    s00 = s01 = s02 = s10 = s11 = s12 = s20 = s21 = s22 = s30 = s31 = s32 = block.dtype.type(0)
    for r in range(BLOCK_ROWS):
        x0, x1, x2, x3, y0, y1, y2 = a0[r], a1[r], a2[r], a3[r], b0[r], b1[r], b2[r]
        s00 += x0 * y0
        s01 += x0 * y1
        s02 += x0 * y2
        s10 += x1 * y0
        s11 += x1 * y1
        s12 += x1 * y2
        s20 += x2 * y0
        s21 += x2 * y1
        s22 += x2 * y2
        s30 += x3 * y0
        s31 += x3 * y1
        s32 += x3 * y2
    sums[i0, j0] += s00
    sums[i0, j1] += s01
    sums[i0, j2] += s02
    sums[i1, j0] += s10
    sums[i1, j1] += s11
    sums[i1, j2] += s12
    sums[i2, j0] += s20
    sums[i2, j1] += s21
    sums[i2, j2] += s22
    sums[i3, j0] += s30
    sums[i3, j1] += s31
    sums[i3, j2] += s32


# A separate function, so that the compiler reassociates its sums in the same way in both forms of the kernel.
@subroutine
def add_dense_chunks(begin, end, X, weights, shift, scale, block, sums):
    """Add the products of each of the chunks begin..end of the rows to the chunk's own sums."""
    n_chunks, n_tall, n_wide = sums.shape[0], sums.shape[2], sums.shape[3]
    n_blocks = (X.shape[0] + BLOCK_ROWS - 1) // BLOCK_ROWS
    for j in range(X.shape[1] + 1, block.shape[0]):
        clear(block[j])
    for c in range(begin, end):
        start, stop = chunk_bound(c, n_chunks, 0, n_blocks), chunk_bound(c + 1, n_chunks, 0, n_blocks)
        for k in range(weights.shape[0]):
            for number in range(start, stop):
                first = number * BLOCK_ROWS
                fill(X, first, min(first + BLOCK_ROWS, X.shape[0]), weights[k], shift, scale, block)
                for panel in range(0, n_wide, PANEL):
                    behind = min(panel + PANEL, n_wide)
                    for i in range(0, min(behind, n_tall), TALL):
                        for j in range(max(panel, i // WIDE * WIDE), behind, WIDE):
                            add_tile(block, i, j, sums[c, k])


# By numba's threads, which still spin after a gradient and would slow Python's threads down.
@parallel_kernel
def dense_products(X, weights, shift, scale, blocks, sums):
    """Add sum_i s_ki v_i v_i', v_i = (scale (x_i - shift), 1), to ``sums`` for each row s_k of ``weights``.

    Only the upper triangle is complete. ``sums`` has the shape (n_chunks, n_sums, n_tall, n_wide), where n_tall and
    n_wide are at least the number of columns and multiples of `TALL` and `WIDE`; ``blocks`` is workspace of shape
    (n_threads, max(n_tall, n_wide), `BLOCK_ROWS` + `GAP`).
    """
    n_threads, n_chunks = blocks.shape[0], sums.shape[0]
    for thread in prange(n_threads):
        t = np.int64(thread)
        begin, end = chunk_bound(t, n_threads, 0, n_chunks), chunk_bound(t + 1, n_threads, 0, n_chunks)
        add_dense_chunks(begin, end, X, weights, shift, scale, blocks[t], sums)


@threaded("sums")
def sparse_products(begin, end, X, weights, sums):
    """As `dense_products` for v_i = (x_i, 1), without centring; each pair of columns in one of the two triangles."""
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
