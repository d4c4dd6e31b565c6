"""The kernels of SGD and mini-batch steps against the reference, after every call.

Tolerances: a step with a rate up to 2 / L, where L is the largest curvature of a row's loss plus l2, is nonexpansive,
and so is soft thresholding. So rounding errors of the steps add up but do not grow: each step adds at most about
(d + 10) eps times the largest coefficient, with eps of X's dtype. Momentum beta multiplies that by 1 / (1 - beta).
"""

from __future__ import annotations

import numpy as np
import pytest
import reference
from conftest import LAYOUTS, problems, share_of_examples
from hypothesis import given
from hypothesis import strategies as st
from kernels.test_passes import launcher

from fastgd.data.feature_matrix import dtype_of, shape_of
from fastgd.kernels.minibatch_epoch import Workspace, minibatch_epoch
from fastgd.kernels.row_targets import Targets
from fastgd.kernels.sgd_epoch import SMALLEST_SCALE, sgd_epoch
from fastgd.kernels.update_step import Preconditioner, Stepper
from fastgd.losses import LOSSES
from fastgd.objective.chunks import MIN_PARALLEL_VALUES, chunk_count
from fastgd.penalties import ElasticNet
from fastgd.rules import RULES

DELTA = 1.5
HUBER, REFERENCE_HUBER = LOSSES["huber"](DELTA), reference.Huber(DELTA)  # its curvature is 1
SQUARED = LOSSES["half_squared"]()

layouts = pytest.mark.parametrize("layout", LAYOUTS)
penalties = st.sampled_from([(0.0, 0.0), (0.3, 0.0), (0.0, 0.5), (0.3, 0.5), (4.0, 0.0)])


def run_sgd(X, y, orders, rates, l1, l2, start, loss=HUBER):
    """`sgd_epoch` for each of the orders; the parameters at the end, the summed losses and the last dloss_dz."""
    d = shape_of(X)[1]
    params, v, paid = np.array(start, dtype=np.float64), np.full(d, np.nan, dtype_of(X)), np.zeros(d)
    total = 0.0
    for order in orders:
        losses, slope = sgd_epoch(
            X, Targets(y), order, rates[: len(order)], loss, l1, l2, np.inf, 1.0, params, v, paid, None
        )
        rates = rates[len(order) :]
        total += losses
        assert not paid.any(), "the workspace must be zeros again, for the next call"
    return params, total, slope


def walk(X, y, order, rates, l1, l2, start, loss=REFERENCE_HUBER, batch_size=1, rule=reference.SGD):
    """The reference's parameters at the start and after each step, and the sum of the losses before each step."""
    d = X.shape[1]
    rows, has_intercept = [int(i) for i in order], len(start) > d
    w, b = list(start[:d]), start[d] if has_intercept else 0.0
    path = reference.minibatch(
        X[rows], y[rows], loss, lr=1.0, epochs=1, batch_size=batch_size, rule=rule, l1=l1, l2=l2,
        schedule=lambda lr, t, epoch: float(rates[t]), fit_intercept=has_intercept, start=(w, b),
    )  # fmt: skip
    path = [(w, b), *path]
    batches = [rows[first : first + batch_size] for first in range(0, len(rows), batch_size)]
    losses = [
        loss.value(float(y[i]), reference.dot(X[i], w) + b)
        for batch, (w, b) in zip(batches, path, strict=False)
        for i in batch
    ]
    return [[*w, b][: len(start)] for w, b in path], sum(losses)


def rounding(X, path):
    """The tolerance for the parameters at the end of ``path``, see the top of the file."""
    d, largest = shape_of(X)[1], 1.0 + max(np.linalg.norm(params) for params in path)
    return len(path) * (d + 10) * float(np.finfo(dtype_of(X)).eps) * largest


def close(value, tolerance):
    return pytest.approx(value, rel=0, abs=tolerance)


def starts(drawn, has_intercept):
    return [*drawn.w, drawn.b] if has_intercept else list(drawn.w)


def stable_rates(drawn, l2, random):
    """A rate for each row, at most 2 / L; half of them at most 1 / L."""
    L = (drawn.X**2).sum(axis=1).max() + 1 + l2
    return random.uniform(0.02, 1.9, len(drawn.y)) / L


