"""The batch gradient in one pass over X, the objective, and predictions; parallel over chunks of rows.

Weights come as ``params``: the coefficients, then the intercept where the model has one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import prange, types

from ..compile.jit import kernel, parallel_kernel, subroutine, threaded, two_forms
from .output_blocks import row_at
from .row_access import (
    BLOCK_ROWS,
    axpy,
    axpy2,
    axpys,
    dot,
    dots,
    n_rows,
    prefetch_following,
    prefetch_number,
    rows_ahead,
    squared_norm,
)
from .row_targets import Targets, offset_of, or_none_of, weight_of


@subroutine
def to_slopes(y, weight, offset, i, b, loss, z):
    """Turn the dots of the rows from i on into their weighted slopes; return the sums of their losses and slopes."""
    total = 0.0
    slopes = 0.0
    i = np.uint64(i)  # one that may be negative would keep the compiler from taking several rows at a time
    for r in range(np.uint64(z.shape[0])):
        z_r = z[r] + b + offset_of(offset, i + np.uint64(r))
        weight_r = weight_of(weight, i + np.uint64(r))
        total += weight_r * loss.value(y[i + np.uint64(r)], z_r)
        z[r] = weight_r * loss.derivative(y[i + np.uint64(r)], z_r)
        slopes += z[r]
    return total, slopes


# Two rows at a time halve the loads and stores of the gradient. Their dots are taken one after the other: several rows
# at once would come from memory in an order that the prefetchers do not follow, and larger blocks of them would leave
# the memory idle during their axpys.
def _accumulate_pairs(X, targets, order, start, stop, w, b, loss, gradient, blocks, c, table):
    y, weight, offset = targets.y, targets.weight, targets.offset
    total = 0.0
    slopes = 0.0
    distance = rows_ahead(X)
    k = start
    while k + 2 <= stop:
        if order is not None:
            prefetch_number(X, y, order, k + distance)
            prefetch_number(X, y, order, k + distance + 1)
        else:
            prefetch_following(X, k)
        i0, i1 = row_at(order, k), row_at(order, k + 1)
        z0 = dot(X, i0, w) + b + offset_of(offset, i0)
        z1 = dot(X, i1, w) + b + offset_of(offset, i1)
        weight0, weight1 = weight_of(weight, i0), weight_of(weight, i1)
        total += weight0 * loss.value(y[i0], z0) + weight1 * loss.value(y[i1], z1)
        slope0, slope1 = weight0 * loss.derivative(y[i0], z0), weight1 * loss.derivative(y[i1], z1)
        slopes += slope0 + slope1
        if table is not None:
            table[i0], table[i1] = slope0, slope1
        axpy2(slope0, slope1, X, i0, i1, gradient)
        k += 2
    if k < stop:
        i = row_at(order, k)
        z = dot(X, i, w) + b + offset_of(offset, i)
        slope = weight_of(weight, i) * loss.derivative(y[i], z)
        total += weight_of(weight, i) * loss.value(y[i], z)
        slopes += slope
        if table is not None:
            table[i] = slope
        axpy(slope, X, i, gradient)
    return total, slopes


# Where the arithmetic takes longer than reading, rows go by blocks that stay in the first-level cache, and each of
# three loops does one thing to several of them at once: their dots share the loads of the weights, their losses become
# SIMD instructions, and their axpys share the loads and stores of the gradient.
def _accumulate_blocks(X, targets, order, start, stop, w, b, loss, gradient, blocks, c, table):
    y = targets.y
    weight, offset = or_none_of(targets.weight, y), or_none_of(targets.offset, y)
    total = 0.0
    slopes = 0.0
    for i in range(start, stop, BLOCK_ROWS):
        rows = blocks[c, : min(BLOCK_ROWS, stop - i)]
        dots(X, i, w, rows)
        losses_of_block, slopes_of_block = to_slopes(y, weight, offset, i, b, loss, rows)
        total += losses_of_block
        slopes += slopes_of_block
        if table is not None:
            for r in range(rows.shape[0]):  # to assign a slice takes a second to compile
                table[i + r] = rows[r]
        axpys(rows, X, i, gradient)
    return total, slopes


# Add the weighted gradients of rows start..stop to ``gradient``; return their summed losses and slopes. With a
# ``table``, write the slope of each row into it. Chunk c goes by blocks where there is room for `BLOCK_ROWS` numbers of
# each chunk; not with an ``order``, which scatters rows. Of the two ways only one is compiled.
accumulate = two_forms(
    "blocks", lambda blocks: blocks is None, lambda kind: isinstance(kind, types.NoneType), inline=False
)(_accumulate_blocks, _accumulate_pairs)


@subroutine
def chunk_bound(c, n_chunks, start, stop):
    """First row of chunk c of the rows start..stop; of chunk n_chunks, the end."""
    return start + c * (stop - start) // n_chunks


# Numba's own array[:] = 0 takes a second to compile.
@subroutine
def clear(array):
    """Zeros."""
    for j in range(array.shape[0]):
        array[j] = 0.0


def mean_over_rows(X: Any, *workspace_and_out: Any) -> None:
    """Add the rows of ``partials`` up and divide by the rows of X; for kernels that end in (..., partials, out)."""
    *_, partials, out = workspace_and_out
    partials.sum(axis=0, out=out)
    out /= n_rows(X)


@subroutine
def add_up(partials, sums, scale, n_features, gradient):
    """Add the chunks' partial gradients in a fixed order, times ``scale``; return the summed losses."""
    n_chunks = partials.shape[0]
    for j in range(n_features):
        gradient[j] = 0.0
    for c in range(n_chunks):
        for j in range(n_features):
            gradient[j] += partials[c, j]
    for j in range(n_features):
        gradient[j] *= scale
    losses = 0.0
    slopes = 0.0
    for c in range(n_chunks):
        losses += sums[c, 0]
        slopes += sums[c, 1]
    if gradient.shape[0] > n_features:
        gradient[n_features] = scale * slopes
    return losses


