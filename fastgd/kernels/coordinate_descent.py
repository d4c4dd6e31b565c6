"""Coordinate descent on a quadratic plus a penalty, by blocks of coordinates.

A block is one coefficient, or the coefficients of a group; ``bounds`` holds where each block begins, and the end of the
last one. Each block takes a step of the prox with 1 / ``lengths``, the largest eigenvalue of its part of the Hessian:
for one coefficient that is the exact minimum. Sources: Friedman, Hastie and Tibshirani, Regularization paths for
generalized linear models via coordinate descent (2010); for groups, Qin, Scheinberg and Goldfarb, Efficient
block-coordinate descent algorithms for the group lasso (2013).
"""

from __future__ import annotations

import numpy as np
from numba import types

from ..compile.jit import kernel, subroutine, two_forms
from .row_access import CSR, dot


@subroutine
def propose(block, bounds, lengths, gradient, w, penalty, factors, point, reach):
    """The new coefficients of a block, into ``point``; returns the gain of the largest move, length x move^2."""
    first, behind, length = bounds[block], bounds[block + 1], lengths[block]
    for j in range(first, behind):
        point[j] = w[j] - gradient[j] / length
        reach[j] = factors[j] / length
    penalty.block_prox(point[first:behind], reach[first:behind])
    gain = 0.0
    for j in range(first, behind):
        gain = max(gain, length * (point[j] - w[j]) * (point[j] - w[j]))
    return gain


@kernel
def descend(H, bounds, lengths, penalty, factors, sweeps, tol, gradient, w, point, reach):
    """Minimise a quadratic of Hessian ``H`` plus the penalty times ``factors``; returns the last sweep's largest gain.

    ``w`` and ``gradient``, the gradient of the quadratic there, are moved together. It ends after ``sweeps`` sweeps, or
    one in which no move gained more than ``tol``. ``point`` and ``reach`` are workspace of the shape of w.
    """
    most = 0.0
    for _ in range(sweeps):
        most = 0.0
        for block in range(lengths.shape[0]):
            if lengths[block] <= 0.0:
                continue
            gain = propose(block, bounds, lengths, gradient, w, penalty, factors, point, reach)
            most = max(most, gain)
            if gain == 0.0:
                continue
            for j in range(bounds[block], bounds[block + 1]):
                by = point[j] - w[j]
                w[j] = point[j]
                if by != 0.0:
                    for other in range(w.shape[0]):
                        gradient[other] += H[j, other] * by
        if most <= tol:
            break
    return most


def _add_weighted_dense(by, A, j, D, r):
    row = A[j]
    for i in range(r.shape[0]):
        r[i] += row[i] * D[i] * by


def _add_weighted_csr(by, A, j, D, r):
    for p in range(np.uint64(A.indptr[j]), np.uint64(A.indptr[j + 1])):
        i = np.uint64(A.indices[p])
        r[i] += A.data[p] * D[i] * by


add_weighted = two_forms("A", lambda A: isinstance(A, CSR), lambda A: not isinstance(A, types.Array))(
    _add_weighted_dense, _add_weighted_csr
)


@subroutine
def move_intercept(D, of_intercept, r):
    """Move the intercept, a column of ones, to its minimum; returns its move."""
    total = 0.0
    for i in range(r.shape[0]):
        total += r[i]
    by = -total / of_intercept
    for i in range(r.shape[0]):
        r[i] += D[i] * by
    return by


@kernel
def descend_by_columns(A, quadratic, of_intercept, bounds, lengths, penalty, factors, sweeps, tol, gradient, w, point):
    """As `descend` where H is A diag(D) A' + diag(l2), without making it: for more columns than a Hessian may have.

    The columns are the rows of ``A``, dense or `CSR`. ``quadratic`` holds D, l2 and r, the derivative of the quadratic
    by A'w, which is moved with w. ``of_intercept`` is the sum of D where there is an intercept, else 0. Returns the
    largest gain and the intercept's move. ``gradient`` and ``point``, two rows of the length of w, are workspace.
    """
    D, l2, r = quadratic
    most, intercept = 0.0, 0.0
    for _ in range(sweeps):
        most = 0.0
        for block in range(lengths.shape[0]):
            if lengths[block] <= 0.0:
                continue
            for j in range(bounds[block], bounds[block + 1]):
                gradient[j] = dot(A, j, r) + l2[j] * w[j]
            gain = propose(block, bounds, lengths, gradient, w, penalty, factors, point[0], point[1])
            most = max(most, gain)
            if gain > 0.0:
                for j in range(bounds[block], bounds[block + 1]):
                    add_weighted(point[0, j] - w[j], A, j, D, r)
                    w[j] = point[0, j]
        if of_intercept > 0.0:
            by = move_intercept(D, of_intercept, r)
            intercept += by
            most = max(most, of_intercept * by * by)
        if most <= tol:
            break
    return most, intercept
