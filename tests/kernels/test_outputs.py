"""Kernels of several outputs against the reference: passes over all rows, and kernels that take steps.

Tolerances are bounds on rounding errors, as in test_passes and test_steps, for losses with derivatives up to SLOPE and
curvature up to 1: huber, for each output separately, and softmax.
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import pytest
from conftest import LAYOUTS, problems
from hypothesis import given
from hypothesis import strategies as st
from kernels.test_passes import launcher, same
from reference import outputs as reference_outputs
from reference.losses import Huber, Softmax

from fastgd.compile.jit import thread_pool_size, threads
from fastgd.data.feature_matrix import dtype_of, shape_of
from fastgd.kernels.minibatch_epoch import minibatch_outputs_epoch
from fastgd.kernels.output_blocks import fill, lay_out, load
from fastgd.kernels.outputs_gradient import OutputsWorkspace, outputs_gradient, outputs_mean_loss
from fastgd.kernels.outputs_sgd_epoch import Each, LazyWeights, sgd_outputs_epoch
from fastgd.kernels.row_targets import NONE, Targets
from fastgd.kernels.update_step import Preconditioner, Stepper
from fastgd.losses import LOSSES
from fastgd.penalties import ElasticNet
from fastgd.rules import SGD

# The derivatives of huber are at most DELTA; the absolute derivatives of softmax sum to at most 2.
DELTA, SLOPE = 1.5, 2.0
EPS = float(np.finfo(np.float64).eps)
LOSS = {"each": LOSSES["huber"](DELTA), "joint": LOSSES["softmax"]()}
EXPECTED = {"each": Huber(DELTA), "joint": Softmax()}

# Compilation dominates: where the code is the same, not all combinations are tested.
SERIAL = [*(("each", layout, "serial") for layout in LAYOUTS), ("joint", "dense float64", "serial")]
PARALLEL = [("each", layout, "parallel") for layout in ("dense float64", "csr float32")]
SPARSE = ("joint", "csr float64", "serial")


def ways(*some):
    return pytest.mark.parametrize(("kind", "layout", "variant"), some)


@dataclass
class Outputs:
    """A problem of several outputs and parameters; all numbers are exact in float32."""

    X: np.ndarray
    targets: Targets
    expected_targets: list  # the same in the form of the reference
    W: np.ndarray
    b: np.ndarray

    @property
    def params(self) -> np.ndarray:
        return np.column_stack([self.W, self.b])

    @property
    def of_rows(self) -> dict:
        weight, offset = (part if len(part) else None for part in self.targets[1:3])
        return {"sample_weight": weight, "offset": offset}

    @property
    def shift(self) -> np.ndarray:
        return np.abs(self.targets.offset)[:, None] if len(self.targets.offset) else np.zeros((len(self.X), 1))

    @property
    def weight(self) -> np.ndarray:
        return self.targets.weight if len(self.targets.weight) else np.ones(len(self.X))


@st.composite
def several(draw, kind: str) -> Outputs:
    """Two to seven outputs with targets for the kind of loss, with or without weights and offset."""
    drawn = draw(problems(most_rows=30, most_features=9))
    n, d, K = *drawn.X.shape, draw(st.integers(2, 7))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    weight = offset = NONE
    if draw(st.booleans()):
        weight = random.integers(1, 9, n) / 4
        weight /= weight.mean()
    if draw(st.booleans()):
        offset = random.integers(-16, 17, n) / 8
    numbers = random.integers(0, K, n).astype(float)
    form = "numbers" if kind == "joint" else draw(st.sampled_from(["own", "shared", "one against the rest"]))
    y = {"own": random.integers(-64, 65, (n, K)) / 16, "shared": drawn.y[:, None]}.get(form, numbers[:, None])
    expected = {
        "own": y.tolist(),
        "shared": [[v] * K for v in drawn.y],
        "one against the rest": reference_outputs.targets_of(numbers, K),
        "numbers": numbers.tolist(),
    }[form]
    targets = Targets(y, weight, offset, form == "one against the rest")
    return Outputs(drawn.X, targets, expected, random.integers(-64, 65, (K, d)) / 16, random.integers(-64, 65, K) / 16)


def workspace(X, outputs, n_parameters, n_chunks, block):
    """A workspace with blocks of ``block`` rows, filled with NaN."""
    K = len(outputs.b)
    work = OutputsWorkspace.make(X, K, n_parameters, n_chunks)
    work = work._replace(Z=np.zeros((n_chunks, block, K), dtype_of(X)))
    for array in work:
        array[...] = np.nan
    return work


class Rounding:
    """Bounds on the rounding errors of a kernel's sums, see test_passes."""

    def __init__(self, outputs: Outputs, X) -> None:
        n, d = outputs.X.shape
        eps = float(np.finfo(dtype_of(X)).eps)
        size = np.abs(outputs.X)
        z = size @ np.abs(outputs.W).T + np.abs(outputs.b) + outputs.shift  # (n, K), as the following
        error = (d + 3) * eps * (size @ np.abs(outputs.W).T) + 3 * EPS * (np.abs(outputs.b) + outputs.shift)
        error[:] = error.max(axis=1, keepdims=True)  # with softmax, each output has the errors of all
        weight = outputs.weight[:, None] / n
        largest = SLOPE * (z.max(axis=1, keepdims=True) + np.abs(outputs.targets.y).max() + 1)
        self.loss = (weight * (SLOPE * error + (n + 10) * EPS * largest)).sum(axis=0)
        # dloss_dz is rounded to the dtype of X and multiplied, and four products are added in that dtype.
        slopes = weight * (error + SLOPE * (5 * eps + (n + 10) * EPS * (1 + z.max())))
        self.gradient = slopes.T @ size
        self.slopes = slopes.sum(axis=0)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_fill_and_load_have_the_same_layout(layout):
    X, params = LAYOUTS[layout](np.eye(2)), np.arange(6.0).reshape(2, 3)  # as many outputs as features
    by_python, by_kernels = (lay_out(X, 2, dtype_of(X)) for _ in range(2))
    fill(X, by_python, params[:, :2])
    load(X, params, by_kernels)
    assert by_python.tolist() == by_kernels.tolist()


