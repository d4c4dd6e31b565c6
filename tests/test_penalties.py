"""Every named penalty and every penalty term, against the reference and against what a prox is."""

from __future__ import annotations

import math
from dataclasses import fields, replace

import numpy as np
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st

from fastgd.errors import OptionError
from fastgd.kernels.update import Metric, Stepper, penalty_value, update
from fastgd.penalties import NAMED, PENALTIES, ElasticNet, resolve_penalty
from fastgd.rules import SGD

# A term of each registered class, with strengths under which its every part acts.
ACTING = {"elasticnet": ElasticNet(l1=0.3, l2=0.2)}

weights = st.lists(st.integers(-48, 48).map(lambda k: k / 16), min_size=1, max_size=8).map(np.array)


def close(value, tol=1e-14):
    return pytest.approx(value, rel=tol, abs=tol)


def strengths(name, alpha, l1_ratio):
    """The reference's (l1, l2) of a named penalty."""
    if name not in reference.PENALTIES:
        pytest.fail(f"tests/reference.py has no penalty {name!r} to hold the new one to: write it there")
    return reference.strengths(name, alpha, l1_ratio)


@pytest.fixture(params=NAMED, scope="module")
def named(request):
    """(a penalty called by its name, its l1, its l2)."""
    alpha, l1_ratio = (0.0, 0.15) if request.param == "none" else (0.4, 0.25)
    term = resolve_penalty(request.param, alpha, l1_ratio if request.param == "elasticnet" else None)
    return term, *strengths(request.param, alpha, l1_ratio)


@pytest.fixture(params=PENALTIES, scope="module")
def acting(request):
    if request.param not in ACTING:
        pytest.fail(f"ACTING has no penalty {request.param!r}: add a term of it, with strengths under which it acts")
    return ACTING[request.param]


# --- By name, against the reference -----------------------------------------------------------------------------------


@given(w=weights)
def test_value_and_derivative_are_the_references(named, w):
    term, l1, l2 = named
    assert term.value(w) == close(reference.penalty_value(w, l1, l2))
    assert penalty_value(term, w, 1.0, np.zeros(0)) == close(reference.penalty_value(w, l1, l2))
    assert [term.derivative(w_j) for w_j in w] == close(reference.penalty_derivative(w, l2))


@given(w=weights, data=st.data())
def test_prox_is_the_references(named, w, data):
    term, l1, _ = named
    step = np.array(data.draw(st.lists(st.floats(0, 4), min_size=len(w), max_size=len(w))))
    v = w.copy()
    term.prox(v, step)
    assert v == close([reference.soft_threshold(w_j, s * l1) for w_j, s in zip(w, step, strict=True)])


@given(w=weights, lr=st.sampled_from([0.125, 0.5, 2.0]))
def test_compiled_derivative_and_prox_are_the_references(named, w, lr):
    term, l1, l2 = named
    theta = w.copy()
    update(theta, np.zeros(len(w)), lr, 1, Stepper.make(SGD(), term, Metric.identity(len(w)), len(w)))
    assert theta == close([reference.SGD().step(w_j, l2 * w_j, lr, l1) for w_j in w])


def test_the_names_by_hand():
    assert NAMED["none"](0.0, 0.15) == ElasticNet(0.0, 0.0)
    assert resolve_penalty("l2", 0.5, None) == ElasticNet(l1=0.0, l2=0.5)
    assert resolve_penalty("l1", 0.5, None) == ElasticNet(l1=0.5, l2=0.0)
    assert resolve_penalty("elasticnet", 0.5, 0.25) == ElasticNet(l1=0.125, l2=0.375)
    assert resolve_penalty("elasticnet", 1.0, None) == ElasticNet(l1=0.15, l2=0.85)
    assert resolve_penalty(None, 0.5, None) == ElasticNet(l2=0.5)
    assert resolve_penalty(None, 0.0, None) == ElasticNet()
    assert resolve_penalty("l1", 0.0, None) == ElasticNet()


def test_elasticnet_by_hand():
    term, v = ElasticNet(l1=0.5, l2=0.25), np.array([3.0, -4.0, 0.0, 0.5, -0.25])
    assert term.value(v) == 3.875 + 3.1640625  # 0.5 (3 + 4 + 0.5 + 0.25) + 0.125 (9 + 16 + 0.25 + 0.0625)
    assert term.derivative(-4.0) == -1.0
    term.prox(v, np.array([2.0, 1.0, 9.0, 1.0, 0.25]))
    assert v.tolist() == [2.0, -3.5, 0.0, 0.0, -0.125]  # thresholds 1, 0.5, 4.5, 0.5, 0.125


# --- What a penalty promises ------------------------------------------------------------------------------------------


