"""Every registered rule against PyTorch and the reference, and its properties; in plain Python and in the kernel."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st

from fastgd.compile.jit import of_fixed_types
from fastgd.errors import OptionError
from fastgd.kernels.update_step import Preconditioner, Stepper, keeps_model, model_of, update
from fastgd.penalties import ElasticNet
from fastgd.rules import RULES, rule_traits

TORCH = json.loads((Path(__file__).parents[1] / "reference" / "torch_trajectories.json").read_text())

# Name of a setting in the reference and in PyTorch -> its name here.
OUR_NAMES = {"momentum": "beta", "eps": "epsilon"}

# Settings other than the defaults, with the names of the reference.
OTHER_SETTINGS = {
    "sgd": {},
    "momentum": {"momentum": 0.5},
    "nesterov": {"momentum": 0.5},
    "adagrad": {"eps": 0.01},
    "rmsprop": {"rho": 0.9, "eps": 0.001},
    "adam": {"beta1": 0.8, "beta2": 0.99, "eps": 0.001},
    "adamw": {"beta1": 0.8, "beta2": 0.99, "eps": 0.001},
    "amsgrad": {"beta1": 0.8, "beta2": 0.9, "eps": 0.001},
    "nadam": {"beta1": 0.8, "beta2": 0.99, "eps": 0.001, "momentum_decay": 0.2},
    "adadelta": {"rho": 0.5, "eps": 0.01},
    "lion": {"beta1": 0.85, "beta2": 0.97},
    "asgd": {"lambd": 0.5, "alpha": 0.6, "t0": 3.0},
    "schedule_free": {"beta": 0.5},
}
NOT_IN_TORCH = ("lion", "schedule_free")  # their reference follows the papers

Rule = Any


def close(value, tol=1e-12):
    return pytest.approx(value, rel=tol, abs=tol)


def ours(name: str, settings: dict[str, float]) -> Rule:
    return RULES[name](**{OUR_NAMES.get(key, key): value for key, value in settings.items()})


def expected(name: str, settings: dict[str, float]) -> Callable[[], Any]:
    """The reference's rule of that name."""
    if name not in reference.RULES:
        pytest.fail(f"tests/reference_rules.py has no rule {name!r} to hold the new one to: write it from its formula")
    return partial(reference.RULES[name], **settings)


class Plain:
    """The rule's methods in plain Python on each coefficient; l1 by its prox, l2 by its derivative."""

    def __init__(self, rule: Rule, n_weights: int, l1: float = 0.0, l2: float = 0.0) -> None:
        self.rule, self.l1, self.l2 = rule, l1, l2
        self.state = [(0.0, 0.0, 0.0)] * n_weights

    def __call__(self, w: list[float], g: list[float], lr: float, t: int) -> list[float]:
        return [self._move(j, w_j, g_j, lr, t) for j, (w_j, g_j) in enumerate(zip(w, g, strict=True))]

    def _move(self, j: int, w: float, g: float, lr: float, t: int) -> float:
        if rule_traits(self.rule).decouples:
            w -= lr * self.l2 * w
        else:
            g += self.l2 * w
        step, reach, *state = self.rule.step(g, lr, t, *self.state[j])
        before = w + step
        after = reference.soft_threshold(before, self.l1 * reach)
        settled, *state = self.rule.settle(after, after - before, lr, t, *state)
        self.state[j] = tuple(state)
        return settled

    def model(self, w: list[float]) -> list[float]:
        if not keeps_model(self.rule, ElasticNet(self.l1, self.l2)):
            return w
        return [self.rule.model(w_j, *state) for w_j, state in zip(w, self.state, strict=True)]


class Compiled:
    """The kernel `update` with the rule compiled into it."""

    def __init__(self, rule: Rule, n_weights: int, l1: float = 0.0, l2: float = 0.0, clip: float = math.inf) -> None:
        self.stepper = Stepper.make(rule, ElasticNet(l1, l2), Preconditioner.identity(n_weights), n_weights, clip=clip)
        self.update = of_fixed_types(update)

    def __call__(self, w: list[float], g: list[float], lr: float, t: int) -> list[float]:
        params = np.array(w)
        self.update(params, np.array(g), lr, t, self.stepper)
        return params.tolist()

    def model(self, w: list[float]) -> list[float]:
        return model_of(np.array(w), self.stepper).tolist()


