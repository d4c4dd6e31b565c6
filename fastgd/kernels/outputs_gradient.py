"""Gradients and losses of several outputs in one pass over X, by blocks of rows.

``params`` has the shape (n_outputs, n_parameters): the coefficients of each output, then its intercept if the model has
one. While a block of rows is in the cache, its linear predictors, its derivatives dloss_dz and its part of the
gradients are computed for all outputs.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import prange

from ..compile.jit import inlined, kernel, parallel_kernel, subroutine, threaded, two_forms
from ..terms.losses import loss_traits
from .batch_gradient import chunk_bound, clear
from .output_blocks import block_axpy, block_dot, fill, lay_out, load, row_at, store
from .row_access import CSR, n_rows
from .row_targets import offset_of, target_of, weight_of

# Values in a block of rows, so that it stays in the second-level cache between the two products.
BLOCK_VALUES = 1 << 15
MIN_ROWS, MAX_ROWS = 8, 256


class OutputsWorkspace(NamedTuple):
    """Arrays for each chunk of rows, except ``W``, which all chunks read, and the results ``gradient``, ``losses``."""

    W: np.ndarray  # coefficients in X's dtype, in the layout of `output_blocks`
    Z: np.ndarray  # linear predictors of a block, then dloss_dz, in X's dtype
    z: np.ndarray  # the same for one row in float64
    partials: np.ndarray  # gradients of the chunks in the layout of W
    derivatives: np.ndarray
    sums: np.ndarray
    total: np.ndarray
    gradient: np.ndarray  # (n_outputs, n_parameters)
    losses: np.ndarray  # (n_outputs,), the mean loss of each

    @classmethod
    def make(cls, X: np.ndarray | CSR, n_outputs: int, n_parameters: int, n_chunks: int) -> OutputsWorkspace:
        dtype, n_features = (X.data.dtype, X.n_features) if isinstance(X, CSR) else (X.dtype, X.shape[1])
        rows = min(max(BLOCK_VALUES // max(n_features, 1), MIN_ROWS), MAX_ROWS)
        return cls(
            W=lay_out(X, n_outputs, dtype),
            Z=np.zeros((n_chunks, rows, n_outputs), dtype),
            z=np.zeros((n_chunks, n_outputs)),
            partials=lay_out(X, n_outputs, np.dtype(np.float64), n_chunks),
            derivatives=np.zeros((n_chunks, n_outputs)),
            sums=np.zeros((n_chunks, n_outputs)),
            total=lay_out(X, n_outputs, np.dtype(np.float64)),
            gradient=np.zeros((n_outputs, n_parameters)),
            losses=np.zeros(n_outputs),
        )


# Turn the linear predictors z of row i into weighted dloss_dz, and add the row's losses to ``losses``.
def _derivatives_each(loss, y, one_vs_rest, i, weight, z, losses):
    for k in range(z.shape[0]):
        target = target_of(y, one_vs_rest, i, k)
        losses[k] += weight * loss.value(target, z[k])
        z[k] = weight * loss.derivative(target, z[k])


def _derivatives_joint(loss, y, one_vs_rest, i, weight, z, losses):
    losses[0] += weight * loss.derivative(y[i, 0], z)
    for k in range(z.shape[0]):
        z[k] *= weight


def is_joint(loss: Any) -> bool:
    """Whether the loss is a function of all outputs of a row at once, as softmax is."""
    return loss_traits(loss).joint


by_joint_loss = two_forms("loss", is_joint, lambda loss: loss.joint)  # (each output separately, all outputs at once)
derivatives_of = by_joint_loss(_derivatives_each, _derivatives_joint)


@inlined
def intercept_of(params, k, n_features):
    return params[k, n_features] if params.shape[1] > n_features else 0.0


@subroutine
def derivatives_of_block(targets, order, start, stop, params, n_features, loss, Z, z, derivatives, losses):
    """Turn a block's linear predictors without intercepts into dloss_dz; add derivatives and losses to their sums."""
    y, weight, offset, one_vs_rest = targets.y, targets.weight, targets.offset, targets.one_vs_rest
    for r in range(stop - start):
        i = row_at(order, start + r)
        for k in range(z.shape[0]):
            z[k] = Z[r, k] + intercept_of(params, k, n_features) + offset_of(offset, i)
        derivatives_of(loss, y, one_vs_rest, i, weight_of(weight, i), z, losses)
        for k in range(z.shape[0]):
            derivatives[k] += z[k]
            Z[r, k] = z[k]


