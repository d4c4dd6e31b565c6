"""The exponential that terms get in place of libm's."""

from __future__ import annotations

import math
from decimal import Decimal, localcontext

import numba
import numpy as np
import pytest

import fastgd
from fastgd.compile.elementary import LARGEST, SMALLEST, exp
from fastgd.terms.losses.margin import log1p_of_fraction

pytestmark = pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="only compiled terms use it")
UNIT = 2.0**-52  # twice the most that rounding to the nearest double changes, relatively


@fastgd.term
class Wave:
    """Both functions, compiled."""

    def of(self, x: float) -> float:
        return math.exp(x)


@numba.njit
def through_term(wave, x):
    return wave.of(x)


def relative_error(x: float) -> float:
    with localcontext(prec=40):
        exact = Decimal(x).exp()
        return abs(float((Decimal(exp(x)) - exact) / exact))


@pytest.mark.parametrize("span", [1e-300, 1e-8, 0.3, 1.0, 40.0, 700.0])
def test_exp_error_is_at_most_two_units_in_the_last_place(span):
    x = np.random.default_rng(0).uniform(-span, span, 500)
    assert max(map(relative_error, x)) <= 2 * UNIT


@pytest.mark.parametrize("span", [1e-300, 1e-8, 0.3, 1.0])
def test_log1p_of_fraction_error_is_at_most_two_units_in_the_last_place(span):
    """log1p_of_fraction as in the logistic loss."""
    for e in map(float, np.random.default_rng(0).uniform(0, span, 500)):
        with localcontext(prec=340):  # the digits of 1 + 1e-300
            exact = (1 + Decimal(e)).ln()
            assert abs(Decimal(log1p_of_fraction(e)) - exact) <= exact * Decimal(2 * UNIT)


def test_exp_at_the_ends_of_its_range():
    just_below, just_above = math.nextafter(LARGEST, 0), math.nextafter(LARGEST, math.inf)
    assert math.isfinite(exp(just_below))
    assert relative_error(just_below) <= 2 * UNIT
    assert exp(just_above) == math.inf
    assert relative_error(SMALLEST) <= 2 * UNIT
    assert exp(math.nextafter(SMALLEST, -math.inf)) == 0.0


@pytest.mark.parametrize(
    ("x", "value"), [(0.0, 1.0), (-0.0, 1.0), (math.inf, math.inf), (-math.inf, 0.0), (1e300, math.inf), (-1e300, 0.0)]
)
def test_exp_of_special_values(x, value):
    assert exp(x) == value


def test_exp_of_nan_is_nan():
    assert math.isnan(exp(math.nan))


def test_math_exp_in_a_term_is_replaced_in_kernels():
    assert through_term(Wave(), 1.5) == exp(1.5)
    (code,) = through_term.inspect_llvm().values()
    assert "@exp" not in code
    assert "@llvm.exp" not in code


def test_math_exp_in_a_term_is_not_replaced_in_python():
    assert Wave().of(1.5) == math.exp(1.5)