both_ways = pytest.mark.parametrize("way", [Plain, Compiled])


@pytest.fixture(params=RULES, scope="module")
def name(request):
    return request.param


@pytest.fixture(params=["its own settings", "others"], scope="module")
def settings(request, name):
    if name not in OTHER_SETTINGS:
        pytest.fail(f"OTHER_SETTINGS lacks the rule {name!r}: add settings that are not its defaults")
    return {} if request.param == "its own settings" else OTHER_SETTINGS[name]


# --- PyTorch, step by step --------------------------------------------------------------------------------------------


def follow(record: dict[str, Any], move: Plain | Compiled) -> None:
    """Compare every step with the record."""
    problem = TORCH["problem"]
    w, lr, batch = problem["start"], problem["learning_rate"], problem["batch_size"]
    models = record.get("models", record["weights"])
    for k, (weights, model) in enumerate(zip(record["weights"], models, strict=True)):
        first = k * batch % len(problem["X"])
        rows = range(first, first + batch)
        gradient, _, _ = reference.batch_gradient(problem["X"], problem["y"], w, 0.0, reference.LOSSES["squared"], rows)
        w = move(w, gradient, lr, k + 1)
        assert w == close(weights, 1e-10)
        assert move.model(w) == close(model, 1e-10)
    assert k + 1 == problem["n_steps"]


def record_id(record: dict[str, Any]) -> str:
    return f"{record['rule']} {record['options']} l2={record['l2']}"


@both_ways
@pytest.mark.parametrize("record", [record for record in TORCH["rules"] if record["clip"] is None], ids=record_id)
def test_steps_equal_torch(record, way):
    rule = ours(record["rule"], record["options"])
    follow(record, way(rule, len(TORCH["problem"]["start"]), l2=record["l2"]))


@pytest.mark.parametrize("record", [record for record in TORCH["rules"] if record["clip"] is not None], ids=record_id)
def test_clipped_steps_equal_torch(record):
    rule, n_weights = ours(record["rule"], record["options"]), len(TORCH["problem"]["start"])
    follow(record, Compiled(rule, n_weights, l2=record["l2"], clip=record["clip"]))
    with pytest.raises(AssertionError):
        follow(record, Compiled(rule, n_weights, l2=record["l2"]))


def test_torch_records_cover_every_rule(name):
    asked = any(record["rule"] == name for record in TORCH["rules"])
    told = f"add {name!r} to tests/torch_trajectories.py, or to NOT_IN_TORCH"
    assert asked != (name in NOT_IN_TORCH), told


# --- The reference, with and without l1 -------------------------------------------------------------------------------

quarters = st.integers(-12, 12).map(lambda k: k / 4)


@both_ways
@given(
    start=quarters,
    gradients=st.lists(quarters, min_size=1, max_size=25),
    lr=st.sampled_from([0.01, 0.125, 1.0]),
    l1=st.sampled_from([0.0, 0.3, 2.0]),
)
def test_steps_equal_the_reference(name, settings, way, start, gradients, lr, l1):
    theirs, move = expected(name, settings)(), way(ours(name, settings), 1, l1)
    w, (v,) = start, [start]
    for t, g in enumerate(gradients, 1):
        w = theirs.step(w, g, lr, l1)
        (v,) = move([v], [g], lr, t)
        assert v == close(w, 1e-10)  # momentum 0.9 adds the rounding errors of ten steps
        assert move.model([v]) == close([theirs.model(w, under_prox=l1 > 0)], 1e-10)


