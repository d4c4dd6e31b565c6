"""Every registered penalty against the reference and values computed by hand, and its properties."""

from __future__ import annotations

import math
from dataclasses import fields, replace

import numba
import numpy as np
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st
from numba.core.runtime import _nrt_python, rtsys

from fastgd.compile.jit import COMPILE_OPTIONS
from fastgd.errors import OptionError
from fastgd.penalties import (
    MCP,
    PENALTIES,
    SCAD,
    Box,
    ElasticNet,
    GroupLasso,
    NonNegative,
    penalty_traits,
    resolve_penalty,
)

# Terms of each class for D coefficients, with settings for which all parts act; coefficients of 0 cost nothing.
D = 6
ACTING = {
    "elasticnet": [ElasticNet(l1=0.3, l2=0.2)],
    "mcp": [MCP(0.4), MCP(1.0, gamma=0.5)],
    "scad": [SCAD(0.4), SCAD(0.75, gamma=2.25)],
    "box": [Box(-0.5, 1.25), Box(upper=0.5)],
    "nonnegative": [NonNegative(), NonNegative(0.3)],
    "group_lasso": [GroupLasso(0.3, [1, 0, 2, 1, 0, 1])],
}
CASES = [(name, term) for name in PENALTIES for term in ACTING.get(name, [None])]
OF_ONE_WEIGHT = [term for _, term in CASES if penalty_traits(term).separable]

# Steps below and above those at which a prox changes its form: gamma for MCP, gamma - 1 and gamma + 1 for SCAD.
STEPS = [1 / 64, 0.25, 0.5, 0.75, 1.0, 1.25, 2.0, 2.6, 2.7, 3.0, 3.25, 4.0, 4.7, 9.0, 64.0, 1e9]


def close(value, tol=1e-14):
    return pytest.approx(value, rel=tol, abs=tol)


def words(value):
    return PENALTIES.describe(value) if hasattr(value, "prox") else None


@pytest.fixture(params=CASES, ids=lambda case: f"{case[0]} {words(case[1])}", scope="module")
def case(request):
    """The name of a penalty and a term."""
    name, term = request.param
    if term is None:
        pytest.fail(f"ACTING has no penalty {name!r}: add terms of it, with strengths under which they act")
    return name, term


@pytest.fixture(scope="module")
def acting(case):
    return case[1]


@pytest.fixture(scope="module")
def expected(acting):
    return of_the_reference(acting)


def of_the_reference(term):
    """The reference's penalty with the same settings."""
    name = PENALTIES.name_of(term)
    if name not in reference.PENALTY_TERMS:
        pytest.fail(f"tests/reference_penalties.py has no penalty {name!r} to hold the new one to: write it there")
    return reference.PENALTY_TERMS[name](**{field.name: getattr(term, field.name) for field in fields(term)})


numbers = st.integers(-64, 64).map(lambda k: k / 16)
vectors = st.lists(numbers, min_size=D, max_size=D).map(np.array)


@st.composite
def steps(draw, term):
    """A step size for each coefficient, equal within a group."""
    drawn = np.array(draw(st.lists(st.sampled_from(STEPS), min_size=D, max_size=D)))
    return drawn[term.groups.astype(int)] if hasattr(term, "groups") else drawn


def prox(term, v, step):
    result = np.array(v, dtype=float)
    term.prox(result, np.broadcast_to(step, result.shape))
    return result


def smooth_part(term, x):
    """The integral of the derivative from 0 to each coefficient, by Simpson's rule, exact up to cubics."""
    slope = term.derivative
    return sum(x_j / 6 * (slope(0.0) + 4 * slope(x_j / 2) + slope(x_j)) for x_j in x)


def kinked_part(term, x):
    return term.value(x) - smooth_part(term, x)


# --- Values and proxes ------------------------------------------------------------------------------------------------


@numba.njit(**COMPILE_OPTIONS)
def compiled(penalty, v, step, repeats):
    """The calls that kernels make: the value, the sum of derivatives, and the prox in v."""
    total, slopes = 0.0, 0.0
    for _ in range(repeats):
        total = penalty.value(v)
        for j in range(v.shape[0]):
            slopes += penalty.derivative(v[j])
        penalty.prox(v, step)
    return total, slopes