@parallel_kernel
def batch_gradient(X, targets, w, b, loss, partials, sums, blocks, table, gradient):
    """Mean gradient over all rows, the intercept's last if ``gradient`` has room for it; return the mean loss.

    The slope of each row goes into ``table``, unless it is None. ``partials``, ``sums``, ``blocks``: workspace, a row
    for each chunk of X; ``blocks`` is None for rows so wide that pairs of them are faster.
    """
    n_samples = n_rows(X)
    n_chunks = partials.shape[0]
    for chunk in prange(n_chunks):
        c = np.int64(chunk)  # the compiled loop has unsigned ones, for which all that it calls would be compiled anew
        clear(partials[c])
        first, last = chunk_bound(c, n_chunks, 0, n_samples), chunk_bound(c + 1, n_chunks, 0, n_samples)
        sums[c, 0], sums[c, 1] = accumulate(X, targets, None, first, last, w, b, loss, partials[c], blocks, c, table)
    return add_up(partials, sums, 1.0 / n_samples, w.shape[0], gradient) / n_samples


# What a chunk does is a function of its own wherever the compiler might otherwise regroup its sums one way in
# the parallel kernel and another in its serial twin.
@subroutine
def summed_loss(X, targets, start, stop, w, b, loss):
    """The weighted losses of rows start..stop, added up."""
    y, weight, offset = targets.y, targets.weight, targets.offset
    total = 0.0
    for i in range(start, stop):
        z = dot(X, i, w) + b + offset_of(offset, i)
        total += weight_of(weight, i) * loss.value(y[i], z)
    return total


def _mean_of_losses(_X: Any, targets: Targets, _w: Any, _b: Any, _loss: Any, sums: np.ndarray) -> float:
    return float(sums[:, 0].sum()) / len(targets.y)


@threaded("sums", _mean_of_losses)
def mean_loss(begin, end, X, targets, w, b, loss, sums):
    """Mean loss over all rows."""
    n_samples = n_rows(X)
    n_chunks = sums.shape[0]
    for c in range(begin, end):
        first, last = chunk_bound(c, n_chunks, 0, n_samples), chunk_bound(c + 1, n_chunks, 0, n_samples)
        sums[c, 0] = summed_loss(X, targets, first, last, w, b, loss)


@threaded("n_chunks")
def linear_predictor(begin, end, X, w, b, n_chunks, z):
    """z = X w + b."""
    n_samples = n_rows(X)
    for c in range(begin, end):
        for i in range(chunk_bound(c, n_chunks, 0, n_samples), chunk_bound(c + 1, n_chunks, 0, n_samples)):
            z[i] = dot(X, i, w) + b


@threaded("n_chunks")
def row_norms(begin, end, X, preconditioner, n_chunks, norms):
    """|x_i|^2 for each row, in the scaled and centred variables of ``preconditioner``."""
    at_zero = 0.0
    for j in range(preconditioner.shift.shape[0]):
        scaled = preconditioner.shift[j] * preconditioner.scale[j]
        at_zero += scaled * scaled
    n_samples = n_rows(X)
    for c in range(begin, end):
        for i in range(chunk_bound(c, n_chunks, 0, n_samples), chunk_bound(c + 1, n_chunks, 0, n_samples)):
            norms[i] = squared_norm(X, i, preconditioner.shift, preconditioner.scale, at_zero)


@kernel
def apply_mean(loss, z):
    """Turn linear predictors into predictions of y, in place."""
    for i in range(z.shape[0]):
        z[i] = loss.mean(z[i])
