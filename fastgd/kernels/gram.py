"""Weighted products of the columns of X with each other: dense ones by tiles held in registers, sparse ones row by row."""

from __future__ import annotations

import numpy as np

from ..jit import subroutine, threaded
from ..rows import by_layout, n_rows
from .gradient import chunk_bound

# So many dense rows are worked on at a time, stored column by column. Columns are multiplied three by three, as the nine
# sums and the six vectors that they come from fill the registers; and so many of them, a panel, stay in the first-level
# cache while all others pass.
BLOCK_ROWS, TILE, PANEL = 256, 3, 12
# Behind each column of a block, lest all begin at the same place of the cache.
GAP = 16


@subroutine
def fill(X, first, last, weight, shift, inverse, more, block):
    """Store sqrt(weight_i) (inverse (x_i - shift), more_i) in the columns of ``block``, for the rows first..last.

    The block's last row is for the roots.
    """
    d, n, roots = X.shape[1], last - first, block[block.shape[0] - 1]
    for r in range(n):
        roots[r] = weight[first + r] ** 0.5
        for j in range(more.shape[1]):
            block[d + j, r] = roots[r] * more[first + r, j]
    r = 0
    while r + 4 <= n:  # four numbers side by side are sooner stored than one
        i, r0, r1, r2, r3 = first + r, roots[r], roots[r + 1], roots[r + 2], roots[r + 3]
        for j in range(d):
            centre, factor, column = shift[j], inverse[j], block[j]
            column[r] = (X[i, j] - centre) * factor * r0
            column[r + 1] = (X[i + 1, j] - centre) * factor * r1
            column[r + 2] = (X[i + 2, j] - centre) * factor * r2
            column[r + 3] = (X[i + 3, j] - centre) * factor * r3
        r += 4
    while r < n:
        for j in range(d):
            block[j, r] = roots[r] * inverse[j] * (X[first + r, j] - shift[j])
        r += 1


@subroutine
def add_tile(block, n, j, k, sums):
    """Add the products of the columns j, j + 1, j + 2 with k, k + 1, k + 2 of ``block`` over its n rows."""
    a0, a1, a2, b0, b1, b2 = block[j], block[j + 1], block[j + 2], block[k], block[k + 1], block[k + 2]
    s00 = s01 = s02 = s10 = s11 = s12 = s20 = s21 = s22 = block.dtype.type(0)
    for r in range(n):
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
    sums[j, k] += s00
    sums[j, k + 1] += s01
    sums[j, k + 2] += s02
    sums[j + 1, k] += s10
    sums[j + 1, k + 1] += s11
    sums[j + 1, k + 2] += s12
    sums[j + 2, k] += s20
    sums[j + 2, k + 1] += s21
    sums[j + 2, k + 2] += s22


def _add_products_dense(X, start, stop, weight, shift, inverse, more, block, sums):
    n_columns = sums.shape[0]
    for first in range(start, stop, BLOCK_ROWS):
        last = min(first + BLOCK_ROWS, stop)
        fill(X, first, last, weight, shift, inverse, more, block)
        for panel in range(0, n_columns, PANEL):
            end = min(panel + PANEL, n_columns)
            for j in range(0, end, TILE):
                for k in range(max(panel, j), end, TILE):
                    add_tile(block, last - first, j, k, sums)


# Neither centred nor scaled, which would fill every row.
def _add_products_csr(X, start, stop, weight, shift, inverse, more, block, sums):  # noqa: ARG001
    data, indices, indptr, d, n_more = X.data, X.indices, X.indptr, X.n_features, more.shape[1]
    for i in range(start, stop):
        first, end = np.uint64(indptr[i]), np.uint64(indptr[i + 1])
        for p in range(first, end):
            a, row = weight[i] * data[p], np.uint64(indices[p])
            for q in range(p, end):
                sums[row, np.uint64(indices[q])] += a * data[q]
            for j in range(n_more):
                sums[row, d + j] += a * more[i, j]
        for j in range(n_more):
            for k in range(j, n_more):
                sums[d + j, d + k] += weight[i] * more[i, j] * more[i, k]


# Add weight_i v_i v_i' to ``sums`` for the rows start..stop: dense, the products of a column with those from it on, and
# some others; sparse, those of each two of a row's values once, whichever comes first.
add_products = by_layout(_add_products_dense, _add_products_csr)


@threaded("sums")
def column_products(begin, end, X, weights, shift, inverse, more, blocks, sums):
    """Add sum_i s_ki v_i v_i' to ``sums``, (n_chunks, n_sums, n_columns, n_columns), for each row k of ``weights``.

    Dense rows have v_i = (inverse (x_i - shift), more_i), sparse ones (x_i, more_i); n_columns is a multiple of `TILE`.
    ``blocks``: for each chunk a row for each column, and one, of `BLOCK_ROWS` + `GAP` numbers.
    """
    n_samples, n_chunks = n_rows(X), sums.shape[0]
    for c in range(begin, end):
        first, last = chunk_bound(c, n_chunks, 0, n_samples), chunk_bound(c + 1, n_chunks, 0, n_samples)
        for k in range(weights.shape[0]):
            add_products(X, first, last, weights[k], shift, inverse, more, blocks[c], sums[c, k])
