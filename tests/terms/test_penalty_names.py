"""What a penalty is called: names with alpha and l1_ratio, names with settings, and terms."""

from __future__ import annotations

import math

import numpy as np
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st

from fastgd.errors import OptionError
from fastgd.kernels.update_step import Preconditioner, Stepper, update
from fastgd.objective.penalty_terms import value_of
from fastgd.penalties import (
    MCP,
    NAMED,
    PENALTIES,
    PENALTY_NAMES,
    SCAD,
    Box,
    ElasticNet,
    GroupLasso,
    NonNegative,
    describe_penalty,
    resolve_penalty,
)
from fastgd.rules import SGD

weights = st.lists(st.integers(-48, 48).map(lambda k: k / 16), min_size=1, max_size=8).map(np.array)


def close(value, tol=1e-14):
    return pytest.approx(value, rel=tol, abs=tol)


def strengths(name, alpha, l1_ratio):
    """The reference's (l1, l2) of a named penalty."""
    if name not in reference.PENALTIES:
        pytest.fail(f"tests/reference_penalties.py has no penalty {name!r} to hold the new one to: write it there")
    return reference.strengths(name, alpha, l1_ratio)


@pytest.fixture(params=NAMED, scope="module")
def named(request):
    """(a penalty called by its name, its l1, its l2)."""
    alpha, l1_ratio = (0.0, 0.15) if request.param == "none" else (0.4, 0.25)
    term = resolve_penalty(request.param, alpha, l1_ratio if request.param == "elasticnet" else None)
    return term, *strengths(request.param, alpha, l1_ratio)


# --- none, l2, l1, elasticnet -----------------------------------------------------------------------------------------


@given(w=weights)
def test_value_and_derivative_equal_the_reference(named, w):
    term, l1, l2 = named
    assert term.value(w) == close(reference.penalty_value(w, l1, l2))
    assert value_of(term, w, 1.0, np.zeros(0)) == close(reference.penalty_value(w, l1, l2))
    assert [term.derivative(w_j) for w_j in w] == close(reference.penalty_derivative(w, l2))


@given(w=weights, data=st.data())
def test_prox_equals_the_reference(named, w, data):
    term, l1, _ = named
    step = np.array(data.draw(st.lists(st.floats(0, 4), min_size=len(w), max_size=len(w))))
    v = w.copy()
    term.prox(v, step)
    assert v == close([reference.soft_threshold(w_j, s * l1) for w_j, s in zip(w, step, strict=True)])


@given(w=weights, lr=st.sampled_from([0.125, 0.5, 2.0]))
def test_compiled_derivative_and_prox_equal_the_reference(named, w, lr):
    term, l1, l2 = named
    params = w.copy()
    update(params, np.zeros(len(w)), lr, 1, Stepper.make(SGD(), term, Preconditioner.identity(len(w)), len(w)))
    assert params == close([reference.SGD().step(w_j, l2 * w_j, lr, l1) for w_j in w])


def test_names_with_alpha_and_l1_ratio_by_hand():
    assert NAMED["none"](0.0, 0.15) == ElasticNet(0.0, 0.0)
    assert resolve_penalty("l2", 0.5, None) == ElasticNet(l1=0.0, l2=0.5)
    assert resolve_penalty("l1", 0.5, None) == ElasticNet(l1=0.5, l2=0.0)
    assert resolve_penalty("elasticnet", 0.5, 0.25) == ElasticNet(l1=0.125, l2=0.375)
    assert resolve_penalty("elasticnet", 1.0, None) == ElasticNet(l1=0.15, l2=0.85)
    assert resolve_penalty(None, 0.5, None) == ElasticNet(l2=0.5)
    assert resolve_penalty(None, 0.0, None) == ElasticNet()
    assert resolve_penalty("l1", 0.0, None) == ElasticNet()


# --- The others, with settings ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "alpha", "term"),
    [
        ("mcp", 0.1, MCP(0.1, gamma=3.0)),
        ("mcp", 0.0, MCP(0.0)),
        ("mcp:gamma=4", 0.1, MCP(0.1, gamma=4.0)),
        ("mcp:gamma=4,alpha=0.1", 0.0, MCP(0.1, gamma=4.0)),
        ("scad", 0.1, SCAD(0.1, gamma=3.7)),
        ("scad:gamma=2.5", 1, SCAD(1.0, gamma=2.5)),
        ("box:lower=0,upper=1", 0.0, Box(0.0, 1.0)),
        ("box:upper=1e3", 0.0, Box(-math.inf, 1000.0)),
        ("box:lower=-2,upper=inf", 0.0, Box(-2.0, math.inf)),
        ("nonnegative", 0.0, NonNegative(0.0)),
        ("nonnegative", 0.1, NonNegative(0.1)),
        ("elasticnet:l1=0.1,l2=0.2", 0.0, ElasticNet(0.1, 0.2)),
    ],
)
def test_resolve_reads_a_name_with_settings(text, alpha, term):
    assert resolve_penalty(text, alpha, None) == term


@pytest.mark.parametrize(
    ("text", "alpha"), [("group_lasso:groups=0/1/1", 0.5), ("group_lasso:alpha=0.5,groups=0/1/1", 0.0)]
)
def test_groups_are_separated_by_slashes(text, alpha):
    term = resolve_penalty(text, alpha, None)
    assert term.alpha == 0.5
    assert term.groups.tolist() == [0.0, 1.0, 1.0]


def test_penalty_names_are_complete():
    assert len(set(PENALTY_NAMES)) == len(PENALTY_NAMES)
    assert set(PENALTY_NAMES) == {*NAMED, *PENALTIES}
    for name in PENALTY_NAMES:
        settings = ":groups=0/0/1" if name == "group_lasso" else ""
        assert hasattr(resolve_penalty(name + settings, 0.0, None), "prox")


