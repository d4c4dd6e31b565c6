"""Prefetching of memory that will be needed soon; in plain Python it does nothing."""

from __future__ import annotations

from typing import Any

import numba
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

# Doubles in a cache line of 64 bytes. A constant for all dtypes: a division would cost more than the prefetches.
VALUES_A_LINE = 8
# Into the second-level cache: the first level waits for too few lines at a time, which halves the speed on wide rows.
READ, SECOND_LEVEL, DATA = 0, 2, 1


@intrinsic  # type: ignore[untyped-decorator]
def _prefetch(_typing_context: Any, array: Any, index: Any) -> Any:  # noqa: ARG001  # numba passes it
    """LLVM's prefetch of the cache line with element ``index`` of the array's memory."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        struct = context.make_array(signature.args[0])(context, builder, arguments[0])
        address = builder.bitcast(builder.gep(struct.data, [arguments[1]]), cgutils.voidptr_t)
        int32 = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [cgutils.voidptr_t, int32, int32, int32])
        function = builder.module.declare_intrinsic("llvm.prefetch", [cgutils.voidptr_t], kind)
        builder.call(function, [address, *(ir.Constant(int32, k) for k in (READ, SECOND_LEVEL, DATA))])
        return context.get_dummy_value()

    return types.void(array, types.intp), generate


if numba.config.DISABLE_JIT:

    def prefetch(array: Any, index: int) -> None:
        """Nothing to do."""

else:
    prefetch = _prefetch
