"""Second derivatives of losses row by row, and the minimum of a quadratic model plus a penalty: what Newton needs."""

from __future__ import annotations

from ..compile.jit import inlined, kernel, subroutine, threaded
from .batch_gradient import chunk_bound, clear, mean_over_rows
from .outputs_gradient import slopes_of
from .row_access import add_squares, n_rows
from .row_targets import weight_of
from .update_step import penalty_weight

# The difference quotient's step, relative to z where that is large. The slopes' rounding, 1e-16, makes an error of
# 1e-10; a quadratic model wants no more than two digits.
DIFFERENCE = 1e-6


# A loss is flat where over such a step the slope changes by no more than so many times its rounding.
FLAT = 1e-14


@inlined
def step_about(z):
    return DIFFERENCE * max(1.0, abs(z))


@inlined
def is_flat(low, high):
    """Whether a slope, which is ``low`` and ``high`` a little to the left and right, leads down a straight line."""
    return low != 0.0 and abs(high - low) <= FLAT * abs(low)


@kernel
def curvatures(targets, z, loss, least, wider, out):
    """Weighted second derivatives in z of each row's loss, z and out of shape (n_samples,); how many rows are flat.

    By central differences of the slope, so that a loss need not state them; at a kink they are an average. ``least``
    stands for what would be below it: 0 makes a loss that is not convex look as if it were. Where a loss is flat the
    difference is taken over a step so many times ``wider``.
    """
    y, weight, n_flat = targets.y, targets.weight, 0
    for i in range(z.shape[0]):
        e = step_about(z[i])
        low, high = loss.derivative(y[i], z[i] - e), loss.derivative(y[i], z[i] + e)
        if is_flat(low, high) and wider > 1.0:
            e *= wider
            low, high = loss.derivative(y[i], z[i] - e), loss.derivative(y[i], z[i] + e)
        n_flat += is_flat(low, high)
        out[i] = weight_of(weight, i) * max((high - low) / (2.0 * e), least)
    return n_flat


@subroutine
def slopes_about(targets, i, z, k, e, loss, low, high, losses):
    """Write the slopes of row i's outputs where that of number k is e lower and e higher."""
    y, weight, one_vs_rest = targets.y, weight_of(targets.weight, i), targets.one_vs_rest
    for other in range(z.shape[1]):
        low[other] = high[other] = z[i, other]
    low[k] -= e
    high[k] += e
    slopes_of(loss, y, one_vs_rest, i, weight, low, losses)
    slopes_of(loss, y, one_vs_rest, i, weight, high, losses)


@kernel
def curvatures_of_outputs(targets, z, loss, wider, low, high, losses, out):
    """As `curvatures` for z and out of shape (n_samples, n_outputs), each output by itself: the Hessian's diagonal.

    Never below 0. ``low``, ``high`` and ``losses`` are workspace of shape (n_outputs,).
    """
    n_flat = 0
    for i in range(z.shape[0]):
        for k in range(z.shape[1]):
            e = step_about(z[i, k])
            slopes_about(targets, i, z, k, e, loss, low, high, losses)
            if is_flat(low[k], high[k]) and wider > 1.0:
                e *= wider
                slopes_about(targets, i, z, k, e, loss, low, high, losses)
            n_flat += is_flat(low[k], high[k])
            out[i, k] = max((high[k] - low[k]) / (2.0 * e), 0.0)
    return n_flat


@kernel
def minimise_quadratic(H, slope, params, stepper, k, sweeps, tol, change):
    """Write the ``change`` of the scaled variables that minimises slope . change + change' H change / 2 + penalty.

    The penalty is the part of it that acts through its prox, so it has to be a sum over the weights; ``params`` are
    the weights that the change starts from, ``slope`` becomes that of the model at its end. Coordinate descent, until
    no coordinate gains more than ``tol`` times the most that one gained, for at most so many ``sweeps``.
    Source: Friedman, Hastie and Tibshirani, Regularization paths for generalized linear models via coordinate
    descent (2010).
    """
    penalty, weights, strength = stepper.penalty, stepper.weights, stepper.strength[k]
    scale = stepper.preconditioner.scale
    moved, reach = stepper.before, stepper.reach
    n_features, n_parameters = moved.shape[0], H.shape[0]
    for j in range(n_parameters):
        change[j] = 0.0
    most = 0.0
    for _ in range(sweeps):
        gain = 0.0
        for j in range(n_parameters):
            if H[j, j] <= 0.0:
                continue
            wanted = change[j] - slope[j] / H[j, j]
            if j < n_features:
                moved[j] = params[j] + scale[j] * wanted
                reach[j] = penalty_weight(strength, weights, j) * scale[j] * scale[j] / H[j, j]
                penalty.prox(moved[j : j + 1], reach[j : j + 1])
                wanted = (moved[j] - params[j]) / scale[j]
            by = wanted - change[j]
            if by != 0.0:
                change[j] = wanted
                gain = max(gain, H[j, j] * by * by)
                for other in range(n_parameters):
                    slope[other] += H[j, other] * by
        most = max(most, gain)
        if gain <= tol * most:
            break


@threaded("partials", mean_over_rows)
def mean_squares(begin, end, X, partials, out):
    """The mean square of each column; a row of ``partials`` for each chunk of rows."""
    n_samples, n_chunks = n_rows(X), partials.shape[0]
    for c in range(begin, end):
        partial = partials[c]
        clear(partial)
        for i in range(chunk_bound(c, n_chunks, 0, n_samples), chunk_bound(c + 1, n_chunks, 0, n_samples)):
            add_squares(X, i, partial)