@given(w=vectors, data=st.data())
def test_value_and_derivative_equal_the_reference(acting, expected, w, data):
    step = data.draw(steps(acting))
    assert acting.value(w) == close(expected.value(w))

    def cost(x):
        return float(((x - w) ** 2 / (2 * step)).sum()) + kinked_part(acting, x)

    # Of two minimisers, either is correct.
    ours, best = cost(prox(acting, w, step)), cost(np.array(expected.prox(w, step)))
    assert ours == pytest.approx(best, rel=1e-13, abs=1e-13)


@pytest.mark.parametrize("step", STEPS)
def test_prox_equals_the_reference(acting, expected, step):
    v = np.array([-3.703, -1.31, -0.437, 0.059, 0.813, 2.171])  # no prox has two minimisers for these
    for sign in (-1.0, 1.0):
        assert prox(acting, sign * v, step) == close(expected.prox(sign * v, [step] * D), tol=1e-13)


@given(w=vectors, data=st.data())
def test_compiled_and_plain_python_are_equal(acting, w, data):
    step, v = data.draw(steps(acting)), w.copy()
    value, slopes = compiled(acting, v, step, 1)
    assert value == close(acting.value(w))
    assert slopes == close(sum(acting.derivative(w_j) for w_j in w))
    assert v == close(prox(acting, w, step), tol=1e-13)


INFINITY = math.inf
BY_HAND = [  # penalty, w, value; v, step, prox
    ("elasticnet:l1=0.5,l2=0.25", [3, -4, 0.5], 6.90625, [3, -4, 0.5, -0.25], [2, 1, 1, 0.25], [2, -3.5, 0, -0.125]),
    # Flat from 3 on, at 3 - 9/6 = 1.5; at 1 it is 1 - 1/6, at 2 it is 2 - 4/6.
    ("mcp:alpha=1", [1, -2, 3, -9, 0], 5 / 6 + 4 / 3 + 3, [0.9, 1, -2, 3, -4], [1] * 5, [0, 0, -1.5, 3, -4]),
    ("mcp:alpha=1", [0.0], 0.0, [1.5, -1.5], [1, 0.5], [0.75, -1.2]),  # (1.5 - 1) / (2/3), (1.5 - 0.5) / (5/6)
    ("mcp:alpha=1", [0.0], 0.0, [2.9, -3.1, 5.9, -6.1], [3, 3, 12, 12], [0, -3.1, 0, -6.1]),  # sqrt(3 x 12) = 6
    ("mcp:alpha=1", [0.0], 0.0, [2.9375, 2.75], [2.875, 2.875], [1.5, 0]),  # 1/16 x 24, as close to the jump as that
    # Flat from 3 on, at 1 (3 + 1) / 2; at 2 it is (12 - 4 - 1) / 4.
    ("scad:alpha=1,gamma=3", [0.5, -2, 3, -9], 0.5 + 1.75 + 4, [0.9, 1.5, -2, 2.5, -4], [1] * 5, [0, 0.5, -1, 2, -4]),
    ("scad:alpha=1,gamma=3", [0.0], 0.0, [2.9, -3.1], [2, 2], [0.9, -3.1]),  # jumps at (1 + 3 + 2) / 2 = 3
    ("scad:alpha=1,gamma=3", [0.0], 0.0, [3.9, -4.1, 5.9, -6.1], [4, 4, 9, 9], [0, -4.1, 0, -6.1]),  # 4, sqrt(9 x 4)
    ("scad:alpha=1,gamma=3", [0.0], 0.0, [2.9375, 2.75], [1.875] * 2, [2, 0.875]),  # (2 x 2.9375 - 5.625) / 0.125
    ("scad:alpha=1", [0.0], 0.0, [2.5, 1.5], [1, 1], [(2.7 * 2.5 - 3.7) / 1.7, 0.5]),  # Fan and Li, equation 2.8
    ("box:lower=1,upper=2", [1, 1.5, 2], 0.0, [0, 1, 1.5, 2, 7], [1, 1, 1, 1, 1e-3], [1, 1, 1.5, 2, 2]),
    ("box:lower=1,upper=2", [1.5, 0.999], INFINITY, [], [], []),
    ("box:upper=-1", [-1, -1e300], 0.0, [0.5, -7], [1, 1], [-1, -7]),
    ("nonnegative", [0, 1, 5], 0.0, [-1, 0, 2], [9, 9, 9], [0, 0, 2]),
    ("nonnegative", [1, -1e-300], INFINITY, [], [], []),
    ("nonnegative:alpha=0.5", [0, 1, 5], 3.0, [-1, 0.5, 2], [1, 1, 2], [0, 0, 1]),
    # |(3, 4)| = 5, so its factor is 1 - 0.5 sqrt(2) / 5; the other's is 1 - 0.5 / 2.
    ("group_lasso:alpha=1,groups=0/1/0", [3, -2, 4], 5 * math.sqrt(2) + 2, [3, -2, 4], [0.5] * 3,
     [3 - 0.3 * math.sqrt(2), -1.5, 4 - 0.4 * math.sqrt(2)]),
    ("group_lasso:alpha=1,groups=0/0", [3e-9, 4e-9], 5e-9 * math.sqrt(2), [3e-9, 4e-9], [1e-9, 1e-9],
     [3e-9 - 0.6e-9 * math.sqrt(2), 4e-9 - 0.8e-9 * math.sqrt(2)]),
    ("group_lasso:alpha=1,groups=0/1/0", [0.0] * 3, 0.0, [3, -2, 4], [4, 1, 4], [0, -1, 0]),  # 4 sqrt(2) is above 5
]  # fmt: skip


