"""Problems that users of linear models have had trouble with, each beside its right value."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits, load_wine

import fastgd
from zoo.judge import LARGEST_GAP, METHODS, allowed, judge
from zoo.losses import Loss
from zoo.optimum import Optimum, find_optimum, objective
from zoo.problems import Problem

# What is not so yet: (case, method) and why. A test that passes now fails as such: take its line out.
BOUND_BELOW = "the bound, by a factorised Hessian in float64, is a millionth below the gap"
NOT_CONVERGED = "100 passes are not enough to say so"
SMOOTH_METHODS = [method for method in METHODS if method not in ("auto", "interior_point", "working_set")]
NOT_YET = {("Filip of degree 6", method): BOUND_BELOW for method in SMOOTH_METHODS if method != "newton"}
NOT_YET |= {("Filip of degree 8", "auto"): NOT_CONVERGED}


def marked(*values, key):
    """The parameters of a test, which is expected to fail if ``key`` is in `NOT_YET`."""
    marks = [pytest.mark.xfail(strict=True, reason=NOT_YET[key])] if key in NOT_YET else []
    return pytest.param(*values, marks=marks)


def posed(X, y, loss, *, penalty="none", alpha=0.0, offset=None, fit_intercept=True):
    return Problem(0, X, y, Loss(loss), penalty, alpha, None, offset, fit_intercept, False)


# --- Flat directions, and linear predictors of wide range -------------------------------------------------------------


def filip(degree):
    """NIST's data of A. Filippelli (StRD, linear regression, "Filip") as columns x, x^2, ..."""
    x, y = np.loadtxt(Path(__file__).with_name("filip.csv"), delimiter=",", skiprows=1).T
    return posed(x[:, None] ** np.arange(1, degree + 1), y, "squared")


def heavy_counts():
    X = np.random.default_rng(0).normal(size=(200, 6))
    y = np.random.default_rng(1).poisson(np.exp(X @ [5, 3, 0, 0, -2, 0.0])).astype(float)
    return posed(X, y, "poisson")


def wine():
    X, y = load_wine(return_X_y=True)
    return posed(X, y.astype(float), "softmax", penalty="l2", alpha=1e-6)


def digits():
    X, y = load_digits(return_X_y=True)
    return posed(X[:600], y[:600].astype(float), "softmax", penalty="l2", alpha=1e-6)


# --- Rare events, and targets far from zero ---------------------------------------------------------------------------


def rare_events(n=200_000):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 5))
    X[:20, 0] += 1.5
    return posed(X, np.where(np.arange(n) < 20, 1.0, -1.0), "logistic")


def rare_counts(n=20_000):
    rng = np.random.default_rng(1)
    X, exposure = rng.normal(size=(n, 4)), rng.uniform(0.1, 10, n)
    y = rng.poisson(1e-4 * exposure * np.exp(X @ [0.5, -0.5, 0.0, 1.0])).astype(float)
    return posed(X, y, "poisson", offset=np.log(exposure))


def far_targets(n=2000):
    rng = np.random.default_rng(2)
    X = rng.normal(size=(n, 3))
    return posed(X, 1000 + X @ [0.3, 0.2, 0.1] + 0.05 * rng.normal(size=n), "squared")


CASES = {
    "Filip of degree 6": lambda: filip(6),
    "Filip of degree 8": lambda: filip(8),
    "heavy counts": heavy_counts,
    "wine": wine,
    "digits": digits,
    "rare events": rare_events,
    "rare counts": rare_counts,
    "far targets": far_targets,
}


@cache
def solved(case: str) -> tuple[Problem, Optimum]:
    problem = CASES[case]()
    return problem, find_optimum(problem)


@pytest.mark.parametrize("case", CASES)
def test_optimum_is_proved(case):
    assert solved(case)[1].kind == "proved"


def test_optima_that_others_have_published():
    """The squared error of degree 6 was found by QR in extended precision."""
    assert float(solved("Filip of degree 6")[1].value) == pytest.approx(3.00686e-05, rel=1e-5)


@pytest.mark.parametrize("case", [marked(case, key=(case, "auto")) for case in CASES])
def test_auto_finds_the_optimum_and_says_so(case):
    problem, optimum = solved(case)
    verdict = judge(problem, optimum, "auto", None)
    assert verdict.converged
    assert verdict.gap < LARGEST_GAP[None]


@pytest.mark.parametrize(
    ("case", "method"), [marked(case, method, key=(case, method)) for case in CASES for method in SMOOTH_METHODS]
)
def test_no_method_says_that_it_has_converged_far_from_the_optimum(case, method):
    problem, optimum = solved(case)
    assert allowed(method, problem.loss, problem.penalty)
    verdict = judge(problem, optimum, method, None)
    assert not verdict.false, str(verdict)
    assert not verdict.bound_is_wrong, str(verdict)
    if method in ("gd", "newton", "lbfgs", "svrg", "saga") and verdict.gap < verdict.used_tol / 10:
        assert verdict.converged, str(verdict)