def test_resolve_returns_a_term_unchanged():
    for term in (ElasticNet(0.1), MCP(0.1), GroupLasso(0.1, [0, 0])):
        assert resolve_penalty(term, 0.0, None) is term


@pytest.mark.parametrize(
    ("term", "words"),
    [
        (ElasticNet(), "none"),
        (ElasticNet(l1=0.5), "l1 0.5"),
        (ElasticNet(l2=0.5), "l2 0.5"),
        (ElasticNet(0.25, 0.5), "elasticnet (l1 0.25, l2 0.5)"),
        (MCP(0.1), "mcp:alpha=0.1,gamma=3.0"),
        (Box(0, 1), "box:lower=0.0,upper=1.0"),
        (NonNegative(0.5), "nonnegative:alpha=0.5"),
        (GroupLasso(0.5, [0, 0, 1, 2]), "group_lasso (alpha 0.5, 3 groups)"),
    ],
)
def test_describe_gives_name_and_strengths(term, words):
    assert describe_penalty(term) == words


@pytest.mark.parametrize("term", [MCP(1 / 3, 2.5), SCAD(0.1), Box(upper=1 / 7), NonNegative(1e-9)])
def test_description_resolves_to_the_same_term(term):
    assert resolve_penalty(describe_penalty(term), 0.0, None) == term
    groups = PENALTIES.describe(GroupLasso(0.5, [0, 1, 0]))
    assert groups == "group_lasso:alpha=0.5,groups=0.0/1.0/0.0"
    assert PENALTIES.resolve(groups).groups.tolist() == [0.0, 1.0, 0.0]


# --- Options that contradict each other -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("elastic", 0.1, None), "unknown penalty 'elastic'; did you mean 'elasticnet'? (known: none, l2"),
        (("mpc:gamma=4", 0.1, None), "unknown penalty 'mpc'; did you mean 'mcp'? (known: none, l2"),
        (("", 0.1, None), "unknown penalty ''"),
        (("l2", -0.1, None), "alpha must be a finite number, 0 or more, not -0.1"),
        (("l2", math.inf, None), "alpha must be a finite number, 0 or more, not inf"),
        (("l2", math.nan, None), "alpha must be a finite number, 0 or more, not nan"),
        (("l2", 0.1, 0.5), "l1_ratio goes with penalty='elasticnet' only"),
        ((None, 0.1, 0.5), "l1_ratio goes with penalty='elasticnet' only"),
        (("mcp", 0.1, 0.5), "l1_ratio goes with penalty='elasticnet' only"),
        (("elasticnet", 0.1, 1.5), "l1_ratio must lie between 0 and 1, not 1.5"),
        (("elasticnet", 0.1, -0.5), "l1_ratio must lie between 0 and 1, not -0.5"),
        (("elasticnet", 0.1, math.nan), "l1_ratio must lie between 0 and 1, not nan"),
        (("elasticnet:l1=0.1", 0.1, None), "penalty 'elasticnet:l1=0.1' has no alpha: remove alpha=0.1"),
        (("none", 0.1, None), "penalty='none' and alpha=0.1 contradict each other: remove one"),
        (("l2:alpha=1", 0.0, None), "penalty 'l2' has no settings after a colon: its strength is alpha"),
        (("none:", 0.1, None), "penalty 'none' has no settings after a colon"),
        (("mcp:alpha=0.1", 0.1, None), "penalty 'mcp:alpha=0.1' has its own strength: remove alpha=0.1"),
        (("mcp:alpha=0", 0.1, None), "penalty 'mcp:alpha=0' has its own strength: remove alpha=0.1"),
        (("mcp:gama=4", 0.1, None), "penalty 'mcp' has no setting 'gama'; did you mean 'gamma'? (it has: alpha"),
        (("mcp:gamma=wide", 0.1, None), "penalty 'mcp': gamma='wide' is not a number"),
        (("mcp:gamma=4,gamma=5", 0.1, None), "penalty 'mcp': gamma is given twice"),
        (("mcp:gamma=0", 0.1, None), "mcp: gamma must be a finite number above 0, not 0.0"),
        (("box", 0.1, None), "penalty 'box' has no alpha: remove alpha=0.1"),
        (("box:lower=2,upper=1", 0.0, None), "box: no number lies between lower=2.0 and upper=1.0"),
        (("group_lasso", 0.1, None), "penalty 'group_lasso' needs groups: write group_lasso:groups=... or pass a term, "
                                     "GroupLasso(alpha, groups)"),
        (("group_lasso:groups=0/x", 0.1, None), "penalty 'group_lasso': groups='0/x' is not a number nor several with"),
        (("group_lasso:groups=1/2", 0.1, None), "group_lasso: groups must hold the whole numbers 0, 1, 2, ... without"),
        ((ElasticNet(l2=1.0), 0.1, None), "the penalty term has its own strength: remove alpha"),
        ((GroupLasso(1.0, [0, 0]), 0.1, None), "the penalty term has its own strength: remove alpha"),
        ((ElasticNet(l2=1.0), 0.0, 0.5), "l1_ratio goes with penalty='elasticnet' only"),
        ((ElasticNet, 0.0, None), "penalty: pass an instance, ElasticNet(), not the class itself"),
        ((SGD(), 0.0, None), "penalty SGD has no method value(self, w)"),
    ],
    ids=str,
)  # fmt: skip
def test_error_names_the_penalty_and_setting(arguments, message):
    with pytest.raises(OptionError) as caught:
        resolve_penalty(*arguments)
    assert str(caught.value).startswith(message)
