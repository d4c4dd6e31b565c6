"""sgd in shards matches the reference after every round, and serial sgd where the two must be equal."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
import reference
from conftest import problems
from helpers.command_line import fastgd as command
from hypothesis import assume, given
from hypothesis import strategies as st
from reference import shards as reference_shards
from scipy.sparse import csr_array

import fastgd
from fastgd import OptionError
from fastgd.compile.jit import thread_pool_size
from fastgd.solvers.aligned import aligned
from fastgd.solvers.row_calls import ROW_OVERHEAD, VALUES_PER_PART, rows_per_call
from fastgd.solvers.sgd import StochasticGradientDescent

RANDOM = np.random.default_rng(7)
N, D = 47, 5
X = RANDOM.integers(-16, 17, (N, D)) * (RANDOM.random((N, D)) < 0.7) / 16
Y = X @ [1.5, -2.0, 0.0, 0.5, 1.0] + 0.7 + 0.3 * RANDOM.normal(size=N)
del RANDOM  # tests draw from the fixture `rng`
LABELS = np.array(["ant", "bee", "cat"])[np.digitize(Y, [0.4, 1.0])]
ROUND = 10  # rows per round in this file
EPOCHS = 3
# The loss of the other tests of sgd, which share its kernels.
HUBER, REFERENCE_HUBER = "huber:delta=1.5", reference.Huber(1.5)
FORMS = {"dense": np.asarray, "csr": csr_array}

forms = pytest.mark.parametrize("form", FORMS)


def set_rows_per_call(monkeypatch, n_rows):
    for module in ("sgd", "minibatch", "sharded_sgd"):
        monkeypatch.setattr(
            f"fastgd.solvers.{module}.rows_per_call",
            lambda _objective, per_update, *_, **__: max(n_rows // per_update, 1) * per_update,
        )


@pytest.fixture(autouse=True)
def short_rounds(monkeypatch):
    """Short rounds, so that small data takes several."""
    set_rows_per_call(monkeypatch, ROUND)


def fit(X=X, y=Y, **options):
    options = {"loss": HUBER, "learning_rate": 0.05, "max_epochs": EPOCHS, "shuffle": False, "start": 0, **options}
    return fastgd.fit(X, y, method="sgd", **options)


def walk(X=X, y=Y, *, n_shards, epochs=EPOCHS, rate=0.05, schedule=reference.constant, loss=REFERENCE_HUBER, **options):
    """The reference's weights after each epoch (a row per output) and after each step of each shard."""
    n, size = len(X), max(ROUND // n_shards, 1) * n_shards
    firsts = list(range(0, n, size))
    rounds = [list(range(n))[first : first + size] for first in firsts]
    targets = np.atleast_2d(np.transpose(y)).T
    rates, t = [], 0
    for epoch in range(epochs):
        for first, rows in zip(firsts, rounds, strict=True):
            for k in range(-(-len(rows) // n_shards)):
                rates.append(schedule(rate, t, (epoch * n + first + k * n_shards) / n))
                t += 1
    K = targets.shape[1]
    after, steps = reference_shards.sharded(
        X, targets, loss, rounds=rounds * epochs, rates=rates, n_shards=n_shards,
        start=([[0.0] * X.shape[1] for _ in range(K)], [0.0] * K), **options,
    )  # fmt: skip
    return np.array([stacked(*of) for of in after[len(rounds) - 1 :: len(rounds)]]), steps


def stacked(W, B):
    return np.column_stack([W, B])


def weights(result):
    return np.column_stack([np.atleast_2d(result.coef), np.atleast_1d(result.intercept)])


def path_of(result):
    """Weights after each epoch, a row per output."""
    return result.path[1:] if result.path.ndim == 3 else result.path[1:, None]


def close(value, tolerance=1e-11):
    return pytest.approx(value, rel=tolerance, abs=tolerance)


# --- Against the reference --------------------------------------------------------------------------------------------


@forms
@given(
    drawn=problems(least_rows=2),
    n_shards=st.integers(1, 6),
    strengths=st.sampled_from([(0.0, 0.0), (0.3, 0.0), (0.0, 0.5), (0.3, 0.5)]),
    has_intercept=st.booleans(),
    clip=st.sampled_from([None, 0.3]),
    seed=st.integers(0, 2**32 - 1),
)
def test_rounds_match_the_reference(form, drawn, n_shards, strengths, has_intercept, clip, seed):
    assume(drawn.y.min() < drawn.y.max())
    random = np.random.default_rng(seed)
    n, (l1, l2) = len(drawn.y), strengths
    weight, offset = random.integers(1, 5, n) / 2, random.integers(-8, 9, n) / 8
    rate = 0.9 / (weight.max() / weight.mean() * ((drawn.X**2).sum(axis=1).max() + 1) + l2)
    alpha, ratio = l1 + l2, l1 / (l1 + l2) if l1 + l2 else None
    result = fit(
        FORMS[form](drawn.X), drawn.y, shards=n_shards, learning_rate=rate, fit_intercept=has_intercept, max_epochs=2,
        sample_weight=weight, offset=offset, clip_norm=clip, alpha=alpha, l1_ratio=ratio,
        penalty="none" if ratio is None else "elasticnet",
    )  # fmt: skip
    path, _ = walk(
        drawn.X, drawn.y, n_shards=min(n_shards, n), epochs=2, rate=rate, fit_intercept=has_intercept, l1=l1, l2=l2,
        sample_weight=weight, offset=offset, clip=np.inf if clip is None else clip,
    )  # fmt: skip
    assert path_of(result) == close(path)
    w, b = path[-1][0, :-1], path[-1][0, -1]
    z = drawn.X @ w + b + offset
    losses = [REFERENCE_HUBER.value(y, z) for y, z in zip(drawn.y, z, strict=True)]
    F = np.average(losses, weights=weight) + l1 * np.abs(w).sum() + l2 / 2 * w @ w
    assert result.objective == close(F, 1e-10)


@pytest.mark.parametrize(
    "options",
    [
        {"rule": "momentum", "schedule": "invscaling", "alpha": 0.2},
        {"schedule": "exponential", "alpha": 0.2},
    ],
    ids=str,
)
def test_each_shard_has_its_own_rule_state_and_schedules_count_its_steps(options):
    result = fit(shards=4, **options)
    path, _ = walk(
        n_shards=4, l2=options.get("alpha", 0.0), rule=reference.RULES[options.get("rule", "sgd")],
        schedule=reference.SCHEDULES[options.get("schedule", "constant")],
    )  # fmt: skip
    assert path_of(result) == close(path, 1e-10)


def test_several_targets_match_the_reference():
    targets = np.column_stack([Y, -2 * Y])
    result = fit(X, targets, shards=3, alpha=0.3, penalty="l1", clip_norm=1.0)
    path, _ = walk(X, targets, n_shards=3, l1=0.3, clip=1.0)
    assert path_of(result) == close(path)


def test_softmax_matches_the_reference():
    numbers, rows = np.unique(LABELS, return_inverse=True)[1], list(range(N))
    result = fit(csr_array(X), LABELS, loss="softmax", shards=3, alpha=0.3)
    after, _ = reference_shards.sharded(
        X, numbers, reference.Softmax(), rounds=[rows[k : k + 9] for k in range(0, N, 9)] * EPOCHS,
        rates=[0.05] * N * EPOCHS, n_shards=3, start=([[0.0] * D for _ in range(3)], [0.0] * 3), l2=0.3,
    )  # fmt: skip
    assert weights(result) == close(stacked(*after[-1]))


@pytest.mark.parametrize("begin", [True, 2, 5, 20])
@pytest.mark.parametrize("options", [{}, {"rule": "momentum"}, {"y": np.column_stack([Y, Y**2])}], ids=["", "m", "2"])
def test_average_is_the_mean_of_all_steps_of_all_shards(begin, options):
    result = fit(shards=4, average=begin, alpha=0.2, **options)
    rule = reference.RULES[options.get("rule", "sgd")]
    path, steps = walk(y=options.get("y", Y), n_shards=4, l2=0.2, rule=rule)
    counted = [stacked(*step) for shard in steps for step in shard[int(begin) - 1 :]]
    assert weights(result) == close(np.mean(counted, axis=0))
    assert np.abs(weights(result) - path[-1]).max() > 1e-3


def test_remark_when_averaging_would_start_after_the_last_step():
    result = fit(shards=4, average=37)
    assert "average=37 is more than the 36 steps there were, so nothing was averaged" in result.remarks
    assert weights(result).tobytes() == weights(fit(shards=4)).tobytes()
    assert not fit(shards=4, average=36).remarks


def test_running_loss_is_taken_before_each_update():
    result = fit(shards=3, max_epochs=1)
    _, steps = walk(n_shards=3, epochs=1)
    total, model = 0.0, ([[0.0] * D], [0.0])
    taken = [iter(shard) for shard in steps]
    for first in range(0, N, 9):
        parts, ends = reference_shards.parts_of(list(range(N))[first : first + 9], 3), []
        for part, shard in zip(parts, taken, strict=True):
            at = model
            for i in part:
                z = reference.dot(X[i], at[0][0]) + at[1][0]
                total += REFERENCE_HUBER.value(Y[i], z)
                at = next(shard)
            ends.append(at)
        counts = [len(part) for part in parts]
        model = tuple(reference_shards.average([end[which] for end in ends], counts) for which in (0, 1))
    assert result.trace["running_loss"][1] == close(total / N)


# --- Equal fits -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"rule": "momentum"}, {"average": True}, {"trace": "step"}], ids=str)
def test_one_shard_is_serial(options):
    one, serial = fit(shards=1, shuffle=True, **options), fit(shuffle=True, **options)
    assert one.path.tobytes() == serial.path.tobytes()
    assert one.trace["running_loss"].tobytes() == serial.trace["running_loss"].tobytes()


@pytest.mark.parametrize("options", [{}, {"rule": "momentum"}, {"average": True}], ids=str)
def test_equal_bits_on_any_number_of_threads(options):
    fits = [fit(shards=3, shuffle=True, n_threads=k, **options) for k in range(1, thread_pool_size() + 1)]
    assert len({result.path.tobytes() for result in fits}) == 1
    assert fits[0].path.tobytes() != fit(shards=2, shuffle=True, **options).path.tobytes()


def test_as_many_shards_as_rows_is_a_step_along_the_mean(monkeypatch):
    set_rows_per_call(monkeypatch, N)
    result, gd = (
        fit(shards=N),
        fastgd.fit(X, Y, loss=HUBER, method="gd", learning_rate=0.05, max_epochs=EPOCHS, start=0),
    )
    assert weights(result) == close(weights(gd))


def test_remark_when_there_are_more_shards_than_rows():
    result = fit(X[:6], Y[:6], shards=8)
    assert "shards=8 is more than the 6 rows: each is a shard" in result.remarks
    assert result.settings["shards"] == 6
    assert weights(result).tobytes() == weights(fit(X[:6], Y[:6], shards=6)).tobytes()


def test_scaled_columns():
    """Steps in scaled columns are the same in any units."""
    units = np.array([1.0, 1024.0, 1.0, 1.0 / 256, 1.0])
    options = {"learning_rate": "auto", "shards": 3, "tol": 0}
    plain, scaled = fit(X, **options, scale=True), fit(X * units, **options)
    assert any("scaled" in remark for remark in scaled.remarks)
    assert scaled.coef * units == close(plain.coef, 1e-9)


@pytest.mark.parametrize(("n", "d", "n_shards"), [(1000, 5, 3), (500_000, 54, 2), (500_000, 54, 8), (10**8, 10, 2)])
def test_rounds_are_as_long_for_any_number_of_rows(n, d, n_shards):
    objective = SimpleNamespace(n_samples=n, n_features=d, n_values=n * d, n_outputs=1)
    rows = rows_per_call(objective, n_shards, n_shards)
    assert rows % n_shards == 0
    assert 0.99 * VALUES_PER_PART < rows // n_shards * (d + ROW_OVERHEAD) <= VALUES_PER_PART


# --- How it ends ------------------------------------------------------------------------------------------------------


def test_a_rate_that_is_too_large_diverges():
    with pytest.raises(fastgd.DivergedError) as caught:
        fit(X, Y, loss="squared", shards=2, learning_rate=5.0, max_epochs=50)
    assert 0 < caught.value.suggested_rate < 1
    fit(X, Y, loss="squared", shards=2, learning_rate=caught.value.suggested_rate, max_epochs=50)


def test_an_automatic_rate_leads_to_the_optimum():
    best = fastgd.fit(X, Y, loss=HUBER, alpha=0.1, tol=1e-10).objective
    assert fit(shards=2, alpha=0.1, learning_rate="auto", max_epochs=100, shuffle=True).objective < best + 0.01


def test_an_error_in_a_shard_is_raised_as_it_is(monkeypatch):
    def fail(*_):
        raise OptionError("a reason")

    monkeypatch.setattr(StochasticGradientDescent, "descend", fail)
    with pytest.raises(OptionError, match="a reason"):
        fit(shards=2)


def test_arrays_apart_share_no_cache_line():
    from fastgd.kernels.averaging import LazySum

    arrays = [array for _ in range(50) for array in aligned(LazySum.make(3, 4))[1:]]
    lines = sorted((array.ctypes.data // 64, (array.ctypes.data + array.nbytes - 1) // 64) for array in arrays)
    assert all(array.ctypes.data % 64 == 0 for array in arrays)
    assert all(before[1] < after[0] for before, after in pairwise(lines))
    kept = aligned(np.arange(6.0, dtype=np.float32).reshape(2, 3))
    assert (kept.tolist(), kept.dtype, kept.flags.c_contiguous) == ([[0, 1, 2], [3, 4, 5]], np.float32, True)


# --- Options and errors -----------------------------------------------------------------------------------------------


def test_auto_takes_sgd():
    assert fastgd.fit(X, Y, loss=HUBER, shards=2, max_epochs=2).method == "sgd"
    assert fastgd.fit(X, Y, loss=HUBER, shards=1, max_epochs=2).method == "sgd"


@pytest.mark.parametrize("shards", [0, -1, 1.5, "two", True, [2]])
def test_shards_must_be_a_whole_number(shards):
    with pytest.raises(OptionError, match="shards must be a whole number, 1 or more, not "):
        fit(shards=shards)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "gd"}, "shards is for method 'sgd', .* not for 'gd': leave it out"),
        ({"method": "minibatch", "shards": 1}, "not for 'minibatch': leave it out"),
        ({"batch_size": 8}, "shards take one row per step: leave batch_size or shards out"),
        ({"trace": "step"}, "trace='step' records steps in their order"),
        ({"rule": "schedule_free"}, "rule 'schedule_free' keeps a model apart from the weights .* leave shards out"),
        ({"rule": "nesterov", "penalty": "l1", "alpha": 0.1}, "rule 'nesterov' keeps a model apart"),
    ],
)
def test_error_names_what_shards_cannot_be_combined_with(options, message):
    with pytest.raises(OptionError, match=message):
        fastgd.fit(X, Y, **{"shards": 2, **options})


def test_shards_option_of_the_command():
    words = ("run", "diabetes", "--method", "sgd", "--learning-rate", 1e-6, "--epochs", 3, "--quiet")
    table = fastgd.open("diabetes")
    options = {**table.defaults, "method": "sgd", "learning_rate": 1e-6, "max_epochs": 3}
    coef = command(*words, "--json", "--shards", 2).json["coef"]
    assert coef == fastgd.fit(table, shards=2, **options).coef.tolist()
    assert coef != fastgd.fit(table, **options).coef.tolist()
    assert "2 shards in parallel" in command(*words, "--shards", 2).out
    assert command(*words, "--shards", 0).code == 2