@subroutine
def accumulate_outputs(X, targets, order, start, stop, params, n_features, loss, work, c, table=None):
    """Gradients and losses of chunk c, the rows start..stop; ``table`` receives dloss_dz unless it is None."""
    W, Z, z = work.W, work.Z[c], work.z[c]
    partial, derivatives, losses = work.partials[c], work.derivatives[c], work.sums[c]
    for a in range(partial.shape[0]):
        clear(partial[a])
    clear(derivatives)
    clear(losses)
    for first in range(start, stop, Z.shape[0]):
        last = min(first + Z.shape[0], stop)
        block_dot(X, order, first, last, W, Z)
        derivatives_of_block(targets, order, first, last, params, n_features, loss, Z, z, derivatives, losses)
        if table is not None:
            for r in range(last - first):
                for k in range(Z.shape[1]):
                    table[row_at(order, first + r), k] = Z[r, k]
        block_axpy(Z, X, order, first, last, partial)


@subroutine
def add_up_outputs(X, scale, n_features, work):
    """Sum the gradients and losses of the chunks in a fixed order, times ``scale``."""
    partials, derivatives, sums, gradient, losses, total = (
        work.partials, work.derivatives, work.sums, work.gradient, work.losses, work.total
    )  # fmt: skip
    n_chunks, n_outputs = derivatives.shape
    for a in range(total.shape[0]):
        for b in range(total.shape[1]):
            total[a, b] = 0.0
            for c in range(n_chunks):
                total[a, b] += partials[c, a, b]
    store(X, total, gradient)
    for k in range(n_outputs):
        derivative, loss = 0.0, 0.0
        for c in range(n_chunks):
            derivative += derivatives[c, k]
            loss += sums[c, k]
        losses[k] = scale * loss
        if gradient.shape[1] > n_features:
            gradient[k, n_features] = derivative
        for j in range(gradient.shape[1]):
            gradient[k, j] *= scale


@parallel_kernel
def outputs_gradient(X, targets, params, n_features, loss, work, table):
    """Mean gradient of each output over all rows, into ``work.gradient``, and mean losses, into ``work.losses``.

    ``table`` receives dloss_dz of each row, unless it is None.
    """
    n_samples = n_rows(X)
    n_chunks = work.sums.shape[0]
    load(X, params, work.W)
    for c in prange(n_chunks):
        first, last = chunk_bound(c, n_chunks, 0, n_samples), chunk_bound(c + 1, n_chunks, 0, n_samples)
        accumulate_outputs(X, targets, None, first, last, params, n_features, loss, work, c, table)
    add_up_outputs(X, 1.0 / n_samples, n_features, work)


def _load_weights(
    X: Any, _targets: Any, params: np.ndarray, n_features: int, _loss: Any, work: OutputsWorkspace
) -> None:
    fill(X, work.W, params[:, :n_features])


def _means_of_losses(X: Any, _targets: Any, _params: Any, _n_features: Any, _loss: Any, work: OutputsWorkspace) -> None:
    np.divide(work.sums.sum(axis=0), n_rows(X), out=work.losses)


@threaded("work.sums", _means_of_losses, prepare=_load_weights)
def outputs_mean_loss(begin, end, X, targets, params, n_features, loss, work):
    """Mean loss of each output over all rows, into ``work.losses``."""
    n_samples = n_rows(X)
    n_chunks = work.sums.shape[0]
    for c in range(begin, end):
        first, last = chunk_bound(c, n_chunks, 0, n_samples), chunk_bound(c + 1, n_chunks, 0, n_samples)
        block_losses(X, targets, first, last, params, n_features, loss, work, c)


@subroutine
def block_losses(X, targets, start, stop, params, n_features, loss, work, c):
    """Sum of the losses of chunk c, the rows start..stop."""
    W, Z, z, derivatives, losses = work.W, work.Z[c], work.z[c], work.derivatives[c], work.sums[c]
    clear(losses)
    for first in range(start, stop, Z.shape[0]):
        last = min(first + Z.shape[0], stop)
        block_dot(X, None, first, last, W, Z)
        derivatives_of_block(targets, None, first, last, params, n_features, loss, Z, z, derivatives, losses)


@kernel
def apply_means(loss, z):
    """Turn the linear predictors z, shape (n_samples, n_outputs), into predictions of y, in place."""
    for i in range(z.shape[0]):
        means_of(loss, z[i])


def _means_each(loss, z):
    for k in range(z.shape[0]):
        z[k] = loss.mean(z[k])


def _means_joint(loss, z):
    loss.mean(z)


means_of = by_joint_loss(_means_each, _means_joint)
