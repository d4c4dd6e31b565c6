"""Mini-batch gradient descent: a step for each batch; the batch's gradient in parallel where it is large."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import prange

from ..jit import parallel_kernel
from .gradient import accumulate, add_up, chunk_bound
from .update import clip_factor, step


class Workspace(NamedTuple):
    """Where gradients are made: the coefficients in X's dtype, partial sums, the whole gradient."""

    v: np.ndarray
    partials: np.ndarray
    sums: np.ndarray
    gradient: np.ndarray

    @classmethod
    def make(cls, dtype: np.dtype, n_features: int, n_parameters: int, n_chunks: int) -> Workspace:
        partials, sums = np.zeros((n_chunks, n_features)), np.zeros((n_chunks, 2))
        return cls(np.zeros(n_features, dtype), partials, sums, np.zeros(n_parameters))


@parallel_kernel
def minibatch_epoch(X, y, order, batch_size, rates, t, loss, stepper, theta, work):
    """A step for each batch of ``order``, the first being number ``t``; return the losses summed before each step.

    ``theta`` and the stepper's state are read and written; ``work`` is a `Workspace`, with a row of
    partials for each chunk of a batch.
    """
    v, partials, sums, gradient = work
    n_features = v.shape[0]
    n_chunks = partials.shape[0]
    total = 0.0
    for k in range(rates.shape[0]):
        start, stop = k * batch_size, min((k + 1) * batch_size, order.shape[0])
        for j in range(n_features):
            v[j] = theta[j]
        b = theta[n_features] if theta.shape[0] > n_features else 0.0
        for c in prange(n_chunks):
            partials[c, :] = 0.0
            first, last = chunk_bound(c, n_chunks, start, stop), chunk_bound(c + 1, n_chunks, start, stop)
            sums[c, 0], sums[c, 1] = accumulate(X, y, order, first, last, v, b, loss, partials[c])
        total += add_up(partials, sums, 1.0 / (stop - start), n_features, gradient)
        step(theta, gradient, rates[k], t + k, stepper, clip_factor(gradient, stepper.clip))
    return total
