"""Coordinate descent on a quadratic plus a penalty, by blocks of coordinates.

A block is one coefficient, or the coefficients of a group; ``bounds`` holds where each block begins, and the end of the
last one. Each block takes a step of the prox with 1 / ``lengths``, the largest eigenvalue of its part of the Hessian:
for one coefficient that is the exact minimum. Sources: Friedman, Hastie and Tibshirani, Regularization paths for
generalized linear models via coordinate descent (2010); for groups, Qin, Scheinberg and Goldfarb, Efficient
block-coordinate descent algorithms for the group lasso (2013).
"""

from __future__ import annotations

from ..compile.jit import kernel, subroutine


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


@kernel
def descend_by_rows(
    A, D, of_intercept, l2, bounds, lengths, penalty, factors, sweeps, tol, r, gradient, w, point, reach
):
    """As `descend` where H is A diag(D) A' + diag(l2), from ``r``, whose products with the rows of A are the gradient.

    A step costs as many operations as A has columns, which are fewer than its rows here. ``of_intercept`` is the sum of
    D where there is an intercept, which takes part as a row of ones, else 0. Returns the largest gain and the
    intercept's move.
    """
    most, intercept = 0.0, 0.0
    for _ in range(sweeps):
        most = 0.0
        for block in range(lengths.shape[0]):
            if lengths[block] <= 0.0:
                continue
            for j in range(bounds[block], bounds[block + 1]):
                row, total = A[j], 0.0
                for i in range(r.shape[0]):
                    total += row[i] * r[i]
                gradient[j] = total + l2[j] * w[j]
            gain = propose(block, bounds, lengths, gradient, w, penalty, factors, point, reach)
            most = max(most, gain)
            if gain == 0.0:
                continue
            for j in range(bounds[block], bounds[block + 1]):
                row, by = A[j], point[j] - w[j]
                w[j] = point[j]
                if by != 0.0:
                    for i in range(r.shape[0]):
                        r[i] += row[i] * D[i] * by
        if of_intercept > 0.0:
            total = 0.0
            for i in range(r.shape[0]):
                total += r[i]
            by = -total / of_intercept
            intercept += by
            most = max(most, of_intercept * by * by)
            for i in range(r.shape[0]):
                r[i] += D[i] * by
        if most <= tol:
            break
    return most, intercept
