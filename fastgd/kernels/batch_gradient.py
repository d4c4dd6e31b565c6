"""The batch gradient in one pass over X, the mean loss, and predictions; parallel over chunks of rows.

``params`` are the coefficients, then the intercept if the model has one.
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
def losses_and_derivatives(y, weight, offset, i, b, loss, z):
    """Turn z = X w of the rows from i on into weighted dloss_dz; return the sums of losses and derivatives."""
    total = 0.0
    derivatives = 0.0
    i = np.uint64(i)  # with a signed index the compiler does not vectorise the loop
    for r in range(np.uint64(z.shape[0])):
        z_r = z[r] + b + offset_of(offset, i + np.uint64(r))
        weight_r = weight_of(weight, i + np.uint64(r))
        total += weight_r * loss.value(y[i + np.uint64(r)], z_r)
        z[r] = weight_r * loss.derivative(y[i + np.uint64(r)], z_r)
        derivatives += z[r]
    return total, derivatives


# Pairs of rows halve the loads and stores of the gradient. The two dot products run one after the other: hardware
# prefetchers do not follow several rows at once, and with larger blocks the memory is idle during the axpys.
def _accumulate_pairs(X, targets, order, start, stop, w, b, loss, gradient, blocks, c, table):
    y, weight, offset = targets.y, targets.weight, targets.offset
    total = 0.0
    derivatives = 0.0
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
        dz0, dz1 = weight0 * loss.derivative(y[i0], z0), weight1 * loss.derivative(y[i1], z1)
        derivatives += dz0 + dz1
        if table is not None:
            table[i0], table[i1] = dz0, dz1
        axpy2(dz0, dz1, X, i0, i1, gradient)
        k += 2
    if k < stop:
        i = row_at(order, k)
        z = dot(X, i, w) + b + offset_of(offset, i)
        dloss_dz = weight_of(weight, i) * loss.derivative(y[i], z)
        total += weight_of(weight, i) * loss.value(y[i], z)
        derivatives += dloss_dz
        if table is not None:
            table[i] = dloss_dz
        axpy(dloss_dz, X, i, gradient)
    return total, derivatives


# Where arithmetic takes longer than reading, a block of rows stays in the first-level cache for three loops: the dot
# products, which share the loads of the coefficients; the losses, which are vectorised; and the axpys, which share the
# loads and stores of the gradient.
def _accumulate_blocks(X, targets, order, start, stop, w, b, loss, gradient, blocks, c, table):
    y = targets.y
    weight, offset = or_none_of(targets.weight, y), or_none_of(targets.offset, y)
    total = 0.0
    derivatives = 0.0
    for i in range(start, stop, BLOCK_ROWS):
        rows = blocks[c, : min(BLOCK_ROWS, stop - i)]
        dots(X, i, w, rows)
        losses_of_block, derivatives_of_block = losses_and_derivatives(y, weight, offset, i, b, loss, rows)
        total += losses_of_block
        derivatives += derivatives_of_block
        if table is not None:
            for r in range(rows.shape[0]):  # a slice assignment takes a second to compile
                table[i + r] = rows[r]
        axpys(rows, X, i, gradient)
    return total, derivatives


# Add the weighted gradients of rows start..stop to ``gradient``; return the sums of their losses and of dloss_dz; write
# each row's dloss_dz into ``table`` unless it is None. ``blocks`` (workspace of `BLOCK_ROWS` numbers per chunk) selects
# blocks of rows, None selects pairs; only one form is compiled. With an ``order`` of rows, it must be None.
accumulate = two_forms(
    "blocks", lambda blocks: blocks is None, lambda kind: isinstance(kind, types.NoneType), inline=False
)(_accumulate_blocks, _accumulate_pairs)


@subroutine
def chunk_bound(c, n_chunks, start, stop):
    """The first row of chunk c of the rows start..stop; ``stop`` for c = n_chunks."""
    return start + c * (stop - start) // n_chunks


# In numba, array[:] = 0 takes a second to compile.
@subroutine
def clear(array):
    """Set an array to zero."""
    for j in range(array.shape[0]):
        array[j] = 0.0


def mean_over_rows(X: Any, *workspace_and_out: Any) -> None:
    """The mean over the rows of X, from the sums of the chunks in ``partials``, into ``out``."""
    *_, partials, out = workspace_and_out
    partials.sum(axis=0, out=out)
    out /= n_rows(X)


@subroutine
def add_up(partials, sums, scale, n_features, gradient):
    """Sum the gradients of the chunks in a fixed order, times ``scale``; return the sum of the losses."""
    n_chunks = partials.shape[0]
    for j in range(n_features):
        gradient[j] = 0.0
    for c in range(n_chunks):
        for j in range(n_features):
            gradient[j] += partials[c, j]
    for j in range(n_features):
        gradient[j] *= scale
    losses = 0.0
    derivatives = 0.0
    for c in range(n_chunks):
        losses += sums[c, 0]
        derivatives += sums[c, 1]
    if gradient.shape[0] > n_features:
        gradient[n_features] = scale * derivatives
    return losses


@parallel_kernel
def batch_gradient(X, targets, w, b, loss, partials, sums, blocks, table, gradient):
    """Mean gradient over all rows, with the intercept's if ``gradient`` has an element for it; returns the mean loss.

    ``table`` receives dloss_dz of each row, unless it is None. ``partials``, ``sums`` and ``blocks`` are workspace with
    a row per chunk of X; ``blocks`` is None for wide rows, of which pairs are faster.
    """
    n_samples = n_rows(X)
    n_chunks = partials.shape[0]
    for chunk in prange(n_chunks):
        c = np.int64(chunk)  # prange counts in unsigned integers, for which all callees would be compiled again
        clear(partials[c])
        first, last = chunk_bound(c, n_chunks, 0, n_samples), chunk_bound(c + 1, n_chunks, 0, n_samples)
        sums[c, 0], sums[c, 1] = accumulate(X, targets, None, first, last, w, b, loss, partials[c], blocks, c, table)
    return add_up(partials, sums, 1.0 / n_samples, w.shape[0], gradient) / n_samples


# The work on a chunk is a separate function wherever the compiler might otherwise reassociate its sums differently in
# the parallel kernel and in its serial twin.
@subroutine
def summed_loss(X, targets, start, stop, w, b, loss):
    """The sum of the weighted losses of rows start..stop."""
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
    """|x_i|^2 of each row, in the scaled and centred variables of ``preconditioner``."""
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