@given(w=weights, data=st.data())
def test_prox_is_the_best_of_its_neighbours(acting, w, data):
    """prox(v, step) minimises sum (x - v)^2 / (2 step) + the part of the penalty that has kinks."""
    step = np.array(data.draw(st.lists(st.floats(1 / 16, 4), min_size=len(w), max_size=len(w))))

    def kinked(x):
        """The penalty less the integral of its smooth derivative, by Simpson's rule: exact up to cubics."""
        slope = acting.derivative
        return acting.value(x) - sum(x_j / 6 * (slope(0.0) + 4 * slope(x_j / 2) + slope(x_j)) for x_j in x)

    def cost(x):
        return float(((x - w) ** 2 / (2 * step)).sum()) + kinked(x)

    best = w.copy()
    acting.prox(best, step)
    nearby = data.draw(st.lists(st.floats(-2, 2), min_size=len(w), max_size=len(w)).map(np.array))
    for other in (w, np.zeros_like(w), best + nearby, best + 1e-3 * nearby, np.where(best == 0, nearby, best)):
        assert cost(best) <= cost(other) + 1e-14 * (1 + abs(cost(other)))


@given(v=weights, u=weights)
def test_prox_brings_no_two_points_further_apart(acting, v, u):
    size = min(len(v), len(u))
    v, u, step = v[:size].copy(), u[:size].copy(), np.full(size, 0.75)
    before = np.linalg.norm(v - u)
    acting.prox(v, step)
    acting.prox(u, step)
    assert np.linalg.norm(v - u) <= before * (1 + 1e-14)


def test_a_step_of_zero_moves_nothing(acting):
    v = np.array([1.5, -0.25, 0.0])
    acting.prox(v, np.zeros(3))
    assert v.tolist() == [1.5, -0.25, 0.0]


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_l1_makes_exact_zeros_and_never_the_other_sign(sign):
    v = sign * np.array([0.1, 0.3, 0.30000000000000004, 1 / 3])
    ElasticNet(l1=0.3).prox(v, np.ones(4))
    assert v[:2].tolist() == [0.0, 0.0]
    assert (sign * v >= 0).all()


def test_nan_stays_nan_in_value_and_derivative(acting):
    assert math.isnan(acting.value(np.array([1.0, math.nan])))
    assert math.isnan(acting.derivative(math.nan))


def test_no_weights_cost_nothing(acting):
    assert acting.value(np.zeros(0)) == 0.0
    assert penalty_value(acting, np.zeros(0), 1.0, np.zeros(0)) == 0.0
    assert acting.value(np.zeros(5)) == 0.0


# --- Options that contradict each other, and documentation ------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("elastic", 0.1, None), "unknown penalty 'elastic'; did you mean 'elasticnet'? (known: none, l2"),
        (("l2", -0.1, None), "alpha must be a finite number, 0 or more, not -0.1"),
        (("l2", math.inf, None), "alpha must be a finite number, 0 or more, not inf"),
        (("l2", math.nan, None), "alpha must be a finite number, 0 or more, not nan"),
        (("l2", 0.1, 0.5), "l1_ratio goes with penalty='elasticnet' only"),
        ((None, 0.1, 0.5), "l1_ratio goes with penalty='elasticnet' only"),
        (("elasticnet", 0.1, 1.5), "l1_ratio lies between 0 and 1, not 1.5"),
        (("elasticnet", 0.1, -0.5), "l1_ratio lies between 0 and 1, not -0.5"),
        (("elasticnet", 0.1, math.nan), "l1_ratio lies between 0 and 1, not nan"),
        (("none", 0.1, None), "penalty='none' with alpha=0.1 contradict each other: leave one out"),
        ((ElasticNet(l2=1.0), 0.1, None), "the penalty term carries its own strength: leave alpha out"),
        ((ElasticNet(l2=1.0), 0.0, 0.5), "l1_ratio goes with penalty='elasticnet' only"),
        ((ElasticNet, 0.0, None), "penalty: pass an instance, ElasticNet(), not the class itself"),
        ((SGD(), 0.0, None), "penalty SGD has no method value(self, w)"),
    ],
    ids=str,
)
def test_what_is_wrong_is_said(arguments, message):
    with pytest.raises(OptionError) as caught:
        resolve_penalty(*arguments)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("wrong", [-0.1, math.inf, math.nan, "0.1", None, True])
@pytest.mark.parametrize("name", ["l1", "l2"])
def test_strengths_are_finite_numbers(name, wrong):
    with pytest.raises(OptionError, match=f"(?i)elasticnet: {name} (must be|is) a .*number"):
        ElasticNet(**{name: wrong})


def test_settings_are_numbers(acting):
    for field in fields(acting):
        with pytest.raises(OptionError, match=field.name):
            replace(acting, **{field.name: math.nan})


def test_a_term_is_taken_as_it_is(acting):
    assert resolve_penalty(acting, 0.0, None) is acting


def test_the_docstring_has_a_formula_its_settings_and_a_source(acting):
    doc = type(acting).__doc__
    assert "Source: " in doc
    assert "w" in doc.partition("Source")[0]
    assert "prox" in doc
    for field in fields(acting):
        assert field.name in doc
