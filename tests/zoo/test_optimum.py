"""The zoo's own code: its losses, the variety of its problems, and the optima that it proves."""

from __future__ import annotations

import ast
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import reference
from scipy.optimize import linprog
from sklearn.linear_model import ElasticNet, Lasso, LogisticRegression

from zoo.losses import MARGIN, NAMES, Loss
from zoo.optimum import find_optimum, objective, pose, rounding
from zoo.problems import FACTORS, Problem, generate

pytestmark = pytest.mark.plain_python
COUNT = 150  # problems, of which each takes some 20 ms
SETTINGS = {
    "huber": 1.35, "quantile": 0.5, "epsilon_insensitive": 0.1, "squared_epsilon_insensitive": 0.1, "tweedie": 1.5,
}  # fmt: skip


@pytest.fixture(scope="module")
def solved():
    problems = [generate(seed) for seed in range(COUNT)]
    return [(problem, find_optimum(problem)) for problem in problems]


@pytest.mark.parametrize("name", NAMES)
def test_losses_are_those_of_the_reference(name, rng):
    loss = Loss(name, SETTINGS.get(name))
    if name == "softmax":
        z, y = 5 * rng.normal(size=(40, 3)), rng.integers(0, 3, 40).astype(float)
        expected = [reference.losses.Softmax().value(k, list(row)) for k, row in zip(y, z, strict=True)]
        assert loss.value(y, z) == pytest.approx(expected, rel=1e-12)
        return
    z, y = 2 * rng.normal(size=200), rng.normal(size=200)
    y = np.where(y > 0, 1.0, -1.0) if name in MARGIN else np.abs(y) if name in ("poisson", "gamma", "tweedie") else y
    theirs = reference.LOSSES[name]
    pairs = list(zip(y, z, strict=True))
    assert loss.value(y, z) == pytest.approx([theirs.value(*pair) for pair in pairs], rel=1e-12)
    if loss.kinked:
        return
    _, slopes, curvatures = loss.parts(y, z)
    assert slopes == pytest.approx([theirs.derivative(*pair) for pair in pairs], rel=1e-12, abs=1e-14)
    differences = (loss.parts(y, z + 1e-6)[1] - loss.parts(y, z - 1e-6)[1]) / 2e-6
    assert curvatures == pytest.approx(differences, rel=1e-5, abs=1e-8)


def test_extremes_of_all_factors_are_common():
    problems = [generate(seed) for seed in range(1000)]
    extremes = {"means of X": 1e9, "mean of y": 1e9, "row weights": 1e6, "units of X": 1e12, "units of y": 1e12,
                "imbalance": 1e-4, "collinear": 1e-6, "heavy counts": 5.0, "heavy tails in X": 1.5,
                "heavy tails in y": 1.2}  # fmt: skip
    in_float32 = {"means of X": 1e4, "collinear": 1e-3}
    counts = Counter()
    for problem in problems:
        expected = extremes | (in_float32 if problem.X.dtype == np.float32 else {})
        counts.update(name for name, size in problem.factors.items() if size == expected.get(name, size))
    assert {name: counts[name] for name in FACTORS if counts[name] < 50} == {}
    assert {problem.loss.name for problem in problems} == set(NAMES)


def test_almost_all_optima_are_proved(solved):
    kinds = Counter(optimum.kind for _, optimum in solved)
    assert kinds["unproved"] <= 0.02 * COUNT
    assert kinds["none"] >= 1


def test_no_model_near_an_optimum_is_better(solved, rng):
    for problem, optimum in solved:
        if optimum.kind != "proved":
            continue
        coef, intercept = optimum.coef.astype(float), optimum.intercept.astype(float)
        rounded = rounding(problem, coef, intercept).total
        assert objective(problem, coef, intercept) <= optimum.value + 2 * rounded + 1e-9 * optimum.to_gain, problem
        for size in (1e-6, 1e-3, 1.0):
            moved = coef * (1 + size * rng.normal(size=coef.shape))
            other = intercept + problem.fit_intercept * size * rng.normal(size=intercept.shape)
            assert objective(problem, moved, other) >= optimum.value - rounded, problem


