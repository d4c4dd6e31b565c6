"""The reference matches arithmetic by hand, PyTorch, and properties that follow from the formulas."""

import json
import math
from functools import partial
from pathlib import Path

import pytest

from reference import (
    LESSON,
    LOSSES,
    PENALTIES,
    RULES,
    SCHEDULES,
    SGD,
    Adam,
    Momentum,
    Nesterov,
    batch_gradient,
    cosine,
    gd,
    invscaling,
    lesson_gd,
    lesson_minibatch,
    lesson_sgd,
    minibatch,
    objective,
    penalty_derivative,
    penalty_value,
    sgd,
    soft_threshold,
    strengths,
)

TORCH = json.loads((Path(__file__).parents[1] / "reference" / "torch_trajectories.json").read_text())

# Six rows and three weights; the second column explains nothing, so that l1 sets its weight to exactly 0.
X = [[1.0, 0.2, -0.5], [-0.7, 0.4, 1.1], [0.3, -1.0, 0.8], [1.4, 0.6, 0.1], [-1.1, 0.9, -0.6], [0.5, -0.3, -1.2]]
Y = [1.9, -0.6, 1.2, 2.7, -2.3, -0.4]
LABELS = [1, -1, 1, 1, -1, -1]


def close(value, tol=1e-12):
    return pytest.approx(value, rel=tol, abs=tol)


def rule_id(record):
    return " ".join([record.get("rule") or record["schedule"], *(f"{k}={v}" for k, v in record["options"].items())])


# --- Penalties --------------------------------------------------------------------------------------------------------


def test_penalty_by_hand():
    w = [3.0, -4.0, 0.0]
    assert penalty_value(w, 0.5, 0.0) == 3.5  # 0.5 (3 + 4)
    assert penalty_value(w, 0.0, 0.2) == close(2.5)  # 0.1 (9 + 16)
    assert penalty_value(w, 0.5, 0.2) == close(6.0)
    assert penalty_derivative(w, 0.5) == [1.5, -2.0, 0.0]


def test_strengths():
    assert {name: strengths(name, 0.5, 0.25) for name in PENALTIES} == {
        "none": (0.0, 0.0),
        "l2": (0.0, 0.5),
        "l1": (0.5, 0.0),
        "elasticnet": (0.125, 0.375),
    }


def test_soft_threshold_by_hand():
    assert [soft_threshold(v, 1.0) for v in (3.0, 1.0, 0.5, 0.0, -0.5, -3.0)] == [2.0, 0.0, 0.0, 0.0, 0.0, -2.0]
    assert [soft_threshold(v, 0.0) for v in (0.1, -0.1)] == [0.1, -0.1]
    assert math.isnan(soft_threshold(math.nan, 1.0))


@pytest.mark.parametrize("v", [-2.0, -0.3, 0.0, 0.11, 1.7])
@pytest.mark.parametrize("step", [0.05, 1.0])
@pytest.mark.parametrize("l1", [0.0, 0.2, 3.0])
def test_prox_is_the_minimum(v, step, l1):
    def price(x):
        return 0.5 * (x - v) ** 2 / step + l1 * abs(x)

    x = soft_threshold(v, step * l1)
    assert all(price(x) <= price(k / 1000) + 1e-12 for k in range(-2500, 2501))
    assert abs(v - x) <= step * l1 + 1e-12  # (v - x) / step is a subgradient of l1 |x| ...
    assert x == 0 or v - x == close(math.copysign(step * l1, x))  # ... and the only one where |x| has a slope


# --- Schedules --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("record", TORCH["schedules"], ids=rule_id)
def test_schedules_match_torch(record):
    schedule = partial(SCHEDULES[record["schedule"]], **record["options"])
    ours = [schedule(TORCH["problem"]["learning_rate"], t=2 * k, epoch=k) for k in range(len(record["rates"]))]
    assert ours == close(record["rates"])


@pytest.mark.parametrize(
    ("name", "t", "epoch", "rate"),
    [
        ("constant", 999, 9.5, 0.8),
        ("invscaling", 0, 0.0, 0.8),
        ("invscaling", 3, 0.5, 0.4),  # 0.8 / sqrt(4)
        ("step", 7, 9.99, 0.8),
        ("step", 7, 20.5, 0.2),  # 0.8 / 2 / 2
        ("exponential", 7, 0.0, 0.8),
        ("exponential", 7, 2.0, 0.722),  # 0.8 x 0.95 x 0.95 = 0.8 x 0.9025
        ("cosine", 7, 0.0, 0.8),
        ("cosine", 7, 50.0, 0.4),
        ("cosine", 7, 100.0, 0.0),
        ("cosine", 7, 150.0, 0.0),
        ("onecycle", 7, 0.0, 0.032),  # 0.8 / 25
        ("onecycle", 7, 15.0, 0.416),  # halfway from there to 0.8
        ("onecycle", 7, 30.0, 0.8),
        ("onecycle", 7, 65.0, 0.4000016),  # halfway from 0.8 to 0.032 / 10000
        ("onecycle", 7, 150.0, 0.0000032),
        ("optimal", 25, 9.5, 0.01),  # 1 / (2 x 50)
        ("pegasos", 0, 9.5, 0.02),
        ("pegasos", 3, 9.5, 0.005),
        ("adaptive", 999, 9.5, 0.8),
    ],
)
def test_schedules_by_hand(name, t, epoch, rate):
    assert SCHEDULES[name](0.8, t, epoch) == close(rate)