# --- The bound --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("loss", "penalty"),
    [
        ("logistic", "l1"),
        ("logistic", "l2"),
        ("half_squared", "l1"),
        ("half_squared", "l2"),
    ],
)
def test_bound_is_useful_for_columns_far_from_zero(loss, penalty, rng):
    """Years, and seconds since 1970."""
    n = 500
    X = np.c_[rng.integers(1990, 2020, n), rng.integers(10**9, 2 * 10**9, n)].astype(float)
    score = (X[:, 0] - 2005) / 10 + rng.logistic(size=n)
    problem = posed(
        X, np.where(score > 0, 1.0, -1.0) if loss == "logistic" else score, loss, penalty=penalty, alpha=1e-4
    )
    verdict = judge(problem, find_optimum(problem), "auto", None)
    assert verdict.converged
    assert verdict.gap < LARGEST_GAP[None]
    assert verdict.bound_is_useful, str(verdict)
    assert not verdict.bound_is_wrong, str(verdict)


# --- No optimum, or nothing to learn ----------------------------------------------------------------------------------

X_SEPARABLE = np.arange(1.0, 7.0)[:, None]


@pytest.mark.parametrize("method", ["auto", "newton", "lbfgs", "gd"])
def test_separable_classes_get_a_remark(method):
    problem = posed(X_SEPARABLE, np.array([-1.0, -1, -1, 1, 1, 1]), "logistic")
    optimum = find_optimum(problem)
    assert optimum.kind == "none"
    verdict = judge(problem, optimum, method, None)
    assert verdict.remarked or not verdict.converged
    assert method != "auto" or verdict.remarked


def test_counts_of_one_with_exposures_can_be_fitted(rng):
    X, exposure = rng.normal(size=(50, 2)), rng.uniform(0.5, 5.0, 50)
    problem = posed(X, np.ones(50), "poisson", offset=np.log(exposure))
    verdict = judge(problem, find_optimum(problem), "auto", None)
    assert verdict.converged
    assert verdict.gap < LARGEST_GAP[None]


def test_paired_comparisons_can_be_fitted_without_an_intercept(rng):
    """All labels are +1: the rows are winner minus loser (Bradley and Terry, 1952)."""
    strength, teams = np.array([0.5, 0.2, 0.0, -0.7]), rng.integers(0, 4, (80, 2))
    teams = teams[teams[:, 0] != teams[:, 1]]
    first_wins = rng.random(len(teams)) < 1 / (1 + np.exp(strength[teams[:, 1]] - strength[teams[:, 0]]))
    winner, loser = np.where(first_wins, teams.T, teams.T[::-1])
    X = (np.eye(4)[winner] - np.eye(4)[loser])[:, 1:]
    problem = posed(X, np.ones(len(X)), "logistic", fit_intercept=False)
    optimum = find_optimum(problem)
    assert optimum.kind == "proved"
    result = fastgd.fit(X, np.ones(len(X)), loss="logistic", fit_intercept=False)
    assert result.coef == pytest.approx(optimum.coef[0].astype(float), rel=1e-2)


def test_constant_targets_can_be_fitted_without_an_intercept(rng):
    X = 1 + rng.normal(size=(40, 2))
    result = fastgd.fit(X, np.full(40, 3.0), fit_intercept=False)
    assert result.coef == pytest.approx(np.linalg.lstsq(X, np.full(40, 3.0))[0], rel=1e-6)


@pytest.mark.parametrize("size", [1e150, 1e155, 1e-155, 1e200])
def test_columns_whose_squares_overflow_are_learned_or_refused(size, rng):
    X = rng.normal(size=(60, 2))
    y = X @ [1.0, -2.0] + 0.1 * rng.normal(size=60)
    best = np.linalg.lstsq(np.c_[X, np.ones(60)], y)[1][0] / 60
    try:
        result = fastgd.fit(X * size, y)
    except fastgd.DataError:
        return
    assert result.objective == pytest.approx(best, rel=1e-3)


def test_intercept_is_the_best_one_where_groups_leave_all_coefficients_zero(rng):
    X = 3 + rng.normal(size=(100, 4))
    y = np.where(rng.random(100) < 0.8, 1, 0)
    penalty = fastgd.penalties.GroupLasso(groups=[0, 0, 1, 1], alpha=10.0)
    result = fastgd.fit(X, y, loss="logistic", penalty=penalty)
    assert result.coef == pytest.approx(np.zeros(4), abs=1e-12)
    assert result.intercept == pytest.approx(np.log(y.mean() / (1 - y.mean())), abs=1e-3)


def test_early_stopping_is_not_convergence(rng):
    X = rng.normal(size=(400, 30))
    y = X[:, 0] + 3 * rng.normal(size=400)
    result = fastgd.fit(X, y, method="minibatch", validation=0.3, patience=2)
    assert result.stop_reason == "validation"
    assert not result.converged


def test_tol_0_runs_all_epochs(rng):
    X = rng.normal(size=(60, 2))
    for loss, method in (("squared", "gd"), ("absolute", "auto"), ("quantile:quantile=0.9", "auto")):
        result = fastgd.fit(X, X @ [1.0, 2.0] + rng.normal(size=60), loss=loss, method=method, tol=0, max_epochs=37)
        assert result.stop_reason == "max_epochs", loss


def test_objective_of_a_result_is_that_of_its_coefficients():
    problem, _ = solved("heavy counts")
    result = fastgd.fit(problem.X, problem.y, loss="poisson")
    assert result.objective == pytest.approx(float(objective(problem, result.coef, result.intercept)), rel=1e-12)