@pytest.mark.parametrize(("text", "w", "value", "v", "step", "result"), BY_HAND)
def test_value_and_prox_by_hand(text, w, value, v, step, result):
    term = resolve_penalty(text, 0.0, None)
    assert term.value(np.array(w, dtype=float)) == close(value)
    assert of_the_reference(term).value(w) == close(value)
    if v:
        assert prox(term, v, np.array(step, dtype=float)).tolist() == close(result)
        assert of_the_reference(term).prox(v, step) == close(result)


def test_every_penalty_has_values_computed_by_hand(case):
    worked_out = {text.partition(":")[0] for text, *_ in BY_HAND}
    assert case[0] in worked_out, f"add values of {case[0]!r} to BY_HAND, worked out by hand"


# --- What a prox promises ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("strength", [1.0, 0.5])
@pytest.mark.parametrize("step", STEPS[:-1])
@pytest.mark.parametrize("term", OF_ONE_WEIGHT, ids=words)
def test_prox_is_the_global_minimum_for_one_coefficient(term, step, strength):
    """On a dense grid, and on a finer one around its best point; twice the penalty is twice the step."""

    def penalties(x):
        return strength * np.array([kinked_part(term, np.array([x_j])) for x_j in x])

    grid = np.linspace(-5, 5, 2001)
    on_grid = penalties(grid)
    for v in np.linspace(-4, 4, 47):
        best = prox(term, [v], strength * step)
        cost = float((best[0] - v) ** 2 / (2 * step) + penalties(best)[0])
        costs = (grid - v) ** 2 / (2 * step) + on_grid
        near = grid[costs.argmin()] + np.linspace(-5e-3, 5e-3, 41)
        least = min(costs.min(), ((near - v) ** 2 / (2 * step) + penalties(near)).min())
        assert cost <= least + 1e-13 * (1 + least)


@pytest.mark.parametrize("v", [(0.4, -0.5), (1.0, -0.2), (2.0, 3.0), (0.0, 0.9), (0.0, 0.0)])
def test_prox_is_the_global_minimum_for_a_group_of_two(v):
    term, step = GroupLasso(0.5, [0, 0]), 1.25
    x, y = np.meshgrid(np.linspace(-4, 4, 801), np.linspace(-4, 4, 801))

    def cost(x, y):
        return ((x - v[0]) ** 2 + (y - v[1]) ** 2) / (2 * step) + 0.5 * math.sqrt(2) * np.hypot(x, y)

    best = prox(term, v, step)
    assert cost(*best) <= cost(x, y).min() + 1e-14
    assert cost(*best) >= cost(x, y).min() - 1e-3  # the grid is fine enough


@given(w=vectors, data=st.data())
def test_prox_is_a_local_minimum(acting, w, data):
    step = data.draw(steps(acting))

    def cost(x):
        return float(((x - w) ** 2 / (2 * step)).sum()) + kinked_part(acting, x)

    best, nearby = prox(acting, w, step), data.draw(vectors)
    for other in (w, np.zeros(D), best + nearby, best + 1e-3 * nearby, np.where(best == 0, nearby, best)):
        assert cost(best) <= cost(other) + 1e-13 * (1 + abs(cost(best)))