def test_schedule_options_by_hand():
    assert invscaling(0.8, t=7, epoch=0.0, power=1.0) == 0.1
    assert cosine(0.8, t=0, epoch=20.0, epochs=10, final=0.25) == close(0.2)
    assert cosine(0.8, t=0, epoch=1.0, epochs=10, warmup=2.0) == close(0.404)  # halfway from 0.008 to 0.8
    assert cosine(0.8, t=0, epoch=6.0, epochs=10, warmup=2.0) == close(0.4)


# --- Rules ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("record", [record for record in TORCH["rules"] if record["clip"] is None], ids=rule_id)
def test_rules_match_torch(record):
    problem = TORCH["problem"]
    path = minibatch(
        problem["X"],
        problem["y"],
        LOSSES["squared"],
        lr=problem["learning_rate"],
        epochs=problem["n_steps"] * problem["batch_size"] // len(problem["X"]),
        batch_size=problem["batch_size"],
        rule=partial(RULES[record["rule"]], **record["options"]),
        fit_intercept=False,
        start=(problem["start"], 0.0),
        l2=record["l2"],
    )
    assert len(path) == len(record["weights"]) == problem["n_steps"]
    for (w, b), weights in zip(path, record["weights"], strict=True):
        assert w == close(weights)
        assert b == 0.0


def test_torch_trajectories_hold_each_rule_with_two_sets_of_options():
    asked = [record["rule"] for record in TORCH["rules"] if record["clip"] is None]
    assert {name: asked.count(name) for name in RULES if name not in ("lion", "schedule_free")} == dict.fromkeys(
        asked, 2
    )


def test_sgd_with_l1_by_hand():
    assert SGD().step(1.0, 2.0, lr=0.25, l1=0.5) == 0.375  # 1 - 0.5 = 0.5, less 0.25 x 0.5


def test_momentum_with_l1_by_hand():
    rule = Momentum(momentum=0.5)
    assert rule.step(1.0, 2.0, lr=0.25, l1=0.5) == 0.375  # buf = 2: 1 - 0.25 x 2 = 0.5, less 0.125
    assert rule.buf == 2.5  # it moved by -0.625 = -0.25 x 2.5
    assert rule.step(0.375, 1.0, lr=0.25, l1=0.5) == -0.0625  # buf = 2.25: 0.375 - 0.5625 = -0.1875, plus 0.125
    assert rule.buf == 1.75  # it moved by -0.4375 = -0.25 x 1.75


def test_nesterov_with_l1_by_hand():
    rule = Nesterov(momentum=0.5)
    assert rule.step(1.0, 2.0, lr=0.25, l1=0.5) == 0.0625  # w = 0.375 as above; theta = 0.375 - 0.125 x 2.5
    assert rule.buf == 2.5
    assert rule.step(0.0625, 1.0, lr=0.25, l1=0.5) == -0.28125  # w = prox(-0.1875) = -0.0625, less 0.125 x 1.75
    assert rule.buf == 1.75  # w moved from 0.375 to -0.0625


def test_adaptive_rules_with_l1_by_hand():
    adagrad, rmsprop, adam = RULES["adagrad"](), RULES["rmsprop"](rho=0.75), RULES["adam"]()
    assert adagrad.step(1.0, 3.0, lr=0.1, l1=0.6) == close(0.88, 1e-9)  # denom 3: 1 - 0.1, less 0.1 x 0.6 / 3
    assert adagrad.step(0.88, 4.0, lr=0.1, l1=0.6) == close(0.788, 1e-9)  # denom 5: 0.88 - 0.08, less 0.012
    assert rmsprop.step(1.0, 3.0, lr=0.1, l1=0.6) == close(0.76, 1e-7)  # denom sqrt(9 / 4): 1 - 0.2, less 0.04
    assert adam.step(1.0, 3.0, lr=0.1, l1=0.6) == close(0.88, 1e-7)  # the first step's mean is g, its denom |g|


@pytest.mark.parametrize("rule", RULES.values())
def test_a_rate_of_zero_changes_nothing(rule):
    assert rule().step(0.7, 1.5, lr=0.0, l1=0.3) == 0.7