@both_ways
def test_rates_may_change_and_may_be_zero(name, settings, way):
    theirs, move = expected(name, settings)(), way(ours(name, settings), 1, 0.3)
    w, (v,) = 1.0, [1.0]
    for t, (g, lr) in enumerate([(1.0, 0.1), (-0.5, 0.05), (2.0, 0.0), (0.0, 0.2), (-1.0, 0.1)], 1):
        w = theirs.step(w, g, lr, 0.3)
        (v,) = move([v], [g], lr, t)
        assert v == close(w)
        assert move.model([v]) == close([theirs.model(w)])


@both_ways
def test_coefficients_are_updated_independently(name, settings, way):
    together, apart = way(ours(name, settings), 3, 0.1), [way(ours(name, settings), 1, 0.1) for _ in range(3)]
    w, v = [1.0, -2.0, 0.5], [1.0, -2.0, 0.5]
    for t in range(1, 8):
        g = [0.3 * t, -1.0 / t, 0.0]
        w = together(w, g, 0.1, t)
        v = [apart[j]([v[j]], [g[j]], 0.1, t)[0] for j in range(3)]
        assert w == close(v)


@pytest.mark.parametrize("l1", [0.0, 0.3])
@pytest.mark.parametrize("has_intercept", [False, True])
def test_intercept_has_the_same_rule_without_the_penalty(name, settings, has_intercept, l1):
    l2, d = 0.25, 2
    stepper = Stepper.make(
        ours(name, settings), ElasticNet(l1=l1, l2=l2), Preconditioner.identity(d), d + has_intercept
    )
    rules = [expected(name, settings)() for _ in range(d + 1)]
    params = np.array([1.0, -0.5, 0.75][: d + has_intercept])
    w, b = [1.0, -0.5], 0.75
    for t in range(1, 10):
        g = [0.5 - 0.1 * t, 0.2 * t, 1.0 / t]
        update(params, np.array(g[: d + has_intercept]), 0.1, t, stepper)
        w = [reference.penalized_step(rules[j], w[j], g[j], 0.1, l1, l2) for j in range(d)]
        b = rules[d].step(b, g[d], 0.1)
        assert params == close([*w, b][: d + has_intercept])


# --- What a rule promises ---------------------------------------------------------------------------------------------


@both_ways
@given(w=quarters, g=quarters.filter(bool), lr=st.sampled_from([0.01, 0.5]))
def test_first_step_decreases_the_objective(name, settings, way, w, g, lr):
    (after,) = way(ours(name, settings), 1)([w], [g], lr, 1)
    assert (after - w) * g < 0


@both_ways
def test_rate_zero_changes_nothing(name, settings, way):
    assert way(ours(name, settings), 2, 0.3)([0.7, -0.1], [1.5, -2.0], 0.0, 1) == [0.7, -0.1]


@both_ways
def test_gradient_zero_changes_nothing(name, settings, way):
    move, w = way(ours(name, settings), 1), [0.7]
    for t in range(1, 4):
        w = move(w, [0.0], 0.1, t)
    assert w == [0.7]


@both_ways
def test_nan_propagates(name, settings, way):
    move, w = way(ours(name, settings), 1), [0.7]
    for t, g in enumerate([1.0, math.nan, 1.0], 1):
        w = move(w, [g], 0.1, t)
    assert math.isnan(w[0])


@both_ways
@pytest.mark.parametrize("l1", [0.0, 0.3])
def test_converges_to_the_optimum(name, settings, way, l1):
    # (w - 2)^2 / 2 + l1 |w|: w = 2 - l1; the second weight's (w - 0.1)^2 / 2 + 0.3 |w| ends at exactly 0
    move, w = way(ours(name, settings), 2, l1), [0.0, 0.0]
    rate = 10.0 if name == "adadelta" else 0.3  # its first steps are of the size of epsilon
    for t in range(1, 3001):
        # At a constant rate, rules with a running mean of squares oscillate around the optimum.
        w = move(w, [w[0] - 2.0, w[1] - 0.1], rate * 0.997**t, t)
    assert w[0] == pytest.approx(2.0 - l1, abs=1e-3)
    assert w[1] == pytest.approx(0.1 if l1 == 0 else 0.0, abs=1e-3)
    assert move.model(w) == pytest.approx(w, abs=0.01)