# --- SGD --------------------------------------------------------------------------------------------------------------


@layouts
@given(drawn=problems(), strengths=penalties, has_intercept=st.booleans(), seed=st.integers(0, 2**32 - 1))
def test_sgd_epoch(layout, drawn, strengths, has_intercept, seed):
    random = np.random.default_rng(seed)
    X, start = LAYOUTS[layout](drawn.X), starts(drawn, has_intercept)
    order, rates = random.permutation(len(drawn.y)), stable_rates(drawn, strengths[1], random)
    params, total, slope = run_sgd(X, drawn.y, [order], rates, *strengths, start)
    path, losses = walk(drawn.X, drawn.y, order, rates, *strengths, start)
    tolerance = rounding(X, path)
    # The largest change of a prediction for a change of 1 of the parameters.
    reach = 1 + np.abs(drawn.X).sum(axis=1).max()
    assert params == close(path[-1], tolerance)
    assert total == close(losses, len(order) * DELTA * reach * tolerance)
    i, (*w, b) = order[-1], path[-2] if has_intercept else [*path[-2], 0.0]
    assert slope == close(REFERENCE_HUBER.derivative(drawn.y[i], reference.dot(drawn.X[i], w) + b), reach * tolerance)


@layouts
@given(drawn=problems(least_rows=2), strengths=penalties, data=st.data())
def test_sgd_epoch_in_several_calls(layout, drawn, strengths, data):
    X, start, n = LAYOUTS[layout](drawn.X), starts(drawn, True), len(drawn.y)
    random = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    order, rates, cut = random.permutation(n), stable_rates(drawn, strengths[1], random), data.draw(st.integers(0, n))
    whole, total, _ = run_sgd(X, drawn.y, [order], rates, *strengths, start)
    parts, parts_total, _ = run_sgd(X, drawn.y, [order[:cut], order[cut:]], rates, *strengths, start)
    path, _ = walk(drawn.X, drawn.y, order, rates, *strengths, start)
    assert parts == close(whole, 2 * rounding(X, path))
    assert parts_total == pytest.approx(total, rel=1e-4 if dtype_of(X) == np.float32 else 1e-11, abs=1e-6)


def test_sgd_epoch_of_no_rows():
    params, total, slope = run_sgd(np.ones((3, 2)), np.ones(3), [np.arange(0)], np.ones(0), 0.3, 0.5, [1.0, -2.0, 0.5])
    assert (params.tolist(), total, slope) == ([1.0, -2.0, 0.5], 0.0, 0.0)


# Rate times l2: almost no decay, a usual decay, decay to zero, and beyond zero, with a change of sign.
DECAYS = [0.001, 0.3, 0.875, 1.0, 1.5, 1.9375]


@layouts
@pytest.mark.parametrize("decay", DECAYS)
@pytest.mark.parametrize("l1", [0.0, 0.02])
def test_many_sgd_steps_for_each_decay(layout, decay, l1):
    """The scale is folded in many times, and immediately when it becomes 0, after the deferred thresholds."""
    n, d, n_epochs, rate = 24, 5, 60, 0.125
    random = np.random.default_rng(3)
    dense = random.integers(-4, 5, (n, d)) / 16 * (random.random((n, d)) < 0.6)
    dense[:, 4] *= np.arange(n) % 12 == 0  # a column with values in few rows: thresholds of many steps are deferred
    y = dense @ [4.0, -3.0, 2.0, 0.0, 5.0] + random.normal(size=n)
    X, l2 = LAYOUTS[layout](dense), decay / rate
    assert rate * ((dense**2).sum(axis=1).max() + 1) + decay <= 2.1
    order = np.concatenate([random.permutation(n) for _ in range(n_epochs)])
    rates, start = np.full(len(order), rate), [1.0, -1.0, 0.5, 2.0, -3.0, 0.25]
    params, _, _ = run_sgd(X, y, [order], rates, l1, l2, start)
    path, _ = walk(dense, y, order, rates, l1, l2, start)
    # The intercept learns as well but does not decay, so that rounding does not add up over more steps than it forgets.
    assert params == close(path[-1], rounding(X, path[:200]))
    if 0 < abs(1 - decay) < 0.99:
        assert len(order) * np.log(abs(1 - decay)) < 3 * np.log(SMALLEST_SCALE), "this many steps must fold thrice"


