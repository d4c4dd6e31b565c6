"""One epoch of stochastic gradient descent: a step for each row, one after the other.

The cost is proportional to the non-zeros of X, with L2 and L1 penalties too: coefficients are stored as scale * v, so
that weight decay is one multiplication (Bottou, Stochastic gradient descent tricks, 2012), and soft thresholding of a
coefficient is deferred until its next use (Langford, Li and Zhang, Sparse online learning via truncated
gradient, 2009).
"""

from __future__ import annotations

import numpy as np

from ..compile.jit import inlined, kernel, subroutine
from .averaging import add_step, settle, smallest_scale
from .row_access import axpy, axpy_dot, dot, prefetch_number, rows_ahead, soften, soften_all, squared_length
from .row_targets import offset_of, weight_of
from .update_step import CLIP_EPSILON

# Below this the scale is multiplied into the coefficients and reset to 1.
SMALLEST_SCALE = 1e-9


@subroutine
def fold(X, v, scale, owed, paid, l1):
    """Apply the deferred thresholds and the scale to every coefficient."""
    if l1 > 0.0:
        soften_all(X, v, owed, paid)
    if scale != 1.0:
        for j in range(v.shape[0]):
            v[j] = scale * v[j]


@inlined
def clip_factor_of_row(X, i, dloss_dz, has_intercept, clip):
    """The factor that makes the norm of the gradient dloss_dz * x of row i at most ``clip``, see `clip_factor`."""
    if clip == np.inf:
        return 1.0
    norm = abs(dloss_dz) * np.sqrt(squared_length(X, i) + (1.0 if has_intercept else 0.0))
    return min(1.0, clip / (norm + CLIP_EPSILON))


@kernel
def sgd_epoch(X, targets, order, rates, loss, l1, l2, clip, intercept_factor, params, v, paid, sums):
    """A step for each row of ``order``, at its rate; returns the summed losses before each step, and the last dloss_dz.

    ``params`` (coefficients, then the intercept if there is one) is updated in place; ``v`` (in X's dtype) and ``paid``
    (zeros) are workspace. Rates of the intercept are multiplied by ``intercept_factor``. ``sums``: a `LazySum` of the
    parameters after each step, for ``l1`` = 0; None for no sum.
    """
    y, weight, offset = targets.y, targets.weight, targets.offset
    n_features = v.shape[0]
    has_intercept = params.shape[0] > n_features
    b = params[n_features] if has_intercept else 0.0
    for j in range(n_features):
        v[j] = params[j]
    # float64 for every dtype of X: in float32, 1 - rate * l2 would round to 1.
    scale, inverse, owed, total, dloss_dz = 1.0, 1.0, 0.0, 0.0, 0.0
    smallest, scales = smallest_scale(sums, SMALLEST_SCALE), 0.0
    last = order.shape[0] - 1
    ahead = dot(X, order[0], v) if last >= 0 else 0.0  # x.v of the next row
    distance = rows_ahead(X)
    for k in range(order.shape[0]):
        prefetch_number(X, y, order, k + distance)
        i, following = order[k], order[min(k + 1, last)]
        rate = rates[k]
        z = scale * ahead + b + offset_of(offset, i)
        total += weight_of(weight, i) * loss.value(y[i], z)
        dloss_dz = weight_of(weight, i) * loss.derivative(y[i], z)
        clipped = dloss_dz * clip_factor_of_row(X, i, dloss_dz, has_intercept, clip)
        if l2 > 0.0:
            scale *= 1.0 - rate * l2
            if abs(scale) < smallest:
                settle(sums, scales, v)
                fold(X, v, scale, owed, paid, l1)
                scale, owed, scales = 1.0, 0.0, 0.0
            inverse = 1.0 / scale
        move = -rate * clipped * inverse
        if l1 > 0.0:
            axpy(move, X, i, v)
            owed += rate * l1 * abs(inverse)
            soften(X, following, v, owed, paid)
            ahead = dot(X, following, v)
        else:
            ahead = axpy_dot(move, X, i, following, v)
        if has_intercept:
            b -= rate * clipped * intercept_factor
        scales = add_step(sums, X, i, k, move, scale, scales, b)
    settle(sums, scales, v)
    fold(X, v, scale, owed, paid, l1)
    for j in range(n_features):
        params[j] = v[j]
    if has_intercept:
        params[n_features] = b
    return total, dloss_dz