# --- Passes over all rows ---------------------------------------------------------------------------------------------


@ways(*SERIAL, *PARALLEL)
@given(data=st.data(), n_chunks=st.integers(1, 5), block=st.integers(1, 11), has_intercept=st.booleans())
def test_outputs_gradient(kind, layout, variant, data, n_chunks, block, has_intercept):
    outputs = data.draw(several(kind))
    X, d = LAYOUTS[layout](outputs.X), outputs.X.shape[1]
    params, B = (outputs.params, outputs.b) if has_intercept else (outputs.W.copy(), 0 * outputs.b)
    work = workspace(X, outputs, params.shape[1], n_chunks, block)
    launcher(outputs_gradient, variant)(X, outputs.targets, params, d, LOSS[kind], work, None)
    G, slopes, losses = reference_outputs.gradients(
        outputs.X, outputs.expected_targets, outputs.W, B, EXPECTED[kind], **outputs.of_rows
    )
    rounding = Rounding(outputs, X)
    same(work.losses, losses, rounding.loss)
    same(work.gradient[:, :d], G, rounding.gradient)
    if has_intercept:
        same(work.gradient[:, d], slopes, rounding.slopes)


@ways(SERIAL[0], PARALLEL[0])
@given(data=st.data(), n_chunks=st.integers(1, 5), block=st.integers(1, 11))
def test_outputs_mean_loss(kind, layout, variant, data, n_chunks, block):
    outputs = data.draw(several(kind))
    X, d = LAYOUTS[layout](outputs.X), outputs.X.shape[1]
    work = workspace(X, outputs, d + 1, n_chunks, block)
    launcher(outputs_mean_loss, variant)(X, outputs.targets, outputs.params, d, LOSS[kind], work)
    *_, losses = reference_outputs.gradients(
        outputs.X, outputs.expected_targets, outputs.W, outputs.b, EXPECTED[kind], **outputs.of_rows
    )
    same(work.losses, losses, Rounding(outputs, X).loss)