@layouts
def test_l1_makes_coefficients_exactly_zero(layout):
    random = np.random.default_rng(5)
    n, d = 60, 8
    dense = random.integers(-16, 17, (n, d)) / 16 * (random.random((n, d)) < 0.7)
    y = dense @ np.array([2.0, 0, 0, -2.0, 0, 0, 0, 0]) + 0.01 * random.normal(size=n)
    order, rates = np.concatenate([random.permutation(n) for _ in range(40)]), np.full(40 * n, 0.02)
    for l2 in (0.0, 0.1):
        params, _, _ = run_sgd(LAYOUTS[layout](dense), y, [order], rates, 0.15, l2, np.zeros(d + 1))
        path, _ = walk(dense, y, order, rates, 0.15, l2, [0.0] * (d + 1))
        zeros = [w == 0.0 for w in path[-1]]
        assert [w == 0.0 for w in params] == zeros
        assert 2 <= sum(zeros) <= d - 2


@pytest.mark.parametrize("l2", [0.0, 0.5, 8.0])
def test_l1_above_all_gradients_leaves_only_the_intercept(l2):
    random = np.random.default_rng(5)
    X, y = random.normal(size=(50, 3)), random.normal(size=50)
    params, _, _ = run_sgd(X, y, [np.arange(50)], np.full(50, 0.125), 50.0, l2, [0.1, -0.1, 0.2, 0.0])
    assert params[:3].tolist() == [0.0, 0.0, 0.0]
    assert params[3] != 0.0


def test_small_decay_in_float32_is_applied():
    # 1 - 1e-9 is 1 in float32; a million such steps decrease a coefficient by 1/1000.
    n, rate, l2 = 1_000_000, 1e-3, 1e-6
    X, y = np.zeros((1, 1), np.float32), np.zeros(1)
    params, _, _ = run_sgd(X, y, [np.zeros(n, np.int64)], np.full(n, rate), 0.0, l2, [1.0, 0.0])
    assert params[0] == pytest.approx(np.exp(-n * rate * l2), rel=1e-6)


# --- Mini-batches -----------------------------------------------------------------------------------------------------


