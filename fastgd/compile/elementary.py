"""Elementary functions in place of libm's, for terms that call `math.exp`.

A call into libm cannot be inlined, so no loop around it is vectorised. This one is a few
multiplications, which the compiler weaves into the kernel: for a block of rows, 1 ns each, not 5.
"""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

LOG2_E = 1.4426950408889634
# log 2 in two parts, the first so short that its product with any exponent is exact (fdlibm's e_exp.c, Sun 1993).
LN2_HIGH = 6.93147180369123816490e-01
LN2_LOW = 1.90821492927058770002e-10
# Added to a double of less than 2^51, it leaves the nearest whole number in the lowest bits.
ROUND = 1.5 * 2.0**52
LARGEST = 709.782712893384  # the logarithm of the largest double
SMALLEST = -708.0  # below it the result, no longer a normal number, is taken for 0
C2, C3, C4, C5, C6, C7, C8, C9, C10, C11, C12, C13 = (2.0 / math.factorial(k) for k in range(2, 14))


@intrinsic  # type: ignore[untyped-decorator]
def _bits(_typing_context: Any, value: Any) -> Any:  # noqa: ARG001  # numba passes it
    """The 64 bits of a double, as a whole number."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.IntType(64))

    return types.int64(types.float64), generate


@intrinsic  # type: ignore[untyped-decorator]
def _double(_typing_context: Any, bits: Any) -> Any:  # noqa: ARG001  # numba passes it
    """The double that has these 64 bits."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.DoubleType())

    return types.float64(types.int64), generate


# Not with the flags of the kernels: allowed to regroup, the compiler would undo the rounding and add up
# the two parts of log 2.
@numba.njit(fastmath={"contract"}, error_model="numpy", nogil=True, forceinline=True)  # type: ignore[untyped-decorator]
def exp(x: float) -> float:
    """e^x = 2^n e^r with n = round(x / log 2), |r| <= log(2) / 2, and e^r by its series; to 2 units in the last place.

    Evaluated in pairs of terms rather than one after the other (Estrin, 1960), since a step of SGD waits for it.
    """
    rounded = x * LOG2_E + ROUND
    n = rounded - ROUND
    r = (x - n * LN2_HIGH) - n * LN2_LOW
    r2 = r * r
    r4 = r2 * r2
    low = (2.0 + 2.0 * r) + r2 * (C2 + r * C3)
    middle = (C4 + r * C5) + r2 * (C6 + r * C7)
    high = ((C8 + r * C9) + r2 * (C10 + r * C11)) + r4 * (C12 + r * C13)
    twice = low + r4 * middle + (r4 * r4) * high
    result = twice * _double((_bits(rounded) + 1022) << 52)  # twice e^r times 2^(n - 1): 2^1024 is no double
    result = np.inf if x > LARGEST else result
    return 0.0 if x < SMALLEST else result