# --- Those that step as they go ---------------------------------------------------------------------------------------


@dataclass
class Steps:
    """An order of rows, rates at which steps are nonexpansive, and settings per output."""

    order: np.ndarray
    rates: np.ndarray
    each: Each
    clip: float
    has_intercept: bool

    def of_reference(self, outputs, kind, **options):
        start = outputs.W, outputs.b if self.has_intercept else 0 * outputs.b
        return reference_outputs.minibatch(
            outputs.X, outputs.expected_targets, EXPECTED[kind], rates=self.rates, order=self.order, start=start,
            l1=self.each.l1.tolist(), l2=self.each.l2.tolist(), shares=self.each.rate.tolist(), clip=self.clip,
            fit_intercept=self.has_intercept, **outputs.of_rows, **options,
        )  # fmt: skip

    def start(self, outputs):
        return outputs.params if self.has_intercept else outputs.W.copy()


@st.composite
def steps(draw, outputs: Outputs) -> Steps:
    n, K = len(outputs.X), len(outputs.b)
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    l1, l2 = draw(st.sampled_from([(0.0, 0.0), (0.3, 0.0), (0.0, 0.5), (0.3, 0.5), (4.0, 0.0)]))
    alike = draw(st.booleans())
    of_each = [np.full(K, v) if alike else v * random.integers(0, 3, K) / 2 for v in (l1, l2)]
    shares = np.ones(K) if alike else random.integers(1, 9, K) / 8
    largest = outputs.weight.max() * ((outputs.X**2).sum(axis=1).max() + 1) + of_each[1].max()
    rates = random.uniform(0.02, 1.9, n) / largest
    clip = draw(st.sampled_from([math.inf, math.inf, 0.5, 8.0]))
    return Steps(random.permutation(n), rates, Each(shares, *of_each), clip, draw(st.booleans()))


def tolerance(X, path):
    """The tolerance for the parameters at the end of ``path``, see test_steps."""
    largest = 1.0 + max(np.linalg.norm(np.column_stack([W, B])) for W, B in path)
    return 2 * len(path) * (shape_of(X)[1] + 10) * float(np.finfo(dtype_of(X)).eps) * largest


def check(params, losses, path, totals, outputs, X, has_intercept):
    W, B = path[-1]
    allowed = tolerance(X, path)
    reach = 1 + np.abs(outputs.X).sum(axis=1).max()
    same(params, np.column_stack([W, B]) if has_intercept else W, allowed)
    same(losses, totals, len(outputs.X) * outputs.weight.max() * SLOPE * reach * allowed)


def run_sgd(X, outputs, kind, how, cuts=()):
    params, losses = how.start(outputs), np.zeros(len(outputs.b))
    lazy = LazyWeights.make(X, len(outputs.b))
    for name in ("W", "scale", "owed", "Z", "z"):
        getattr(lazy, name)[...] = np.nan  # the content before the call must not matter
    for order, rates in zip(np.split(how.order, cuts), np.split(how.rates, cuts), strict=True):
        sgd_outputs_epoch(X, outputs.targets, order, rates, LOSS[kind], how.each, how.clip, params, losses, lazy, None)
        assert not lazy.paid.any(), "the workspace must be zeros again, for the next call"
    return params, losses, lazy


