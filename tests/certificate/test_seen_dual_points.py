"""Bounds from gradients that are known already, which cost no pass."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from conftest import share_of_examples
from hypothesis import given
from test_certificate import CONVEX, cases, clipped, joined, small

import fastgd
from fastgd.certificate.certificate import MAX_SEEN, MAX_SEEN_VALUES, Certificate, CertificateLimits
from fastgd.certificate.seen_dual_points import seen_points
from fastgd.objective.evaluation import Evaluation
from fastgd.objective.objective import Objective
from fastgd.penalties import ElasticNet


def having_seen(objective, *points, **limits):
    """A certificate with these limits that has seen the evaluations at these parameters."""
    certificate = Certificate(objective, limits=CertificateLimits(**limits))
    for params in points:
        certificate.see(objective.evaluate(params))
    return certificate


@pytest.mark.parametrize("loss", CONVEX)
@share_of_examples(0.2)
@given(cases())
def test_known_gradients_bound_the_distance_too(loss, case):
    """For any share of the gap due to mixing, and for any points."""
    random, penalty, has, distance = case
    problem, reference = small(random, loss, penalty, {**has, "offset": False})
    best, w_best, b_best = reference.least((clipped(reference, random.normal(size=2)), 0.0))
    w = clipped(reference, w_best + distance * random.normal(size=2))
    b = b_best + distance * random.normal() if has["intercept"] else 0.0
    others = [joined(random.normal(size=2), 3.0 * random.normal(), has["intercept"]) for _ in range(3)]
    at = joined(w, b, has["intercept"])
    gap = having_seen(problem, *others, at, mixing_share=1.0, gram_columns=0).gap(at)
    assert reference(w, b) - best <= gap + 1e-15 * abs(best)


def near_the_optimum():
    """A problem, and weights near its optimum, of mean slopes above and below 0."""
    has = {"intercept": True, "weighted": True, "offset": False, "factors": True}
    problem, reference = small(np.random.default_rng(7), "logistic", "l2", has, n=40)
    _, w, b = reference.least((np.zeros(2), 0.0))
    return problem, joined(w + 1e-2, b + 0.01), joined(w + 1e-2, b - 0.01)


def test_known_gradients_cost_no_pass_and_bound_as_tightly():
    problem, params, other = near_the_optimum()
    expected = Certificate(problem).gap(params)
    assert problem.passes.training == 2.0
    certificate = having_seen(problem, other, params)
    assert expected < certificate.gap(params) < 2.0 * expected
    assert problem.passes.training == 4.0  # of the evaluations alone


@pytest.mark.parametrize("loss", ["squared", "half_squared"])
@pytest.mark.parametrize("b", [0.3, -0.2])
def test_slopes_of_squared_losses_are_mixed_exactly_and_of_one_sign_too(loss, b):
    """Equal to the dual objective at row-wise mixed dual points."""
    has = {"intercept": True, "weighted": True, "offset": False, "factors": False}
    random = np.random.default_rng(3)
    problem, _ = small(random, loss, "l2", has, n=40)
    X, y, s = problem.X, problem.targets.y, problem.targets.weight
    curvature = problem.loss.curvature()

    def slopes(params):
        return curvature * (X @ params[:2] + params[2] - y)

    w = random.normal(size=2)
    balance = -np.mean(s * slopes(joined(w, 0.0))) / (curvature * s.mean())  # the intercept of mean slope 0
    far, near = joined(w + 0.1, balance + 1.0), joined(w, balance + b)
    (point,) = seen_points(problem, [problem.evaluate(far), problem.evaluate(near)], 0, near)
    a, other = slopes(near), slopes(far)
    assert np.mean(s * other) > 0.0
    assert np.sign(np.mean(s * a)) == np.sign(b)
    share = np.mean(s * a) / np.mean(s * (a - other))
    mixed = (1.0 - share) * a + share * other
    assert np.mean(s * mixed) == pytest.approx(0.0, abs=1e-15)
    np.testing.assert_allclose(point.products[0], (s * mixed) @ X / len(y), rtol=1e-12)
    conjugate = mixed * y + mixed**2 / (2.0 * curvature)
    assert point.level - point.products[0] @ w == pytest.approx(-np.mean(s * conjugate), rel=1e-12)


def test_the_best_of_all_known_gradients_is_taken():
    """The best bound need not be the one with the smallest mixing cost."""
    random, least_cost_is_best = np.random.default_rng(2), []
    problem, params, _ = near_the_optimum()
    for _ in range(100):
        others, found = params + random.normal(size=(3, 3)) * [1.0, 1.0, 3.0], []
        for some in (others, *others[:, None]):
            seen = [problem.evaluate(point) for point in (*some, params)]
            costs = [point.loss - point.level for point in seen_points(problem, seen, 0, params)]
            certificate = having_seen(problem, *some, params, mixing_share=np.inf)
            found.append((certificate.gap(params) if costs else np.inf, *costs))
        (best, *costs), *alone = found
        if len(costs) > 1:
            assert best == min(gap for gap, *_ in alone)
            least_cost_is_best.append(best == next(gap for gap, *cost in alone if cost == [min(costs)]))
    assert {False, True} == set(least_cost_is_best)


@pytest.mark.parametrize("why", ["alone", "far"])
def test_a_look_across_the_zero_of_the_mean_slope_takes_one_pass(why):
    problem, params, other = near_the_optimum()
    expected = Certificate(problem).gap(params)
    certificate = having_seen(problem, *([other - [5.0, 5.0, 20.0]] if why == "far" else []), params)
    before = problem.passes.training
    assert 0.999 * expected < certificate.gap(params) < 2.0 * expected
    assert problem.passes.training == before + 1.0
    here, there = certificate.state.seen[-2:]
    np.testing.assert_array_equal(here.params[:-1], there.params[:-1])
    assert here.gradient[-1] * there.gradient[-1] < 0.0


def test_where_the_mean_slope_rises_little_a_second_look_goes_further():
    """With few positive rows the mean gradient rises slowly with the intercept."""
    problem, _ = small(
        np.random.default_rng(7),
        "logistic",
        "l2",
        {"intercept": True, "weighted": False, "offset": False, "factors": False},
        n=400,
    )
    problem.targets.y[:] = np.where(np.arange(400) % 40 == 0, 1.0, -1.0)
    result = fastgd.fit(problem.X, problem.targets.y, loss="logistic", alpha=problem.penalty.l2, tol=1e-9)
    params = joined(result.coef + 2e-2, result.intercept + 0.01, True)
    expected = Certificate(problem).gap(params)
    certificate = having_seen(problem, params)
    before = problem.passes.training
    assert 0.999 * expected < certificate.gap(params) < 2.0 * expected
    assert problem.passes.training == before + 2.0


@share_of_examples(0.2)
@given(cases())
def test_a_look_across_bounds_the_distance_too(case):
    random, penalty, has, distance = case
    problem, reference = small(random, "logistic", penalty, {**has, "offset": False, "intercept": True})
    best, w_best, b_best = reference.least((clipped(reference, random.normal(size=2)), 0.0))
    w = clipped(reference, w_best + distance * random.normal(size=2))
    b = b_best + distance * random.normal()
    at = joined(w, b, True)
    gap = having_seen(problem, at, mixing_share=1.0, worthwhile_gap=np.inf).gap(at)
    assert reference(w, b) - best <= gap + 1e-15 * abs(best)


@pytest.mark.parametrize("why", ["unknown", "float32", "offset"])
def test_known_gradients_that_will_not_do(why):
    problem, params, other = near_the_optimum()
    if why == "float32":
        problem = problem.on(replace(problem.rows, X=problem.X.astype(np.float32)))
    if why == "offset":
        problem = problem.on(problem.rows.with_targets(problem.targets._replace(offset=np.full(40, 0.25))))
        params, other = params - [0.0, 0.0, 0.25], other - [0.0, 0.0, 0.25]
    expected = Certificate(problem).gap(params)
    certificate = having_seen(problem, other, *([] if why == "unknown" else [params]))
    before = problem.passes.training
    assert certificate.gap(params) == expected
    assert problem.passes.training == before + 2.0


def test_a_bound_that_says_next_to_nothing_costs_nothing():
    problem, params, _ = near_the_optimum()
    weak = Objective(problem.rows, problem.loss, ElasticNet(l2=1e-6), penalty_weights=problem.penalty_weights)
    expected, F = Certificate(weak).gap(params), weak.value(params)
    certificate = having_seen(weak, params)
    before = weak.passes.training
    assert 0.1 * F < expected <= certificate.gap(params) == pytest.approx(F)
    assert weak.passes.training == before


def test_without_an_intercept_one_gradient_serves():
    problem, params, _ = near_the_optimum()
    problem = Objective(
        problem.rows, problem.loss, problem.penalty, fit_intercept=False, penalty_weights=problem.penalty_weights
    )
    expected = Certificate(problem).gap(params[:2])
    certificate = having_seen(problem, params[:2])
    before = problem.passes.training
    assert certificate.gap(params[:2]) == pytest.approx(expected, rel=1e-9)
    assert problem.passes.training == before


@pytest.mark.parametrize(
    ("n_seen", "n_values", "kept"),
    [(MAX_SEEN + 5, 3, [0, *range(6, MAX_SEEN + 5)]), (5, MAX_SEEN_VALUES, [0, 4])],
    ids=["few values", "many values"],
)
def test_the_first_and_the_last_evaluations_are_kept(n_seen, n_values, kept):
    problem, _, _ = near_the_optimum()
    certificate = Certificate(problem)
    for k in range(n_seen):
        certificate.see(Evaluation(np.broadcast_to(float(k), n_values), np.zeros(1), np.zeros(1), np.zeros(1)))
    assert [point.params[0] for point in certificate.state.seen] == kept