def proximal_optimum(l1, l2):
    """The lasso's optimum: weights whose every coordinate passes the subgradient condition."""
    w, b = gd(X, Y, LOSSES["half_squared"], lr=0.5, epochs=1000, l1=l1, l2=l2)[-1]
    gradient, slope, _ = batch_gradient(X, Y, w, b, LOSSES["half_squared"])
    assert slope == close(0.0)
    for w_j, g_j in zip(w, gradient, strict=True):
        assert abs(g_j) <= l1 if w_j == 0 else g_j + l2 * w_j == close(math.copysign(l1, -w_j))
    return w, b


@pytest.mark.parametrize("l2", [0.0, 0.1])
@pytest.mark.parametrize("rule", ["momentum", "nesterov", "adagrad", "adam", "rmsprop"])
def test_each_rule_reaches_the_same_lasso_optimum(rule, l2):
    l1 = 0.2
    best, intercept = proximal_optimum(l1, l2)
    assert [v != 0 for v in best] == [True, False, True]
    options = {"lr": 0.1, "epochs": 1500, "rule": RULES[rule], "l1": l1, "l2": l2}
    if rule == "adagrad":
        options["lr"] = 0.5  # its rate falls by itself
    if rule == "rmsprop":
        options["schedule"] = partial(SCHEDULES["exponential"], decay=0.99)  # it circles the optimum at a constant rate
    w, b = gd(X, Y, LOSSES["half_squared"], **options)[-1]
    assert w == close(best, tol=1e-6)
    assert b == close(intercept, tol=1e-6)


def test_lasso_of_orthogonal_columns_by_hand():
    # F = ((w1 - 3)^2 + (w2 - 0.5)^2 + (w3 + 2)^2) / 6 + 0.25 |w|_1, so w = soft_threshold(y, 3 x 0.25)
    identity = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    path = gd(identity, [3.0, 0.5, -2.0], LOSSES["half_squared"], lr=1.0, epochs=100, l1=0.25, fit_intercept=False)
    assert path[-1][0] == close([2.25, 0.0, -1.25])


# --- Objective and methods --------------------------------------------------------------------------------------------

POINTS, TARGETS = [[1.0, 0.0], [0.0, 2.0], [1.0, 1.0]], [1.0, 2.0, 6.0]


def test_objective_and_gradient_by_hand():
    # w = (1, 0.5), b = 1: z = 2, 2, 2.5 and r = z - y = 1, 0, -3.5
    w, b, loss = [1.0, 0.5], 1.0, LOSSES["squared"]
    gradient, slope, value = batch_gradient(POINTS, TARGETS, w, b, loss)
    assert value == close(13.25 / 3)  # 1 + 0 + 12.25
    assert gradient == close([-5 / 3, -7 / 3])  # 2 (1 x 1 - 1 x 3.5), 2 (2 x 0 - 1 x 3.5)
    assert slope == close(-5 / 3)  # 2 (1 - 3.5)
    assert objective(POINTS, TARGETS, w, b, loss, l1=2.0, l2=4.0) == close(13.25 / 3 + 3.0 + 2.5)
    assert objective(POINTS, TARGETS, w, b, loss, sample_weight=[3, 1, 0]) == close(0.75)  # (3 x 1 + 0) / 4


@pytest.mark.parametrize("name", LOSSES)
def test_batch_gradient_matches_finite_differences(name):
    loss, w, b, h = LOSSES[name], [0.4, -0.7, 0.9], 0.3, 1e-5
    weights = [1.0, 2.0, 0.5, 3.0, 1.0, 0.0]
    gradient, slope, value = batch_gradient(X, LABELS, w, b, loss, sample_weight=weights)
    assert value == objective(X, LABELS, w, b, loss, sample_weight=weights)

    def moved(j, by):
        shifted = [v + by * (k == j) for k, v in enumerate(w)]
        return objective(X, LABELS, shifted, b + by * (j == 3), loss, sample_weight=weights)

    assert [*gradient, slope] == close([(moved(j, h) - moved(j, -h)) / (2 * h) for j in range(4)], tol=1e-8)


def test_weight_2_equals_the_row_twice():
    once = gd(X, Y, LOSSES["huber"], lr=0.1, epochs=20, sample_weight=[2, 1, 1, 1, 1, 0])
    twice = gd([X[0], *X[:5]], [Y[0], *Y[:5]], LOSSES["huber"], lr=0.1, epochs=20)
    for (w, b), (w_twice, b_twice) in zip(once, twice, strict=True):
        assert w == close(w_twice)
        assert b == close(b_twice)