@both_ways
def test_stays_at_the_optimum(name, settings, way):
    # The same optimum: the prox undoes each step.
    move, w = way(ours(name, settings), 2, 0.3), [1.7, 0.0]
    for t in range(1, 60):
        w = move(w, [w[0] - 2.0, w[1] - 0.1], 0.1, t)
        assert w == close([1.7, 0.0])
        assert move.model(w) == close([1.7, 0.0])


@both_ways
def test_model_before_the_first_step_is_the_start(name, settings, way):
    assert way(ours(name, settings), 2).model([0.7, -0.1]) == [0.7, -0.1]


def test_reach_depends_on_the_gradient_only_for_adaptive_rules(name, settings):
    rule = ours(name, settings)
    reaches = {rule.step(g, 0.1, 1, 0.0, 0.0, 0.0)[1] for g in (0.25, -0.5, 4.0)}
    assert len(reaches) == (3 if rule_traits(rule).adaptive else 1)


def test_one_step_by_hand():
    def first(text, w=1.0, g=3.0, lr=0.1, l1=0.6):
        return Compiled(RULES.resolve(text), 1, l1)([w], [g], lr, 1)[0]

    assert first("sgd") == close(0.64)  # 1 - 0.3, less 0.06
    assert first("momentum:beta=0.5") == close(0.64)
    assert first("nesterov:beta=0.5") == close(0.46)  # 0.64 after a move of -0.36, and half of it again
    assert first("adagrad:epsilon=1e-15") == close(0.88)  # 1 - 0.1, less 0.06 / 3
    assert first("rmsprop:rho=0.75,epsilon=1e-15") == close(0.76)  # v = 9/4: 1 - 0.2, less 0.04
    assert first("adam:epsilon=1e-15") == close(0.88)  # both means are those of one step: 3 and 9
    assert first("adamw:epsilon=1e-15") == close(0.88)
    assert first("amsgrad:epsilon=1e-15") == close(0.88)
    # mu_1 = mu_2 = 0.4: 1 + 0.4 x 0.1 / (1 - 0.16) times as far as adam
    assert first("nadam:beta1=0.8,epsilon=1e-15,momentum_decay=0", l1=0.0) == close(1 - 0.1 * (1 + 0.4 * 0.2 / 0.84))
    # v = 2.25 and s = 0: a step of 0.1 x 3 x 0.01 / sqrt(2.2501), less a fifth of that
    assert first("adadelta:rho=0.75,epsilon=1e-4") == close(1 - 0.1 * 3.6 * 0.01 / math.sqrt(2.2501))
    assert first("lion") == close(0.9)  # 1 - 0.1, and l1 would make it longer
    assert first("lion", w=0.95, l1=6.0) == close(0.85)  # an l1 above the gradient makes the step no longer either
    assert first("lion", g=-3.0) == close(1.08)  # 1 + 0.1, less 0.1 x 0.6 / 3
    assert first("asgd") == close(0.64)
    assert first("schedule_free") == close(0.64)


@pytest.mark.parametrize("name", [name for name, rule in RULES.items() if hasattr(rule, "epsilon")])
def test_smallest_epsilon_keeps_a_coefficient_without_gradient(name):
    # The gradient of a column of zeros is 0, and 0 / (sqrt(0) + 0) is NaN.
    for epsilon in (1e-8, 1e-300, 0.0):
        with suppress(OptionError):
            rule = RULES[name](epsilon=epsilon)
            assert Compiled(rule, 2)([0.5, 0.5], [0.0, 1.0], 0.1, 1)[0] == 0.5


