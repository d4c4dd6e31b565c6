"""Steps of svrg and saga, which change every coefficient, whether or not its feature is in the row.

Each step applies the mean gradient and the penalty to every coefficient, and the row to those of its features:

    w_j <- soft(w_j - step_j (change x_ij + mean_j) - decay_j w_j, threshold_j).

A dense row has every feature. With sparse rows, a coefficient whose feature is absent is left unchanged, and all
missed steps are applied when it is next used: exactly, since its mean_j changes only with the feature, and in closed
form, see `drifted`. The functions are the same for both layouts, as in `row_access`. ``S`` is the state of the
coefficients: a row per quantity if X is dense, a column per quantity if it is CSR.

The shift of the preconditioner is subtracted from dense rows when they are read. For sparse rows it is not 0 in a
few columns only, and has been subtracted from X already (`matrix.centred`): these columns have a value in every row.
"""

from __future__ import annotations

import math

import numpy as np

from ..compile.jit import inlined, subroutine
from ..compile.prefetch import prefetch
from .row_access import CSR, by_layout
from .row_targets import or_none_of

# Rows of S if X is dense, columns if it is CSR, where one cache line holds all quantities of a coefficient.
W, MEAN, STEP = 0, 1, 2
SHIFT, DECAY, THRESHOLD = 3, 4, 5
LAST = 3  # the last step that has been applied to the coefficient
COLUMNS = 4


def lay_out(X: np.ndarray | CSR) -> np.ndarray:
    """S for X, zeros."""
    return np.zeros((X.n_features, COLUMNS)) if isinstance(X, CSR) else np.zeros((6, X.shape[1]))


@inlined
def soft(v, threshold):
    """Soft thresholding."""
    return v - min(max(v, -threshold), threshold)


@inlined
def growth(k, decay):
    """(1 - decay)^k - 1."""
    return 0.0 if decay == 0.0 else math.expm1(k * math.log1p(-decay))


@inlined
def run(w, k, decrement, decay, grown):
    """k times w <- w - decay w - decrement; ``grown`` is `growth` (k, decay)."""
    return w - k * decrement if decay == 0.0 else w + grown * (w + decrement / decay)


@inlined
def drifted(w, k, drift, decay, threshold, grown):
    """k times w <- soft(w - decay w - drift, threshold), for decay < 1; ``grown`` is `growth` (k, decay).

    While w keeps its sign, soft thresholding subtracts a constant, and the steps are a geometric series. If the series
    ends with the sign it began with, the sign has never changed.
    """
    if threshold == 0.0:
        return run(w, k, drift, decay, grown)
    end = run(w, k, drift + math.copysign(threshold, w), decay, grown)
    return end if w * end > 0.0 else crossing(w, k, drift, decay, threshold)


@subroutine
def crossing(w, k, drift, decay, threshold):
    """As `drifted`, for a w that is 0 or changes its sign: the step in which that happens is computed separately."""
    while k > 0:
        if w == 0.0:
            if abs(drift) <= threshold:
                return 0.0
            side = -math.copysign(1.0, drift)
        else:
            side = math.copysign(1.0, w)
        decrement = drift + side * threshold
        end = run(w, k, decrement, decay, growth(k, decay))
        if not side * end <= 0.0:
            return end
        # The series reaches 0 after this number of steps; an error of one step by rounding does not change w.
        ratio = w / decrement
        steps = ratio if decay == 0.0 else math.log1p(decay * ratio) / -math.log1p(-decay)
        before = min(max(math.floor(steps), 0.0), k - 1.0)
        w = run(w, before, decrement, decay, growth(before, decay))
        w = soft(w - (decay * w + drift), threshold)
        k -= before + 1.0
    return w


# Separate loops: in a single one, the compiler does not prove that the arrays do not overlap, and does not vectorise.
def _move_dense(X, i, change, share, t, pace, weights, S):
    for j in range(X.shape[1]):
        S[W, j] -= S[STEP, j] * (change * (X[i, j] - S[SHIFT, j]) + S[MEAN, j]) + S[DECAY, j] * S[W, j]
    if share != 0.0:
        for j in range(X.shape[1]):
            S[MEAN, j] += share * (X[i, j] - S[SHIFT, j])
    if pace.l1 > 0.0:
        for j in range(X.shape[1]):
            S[W, j] = soft(S[W, j], S[THRESHOLD, j])