@given(v=vectors, u=vectors)
def test_prox_of_a_convex_penalty_is_nonexpansive(acting, v, u):
    if penalty_traits(acting).convex:
        distance = np.linalg.norm(prox(acting, v, 0.75) - prox(acting, u, 0.75))
        assert distance <= np.linalg.norm(v - u) * (1 + 1e-14)


def test_prox_of_a_nonconvex_penalty_is_not_nonexpansive(acting):
    v = np.linspace(-4, 4, 801)[:, None] * np.ones(D)
    results = np.array([prox(acting, v_k, 0.25) for v_k in v])
    expands = (np.abs(np.diff(results, axis=0)) > np.diff(v, axis=0) * (1 + 1e-9)).any()
    assert expands != penalty_traits(acting).convex


def test_separable_penalties_are_sums_over_the_coefficients(acting):
    w, step = np.array([-2.0, -0.45, 0.3, 0.5, 0.85, 3.0]), np.array([0.5, 0.25, 1.0, 2.0, 5.0, 0.125])
    alone = np.array([prox(acting, [w_j], s)[0] for w_j, s in zip(w, step, strict=True)])
    values = sum(acting.value(np.array([w_j])) for w_j in w)
    assert np.array_equal(prox(acting, w, step), alone) == penalty_traits(acting).separable
    assert (acting.value(w) == close(values)) == penalty_traits(acting).separable


@given(v=vectors)
def test_prox_with_step_zero_keeps_feasible_coefficients(acting, v):
    allowed = prox(acting, v, 0.0)
    assert math.isfinite(acting.value(allowed))
    assert prox(acting, allowed, 0.0).tolist() == allowed.tolist()
    if math.isfinite(acting.value(v)):
        assert allowed.tolist() == v.tolist()


@given(v=vectors, data=st.data())
def test_prox_is_feasible(acting, v, data):
    assert math.isfinite(acting.value(prox(acting, v, data.draw(steps(acting)))))


@pytest.mark.parametrize("sign", [-1.0, 1.0])
@pytest.mark.parametrize("term", [ElasticNet(l1=0.3), MCP(0.3), MCP(0.3, gamma=1.0), SCAD(0.3)], ids=words)
def test_prox_makes_small_coefficients_exactly_zero_and_keeps_signs(term, sign):
    v = sign * np.array([0.0, 5e-324, 0.1, 0.3, 0.30000000000000004, 1 / 3])
    for step in (1.0, 0.999999999999, 1.000000000001):
        result = prox(term, v, step)
        assert result[:3].tolist() == [0.0, 0.0, 0.0]
        assert not np.signbit(result[:3]).any()  # it would be printed as -0.0
        assert (sign * result >= 0).all()
        assert (np.abs(result) <= np.abs(v)).all()


def test_prox_makes_all_coefficients_of_a_group_zero_or_none():
    result = prox(GroupLasso(1.0, [0, 1, 0, 1, 2]), [1e-200, 2.0, -0.9, 0.1, -1e-200], 1.0)
    assert not np.signbit(result).any()
    assert result[[0, 2, 4]].tolist() == [0.0, 0.0, 0.0]  # sqrt(2) is above |(0, -0.9)|, though not above |(2, 0.1)|
    assert result[1] / result[3] == close(20.0)  # the direction within a group stays
    assert np.linalg.norm(result[[1, 3]]) == close(np.linalg.norm([2.0, 0.1]) - math.sqrt(2))


# --- What kernels need ------------------------------------------------------------------------------------------------


def test_prox_keeps_nan(acting):
    """Otherwise a diverged fit would not be detected."""
    w = np.array([0.0, math.nan, 0.25, math.nan, 0.5, 0.0])  # the others are feasible
    assert not math.isfinite(acting.value(w))
    assert np.isnan(prox(acting, w, 1.0)[[1, 3]]).all()
    v = w.copy()
    assert not math.isfinite(compiled(acting, v, np.ones(D), 1)[0])
    assert np.isnan(v[[1, 3]]).all()


def test_penalty_of_no_coefficients_is_zero(acting):
    assert acting.value(np.zeros(0)) == 0.0
    assert acting.value(np.zeros(D)) == 0.0