def test_minibatch_by_hand():
    # Rows 2, 0 first, then row 1 alone, which is divided by 1. half_squared, lr = 0.5, l2 = 1 and l1 = 0.5.
    options = {"batch_size": 2, "lr": 0.5, "epochs": 1, "l1": 0.5, "l2": 1.0, "orders": [[2, 0, 1]]}
    (w1, b1), (w2, b2) = minibatch(POINTS, TARGETS, LOSSES["half_squared"], **options)
    # z = 0: r = -6, -1; gradient (-7/2, -6/2), slope -7/2; w = prox((1.75, 1.5), 0.25), b = 1.75
    assert (w1, b1) == ([1.5, 1.25], 1.75)
    # row 1: z = 2 x 1.25 + 1.75 = 4.25, r = 2.25; gradient (0, 4.5) + w; w = prox((0.75, -1.625), 0.25), b less 1.125
    assert (w2, b2) == ([0.5, -1.375], 0.625)


def test_without_an_intercept_it_keeps_its_start():
    path = sgd(POINTS, TARGETS, LOSSES["squared"], lr=0.1, epochs=2, fit_intercept=False, start=([1.0, 1.0], 0.25))
    assert {b for _, b in path} == {0.25}


def test_schedules_get_the_update_and_the_epoch():
    asked = []

    def spy(lr, t, epoch):
        asked.append((t, epoch))
        return lr

    minibatch(POINTS, TARGETS, LOSSES["squared"], lr=0.1, epochs=2, batch_size=2, schedule=spy)
    assert asked == [(0, 0.0), (1, 2 / 3), (2, 1.0), (3, 5 / 3)]


@pytest.mark.parametrize(("method", "n_updates"), [(gd, 4), (sgd, 24), (partial(minibatch, batch_size=4), 8)])
@pytest.mark.parametrize("rule", [SGD, Momentum, Nesterov, Adam])
def test_every_method_lowers_the_objective(method, n_updates, rule):
    path = method(X, LABELS, LOSSES["logistic"], lr=0.1, epochs=4, rule=rule, l2=0.01)
    start, end = (objective(X, LABELS, w, b, LOSSES["logistic"], l2=0.01) for w, b in (([0.0] * 3, 0.0), path[-1]))
    assert len(path) == n_updates
    assert start == close(math.log(2))
    assert end < start


# --- The lesson -------------------------------------------------------------------------------------------------------


def test_lesson_gd():
    history = lesson_gd(**LESSON)
    assert history[0] == close((1 + 0.28 / 3, 14 / 3))  # gradient (-2 - 8 - 18) / 3 = -28/3, cost (1 + 4 + 9) / 3
    # w - 2 shrinks by 1 - 0.01 x 2 x 14/3 = 2.72/3 an epoch, and the cost is 14/3 (w - 2)^2
    assert [w for w, _ in history] == close([2 - (2.72 / 3) ** k for k in range(1, 101)])
    assert [cost for _, cost in history] == close([14 / 3 * (2.72 / 3) ** (2 * k) for k in range(100)])
    assert history[-1][0] == pytest.approx(2.0, abs=1e-4)


def test_lesson_sgd():
    history = lesson_sgd(**LESSON)
    # 1 + 0.01 x 2 = 1.02; 1.02 + 0.01 x 4 (4 - 2.04) = 1.0984; 1.0984 + 0.01 x 6 (6 - 3.2952) = 1.260688
    assert history[0] == close((1.260688, 2.217936**2))  # 6 - 3 x 1.260688 = 2.217936
    # w - 2 shrinks by 0.98 x 0.92 x 0.82 = 0.739312 an epoch
    assert [w for w, _ in history] == close([2 - 0.739312**k for k in range(1, 101)])
    assert history[-1] == pytest.approx((2.0, 0.0), abs=1e-12)


def test_lesson_minibatch():
    history = lesson_minibatch(**LESSON)
    # rows 1, 2: 1 + 0.01 (2 + 8) / 2 = 1.05; row 3: 1.05 + 0.01 x 6 (6 - 3.15) = 1.221
    assert history[0] == close((1.221, 2.337**2))  # 6 - 3 x 1.221 = 2.337
    assert [w for w, _ in history] == close([2 - (0.95 * 0.82) ** k for k in range(1, 101)])


@pytest.mark.parametrize(
    ("lesson", "method", "per_epoch"),
    [(lesson_gd, gd, 1), (lesson_sgd, sgd, 3), (lesson_minibatch, partial(minibatch, batch_size=2), 2)],
)
def test_methods_match_the_lesson(lesson, method, per_epoch):
    column = [[x] for x in LESSON["x"]]
    options = {"lr": LESSON["lr"], "epochs": LESSON["epochs"], "start": ([LESSON["w"]], 0.0), "fit_intercept": False}
    path = method(column, LESSON["y"], LOSSES["squared"], **options)
    assert [w for (w,), _ in path[per_epoch - 1 :: per_epoch]] == close([w for w, _ in lesson(**LESSON)])
