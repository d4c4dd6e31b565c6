"""The mean of the parameters after each step, for kernels that take many steps in one call.

Source: Polyak and Juditsky, Acceleration of stochastic approximation by averaging (1992); for coefficients stored as
scale * v, Bottou, Stochastic gradient descent tricks (2012), section 5.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..compile.jit import inlined, subroutine
from .output_blocks import axpys, lay_out, sum_up
from .row_access import CSR, axpy

# While averaging, the scale is folded into v before it falls below this: the mean is a difference of two numbers that
# are larger than the mean by the factor 1 / scale.
SMALLEST_AVERAGED_SCALE = 0.1


class Mean(NamedTuple):
    """The mean of the parameters after step number ``begin`` and each later one; no mean if ``weights`` has no rows."""

    begin: int
    weights: np.ndarray  # (n_outputs, n_parameters), or (0, 0)

    @classmethod
    def make(cls, begin: int, n_outputs: int, n_parameters: int) -> Mean:
        """``begin`` = 0 means no mean."""
        return cls(begin, np.zeros((n_outputs, n_parameters) if begin else (0, 0)))


@subroutine
def join_mean(mean, params, t, k):
    """Include output k's ``params`` after step number ``t`` in the mean."""
    if mean.weights.shape[0] == 0 or t < mean.begin:
        return
    weights, share = mean.weights[k], 1.0 / (t - mean.begin + 1)
    for j in range(params.shape[0]):
        weights[j] += share * (params[j] - weights[j])


class LazySum(NamedTuple):
    """The sum of the coefficients scale * v after each step, at the cost of the values that a step changes.

    With S the sum of the scales so far, and u the sum over the steps of S times the change of v, S v - u is the sum of
    all scale * v: it grows by scale * v when S grows by scale, and stays when v changes and u with it.
    """

    skip: int  # number of steps at the start of the call that are not summed
    u: np.ndarray  # (n_features,), zeros between calls
    total: np.ndarray  # (n_parameters,), the sum of the parameters up to the last `settle`

    @classmethod
    def make(cls, n_features: int, n_parameters: int) -> LazySum:
        return cls(0, np.zeros(n_features), np.zeros(n_parameters))


# All of these do nothing if ``sums`` is None; the compiler then removes them.
@inlined
def smallest_scale(sums, usual):
    """The scale below which it is folded into v, after `settle`."""
    return usual if sums is None else SMALLEST_AVERAGED_SCALE


@inlined
def add_step(sums, X, i, k, move, scale, scales, b):
    """Add the parameters after step number k of the call, which changed v by ``move`` times row i; return S."""
    if sums is None:
        return scales
    axpy(move * scales, X, i, sums.u)
    if k < sums.skip:
        return scales
    n_features = sums.u.shape[0]
    if sums.total.shape[0] > n_features:
        sums.total[n_features] += b
    return scales + scale


@subroutine
def settle(sums, scales, v):
    """Add S v - u to the total, with S = ``scales``, and reset u; the caller resets S."""
    if sums is None:
        return
    u, total = sums.u, sums.total
    for j in range(u.shape[0]):
        total[j] += scales * v[j] - u[j]
        u[j] = 0.0


class LazySums(NamedTuple):
    """As `LazySum` for several outputs; ``u`` has the layout of W, ``total`` the shape (n_outputs, n_parameters)."""

    skip: int
    u: np.ndarray
    total: np.ndarray
    scales: np.ndarray  # S of each output, zeros between calls
    moves: np.ndarray  # workspace for one row

    @classmethod
    def make(cls, X: np.ndarray | CSR, n_outputs: int, n_parameters: int) -> LazySums:
        u = lay_out(X, n_outputs, np.dtype(np.float64))
        return cls(0, u, np.zeros((n_outputs, n_parameters)), np.zeros(n_outputs), np.zeros((1, n_outputs)))


@inlined
def add_step_outputs(sums, X, i, step_number, moves, scale, params):
    """Add the parameters of all outputs after a step; ``params`` has their intercepts."""
    if sums is None:
        return
    scales, total = sums.scales, sums.total
    n_outputs, n_parameters = total.shape
    for k in range(n_outputs):
        sums.moves[0, k] = moves[0, k] * scales[k]
    axpys(sums.moves, 0, X, i, sums.u)
    if step_number < sums.skip:
        return
    for k in range(n_outputs):
        scales[k] += scale[k]
        if n_parameters * n_outputs > sums.u.size:
            total[k, n_parameters - 1] += params[k, n_parameters - 1]


@subroutine
def settle_outputs(sums, X, W):
    """As `settle` for several outputs."""
    if sums is None:
        return
    sum_up(X, W, sums.scales, sums.u, sums.total)
    for k in range(sums.scales.shape[0]):
        sums.scales[k] = 0.0