@ways(SERIAL[0], SERIAL[3], SPARSE)
@given(data=st.data())
def test_sgd_outputs_epoch(kind, layout, variant, data):
    outputs = data.draw(several(kind))
    how = data.draw(steps(outputs))
    X, n = LAYOUTS[layout](outputs.X), len(outputs.X)
    params, losses, lazy = run_sgd(X, outputs, kind, how)
    path, totals = how.of_reference(outputs, kind)
    check(params, losses, path, totals, outputs, X, how.has_intercept)
    _, slopes, _ = reference_outputs.gradients(
        outputs.X, outputs.expected_targets, *path[-2], EXPECTED[kind], [how.order[-1]], **outputs.of_rows
    )
    reach = outputs.weight.max() * (1 + np.abs(outputs.X).sum(axis=1).max())
    same(lazy.z, slopes, reach * tolerance(X, path))  # before clipping
    parts, parts_losses, _ = run_sgd(X, outputs, kind, how, [data.draw(st.integers(0, n))])
    check(parts, parts_losses, path, totals, outputs, X, how.has_intercept)


@ways(SERIAL[0], PARALLEL[0], SPARSE)
@given(data=st.data(), batch_size=st.integers(1, 32), n_chunks=st.integers(1, 5), block=st.integers(1, 11))
def test_minibatch_outputs_epoch(kind, layout, variant, data, batch_size, n_chunks, block):
    outputs = data.draw(several(kind))
    how = data.draw(steps(outputs))
    X, n, d = LAYOUTS[layout](outputs.X), *outputs.X.shape
    how.rates = how.rates[: -(-n // batch_size)]
    factors = data.draw(st.sampled_from([None, 1.0, 0.5])) and np.arange(d) % 3 / 2
    # A penalty and its strengths: each output has a multiple of it.
    l1, l2 = 0.5, data.draw(st.sampled_from([0.0, 0.25]))
    strengths = how.each.l1 if how.each.l1.any() else how.each.l2
    how.each = Each(how.each.rate, l1 * strengths, l2 * strengths)
    how.rates = how.rates / (1 + l2 * strengths.max())
    params, losses = how.start(outputs), np.zeros(len(outputs.b))
    stepper = Stepper.make(
        SGD(), ElasticNet(l1, l2), Preconditioner.identity(d), params.shape[1], strength=strengths, rate=how.each.rate,
        weights=factors, clip=how.clip,
    )  # fmt: skip
    work = workspace(X, outputs, params.shape[1], n_chunks, block)
    arguments = (X, outputs.targets, how.order, batch_size, how.rates, 1, LOSS[kind], stepper, params, losses, work)
    launcher(minibatch_outputs_epoch, variant)(*arguments)
    path, totals = how.of_reference(outputs, kind, batch_size=batch_size, penalty_weights=factors)
    check(params, losses, path, totals, outputs, X, how.has_intercept)


# Rate times l2: from almost no decay to decay to zero, and beyond zero, with a change of sign.
@pytest.mark.parametrize("layout", ["dense float64", "csr float32"])
@pytest.mark.parametrize("l1", [0.0, 0.02])
def test_many_steps_with_a_different_decay_per_output(layout, l1):
    """The scales are folded in many times, whichever becomes small first."""
    n, d, n_epochs, rate = 24, 5, 40, 0.125
    random = np.random.default_rng(3)
    dense = random.integers(-4, 5, (n, d)) / 16 * (random.random((n, d)) < 0.6)
    # A column with values in few rows, for which the thresholds of many steps are deferred.
    dense[:, 4] = 0.25 * (np.arange(n) % 12 == 0)
    y = dense @ random.normal(size=(5, 5)) + random.normal(size=(n, 5))
    outputs = Outputs(dense, Targets(y), y.tolist(), random.normal(size=(5, d)), random.normal(size=5))
    order = np.concatenate([random.permutation(n) for _ in range(n_epochs)])
    each = Each(np.ones(5), np.full(5, l1), np.array([0.001, 0.3, 0.875, 1.0, 1.9375]) / rate)
    how = Steps(order, np.full(len(order), rate), each, math.inf, True)
    X = LAYOUTS[layout](dense)
    params, _, _ = run_sgd(X, outputs, "each", how)
    path, _ = how.of_reference(outputs, "each")
    same(params, np.column_stack(path[-1]), tolerance(X, path[:200]))  # the errors of earlier steps have decayed
    zeros = np.array(path[-1][0]) == 0
    assert ((params[:, :d] == 0) == zeros).all()
    assert zeros[:3].any() == (l1 > 0)


# --- Bits, and what a step costs --------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", ["dense float64", "csr float32"])
@pytest.mark.parametrize("n_chunks", [1, 7])
def test_parallel_kernels_and_serial_twins_have_the_same_bits(layout, n_chunks):
    random = np.random.default_rng(2)
    n, d, K = 4001, 13, 5
    dense = random.normal(size=(n, d)) * (random.random((n, d)) < 0.6)
    X, targets = LAYOUTS[layout](dense), Targets(random.normal(size=(n, K)), random.random(n), random.normal(size=n))

    params, loss = np.full((K, d + 1), 0.1), LOSS["each"]

    def run(gradient, mean_loss, epoch):
        work = OutputsWorkspace.make(X, K, d + 1, n_chunks)
        gradient(X, targets, params, d, loss, work, None)
        out = [work.gradient.tobytes(), work.losses.tobytes()]
        if layout == "csr float32":  # to compile the other kernels for it takes long
            return out
        mean_loss(X, targets, params, d, loss, work)
        out.append(work.losses.tobytes())
        stepper = Stepper.make(SGD(), ElasticNet(0.1, 0.1), Preconditioner.identity(d), d + 1, strength=np.ones(K))
        order, rates, moved, losses = np.arange(n)[::-1].copy(), np.full(5, 1e-2), params.copy(), np.zeros(K)
        epoch(X, targets, order, 1000, rates, 1, loss, stepper, moved, losses, work)
        return [*out, moved.tobytes(), losses.tobytes()]

    kernels = (outputs_gradient, outputs_mean_loss, minibatch_outputs_epoch)
    alone = run(*(kernel.serial for kernel in kernels))
    for count in range(1, thread_pool_size() + 1):
        with threads(count):
            assert run(*kernels) == alone


PLAIN_PYTHON = os.environ.get("NUMBA_DISABLE_JIT") == "1"


@pytest.mark.skipif(not PLAIN_PYTHON, reason="the next test runs it where kernels are plain Python")
@pytest.mark.parametrize("strengths", [(0.0, 0.0), (0.1, 0.1)])
def test_sgd_cost_depends_on_non_zeros_only(strengths):
    """The cost of a row, in accesses to coefficients, depends on its values and not on the number of columns."""

    class Counted(np.ndarray):
        def __getitem__(self, at):
            self.uses[0] += 1
            return super().__getitem__(at)

        def __setitem__(self, at, value):
            self.uses[0] += 1
            super().__setitem__(at, value)

    def uses(n, d):
        X, K = LAYOUTS["csr float64"](np.eye(n, 9) + np.eye(n, 9, 3)), 2
        X, lazy = X._replace(n_features=d), LazyWeights.make(X._replace(n_features=d), K)
        lazy = lazy._replace(W=lazy.W.view(Counted), paid=lazy.paid.view(Counted))
        lazy.W.uses = lazy.paid.uses = count = [0]
        each, params = Each(np.ones(K), *(np.full(K, v) for v in strengths)), np.zeros((K, d + 1))
        sgd_outputs_epoch(
            X, Targets(np.ones((n, K))), np.arange(n), np.full(n, 0.1), LOSS["each"], each, math.inf, params,
            np.zeros(K), lazy, None,
        )  # fmt: skip
        return count[0]

    more_rows = [uses(9, d) - uses(5, d) for d in (9, 90)]
    assert more_rows[0] == more_rows[1] > 0


@pytest.mark.skipif(PLAIN_PYTHON, reason="this is that process")
def test_sgd_cost_in_plain_python():
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__, "-k", "sgd_cost_depends"]
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("..")
