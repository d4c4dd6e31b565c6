"""One epoch of stochastic gradient descent for several outputs, all of which take a step at each row.

As `sgd_epoch`, with a scale and deferred thresholds for each output; the cost is proportional to the non-zeros of X
times the number of outputs.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..compile.jit import kernel, subroutine
from .averaging import add_step_outputs, settle_outputs, smallest_scale
from .output_blocks import axpys, dots, lay_out, load, rescale, softens, softens_all, store
from .outputs_gradient import derivatives_of, intercept_of
from .row_access import CSR, prefetch_number, rows_ahead
from .row_targets import offset_of, weight_of
from .sgd_epoch import SMALLEST_SCALE, clip_factor_of_row
from .update_step import sum_of_squares


class Each(NamedTuple):
    """Settings per output: its share of the learning rate and its penalties."""

    rate: np.ndarray
    l1: np.ndarray
    l2: np.ndarray


class LazyWeights(NamedTuple):
    """Coefficients stored as scale * W, less the deferred thresholds; see `sgd_epoch`."""

    W: np.ndarray  # laid out for X, as is ``paid``
    paid: np.ndarray
    scale: np.ndarray
    owed: np.ndarray
    Z: np.ndarray  # linear predictors of one row in X's dtype, then the steps
    z: np.ndarray  # the same in float64, then dloss_dz

    @classmethod
    def make(cls, X: np.ndarray | CSR, n_outputs: int) -> LazyWeights:
        dtype = X.data.dtype if isinstance(X, CSR) else X.dtype
        scale, owed, z = (np.zeros(n_outputs) for _ in range(3))
        paid = lay_out(X, n_outputs, np.dtype(np.float64))
        return cls(lay_out(X, n_outputs, dtype), paid, scale, owed, np.zeros((1, n_outputs), dtype), z)


@subroutine
def fold_outputs(X, each, lazy):
    """Apply the deferred thresholds and the scales to every coefficient."""
    if each.l1.max() > 0.0:
        softens_all(X, lazy.W, lazy.owed, lazy.paid)
    rescale(X, lazy.W, lazy.scale)
    for k in range(lazy.scale.shape[0]):
        lazy.scale[k], lazy.owed[k] = 1.0, 0.0


@kernel
def sgd_outputs_epoch(X, targets, order, rates, loss, each, clip, params, losses, lazy, sums):
    """A step for each row of ``order``, at its rate; adds the losses before each step to ``losses``.

    ``params`` of shape (n_outputs, n_parameters) is updated in place; ``lazy.z`` holds dloss_dz of the last row at the
    end. ``sums``: a `LazySums` of the parameters after each step, for ``l1`` = 0; None for no sums.
    """
    y, weight, offset, one_vs_rest = targets.y, targets.weight, targets.offset, targets.one_vs_rest
    W, paid, scale, owed, Z, z = lazy
    n_outputs = params.shape[0]
    n_features = W.size // n_outputs
    has_intercept = params.shape[1] > n_features
    thresholds = each.l1.max() > 0.0
    load(X, params, W)
    for k in range(n_outputs):
        scale[k], owed[k] = 1.0, 0.0
    distance = rows_ahead(X)
    for t in range(order.shape[0]):
        prefetch_number(X, y, order, t + distance)
        i = order[t]
        if thresholds:
            softens(X, i, W, owed, paid)
        dots(X, i, W, Z, 0)
        for k in range(n_outputs):
            z[k] = scale[k] * Z[0, k] + intercept_of(params, k, n_features) + offset_of(offset, i)
        derivatives_of(loss, y, one_vs_rest, i, weight_of(weight, i), z, losses)
        factor = clip_factor_of_row(X, i, np.sqrt(sum_of_squares(z)), has_intercept, clip)
        smallest = 1.0
        for k in range(n_outputs):
            scale[k] *= 1.0 - rates[t] * each.rate[k] * each.l2[k]
            smallest = min(smallest, abs(scale[k]))
        if smallest < smallest_scale(sums, SMALLEST_SCALE):
            settle_outputs(sums, X, W)
            fold_outputs(X, each, lazy)
        for k in range(n_outputs):
            rate = rates[t] * each.rate[k]
            move = -rate * factor * z[k]
            Z[0, k] = move / scale[k]
            owed[k] += rate * each.l1[k] / abs(scale[k])
            if has_intercept:
                params[k, n_features] += move
        axpys(Z, 0, X, i, W)
        add_step_outputs(sums, X, i, t, Z, scale, params)
    settle_outputs(sums, X, W)
    fold_outputs(X, each, lazy)
    store(X, W, params)
