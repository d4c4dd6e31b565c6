"""Positions of values beyond 2^32, where indices of 32 bits would wrap around, with a sign beyond 2^31.

X is mapped from a sparse file with a few rows of numbers; the zeros in between take no disk. What kernels make of X
must be, to the last bit where they add nothing else, what they make of those rows alone. For sparse X ``indptr`` begins
beyond 2^32, so that no kernel reads what lies before.
"""

from __future__ import annotations

import numpy as np
import pytest
from helpers.campaign_figures import record

import fastgd
from fastgd.compile.jit import kernel
from fastgd.data.row_source import MemoryRows
from fastgd.kernels.batch_gradient import (
    accumulate,
    batch_gradient,
    linear_predictor,
    mean_loss,
    row_norms,
    summed_loss,
)
from fastgd.kernels.column_moments import moments_of_columns, sizes_of_columns
from fastgd.kernels.column_products import sparse_products
from fastgd.kernels.minibatch_epoch import Workspace, minibatch_epoch
from fastgd.kernels.row_access import CSR
from fastgd.kernels.row_targets import Targets
from fastgd.kernels.second_derivatives import mean_squares
from fastgd.kernels.sgd_epoch import sgd_epoch
from fastgd.kernels.update_step import Preconditioner, Stepper
from fastgd.losses import LOSSES
from fastgd.objective.chunks import row_blocks
from fastgd.objective.gram import GramLimits, gram
from fastgd.penalties import ElasticNet
from fastgd.rules import RULES

SIGNED, BEYOND = 1 << 31, 1 << 32
N_FEATURES, N_ROWS = 32_768, BEYOND // 32_768 + 40
SQUARED = LOSSES["half_squared"]()
# Rows on both sides of values 2^31 and 2^32, at both ends, and in the places to which an index of 32 bits would wrap
# around.
AT_SIGN, AT_END = SIGNED // N_FEATURES, BEYOND // N_FEATURES
WRITTEN = np.array([0, 3, AT_SIGN - 1, AT_SIGN, AT_SIGN + 3, AT_END - 1, AT_END, AT_END + 3, N_ROWS - 1])
# Passes over all rows take seconds for each 2^31 values: they are made of the rows to a little beyond 2^31.
WRITTEN_OF_PASS, ROWS_OF_PASS = WRITTEN[:5], AT_SIGN + 40


@pytest.fixture(scope="module")
def X(tmp_path_factory):
    path = tmp_path_factory.mktemp("large") / "X.dat"
    mapped = np.memmap(path, np.float32, "w+", shape=(N_ROWS, N_FEATURES))
    if path.stat().st_blocks * 512 > BEYOND:
        pytest.skip("this file system stores the zeros of sparse files")
    mapped[WRITTEN] = np.random.default_rng(0).normal(size=(len(WRITTEN), N_FEATURES))
    yield np.asarray(mapped)
    path.unlink()


@pytest.fixture(scope="module")
def y():
    targets = np.zeros(N_ROWS)
    targets[WRITTEN] = np.random.default_rng(1).normal(size=len(WRITTEN))
    return targets


@pytest.fixture(scope="module")
def sparse(tmp_path_factory):
    """Rows of CSR whose values lie beyond 2^32 in their arrays, and the same rows in small arrays."""
    folder, random = tmp_path_factory.mktemp("sparse"), np.random.default_rng(2)
    lengths = random.integers(1, 8, 40)
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    indices = np.concatenate([np.sort(random.permutation(12)[:k]) for k in lengths]).astype(np.int32)
    data = random.normal(size=len(indices)).astype(np.float32)
    arrays = []
    for name, values in (("data", data), ("indices", indices)):
        mapped = np.memmap(folder / name, values.dtype, "w+", shape=BEYOND + 5 + len(values))
        mapped[BEYOND + 5 :] = values
        arrays.append(np.asarray(mapped))
    return CSR(*arrays, indptr + BEYOND + 5, 12), CSR(data, indices, indptr, 12)


