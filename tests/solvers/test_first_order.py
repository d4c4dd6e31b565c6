"""gd, sgd and minibatch through `fit`: every update matches the reference and the lesson; the order of rows."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
import reference
from conftest import FILLED_IN
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

import fastgd
from fastgd.compile.jit import threads
from fastgd.data.row_order import AHEAD_FROM, BLOCKS_A_CALL, RowOrder
from fastgd.errors import DivergedError
from fastgd.losses import LOSSES
from fastgd.penalties import NAMED
from fastgd.rules import RULES
from fastgd.schedules import SCHEDULES

pytestmark = pytest.mark.plain_python

# 23 rows in batches of 5 leave a short batch of 3.
N_SAMPLES, N_FEATURES, EPOCHS, RATE = 23, 4, 3, 0.02
BATCH_SIZES = {"gd": N_SAMPLES, "sgd": 1, "minibatch": 5}

random = np.random.default_rng(20)
X = random.integers(-16, 17, (N_SAMPLES, N_FEATURES)) / 16
Y = X @ [1.5, -2.0, 0.0, 0.5] + 0.7 + 0.3 * random.normal(size=N_SAMPLES)
del random  # tests draw from the fixture `rng`
LABELS = np.where(Y > 0.5, 1.0, -1.0)

methods = pytest.mark.parametrize("method", BATCH_SIZES)
intercepts = pytest.mark.parametrize("fit_intercept", [True, False], ids=["intercept", "no intercept"])


def close(value, tol=1e-12):
    return pytest.approx(value, rel=tol, abs=tol)


def batches(rows, size):
    """The rows in batches; the last may be shorter."""
    return [rows[first : first + size] for first in range(0, len(rows), size)]


def fit(method, X=X, y=Y, **options):
    options = {"learning_rate": RATE, "max_epochs": EPOCHS, "shuffle": False, "trace": "step", "start": 0, **options}
    if method == "minibatch":
        options.setdefault("batch_size", BATCH_SIZES[method])
    return fastgd.fit(X, y, method=method, **options)


def walk(method, y=Y, *, loss="squared", l1=0.0, l2=0.0, X=X, **options):
    """The reference's (w, b) after every update."""
    options = {"lr": RATE, "epochs": EPOCHS, "batch_size": BATCH_SIZES[method], **options}
    return reference.minibatch(X, y, reference.LOSSES[loss], l1=l1, l2=l2, **options)


def parameters(path, fit_intercept=True):
    return np.array([[*w, b] if fit_intercept else w for w, b in path])


# --- Every update -----------------------------------------------------------------------------------------------------


@methods
@intercepts
@pytest.mark.parametrize("rule", RULES)
def test_each_rule_matches_the_reference(method, rule, fit_intercept):
    options = {"penalty": "elasticnet", "alpha": 0.2, "l1_ratio": 0.25, "schedule": "invscaling"}
    # The loss that the tests of kernels use.
    result = fit(method, loss="huber:delta=1.5", rule=rule, fit_intercept=fit_intercept, **options)
    path = reference.weights_and_models(
        X, Y, reference.Huber(1.5), lr=RATE, epochs=EPOCHS, batch_size=BATCH_SIZES[method], rule=reference.RULES[rule],
        schedule=reference.invscaling, l1=0.05, l2=0.15, fit_intercept=fit_intercept,
    )  # fmt: skip
    assert result.steps["weights"] == close(parameters([weights for weights, _ in path], fit_intercept), 1e-11)
    w, b = path[-1][1]
    assert [*result.coef, result.intercept] == close([*w, b], 1e-11)


@methods
@intercepts
@pytest.mark.parametrize("penalty", NAMED)
def test_each_penalty_matches_the_reference(method, penalty, fit_intercept):
    alpha = 0.0 if penalty == "none" else 0.3
    l1, l2 = reference.strengths(penalty, alpha)
    result = fit(method, penalty=penalty, alpha=alpha, fit_intercept=fit_intercept)
    path = walk(method, l1=l1, l2=l2, fit_intercept=fit_intercept)
    assert result.steps["weights"] == close(parameters(path, fit_intercept))
    assert result.objective == close(reference.objective(X, Y, *path[-1], reference.Squared(), l1, l2))


