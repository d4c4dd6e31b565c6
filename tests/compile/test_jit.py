"""Compilation of kernels: fastmath flags, the compile clock, names, binding to types."""

from __future__ import annotations

import math
from typing import NamedTuple

import numba
import numpy as np
import pytest
from numba import prange

import fastgd
from fastgd.compile.jit import COMPILE_OPTIONS, CompileClock, bound, kernel, parallel_kernel, subroutine
from fastgd.errors import DivergedError
from fastgd.kernels.batch_gradient import linear_predictor

X = np.random.default_rng(0).standard_normal((2000, 5))
W = np.arange(1.0, 6.0)


@subroutine
def is_larger(a, b):
    return a > b


@kernel
def classify(x, out):
    """Checks for NaN and infinity, which fastmath=True would remove."""
    out[0] = x != x
    out[1] = np.isnan(x)
    out[2] = np.isinf(x)
    out[3] = x - x == 0.0
    out[4] = is_larger(x, 1.0)
    out[5] = not x <= 1.0
    out[6] = np.isfinite(x)
    out[7] = math.isnan(x)


@pytest.mark.parametrize("x", [math.nan, math.inf, -math.inf, 2.0, 0.5])
def test_nan_and_infinity_survive_fastmath(x):
    out = np.zeros(8, np.bool_)
    classify(x, out)
    expected = [x != x, np.isnan(x), np.isinf(x), x - x == 0.0, x > 1.0, not x <= 1.0, np.isfinite(x), x != x]
    assert out.tolist() == expected


def test_nan_propagates_through_a_sum():
    dirty = X.copy()
    dirty[1234, 2] = math.nan
    z = np.empty(len(X))
    linear_predictor(dirty, W, 0.0, 16, z)
    assert np.flatnonzero(np.isnan(z)).tolist() == [1234]


@pytest.mark.parametrize("method", ["gd", "sgd", "minibatch"])
def test_diverging_fit_is_detected(method):
    with pytest.raises(DivergedError) as caught:
        fastgd.fit(X, X @ W, method=method, learning_rate=1e6, max_epochs=50)
    assert caught.value.result.stop_reason == "diverged"
    assert np.isfinite(caught.value.result.coef).all()


def test_division_by_zero_gives_infinity_or_nan():
    @kernel
    def divide(a, b):
        return a / b

    assert divide(1.0, 0.0) == math.inf
    assert math.isnan(divide(0.0, 0.0))


def test_compile_clock_counts_and_names_compilations():
    @subroutine
    def inner(r):
        return r + 1.0

    @numba.njit(**COMPILE_OPTIONS)
    def outer(r):
        return inner(r) * 2.0

    told = []
    with CompileClock(told.append).listening() as clock:
        assert outer(1.0) == 4.0
        assert outer(2.0) == 6.0
    assert (clock.count, told) == (1, ["outer"])
    assert clock.seconds > 0
    seconds = clock.seconds
    outer(1)  # another type, compiled while the clock does not listen
    assert (clock.count, clock.seconds) == (1, seconds)


def test_compile_clock_works_after_a_failed_compilation():
    @numba.njit(**COMPILE_OPTIONS)
    def broken(r):
        return undefined(r)  # noqa: F821

    with CompileClock().listening() as clock:
        for _ in range(2):
            with pytest.raises(Exception, match="undefined"):
                broken(1.0)
        assert clock.count == 2
        assert clock._depth == 0


def test_parallel_kernel_keeps_name_and_docstring():
    @parallel_kernel
    def fill(out):
        """Fill it."""
        for i in prange(out.shape[0]):
            out[i] = i

    assert (fill.__name__, fill.__doc__) == ("fill", "Fill it.")
    out = np.zeros(5)
    fill.py_func(out)
    assert out.tolist() == [0, 1, 2, 3, 4]


class Pair(NamedTuple):
    first: np.ndarray
    second: np.ndarray


@kernel
def sum_of(x):
    total = 0.0
    for value in x.flat:
        total += value
    return total


@kernel
def sum_of_both(pair):
    return pair.first.sum() + pair.second.sum()


@kernel
def is_nan(x):
    return x != x


SQUARE = np.arange(16.0).reshape(4, 4)
READ_ONLY = SQUARE.copy()
READ_ONLY.flags.writeable = False
ODD = np.frombuffer(b"\0" + SQUARE.tobytes(), np.float64, offset=1)


@pytest.mark.parametrize(
    "array",
    [SQUARE, SQUARE.astype(np.float32), SQUARE.astype(np.int16), SQUARE.T, SQUARE[::2, ::2], READ_ONLY, ODD],
    ids=["double", "single", "integers", "by columns", "with gaps", "read-only", "not aligned"],
)
def test_bound_distinguishes_array_types(array):
    """A wrong type would be read as the previous one."""
    for other in (SQUARE, array, SQUARE[0], SQUARE[:1], SQUARE):
        assert bound(sum_of, other)(other) == other.sum()
        pair = Pair(SQUARE, other)
        assert bound(sum_of_both, pair)(pair) == SQUARE.sum() + other.sum()


def test_bound_returns_the_same_function_for_the_same_types():
    first = bound(sum_of, SQUARE)
    assert bound(sum_of, SQUARE + 1.0) is first
    assert bound(sum_of, SQUARE[0]) is not first
    assert bound(is_nan, SQUARE) is not first
    assert bound(is_nan, 1.0) is not bound(is_nan, 1)


def test_bound_does_not_determine_known_types_again(monkeypatch):
    pair = Pair(SQUARE, SQUARE[0])
    bound(sum_of_both, pair)
    monkeypatch.setattr(type(sum_of_both), "typeof_pyval", None)
    assert bound(sum_of_both, pair)(pair) == SQUARE.sum() + SQUARE[0].sum()
