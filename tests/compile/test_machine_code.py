"""The machine code of the hot kernels has packed multiply-adds on registers of four doubles or more."""

from __future__ import annotations

import platform
import re

import llvmlite.binding as llvm
import numba
import numpy as np
import pytest

from fastgd.compile.jit import COMPILE_OPTIONS
from fastgd.kernels.batch_gradient import batch_gradient
from fastgd.kernels.minibatch_epoch import Workspace, minibatch_epoch
from fastgd.kernels.row_targets import Targets
from fastgd.kernels.sgd_epoch import sgd_epoch
from fastgd.kernels.update_step import Preconditioner, Stepper
from fastgd.losses import LOSSES
from fastgd.objective.chunks import row_blocks
from fastgd.penalties import ElasticNet
from fastgd.rules import SGD

HOST = llvm.get_host_cpu_features()
pytestmark = [
    pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="there is no machine code"),
    pytest.mark.skipif(
        platform.machine().lower() not in ("x86_64", "amd64") or not (HOST.get("avx2") and HOST.get("fma")),
        reason="an x86-64 processor with AVX2 and FMA is needed to know what the code should look like",
    ),
]
# Four doubles or eight floats at a time, or twice as many.
PACKED = {"float64": r"vfn?m(?:add|sub)\d+pd\s.*%[yz]mm", "float32": r"vfn?m(?:add|sub)\d+ps\s.*%[yz]mm"}
N, D = 64, 20


def packed(kernel, dtype, *args) -> int:
    """The number of packed multiply-adds in the kernel's machine code for these arguments."""
    fresh = numba.njit(**COMPILE_OPTIONS)(kernel.py_func)
    fresh.compile(tuple(map(numba.typeof, args)))
    (code,) = fresh.inspect_asm().values()
    return len(re.findall(PACKED[dtype], code))


def of_gradient(loss: str, dtype: str, by_blocks: bool) -> int:
    X, targets, term = np.ones((N, D), dtype), Targets(np.ones(N)), LOSSES.resolve(loss)
    work = Workspace.make(X.dtype, D, D + 1, 1)
    blocks = row_blocks(X, 1) if by_blocks else None
    room = (work.partials, work.sums, blocks)
    return packed(batch_gradient, dtype, X, targets, X[0], 0.0, term, *room, None, work.gradient)


@pytest.mark.parametrize("dtype", PACKED)
def test_batch_gradient_of_wide_rows_is_vectorised(dtype):
    """The dot products of two rows and their axpy."""
    assert of_gradient("half_squared", dtype, by_blocks=False) >= 3 * 4


def test_batch_gradient_of_narrow_rows_is_vectorised():
    """The dot products of four rows and the axpys of eight; logarithm and exponential are polynomials."""
    plain = of_gradient("half_squared", "float64", by_blocks=True)
    assert plain >= 4 + 8
    # Both polynomials have about a dozen terms.
    assert of_gradient("logistic", "float64", by_blocks=True) >= plain + 12


def test_sgd_epoch_is_vectorised():
    """The dot products of a row with the coefficients and with the previous row, and the axpy."""
    X, order = np.ones((N, D)), np.arange(N)
    args = (LOSSES.resolve("half_squared"), 0.0, 1e-4, np.inf, 1.0, np.zeros(D + 1), np.zeros(D), np.zeros(D), None)
    assert packed(sgd_epoch, "float64", X, Targets(np.ones(N)), order, np.ones(N), *args) >= 3 * 4


def test_minibatch_epoch_is_vectorised():
    """As the gradient of wide rows, with an order of rows."""
    X, order = np.ones((N, D)), np.arange(N)
    stepper = Stepper.make(SGD(), ElasticNet(), Preconditioner.identity(D), D + 1)
    work = Workspace.make(X.dtype, D, D + 1, 1)
    loss = LOSSES.resolve("half_squared")
    args = (X, Targets(np.ones(N)), order, 32, np.ones(2), 1, loss, stepper, np.zeros(D + 1), work)
    assert packed(minibatch_epoch, "float64", *args) >= 3 * 4
