"""One epoch of mini-batch gradient descent: a step for each batch, whose gradient is computed in parallel."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import prange

from ..compile.jit import parallel_kernel
from ..compile.prefetch import VALUES_A_LINE
from .averaging import join_mean
from .batch_gradient import accumulate, add_up, chunk_bound, clear
from .output_blocks import load
from .outputs_gradient import accumulate_outputs, add_up_outputs
from .update_step import clip_factor, step, step_outputs, sum_of_squares


class Workspace(NamedTuple):
    """Arrays for a gradient: coefficients in X's dtype, partial results of each chunk of rows, the gradient."""

    v: np.ndarray
    partials: np.ndarray  # the gradient of each chunk, then padding
    sums: np.ndarray
    gradient: np.ndarray

    @classmethod
    def make(cls, dtype: np.dtype, n_features: int, n_parameters: int, n_chunks: int) -> Workspace:
        # Padding: chunks that write to one cache line would make two cores exchange it at every row.
        partials, sums = np.zeros((n_chunks, n_features + VALUES_A_LINE)), np.zeros((n_chunks, VALUES_A_LINE))
        return cls(np.zeros(n_features, dtype), partials, sums, np.zeros(n_parameters))


@parallel_kernel
def minibatch_epoch(X, targets, order, batch_size, rates, t, loss, stepper, params, work):
    """A step for each batch of ``order``, the first with number ``t``; returns the sum of the losses before each step.

    ``params`` and the state of the stepper are updated in place; the `Workspace` has a row of partials for each chunk
    of a batch.
    """
    v, partials, sums, gradient = work
    n_features = v.shape[0]
    n_chunks = partials.shape[0]
    total = 0.0
    for k in range(rates.shape[0]):
        start, stop = k * batch_size, min((k + 1) * batch_size, order.shape[0])
        for j in range(n_features):
            v[j] = params[j]
        b = params[n_features] if params.shape[0] > n_features else 0.0
        for c in prange(n_chunks):
            clear(partials[c])
            first, last = chunk_bound(c, n_chunks, start, stop), chunk_bound(c + 1, n_chunks, start, stop)
            sums[c, 0], sums[c, 1] = accumulate(X, targets, order, first, last, v, b, loss, partials[c], None, c, None)
        total += add_up(partials, sums, 1.0 / (stop - start), n_features, gradient)
        factor = clip_factor(sum_of_squares(gradient), stepper.clip)
        step(params, gradient, rates[k], t + k, stepper, factor, 0)
        join_mean(stepper.mean, params, t + k, 0)
    return total


@parallel_kernel
def minibatch_outputs_epoch(X, targets, order, batch_size, rates, t, loss, stepper, params, losses, work):
    """As `minibatch_epoch` for several outputs, with ``params`` of shape (n_outputs, n_parameters).

    Adds the losses before each step to ``losses``; ``work`` is an `OutputsWorkspace`.
    """
    gradient = work.gradient
    n_chunks, n_outputs = work.sums.shape
    n_features = work.W.size // n_outputs
    for step_number in range(rates.shape[0]):
        start, stop = step_number * batch_size, min((step_number + 1) * batch_size, order.shape[0])
        load(X, params, work.W)
        for c in prange(n_chunks):
            first, last = chunk_bound(c, n_chunks, start, stop), chunk_bound(c + 1, n_chunks, start, stop)
            accumulate_outputs(X, targets, order, first, last, params, n_features, loss, work, c)
        add_up_outputs(X, 1.0 / (stop - start), n_features, work)
        for k in range(n_outputs):
            losses[k] += work.losses[k] * (stop - start)
        step_outputs(params, gradient, rates[step_number], t + step_number, stepper)
        for k in range(n_outputs):
            join_mean(stepper.mean, params[k], t + step_number, k)
