"""Second derivatives of the losses, and mean squares of the columns."""

from __future__ import annotations

from ..compile.jit import inlined, kernel, subroutine, threaded, two_forms
from ..terms.losses import loss_traits
from .batch_gradient import chunk_bound, clear, mean_over_rows
from .outputs_gradient import by_joint_loss, derivatives_of
from .row_access import add_squares, n_rows
from .row_targets import or_none_of, target_of, weight_of

# Step of the difference quotients, relative to z where |z| > 1. The rounding of the derivatives, 1e-16, makes an error
# of 1e-10; a quadratic model needs two digits.
DIFFERENCE = 1e-6
# A loss is flat at z where its derivative changes over two steps by at most this part of itself: by its rounding.
FLAT = 1e-14


@inlined
def is_flat(derivative, change):
    """Whether the loss is a sloping straight line: its derivative, not 0, does not ``change``."""
    return derivative != 0.0 and abs(change) <= FLAT * abs(derivative)


@inlined
def change_of_derivative(loss, y, z, e):
    """The derivative at z - e, and how much it changes from there to z + e."""
    low = loss.derivative(y, z - e)
    return low, loss.derivative(y, z + e) - low


def _estimated_change(loss, y, z, e):
    return change_of_derivative(loss, y, z, e)


def _stated_change(loss, y, z, e):
    return loss.derivative(y, z), 2.0 * e * loss.second_derivative(y, z)


# As `change_of_derivative` for a small e, by the ``second_derivative`` of the loss where it has one.
local_change = two_forms(
    "loss",
    lambda loss: loss_traits(loss).has_second_derivative,
    lambda loss: "second_derivative" in loss.method_names,
)(_estimated_change, _stated_change)


@inlined
def second_derivative_at(loss, y, z, wider):
    """The second derivative at z, by a wider difference quotient where the loss is flat; whether it is still flat."""
    e = DIFFERENCE * max(1.0, abs(z))
    derivative, change = local_change(loss, y, z, e)
    if is_flat(derivative, change) and wider > 1.0:
        e *= wider
        derivative, change = change_of_derivative(loss, y, z, e)
    return change / (2.0 * e), is_flat(derivative, change)


@kernel
def curvatures(targets, z, loss, lowest, wider, out):
    """Weighted second derivatives in z of each row's loss; returns the number of rows whose loss is flat.

    A loss without ``second_derivative`` has central differences; at a kink they are an average. Values below ``lowest``
    become ``lowest``: with 0, a loss that is not convex gives a positive semidefinite Hessian. Where the loss is flat,
    differences are taken over a step ``wider`` times as large.
    """
    y, n_flat = targets.y, 0
    weight = or_none_of(targets.weight, y)
    for i in range(z.shape[0]):
        second, flat = second_derivative_at(loss, y[i], z[i], wider)
        n_flat += flat
        out[i] = weight_of(weight, i) * max(second, lowest)
    return n_flat


def _row_curvatures_each(targets, i, z, loss, wider, low, high, losses, out):
    y, weight, n_flat = targets.y, weight_of(targets.weight, i), 0
    for k in range(z.shape[1]):
        second, flat = second_derivative_at(loss, target_of(y, targets.one_vs_rest, i, k), z[i, k], wider)
        n_flat += flat
        out[i, k] = weight * max(second, 0.0)
    return n_flat


def _row_curvatures_joint(targets, i, z, loss, wider, low, high, losses, out):
    n_flat = 0
    for k in range(z.shape[1]):
        e = DIFFERENCE * max(1.0, abs(z[i, k]))
        derivatives_about(targets, i, z, k, e, loss, low, high, losses)
        if is_flat(low[k], high[k] - low[k]) and wider > 1.0:
            e *= wider
            derivatives_about(targets, i, z, k, e, loss, low, high, losses)
        n_flat += is_flat(low[k], high[k] - low[k])
        out[i, k] = max((high[k] - low[k]) / (2.0 * e), 0.0)
    return n_flat


row_curvatures = by_joint_loss(_row_curvatures_each, _row_curvatures_joint)


@subroutine
def derivatives_about(targets, i, z, k, e, loss, low, high, losses):
    """Weighted derivatives of row i's joint loss at z[i, k] - e and z[i, k] + e, into ``low`` and ``high``."""
    y, weight, one_vs_rest = targets.y, weight_of(targets.weight, i), targets.one_vs_rest
    for other in range(z.shape[1]):
        low[other] = high[other] = z[i, other]
    low[k] -= e
    high[k] += e
    derivatives_of(loss, y, one_vs_rest, i, weight, low, losses)
    derivatives_of(loss, y, one_vs_rest, i, weight, high, losses)


@kernel
def curvatures_of_outputs(targets, z, loss, wider, low, high, losses, out):
    """As `curvatures` for z and out of shape (n_samples, n_outputs), never below 0: the Hessian's diagonal in z.

    ``low``, ``high`` and ``losses`` are workspace of shape (n_outputs,).
    """
    n_flat = 0
    for i in range(z.shape[0]):
        n_flat += row_curvatures(targets, i, z, loss, wider, low, high, losses, out)
    return n_flat


@threaded("partials", mean_over_rows)
def mean_squares(begin, end, X, partials, out):
    """The mean square of each column; ``partials`` has a row for each chunk of rows."""
    n_samples, n_chunks = n_rows(X), partials.shape[0]
    for c in range(begin, end):
        partial = partials[c]
        clear(partial)
        for i in range(chunk_bound(c, n_chunks, 0, n_samples), chunk_bound(c + 1, n_chunks, 0, n_samples)):
            add_squares(X, i, partial)