def sgd(X, y, order, n_features):
    params, v, paid = np.zeros(n_features + 1), np.zeros(n_features, np.float32), np.zeros(n_features)
    rates = np.full(len(order), 0.01 / n_features)
    found = sgd_epoch(X, Targets(y), order, rates, SQUARED, 0.0, 0.1, np.inf, 1.0, params, v, paid, None)
    return params, found


def minibatch(X, y, order, n_features):
    params = np.zeros(n_features + 1)
    work = Workspace.make(np.dtype(np.float32), n_features, n_features + 1, 2)
    stepper = Stepper.make(RULES["sgd"](), ElasticNet(0.0, 0.1), Preconditioner.identity(n_features), n_features + 1)
    rates = np.full(-(-len(order) // 2), 0.01 / n_features)
    total = minibatch_epoch.serial(X, Targets(y), order, 2, rates, 1, SQUARED, stepper, params, work)
    return params, total


@pytest.mark.parametrize("epoch", [sgd, minibatch])
def test_steps_on_dense_rows(X, y, epoch):
    params, losses = epoch(X, y, WRITTEN, N_FEATURES)
    expected, expected_losses = epoch(X[WRITTEN], y[WRITTEN], np.arange(len(WRITTEN)), N_FEATURES)
    assert np.abs(expected).max() > 0
    assert params.tolist() == expected.tolist()
    assert losses == expected_losses


def test_rows_are_taken(X, y):
    taken = MemoryRows(X, Targets(y)).take(WRITTEN)
    assert taken.targets.y.tolist() == y[WRITTEN].tolist()
    assert (np.abs(taken.X).max(axis=1) > 0).all()


def batch(X, y, w):
    d, gradient = len(w), np.zeros(len(w))
    value = batch_gradient.serial(
        X, Targets(y), w, 0.0, SQUARED, np.zeros((2, d)), np.zeros((2, 2)), row_blocks(X, 2), None, gradient
    )
    return value, gradient


@kernel
def part_of_pass(X, targets, start, stop, w, loss, blocks, gradient):
    """What `batch_gradient` and `mean_loss` make of the rows start..stop: parts of a pass that takes seconds."""
    first, second = accumulate(X, targets, None, start, stop, w, 0.0, loss, gradient, blocks, 0, None)
    return first, second, summed_loss(X, targets, start, stop, w, 0.0, loss)


@pytest.mark.parametrize("n_features", [N_FEATURES, 32], ids=["pairs of rows", "blocks of rows"])
def test_part_of_a_pass_over_dense_rows(X, y, n_features):
    """Both sides of value 2^31; narrow rows are the same values, in other rows."""
    first, last = (BEYOND // N_FEATURES - 1) * (N_FEATURES // n_features), N_ROWS * (N_FEATURES // n_features)
    X, random = X.reshape(-1, n_features), np.random.default_rng(3)
    w, targets = random.normal(size=n_features).astype(np.float32), np.zeros(last)
    targets[first:] = random.normal(size=last - first)
    found = []
    for of, y_of, start in ((X, targets, first), (X[first:].copy(), targets[first:].copy(), 0)):
        gradient = np.zeros(n_features)
        sums = part_of_pass(of, Targets(y_of), start, start + last - first, w, SQUARED, row_blocks(of, 1), gradient)
        found.append([*sums, *gradient])
    assert np.abs(found[1]).min() > 0
    assert found[0] == found[1]


@pytest.mark.campaign
def test_passes_over_dense_rows(X, y):
    """Rows of zeros add nothing to loss and gradient, so the sums equal those of the written rows up to rounding."""
    w = np.random.default_rng(3).normal(size=N_FEATURES).astype(np.float32)
    X, y, n = X[:ROWS_OF_PASS], y[:ROWS_OF_PASS], ROWS_OF_PASS
    small, y_small = X[WRITTEN_OF_PASS], y[WRITTEN_OF_PASS]
    value, gradient = batch(X, y, w)
    expected, expected_gradient = batch(small, y_small, w)
    assert n * value == pytest.approx(len(WRITTEN_OF_PASS) * expected, rel=1e-12)
    size = np.abs(y_small - small.astype(float) @ w) @ np.abs(small)
    assert (np.abs(n * gradient - len(WRITTEN_OF_PASS) * expected_gradient) <= 4 * 2.0**-24 * size).all()


@pytest.mark.campaign
def test_other_passes_over_dense_rows(X, y):
    w = np.random.default_rng(3).normal(size=N_FEATURES).astype(np.float32)
    X, y, n = X[:ROWS_OF_PASS], y[:ROWS_OF_PASS], ROWS_OF_PASS
    small, share = X[WRITTEN_OF_PASS], len(WRITTEN_OF_PASS)
    value = mean_loss.serial(X, Targets(y), w, 0.0, SQUARED, np.zeros((2, 2)))
    assert n * value == pytest.approx(share * batch(small, y[WRITTEN_OF_PASS], w)[0], rel=1e-12)
    z, z_small = np.empty(n), np.empty(share)
    linear_predictor.serial(X, w, 0.5, 2, z)
    linear_predictor.serial(small, w, 0.5, 1, z_small)
    assert z[WRITTEN_OF_PASS].tolist() == z_small.tolist()
    assert (np.delete(z, WRITTEN_OF_PASS) == 0.5).all()
    identity = Preconditioner.identity(N_FEATURES)
    row_norms.serial(X, identity, 2, z)
    assert z[WRITTEN_OF_PASS] == pytest.approx((small.astype(float) ** 2).sum(axis=1), rel=1e-12)
    assert not np.delete(z, WRITTEN_OF_PASS).any()
    squares = np.empty(N_FEATURES)
    mean_squares.serial(X, np.empty((2, N_FEATURES)), squares)
    assert n * squares == pytest.approx((small.astype(float) ** 2).sum(axis=0), rel=1e-6)
    record("numbers", values_of_largest_dense_X=X.size)


def test_kernels_on_sparse_rows(sparse):
    random = np.random.default_rng(4)
    n, d, y, w, share = 40, 12, random.normal(size=40), random.normal(size=12).astype(np.float32), np.full(40, 1 / 40)
    order = random.permutation(n)
    found = []
    for X in sparse:
        z, sums, moments, sizes = np.empty(n), np.zeros((2, 1, d + 1, d + 1)), np.empty((4, d)), np.empty((2, d))
        linear_predictor.serial(X, w, 0.5, 2, z)
        sparse_products.serial(X, share[None].copy(), sums)
        moments_of_columns(X, share, *moments)
        sizes_of_columns(X, *sizes)
        loss = mean_loss.serial(X, Targets(y), w, 0.5, SQUARED, np.zeros((2, 2)))
        results = [*sgd(X, y, order, d), *minibatch(X, y, order, d), *batch(X, y, w), z, sums, moments, sizes, loss]
        found.append([np.asarray(result).tolist() for result in results])
    assert found[0] == found[1]


@pytest.mark.campaign
def test_gram_matrix_and_fit_of_narrow_rows(tmp_path):
    """n_samples far above 2^24 too, where float32 no longer counts rows."""
    n, d = SIGNED // 32 + 40, 32
    X = np.memmap(tmp_path / "X.dat", np.float32, "w+", shape=(n, d))
    written = np.array([0, 3, n - 60, n - 41, n - 40, n - 1])
    X[written] = np.random.default_rng(0).normal(size=(len(written), d))
    X, small = np.asarray(X), np.array(X[written])
    found = gram(X, np.ones((n, 1)), np.zeros(d), intercept=True, limits=GramLimits(max_numpy=0))[0]
    expected = np.column_stack([small, np.ones(len(written))]).astype(float)
    expected = expected.T @ expected
    expected[d, d] = n
    assert found == pytest.approx(expected, rel=1e-12, abs=1e-12)
    y = np.zeros(n)
    y[written] = 1.0
    result = fastgd.fit(X, y, loss="half_squared", method="minibatch", batch_size=1 << 20, max_epochs=1, tol=0)
    z = small.astype(float) @ result.coef + result.intercept
    expected_F = (((z - 1) ** 2).sum() + (n - len(written)) * result.intercept**2) / (2 * n)
    assert result.objective == pytest.approx(expected_F, rel=1e-6)
