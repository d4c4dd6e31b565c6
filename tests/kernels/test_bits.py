"""Equal bits for any number of threads, for serial twins, and for repeated fits."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse as sp

import fastgd
from fastgd.compile.jit import thread_pool_size, threads
from fastgd.data.feature_matrix import as_matrix, dtype_of
from fastgd.kernels.batch_gradient import batch_gradient, linear_predictor, mean_loss, row_norms
from fastgd.kernels.dual_sums import derivatives_at
from fastgd.kernels.minibatch_epoch import Workspace, minibatch_epoch
from fastgd.kernels.row_access import BLOCK_ROWS
from fastgd.kernels.row_targets import Targets
from fastgd.kernels.update_step import Preconditioner, Stepper
from fastgd.losses import LOSSES
from fastgd.objective.chunks import MIN_PARALLEL_VALUES, MIN_THREADED_VALUES, row_blocks
from fastgd.penalties import ElasticNet
from fastgd.rules import RULES

SHAPES = {"small": (61, 5), "large": (MIN_THREADED_VALUES // 16 + 7, 30)}
FORMS = {
    "dense float64": np.asarray,
    "dense float32": lambda X: X.astype(np.float32),
    "csr": lambda X: sp.csr_array(X * (np.abs(X) > 0.5)),
}
# A batch needs as many values as a whole pass to run in parallel, hence the two sizes.
METHODS = {
    "gd": {"method": "gd"},
    "sgd": {"method": "sgd"},
    "minibatch": {"method": "minibatch", "batch_size": 32},
    "large minibatch": {"method": "minibatch", "batch_size": MIN_PARALLEL_VALUES // 12},
}


def data(shape):
    random = np.random.default_rng(2)
    X = random.normal(size=shape) * np.linspace(0.1, 10, shape[1]) + 1.0
    return X, X @ random.normal(size=shape[1]) + random.normal(size=shape[0])


def bits(result: fastgd.Result) -> bytes:
    """All results of a fit as bytes, without the seconds."""
    trace = [result.trace[name].tobytes() for name in result.trace.dtype.names if name != "seconds"]
    numbers = np.array([result.intercept, result.objective, result.learning_rate])
    return b"".join([result.coef.tobytes(), numbers.tobytes(), result.path.tobytes(), *trace])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("shape", SHAPES)
def test_fit_has_the_same_bits_on_any_number_of_threads(shape, form, method):
    # Kernels, loss and rule are the same as in the next test, which then compiles nothing.
    X, y = data(SHAPES[shape])
    X = FORMS[form](X)
    options = {
        "loss": "huber:delta=2", "penalty": "elasticnet", "alpha": 0.01, "rule": "momentum", "max_epochs": 3, "tol": 0,
        **METHODS[method],
    }  # fmt: skip
    if method == "sgd":
        options["rule"] = "sgd"  # which has its own kernel
    alone = bits(fastgd.fit(X, y, n_threads=1, **options))
    for count in range(1, thread_pool_size() + 1):
        assert bits(fastgd.fit(X, y, n_threads=count, **options)) == alone


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("n_chunks", [1, 7])
def test_parallel_kernels_and_serial_twins_have_the_same_bits(form, n_chunks):
    """A process that must not start threads runs the serial twin."""
    dense, y = data((4001, 12))
    X, _ = as_matrix(FORMS[form](dense))
    n, d = dense.shape
    w, loss = np.linspace(-1, 1, d).astype(dtype_of(X)), LOSSES["huber"](2.0)
    preconditioner = Preconditioner(np.linspace(0, 1, d), np.linspace(1, 2, d))

    def run(batch_gradient, mean_loss, linear_predictor, row_norms, minibatch_epoch):
        work, table = Workspace.make(dtype_of(X), d, d + 1, n_chunks), np.zeros(n) if form == "csr" else None
        blocks = row_blocks(X, n_chunks)
        out = [
            batch_gradient(X, Targets(y), w, 0.5, loss, work.partials, work.sums, blocks, table, work.gradient),
            work.gradient.copy(),
        ]
        out.append(mean_loss(X, Targets(y), w, 0.5, loss, work.sums))
        z, norms, params = np.empty(n), np.empty(n), np.zeros(d + 1)
        linear_predictor(X, w, 0.5, n_chunks, z)
        row_norms(X, preconditioner, n_chunks, norms)
        stepper = Stepper.make(RULES["momentum"](), ElasticNet(0.1, 0.1), preconditioner, d + 1)
        order, rates = np.arange(n)[::-1].copy(), np.full(5, 1e-4)
        out.append(minibatch_epoch(X, Targets(y), order, 1000, rates, 1, loss, stepper, params, work))
        out += [] if table is None else [table]
        return b"".join(np.asarray(part).tobytes() for part in (*out, z, norms, params))

    kernels = (batch_gradient, mean_loss, linear_predictor, row_norms, minibatch_epoch)
    alone = run(*(kernel.serial for kernel in kernels))
    for count in range(1, thread_pool_size() + 1):
        with threads(count):
            assert run(*kernels) == alone


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("d", [5, 40])  # blocks of rows, and pairs
def test_address_of_an_empty_array_changes_no_bit(d, seed):
    """An empty array has an address; the output of a kernel may lie right behind it."""
    n = 2 * BLOCK_ROWS  # few rows, so that differences in the last bits are visible
    random = np.random.default_rng(seed)
    X, y, w, z = random.normal(size=(n, d)), random.choice([-1.0, 1.0], n), random.normal(size=d), random.normal(size=n)
    by_blocks, loss = row_blocks(X, 1) is not None, LOSSES["logistic"]()

    def run(absent, block, table, slopes):
        gradient, partials, sums = np.empty(d + 1), np.empty((1, d)), np.empty((1, 2))
        blocks, targets = block[None] if by_blocks else None, Targets(y, absent, absent)
        value = batch_gradient.serial(X, targets, w, 0.5, loss, partials, sums, blocks, table, gradient)
        means = derivatives_at.serial(y, absent, z, 0.5, loss, sums, slopes)
        return b"".join(np.asarray(each).tobytes() for each in (value, gradient, table, means, slopes))

    lengths = (BLOCK_ROWS, n, n)
    apart = run(np.zeros(0), *map(np.empty, lengths))
    for which, length in enumerate(lengths):
        for behind in (0, 1, BLOCK_ROWS):
            room = np.empty(behind + length)
            written = [np.empty(each) for each in lengths]
            written[which] = room[behind:]
            assert run(room[:0], *written) == apart


@pytest.mark.parametrize("shuffle", [True, "full", False])
@pytest.mark.parametrize("method", ["sgd", "minibatch"])
def test_repeated_fits_have_the_same_bits(method, shuffle):
    X, y = data(SHAPES["small"])
    first, second = (fastgd.fit(X, y, method=method, shuffle=shuffle, max_epochs=3, seed=5) for _ in range(2))
    assert bits(first) == bits(second)


in_the_other_process = "FASTGD_TEST_BITS" in os.environ


@pytest.mark.skipif(in_the_other_process, reason="this is that process")
def test_bits_with_four_threads():
    """Run the tests of threads in a process with four of them, on any number of cores."""
    environment = {**os.environ, "NUMBA_NUM_THREADS": "4", "FASTGD_TEST_BITS": "1"}
    chosen = "number_of_threads or serial_twins or has_four_threads"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__, "-k", chosen]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(not in_the_other_process, reason="only for the process with four threads")
def test_this_process_has_four_threads():
    assert thread_pool_size() == 4