def run_minibatch(X, y, orders, batch_size, rates, l1, l2, start, rule, n_chunks=1, variant="serial", loss=HUBER):
    """`minibatch_epoch` for each of the orders; the parameters at the end, the summed losses, the last gradient."""
    launch = launcher(minibatch_epoch, variant)
    d, params, t, total = shape_of(X)[1], np.array(start, dtype=np.float64), 1, 0.0
    stepper = Stepper.make(rule, ElasticNet(l1, l2), Preconditioner.identity(d), len(params))
    work = Workspace.make(dtype_of(X), d, len(params), n_chunks)
    for array in work:
        array[...] = np.nan  # the content before the call must not matter
    for order in orders:
        some = rates[: -(-len(order) // batch_size)]
        total += launch(X, Targets(y), order, batch_size, some, t, loss, stepper, params, work)
        rates, t = rates[len(some) :], t + len(some)
    return params, total, work.gradient


@layouts
@pytest.mark.parametrize("variant", ["serial", "parallel"])
@given(
    drawn=problems(),
    batch_size=st.integers(1, 45),
    n_chunks=st.integers(1, 5),
    strengths=penalties,
    has_intercept=st.booleans(),
    beta=st.sampled_from([0.0, 0.5]),
    seed=st.integers(0, 2**32 - 1),
)
def test_minibatch_epoch(layout, variant, drawn, batch_size, n_chunks, strengths, has_intercept, beta, seed):
    random = np.random.default_rng(seed)
    X, start, d = LAYOUTS[layout](drawn.X), starts(drawn, has_intercept), len(drawn.w)
    order, rates = random.permutation(len(drawn.y)), (1 - beta) * stable_rates(drawn, strengths[1], random)
    rates = rates[: -(-len(order) // batch_size)]
    params, total, gradient = run_minibatch(
        X, drawn.y, [order], batch_size, rates, *strengths, start, RULES["momentum"](beta), n_chunks, variant
    )
    path, losses = walk(
        drawn.X, drawn.y, order, rates, *strengths, start,
        batch_size=batch_size, rule=lambda: reference.Momentum(beta),
    )  # fmt: skip
    tolerance = rounding(X, path) / (1 - beta) ** 2
    reach = 1 + np.abs(drawn.X).sum(axis=1).max()
    assert params == close(path[-1], tolerance)
    assert total == close(losses, len(order) * DELTA * reach * tolerance)
    last = order[(len(rates) - 1) * batch_size :]
    w, b = path[-2][:d], path[-2][d] if has_intercept else 0.0
    slopes, slope, _ = reference.batch_gradient(drawn.X, drawn.y, w, b, REFERENCE_HUBER, [int(i) for i in last])
    assert gradient == close([*slopes, slope][: len(start)], 4 * reach**2 * tolerance)


@pytest.mark.parametrize("name", RULES)
@share_of_examples(0.5)
@given(drawn=problems(least_rows=2), batch_size=st.integers(1, 9), data=st.data())
def test_minibatch_epoch_in_several_calls(name, drawn, batch_size, data):
    """The rule's state and the step number continue, with the same bits."""
    n, rule = len(drawn.y), RULES[name]()
    cut = batch_size * data.draw(st.integers(0, n // batch_size))
    order, rates = np.arange(n), np.full(-(-n // batch_size), 0.01)
    arguments = (batch_size, rates, 0.1, 0.2, starts(drawn, True), rule)
    whole, total, _ = run_minibatch(drawn.X, drawn.y, [order], *arguments)
    parts, parts_total, _ = run_minibatch(drawn.X, drawn.y, [order[:cut], order[cut:]], *arguments)
    assert parts.tolist() == whole.tolist()
    assert parts_total == pytest.approx(total, rel=1e-14)


@layouts
@given(drawn=problems(), strengths=penalties, has_intercept=st.booleans(), seed=st.integers(0, 2**32 - 1))
def test_minibatches_of_one_row_equal_sgd(layout, drawn, strengths, has_intercept, seed):
    random = np.random.default_rng(seed)
    X, start = LAYOUTS[layout](drawn.X), starts(drawn, has_intercept)
    order, rates = random.permutation(len(drawn.y)), stable_rates(drawn, strengths[1], random)
    one_by_one, total, slope = run_sgd(X, drawn.y, [order], rates, *strengths, start)
    batches, batches_total, gradient = run_minibatch(X, drawn.y, [order], 1, rates, *strengths, start, RULES["sgd"]())
    path, _ = walk(drawn.X, drawn.y, order, rates, *strengths, start)
    tolerance, reach = rounding(X, path), 1 + np.abs(drawn.X).sum(axis=1).max()
    assert one_by_one == close(batches, 2 * tolerance)
    assert total == close(batches_total, 2 * len(order) * DELTA * reach * tolerance)
    if has_intercept:
        assert slope == close(gradient[-1], 2 * reach * tolerance)


@layouts
def test_minibatches_large_enough_for_threads(layout):
    random = np.random.default_rng(11)
    n, d, batch_size = 15_001, 20, MIN_PARALLEL_VALUES // 19  # two whole batches and a short one
    dense = random.integers(-16, 17, (n, d)) / 16
    y, start = dense @ random.normal(size=d) + random.normal(size=n), [0.5] * d + [-1.0]
    X, order, rates = LAYOUTS[layout](dense), random.permutation(n), np.array([0.1, 0.05, 0.1])
    n_chunks = chunk_count(batch_size * d, d)
    assert n_chunks > 1
    path, _ = walk(dense, y, order, rates, 0.1, 0.2, start, batch_size=batch_size, rule=lambda: reference.Momentum(0.5))
    for variant in ("serial", "parallel"):
        params, _, _ = run_minibatch(
            X, y, [order], batch_size, rates, 0.1, 0.2, start, RULES["momentum"](0.5), n_chunks, variant
        )
        assert params == close(path[-1], 2 * rounding(X, path))