# In loops over a sparse row no array is passed to another function: numba would count references at every value.
def _move_csr(X, i, change, share, t, pace, weights, S):
    data, indices, l1, l2 = X.data, X.indices, pace.l1, pace.l2
    for p in range(np.uint64(X.indptr[i]), np.uint64(X.indptr[i + 1])):
        j = np.uint64(indices[p])
        step, w, mean = S[j, STEP], S[j, W], S[j, MEAN]
        reach = step * (weights[j] if weights.shape[0] > 0 else 1.0)
        S[j, W] = soft(w - (step * (change * data[p] + mean) + reach * l2 * w), reach * l1)
        S[j, MEAN] = mean + share * data[p]
        S[j, LAST] = t


# Prefetch the coefficients of a sparse row: they are scattered in memory.
def _prefetch_weights_dense(X, i, S):
    pass


def _prefetch_weights_csr(X, i, S):
    indices = X.indices
    for p in range(np.uint64(X.indptr[i]), np.uint64(X.indptr[i + 1])):
        prefetch(S, indices[p] * COLUMNS)


def _meet_dense(X, i, t, pace, weights, powers, S):
    z = 0.0
    for j in range(X.shape[1]):
        z += S[W, j] * (X[i, j] - S[SHIFT, j])
    return z


def _meet_csr(X, i, t, pace, weights, powers, S):
    data, indices, l1, l2, tabled = X.data, X.indices, pace.l1, pace.l2, powers.shape[0] > 0
    z = 0.0
    for p in range(np.uint64(X.indptr[i]), np.uint64(X.indptr[i + 1])):
        j = np.uint64(indices[p])
        w, k = S[j, W], t - S[j, LAST]
        if k > 0.0:
            step = S[j, STEP]
            reach = step * (weights[j] if weights.shape[0] > 0 else 1.0)
            grown = powers[np.uint64(k)] if tabled else growth(k, reach * l2)
            w = drifted(w, k, step * S[j, MEAN], reach * l2, reach * l1, grown)
            S[j, W], S[j, LAST] = w, t
        z += data[p] * w
    return z


def _meet_all_dense(X, t, pace, weights, S):
    pass


def _meet_all_csr(X, t, pace, weights, S):
    for j in range(S.shape[0]):
        w, k, step = S[j, W], t - S[j, LAST], S[j, STEP]
        if k > 0.0:
            reach = step * (weights[j] if weights.shape[0] > 0 else 1.0)
            decay = reach * pace.l2
            S[j, W] = drifted(w, k, step * S[j, MEAN], decay, reach * pace.l1, growth(k, decay))
            S[j, LAST] = t


def _enter_dense(X, params, mean, pace, weights, preconditioner, S):
    d = X.shape[1]
    shift, scale = preconditioner
    mean_b = mean[d] if mean.shape[0] > d else 0.0
    weights = or_none_of(weights, params)
    for j in range(d):
        step = pace.rate * scale[j] * scale[j]
        reach = step * (weights[j] if weights.shape[0] > 0 else 1.0)
        S[W, j], S[MEAN, j], S[STEP, j] = params[j], mean[j] - shift[j] * mean_b, step
        S[SHIFT, j], S[DECAY, j], S[THRESHOLD, j] = shift[j], reach * pace.l2, reach * pace.l1


def _enter_csr(X, params, mean, pace, weights, preconditioner, S):
    shift, scale = preconditioner
    mean_b = mean[X.n_features] if mean.shape[0] > X.n_features else 0.0
    for j in range(S.shape[0]):
        S[j, W], S[j, MEAN], S[j, LAST] = params[j], mean[j] - shift[j] * mean_b, 0.0
        S[j, STEP] = pace.rate * scale[j] * scale[j]


def _leave_dense(X, S, preconditioner, params, mean):
    d = X.shape[1]
    mean_b = mean[d] if mean.shape[0] > d else 0.0
    for j in range(d):
        params[j], mean[j] = S[W, j], S[MEAN, j] + preconditioner.shift[j] * mean_b


def _leave_csr(X, S, preconditioner, params, mean):
    mean_b = mean[X.n_features] if mean.shape[0] > X.n_features else 0.0
    for j in range(S.shape[0]):
        params[j], mean[j] = S[j, W], S[j, MEAN] + preconditioner.shift[j] * mean_b


enter = by_layout(_enter_dense, _enter_csr)
leave = by_layout(_leave_dense, _leave_csr)
move = by_layout(_move_dense, _move_csr)
meet = by_layout(_meet_dense, _meet_csr)
prefetch_weights = by_layout(_prefetch_weights_dense, _prefetch_weights_csr)
meet_all = by_layout(_meet_all_dense, _meet_all_csr)