@methods
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_each_schedule_matches_the_reference(method, schedule):
    options = {"schedule": FILLED_IN.get(schedule, schedule), "max_epochs": 12}
    if getattr(SCHEDULES[schedule], "sets_rate", False):
        options |= {"learning_rate": "auto", "scale": False, "tol": 0}
    result = fit(method, **options)
    path = walk(method, schedule=reference.SCHEDULES[schedule], epochs=12)
    assert result.steps["weights"] == close(parameters(path))
    rates, size = reference.SCHEDULES[schedule], BATCH_SIZES[method]
    done = [(epoch * N_SAMPLES + first) / N_SAMPLES for epoch in range(12) for first in range(0, N_SAMPLES, size)]
    assert result.steps["learning_rate"] == close([rates(RATE, t, epochs) for t, epochs in enumerate(done)])


@methods
@pytest.mark.parametrize("loss", [name for name in LOSSES if not getattr(LOSSES[name], "joint", False)])
def test_each_loss_matches_the_reference(method, loss):
    y = LABELS if getattr(LOSSES[loss], "classifies", False) else Y
    y = np.abs(y) if hasattr(LOSSES[loss], "allows") else y  # counts and amounts
    result = fit(method, y=y, loss=loss, penalty="elasticnet", alpha=0.2, start=0.25)
    l1, l2 = reference.strengths("elasticnet", 0.2)
    path = walk(method, y, loss=loss, l1=l1, l2=l2, start=([0.25] * N_FEATURES, 0.0))
    assert result.steps["weights"] == close(parameters(path))


@methods
def test_sparse_rows_match_the_reference(method):
    sparse = csr_array((X != 0) * X)
    options = {"penalty": "l1", "alpha": 0.1, "rule": "nesterov"}
    expected = parameters(walk(method, l1=0.1, rule=reference.Nesterov))
    assert fit(method, X=sparse, **options).steps["weights"] == close(expected, 1e-11)


@methods
def test_a_given_start_matches_the_reference(method):
    start = ([0.5, -1.0, 2.0, 0.0], 0.25)
    assert fit(method, start=start).steps["weights"] == close(parameters(walk(method, start=start)))
    again = fit(method, start=fit(method, start=start), max_epochs=1)
    assert again.path[0] == close([*walk(method, start=start)[-1][0], walk(method, start=start)[-1][1]])


@pytest.mark.parametrize("batch_size", [1, 2, 22, 23, 24, 1000])
def test_each_batch_size_matches_the_reference(batch_size):
    result = fit("minibatch", batch_size=batch_size)
    assert result.steps["weights"] == close(parameters(walk("minibatch", batch_size=batch_size)))
    assert len(result.steps) == EPOCHS * math.ceil(N_SAMPLES / batch_size)


# --- The trace of single steps, and that of epochs --------------------------------------------------------------------


