"""The mean of the weights after each step, for the kernels that take many steps in one call.

Source: Polyak and Juditsky, Acceleration of stochastic approximation by averaging (1992); for weights kept as
scale * v, Bottou, Stochastic gradient descent tricks (2012), section 5.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..jit import inlined, subroutine
from ..rows import axpy

# Weights kept as scale * v are folded into v more often while they are averaged: the mean is a difference of two
# numbers that are larger than itself by as much as the scale has shrunk.
SMALLEST_AVERAGED_SCALE = 0.1


class Mean(NamedTuple):
    """The mean of the weights after step number ``begin`` and each later one; nothing where ``weights`` has no rows."""

    begin: int
    weights: np.ndarray  # (n_outputs, n_parameters), or (0, 0)

    @classmethod
    def make(cls, begin: int, n_outputs: int, n_parameters: int) -> Mean:
        """``begin`` is 0 for none at all."""
        return cls(begin, np.zeros((n_outputs, n_parameters) if begin else (0, 0)))


@subroutine
def join_mean(mean, theta, t, k):
    """Let output k's weights ``theta`` after step number ``t`` into the mean."""
    if mean.weights.shape[0] == 0 or t < mean.begin:
        return
    weights, share = mean.weights[k], 1.0 / (t - mean.begin + 1)
    for j in range(theta.shape[0]):
        weights[j] += share * (theta[j] - weights[j])


class LazySum(NamedTuple):
    """The sum of the weights scale * v after each step, at the cost of the values that a step touches.

    With S the sum of the scales so far and u the sum of each step's change of v times the S before it, S v - u is the
    sum of all scale * v: a step adds scale * v to it where S grows by scale, and leaves it alone where v changes and u
    follows.
    """

    skip: int  # steps at the beginning of the call that do not count
    u: np.ndarray  # (n_features,), zeros between calls
    total: np.ndarray  # (n_parameters,), the sum of the weights up to the last `settle`


# All of these do nothing where ``lazy`` is None, and the compiler then leaves them out.
@inlined
def smallest_scale(lazy, usual):
    """Below this the scale is to be folded into v, after `settle`."""
    return usual if lazy is None else SMALLEST_AVERAGED_SCALE


@inlined
def add_step(lazy, X, i, k, move, scale, scales, b):
    """Add the weights after step number k of the call, which changed v by ``move`` times row i; return S."""
    if lazy is None:
        return scales
    axpy(move * scales, X, i, lazy.u)
    if k < lazy.skip:
        return scales
    n_features = lazy.u.shape[0]
    if lazy.total.shape[0] > n_features:
        lazy.total[n_features] += b
    return scales + scale


@subroutine
def settle(lazy, scales, v):
    """Bring the total up to date, ``scales`` being S, so that it may start again from 0."""
    if lazy is None:
        return
    u, total = lazy.u, lazy.total
    for j in range(u.shape[0]):
        total[j] += scales * v[j] - u[j]
        u[j] = 0.0