def test_a_lower_bound_of_piecewise_linear_problems(solved):
    """HiGHS on the primal problem, where the zoo takes the dual one."""
    checked = 0
    for problem, optimum in solved:
        hard = {"means of X", "units of X", "units of y", "mean of y", "row weights", "collinear", "heavy tails in X",
                "imbalance"}  # fmt: skip
        if optimum.kind != "proved" or not problem.loss.kinked or problem.l2 or hard & set(problem.factors):
            continue
        posed = pose(problem)
        t, low, high = (part.astype(float) for part in posed.loss.pieces(posed.y))
        B = np.column_stack([problem.X, np.ones(len(t[0]))]).astype(float)
        n, p = B.shape
        # Unknowns: positive and negative parts of the parameters, and the loss of each piece of each row.
        l1 = np.append(np.full(p - 1, problem.l1), 0.0)
        cost = np.concatenate([l1, l1, *[posed.c.astype(float)] * len(t)])
        rows, right = [], []
        for k in range(len(t)):
            for slope in (low[k], high[k]):
                block = np.zeros((n, len(t) * n))
                block[:, k * n : (k + 1) * n] = -np.eye(n)
                rows.append(np.hstack([slope[:, None] * B, -slope[:, None] * B, block]))
                right.append(slope * (t[k] - posed.offset.astype(float)))
        bounds = [(0, None)] * (2 * p) + [(None, None)] * (len(t) * n)
        if not problem.fit_intercept:
            bounds[p - 1] = bounds[2 * p - 1] = (0, 0)
        found = linprog(cost, np.vstack(rows), np.concatenate(right), bounds=bounds)
        unit = posed.unit
        scale = float(optimum.to_gain) + 1e-9
        assert found.fun * unit == pytest.approx(float(optimum.value), abs=1e-6 * scale), problem
        checked += 1
    assert checked >= 3


def plain(X, y, loss, penalty, alpha):
    return Problem(0, X, y, Loss(loss), penalty, alpha, None, None, True, False)


def test_scikit_learn_finds_the_same_optima(rng):
    X = rng.normal(size=(80, 12)) + 3
    y = X @ (rng.normal(size=12) * (rng.random(12) < 0.5)) + rng.normal(size=80)
    labels = np.where(y > np.median(y), 1.0, -1.0)
    ways = [
        (Lasso(alpha=0.2, tol=1e-14, max_iter=100_000), plain(X, y, "half_squared", "l1", 0.2)),
        (ElasticNet(alpha=0.2, tol=1e-14, max_iter=100_000), plain(X, y, "half_squared", "elasticnet", 0.2)),
        (LogisticRegression(C=1 / (80 * 0.01), tol=1e-12, max_iter=10_000), plain(X, labels, "logistic", "l2", 0.01)),
    ]
    for model, problem in ways:
        model.fit(X, problem.y)
        theirs = float(objective(problem, model.coef_, model.intercept_))
        optimum = find_optimum(problem)
        assert optimum.kind == "proved"
        assert float(optimum.value) == pytest.approx(theirs, rel=1e-10)


def test_problems_without_a_minimum_are_found(rng):
    X = np.arange(6.0)[:, None]
    separable = plain(X, np.where(X[:, 0] > 2.5, 1.0, -1.0), "logistic", "none", 0.0)
    assert find_optimum(separable).kind == "none"
    assert find_optimum(replace(separable, penalty="l2", alpha=0.1)).kind == "proved"
    assert find_optimum(replace(separable, y=np.array([-1.0, -1, 1, -1, 1, 1]))).kind == "proved"
    dummy = plain(np.array([[0.0], [0], [1], [1]]), np.array([2.0, 1, 0, 0]), "poisson", "none", 0.0)
    assert find_optimum(dummy).kind == "none"
    assert find_optimum(replace(dummy, y=np.array([2.0, 1, 0, 1]))).kind == "proved"


def test_only_the_judge_imports_fastgd():
    importers = set()
    for path in Path(__file__).parent.glob("[!t]*.py"):  # not the tests
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
        names |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom) and not node.level}
        if {name.partition(".")[0] for name in names} & {"fastgd"}:
            importers.add(path.name)
    assert importers == {"judge.py"}