@methods
@intercepts
@pytest.mark.parametrize("rule", ["sgd", "momentum"])
@pytest.mark.parametrize("layout", ["dense", "sparse"])
def test_step_trace_holds_row_gradient_and_loss_before_each_step(method, layout, rule, fit_intercept):
    rows = X if layout == "dense" else csr_array(X)
    steps = fit(method, X=rows, rule=rule, penalty="l2", alpha=0.2, fit_intercept=fit_intercept).steps
    before = parameters([([0.0] * N_FEATURES, 0.0)], fit_intercept)
    before = np.vstack([before, steps["weights"][:-1]])
    visited = EPOCHS * batches(range(N_SAMPLES), BATCH_SIZES[method])
    assert steps["step"].tolist() == list(range(1, len(visited) + 1))
    assert steps["epoch"].tolist() == [1 + k * EPOCHS // len(visited) for k in range(len(visited))]
    for step, batch, params in zip(steps, visited, before, strict=True):
        w, b = params[:N_FEATURES], params[N_FEATURES] if fit_intercept else 0.0
        gradient, slope, loss = reference.batch_gradient(X, Y, w, b, reference.Squared(), batch)
        assert step["row"] == (-1 if method == "gd" else batch[0])
        assert step["loss"] == close(loss)
        assert step["gradient"] == close([*gradient, slope][: len(params)])


@methods
def test_epoch_trace_matches_the_reference(method):
    result = fit(method, penalty="l2", alpha=0.2)
    path, trace = walk(method, l2=0.2), result.trace
    updates = len(path) // EPOCHS
    ends = [([0.0] * N_FEATURES, 0.0), *path[updates - 1 :: updates]]
    assert result.path == close(parameters(ends))
    assert trace["epoch"].tolist() == trace["passes"].tolist() == [0, 1, 2, 3]
    assert trace["objective"] == close([reference.objective(X, Y, w, b, reference.Squared(), l2=0.2) for w, b in ends])
    assert result.objective == trace["objective"][-1]
    assert math.isnan(trace["running_loss"][0])
    sizes = np.array([len(batch) for batch in batches(range(N_SAMPLES), BATCH_SIZES[method])])
    losses = result.steps["loss"].reshape(EPOCHS, -1)
    assert trace["running_loss"][1:] == close(losses @ sizes / N_SAMPLES)
    assert (np.diff(trace["seconds"]) >= 0).all()
    assert (result.n_epochs, result.stop_reason, result.converged) == (EPOCHS, "max_epochs", False)


@methods
def test_step_trace_does_not_change_the_path(method):
    with_steps, without = fit(method), fit(method, trace="epoch")
    assert without.steps is None
    assert without.path == close(with_steps.path)
    assert without.trace["running_loss"][1:] == close(with_steps.trace["running_loss"][1:])


def test_gd_records_the_norm_of_its_gradient():
    result = fit("gd")
    norms = [np.linalg.norm(gradient) for gradient in result.steps["gradient"]]
    assert result.trace["gradient_norm"][1:-1] == close(norms[1:])  # the gradient of the next step


@methods
def test_divergence_error_names_the_rate_and_suggests_one(method):
    message = r"diverged in epoch \d+: .*learning rate 50 is too large: rates up to 0\.\d+ .* Try learning_rate=0\.\d+"
    with pytest.raises(DivergedError, match=message) as caught:
        fit(method, learning_rate=50.0, max_epochs=100)
    left = caught.value.result
    assert left.stop_reason == "diverged"
    assert np.isfinite(left.coef).all()


# --- The lesson -------------------------------------------------------------------------------------------------------

LESSON = reference.LESSON
LESSON_ROWS, LESSON_Y = np.array(LESSON["x"]).reshape(-1, 1), np.array(LESSON["y"])


def lesson(method, **options):
    return fastgd.fit(
        LESSON_ROWS, LESSON_Y, method=method, loss="squared", start=LESSON["w"], learning_rate=LESSON["lr"],
        max_epochs=LESSON["epochs"], fit_intercept=False, shuffle=False, trace="step", **options,
    )  # fmt: skip


def test_gd_equals_the_lesson():
    result, expected = lesson("gd"), reference.lesson_gd(**LESSON)
    assert len(expected) == 100
    assert result.path[1:, 0] == close([w for w, _ in expected])
    costs = [cost for _, cost in expected]  # before each update
    assert result.steps["loss"] == close(costs)
    assert result.trace["running_loss"][1:] == close(costs)
    assert result.trace["objective"][:-1] == close(costs)


def test_sgd_equals_the_lesson():
    result, expected = lesson("sgd"), reference.lesson_sgd(**LESSON)
    assert result.path[1:, 0] == close([w for w, _ in expected])
    # The lesson prints the last row's loss after the update.
    after = [(LESSON["x"][-1] * w - LESSON["y"][-1]) ** 2 for w in result.path[1:, 0]]
    assert after == close([loss for _, loss in expected])
    before = [LESSON["w"], *result.steps["weights"][:-1, 0]]
    rows = list(zip(LESSON["x"], LESSON["y"], strict=True)) * LESSON["epochs"]
    assert result.steps["loss"] == close([(x * w - y) ** 2 for w, (x, y) in zip(before, rows, strict=True)])


def test_minibatch_equals_the_lesson():
    result, expected = lesson("minibatch", batch_size=2), reference.lesson_minibatch(**LESSON)
    assert result.path[1:, 0] == close([w for w, _ in expected])
    after = [reference.lesson_cost(LESSON["x"][2:], LESSON["y"][2:], w) for w in result.path[1:, 0]]
    assert after == close([cost for _, cost in expected])
    assert result.steps["row"].tolist() == [0, 2] * 100


@methods
def test_the_lesson_ends_at_two(method):
    options = {"batch_size": 2} if method == "minibatch" else {}
    assert lesson(method, **options).coef[0] == pytest.approx(2.0, abs=1e-4)


# --- The order of rows ------------------------------------------------------------------------------------------------


def rows_of(result):
    """The rows in the order in which an sgd fit visited them, a row for each epoch."""
    return result.steps["row"].reshape(-1, N_SAMPLES)


@pytest.mark.parametrize("shuffle", [True, "full", "blocks"])
def test_each_epoch_has_a_new_order(shuffle):
    orders = rows_of(fit("sgd", shuffle=shuffle, max_epochs=6))
    assert (np.sort(orders, axis=1) == np.arange(N_SAMPLES)).all()
    assert len({tuple(order) for order in orders}) == 6
    assert (rows_of(fit("sgd", shuffle=shuffle, max_epochs=6)) == orders).all()
    assert (rows_of(fit("sgd", shuffle=shuffle, max_epochs=4)) == orders[:4]).all()
    other_seed = rows_of(fit("sgd", shuffle=shuffle, max_epochs=6, seed=1))
    assert not (other_seed == orders).all(axis=1).any()


@pytest.mark.parametrize("shuffle", [False, "none"])
def test_without_shuffling_rows_keep_their_order(shuffle):
    assert (rows_of(fit("sgd", shuffle=shuffle)) == np.arange(N_SAMPLES)).all()


@pytest.mark.parametrize("shuffle", ["blocks", "full"])
@pytest.mark.parametrize("method", ["sgd", "minibatch"])
def test_shuffled_updates_match_the_reference(method, shuffle):
    order = RowOrder(N_SAMPLES, X.itemsize * N_FEATURES, shuffle, seed=3)
    orders = [order.epoch(epoch).copy() for epoch in range(1, EPOCHS + 1)]
    result = fit(method, shuffle=shuffle, seed=3)
    assert result.steps["weights"] == close(parameters(walk(method, orders=orders)))
    first_rows = [batch[0] for order in orders for batch in batches(order, BATCH_SIZES[method])]
    assert result.steps["row"].tolist() == first_rows


@given(
    n=st.integers(1, 3000),
    row_bytes=st.sampled_from([0.0, 8.0, 160.0, 1000.0, 1e6]),
    shuffle=st.sampled_from(["blocks", "full", "none"]),
    seed=st.integers(0, 2**40),
    epochs=st.lists(st.integers(1, 1000), min_size=2, max_size=4, unique=True),
)
def test_every_order_is_a_permutation_by_seed_and_epoch_alone(n, row_bytes, shuffle, seed, epochs):
    one_by_one = RowOrder(n, row_bytes, shuffle, seed)
    orders = {epoch: one_by_one.epoch(epoch).copy() for epoch in epochs}
    for epoch, order in orders.items():
        assert sorted(order) == list(range(n))
        assert (RowOrder(n, row_bytes, shuffle, seed).epoch(epoch) == order).all()
    if n >= 30 and shuffle != "none":
        assert len({tuple(order) for order in orders.values()}) == len(epochs)


@pytest.mark.parametrize("extra", [-1, 0, 1, 5000])
def test_orders_of_more_blocks_than_one_call_takes(extra):
    n = 2 * BLOCKS_A_CALL + extra
    order = RowOrder(n, 1e6, "blocks", 0)
    assert order.block_size == 1
    assert sorted(order.epoch(1)) == list(range(n))


@pytest.mark.parametrize("shuffle", ["blocks", "full"])
def test_orders_computed_ahead_equal_orders_computed_on_demand(shuffle):
    ahead = RowOrder(AHEAD_FROM, 8.0, shuffle, 0)
    for epoch in (1, 2, 3, 7, 8):
        with threads(1):  # no thread is left to compute the next order
            in_turn = RowOrder(AHEAD_FROM, 8.0, shuffle, 0).epoch(epoch)
        assert (ahead.epoch(epoch) == in_turn).all()


def test_blocks_keep_near_rows_together_and_full_does_not():
    # A row shuffled within a window of 16 blocks of 64 lies within 1024 places of the others of its block.
    n, window = 1 << 15, 1 << 10
    for shuffle, share in (("blocks", 1.0), ("full", 2 * window / n)):
        place = np.argsort(RowOrder(n, 8.0, shuffle, 0).epoch(1))
        near = np.abs(np.diff(place))[np.arange(n - 1) % 64 != 63] < window
        assert near.mean() == pytest.approx(share, abs=0.02)


@pytest.mark.parametrize("shuffle", ["blocks", "full"])
def test_every_row_comes_first_equally_often(shuffle):
    order = RowOrder(8, 64.0, shuffle, 0)
    firsts = Counter(int(order.epoch(epoch)[0]) for epoch in range(1, 4001))
    assert len(firsts) == 8
    assert max(abs(count - 500) for count in firsts.values()) < 100  # nearly five standard deviations
