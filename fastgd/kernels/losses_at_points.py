"""Losses at many parameter vectors in one pass over X, for searches over the parameters."""

from __future__ import annotations

from typing import Any

from ..compile.jit import subroutine, threaded
from .batch_gradient import chunk_bound, clear
from .row_access import BLOCK_ROWS, dots
from .row_targets import offset_of, weight_of


# All parameter vectors use a block of rows while it is in the first-level cache.
@subroutine
def add_losses(X, targets, start, stop, W, intercepts, loss, block, losses):
    """Add the weighted losses of rows start..stop at each row of ``W`` to ``losses``; ``block`` is workspace."""
    for first in range(start, stop, BLOCK_ROWS):
        z = block[: min(BLOCK_ROWS, stop - first)]
        for k in range(W.shape[0]):
            dots(X, first, W[k], z)
            losses[k] += losses_of_block(targets, first, intercepts[k], loss, z)


@subroutine
def losses_of_block(targets, first, b, loss, z):
    """The sum of the weighted losses of the rows from ``first`` on, with X w = z."""
    y, weight, offset = targets.y, targets.weight, targets.offset
    total = 0.0
    for r in range(z.shape[0]):
        i = first + r
        total += weight_of(weight, i) * loss.value(y[i], z[r] + b + offset_of(offset, i))
    return total


def _add_up(*arguments: Any) -> None:
    *_, sums, losses = arguments
    losses += sums.sum(axis=0)


@threaded("sums", _add_up)
def add_losses_of_many(begin, end, X, targets, start, stop, W, intercepts, loss, blocks, sums, losses):
    """Add the weighted losses of the rows start..stop at each parameter vector to ``losses``.

    ``W`` has the shape (n_points, n_features), ``intercepts`` and ``losses`` (n_points,); ``blocks`` and ``sums`` are
    workspace with a row per chunk of rows.
    """
    n_chunks = sums.shape[0]
    for c in range(begin, end):
        first, last = chunk_bound(c, n_chunks, start, stop), chunk_bound(c + 1, n_chunks, start, stop)
        clear(sums[c])
        add_losses(X, targets, first, last, W, intercepts, loss, blocks[c], sums[c])