# --- Settings, errors, documentation ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("adma", "unknown rule 'adma'; did you mean 'adam'? (known: sgd, momentum"),
        ("adam:beta=0.9", "rule 'adam' has no setting 'beta'; did you mean 'beta"),
        ("momentum:beta=heavy", "rule 'momentum': beta='heavy' is not a number"),
        ("momentum:beta=1", "momentum: beta must be 0 or more and below 1, not 1.0"),
        ("momentum:beta=-0.1", "momentum: beta must be 0 or more and below 1, not -0.1"),
        ("momentum:beta=nan", "Momentum: beta must be a number, not nan"),
        ("nesterov:beta=1.5", "nesterov: beta must be 0 or more and below 1, not 1.5"),
        ("rmsprop:rho=1", "rmsprop: rho must be 0 or more and below 1, not 1.0"),
        ("adam:beta1=1", "adam: beta1 must be 0 or more and below 1, not 1.0"),
        ("adam:beta2=-1", "adam: beta2 must be 0 or more and below 1, not -1.0"),
        ("adagrad:epsilon=-1", "adagrad: epsilon must be above 0, not -1.0"),
        ("rmsprop:epsilon=-1", "rmsprop: epsilon must be above 0, not -1.0"),
        ("adam:epsilon=-1", "adam: epsilon must be above 0, not -1.0"),
        ("adamw:beta1=1", "adamw: beta1 must be 0 or more and below 1, not 1.0"),
        ("amsgrad:epsilon=0", "amsgrad: epsilon must be above 0, not 0.0"),
        ("nadam:beta2=1", "nadam: beta2 must be 0 or more and below 1, not 1.0"),
        ("nadam:epsilon=-1", "nadam: epsilon must be above 0, not -1.0"),
        ("nadam:momentum_decay=-1", "nadam: momentum_decay must be a finite number, 0 or more, not -1.0"),
        ("adadelta:rho=1", "adadelta: rho must be 0 or more and below 1, not 1.0"),
        ("adadelta:epsilon=0", "adadelta: epsilon must be above 0, not 0.0"),
        ("lion:beta1=1", "lion: beta1 must be 0 or more and below 1, not 1.0"),
        ("asgd:alpha=inf", "asgd: alpha must be a finite number, 0 or more, not inf"),
        ("asgd:lambd=-1", "asgd: lambd must be a finite number, 0 or more, not -1.0"),
        ("asgd:t0=-1", "asgd: t0 must be a finite number, 0 or more, not -1.0"),
        ("schedule_free:beta=1", "schedule_free: beta must be 0 or more and below 1, not 1.0"),
        (RULES["adam"], "rule: pass an instance, Adam(), not the class itself"),
        (None, "rule: None is neither a name (sgd, momentum"),
        (ElasticNet(), "rule ElasticNet has no method step(self, g, lr, t, m, v, s)"),
    ],
    ids=str,
)
def test_error_names_the_rule_and_setting(text, message):
    with pytest.raises(OptionError) as caught:
        RULES.resolve(text)
    assert str(caught.value).startswith(message)


def test_settings_must_be_numbers(name):
    for field in fields(RULES[name]):
        for wrong in (math.nan, "0.5", None, True):
            with pytest.raises(OptionError, match=field.name):
                replace(RULES[name](), **{field.name: wrong})


def test_resolve_reads_a_name_with_settings():
    assert RULES.resolve("adam:beta1=0.8,beta2=0.99") == RULES["adam"](beta1=0.8, beta2=0.99, epsilon=1e-8)
    assert RULES.resolve("momentum") == RULES["momentum"](beta=0.9)


def test_docstring_has_a_formula_the_settings_and_a_source(name):
    doc = RULES[name].__doc__
    assert "w <- " in doc.partition("Source")[0]
    assert "Source: " in doc
    for field in fields(RULES[name]):
        assert field.name in doc


@pytest.mark.parametrize("text", ["momentum:beta=0.75", "nesterov:beta=0.75"])
def test_damping_is_the_share_of_a_step_that_a_constant_gradient_needs(text):
    """The velocity m <- beta m + g rises to a multiple of a constant g, and a step damped by it moves by g again."""
    m = 0.0
    for _ in range(200):
        m = 0.75 * m + 1.0
    assert RULES.resolve(text).damping() * m == pytest.approx(1.0, rel=1e-12)