def test_compiled_methods_allocate_nothing_but_group_sums(acting):
    """Called for every batch: allocating would be a good part of its time."""
    _nrt_python.memsys_enable_stats()
    v, step = np.zeros(D), np.ones(D)
    taken = []
    for repeats in (1, 101):
        before = rtsys.get_allocation_stats().alloc
        compiled(acting, v, step, repeats)
        taken.append(rtsys.get_allocation_stats().alloc - before)
    assert taken[0] > 0  # the arrays that are passed, so the count is on
    assert (taken[1] - taken[0]) / 100 == (4 if isinstance(acting, GroupLasso) else 0)  # two in value, two in prox


# --- Settings and documentation ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda: MCP(-1.0), "mcp: alpha must be a finite number, 0 or more, not -1.0"),
        (lambda: MCP(1.0, gamma=0.0), "mcp: gamma must be a finite number above 0, not 0.0"),
        (lambda: MCP(1.0, gamma=math.inf), "mcp: gamma must be a finite number above 0, not inf"),
        (lambda: SCAD(math.inf), "scad: alpha must be a finite number, 0 or more, not inf"),
        (lambda: SCAD(1.0, gamma=2.0), "scad: gamma must be a finite number above 2, not 2.0"),
        (lambda: SCAD(1.0, gamma=math.inf), "scad: gamma must be a finite number above 2, not inf"),
        (lambda: Box(1.0, 0.5), "box: no number lies between lower=1.0 and upper=0.5"),
        (lambda: Box(lower=math.inf), "box: no number lies between lower=inf and upper=inf"),
        (lambda: Box(upper=-math.inf), "box: no number lies between lower=-inf and upper=-inf"),
        (lambda: NonNegative(-1.0), "nonnegative: alpha must be a finite number, 0 or more, not -1.0"),
        (lambda: GroupLasso(-1.0, [0]), "group_lasso: alpha must be a finite number, 0 or more, not -1.0"),
        (lambda: GroupLasso(1.0, [0, 2]), "group_lasso: groups must hold the whole numbers 0, 1, 2, ... without gaps"),
        (lambda: GroupLasso(1.0, [1, 2]), "group_lasso: groups must hold the whole numbers 0, 1, 2, ... without gaps"),
        (lambda: GroupLasso(1.0, [0, 0.5, 1]), "group_lasso: groups must hold the whole numbers 0, 1, 2, ... without"),
        (lambda: GroupLasso(1.0, [-1, 0]), "group_lasso: groups must hold the whole numbers 0, 1, 2, ... without gaps"),
        (lambda: GroupLasso(1.0, [[0], [1]]), "GroupLasso: groups must be a one-dimensional array of numbers"),
    ],
)
def test_error_names_the_penalty_and_setting(made, message):
    with pytest.raises(OptionError) as caught:
        made()
    assert str(caught.value).startswith(message)


def test_groups_must_have_a_number_per_feature():
    term = GroupLasso(1.0, [0, 0, 1])
    term.check(3)
    for wrong in (2, 4):
        with pytest.raises(OptionError, match=f"groups has 3 numbers, but the data has {wrong} features: give"):
            term.check(wrong)


@pytest.mark.parametrize("wrong", [-0.1, math.inf, math.nan, "0.1", None, True])
@pytest.mark.parametrize("name", ["l1", "l2"])
def test_strengths_must_be_finite_numbers(name, wrong):
    with pytest.raises(OptionError, match=f"(?i)elasticnet: {name} (must be|is) a .*number"):
        ElasticNet(**{name: wrong})


def test_settings_must_be_numbers(acting):
    for field in fields(acting):
        with pytest.raises(OptionError, match=field.name):
            replace(acting, **{field.name: math.nan})


def test_docstring_has_a_formula_the_settings_and_a_source(acting):
    doc = type(acting).__doc__
    assert "Source: " in doc
    assert "w" in doc.partition("Source")[0]
    assert "prox" in doc
    for field in fields(acting):
        assert field.name in doc


def test_box_is_smooth_strictly_between_its_bounds():
    piece = Box(-0.5, 0.75).smooth_piece(np.array([-0.5, 0.0, 0.75]), np.ones(3))
    assert len(piece) == 4
    np.testing.assert_array_equal(piece[0], [np.nan, 0.0, np.nan])
    np.testing.assert_array_equal(piece[1:], [[0.0] * 3, [-0.5] * 3, [0.75] * 3])
