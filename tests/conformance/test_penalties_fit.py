"""Fits with penalties reach the optimum of SciPy or satisfy its optimality conditions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import lsq_linear

import fastgd
from fastgd.penalties import MCP, SCAD, Box, GroupLasso, resolve_penalty

pytestmark = pytest.mark.plain_python

rng = np.random.default_rng(5)
N = 80
W = np.array([3.0, -2.0, 0.0, 0.0, 1.5, 0.0])
X = rng.standard_normal((N, 6)) @ (np.eye(6) + 0.2)  # correlated columns
Y = X @ W + 0.3 * rng.standard_normal(N)
del rng  # tests draw from the fixture `rng`
ROOT = math.sqrt(N)  # half the mean of squares is half the norm of (X w - y) / ROOT


def fit(penalty, X=X, **options):
    options = {"method": "gd", "scale": False, "tol": 0, "max_epochs": 3000} | options
    return fastgd.fit(X, Y, loss="half_squared", penalty=penalty, fit_intercept=False, **options)


def gradient(w):
    return X.T @ (X @ w - Y) / N


@pytest.mark.parametrize("rule", ["sgd", "momentum"])
@pytest.mark.parametrize("bounds", [(-0.5, 2.0), (0.25, 2.5), (-math.inf, 1.0)])
def test_box_reaches_the_optimum_of_scipy(bounds, rule):
    result = fit(Box(*bounds), rule=rule, start=0.5)
    assert result.coef == pytest.approx(lsq_linear(X, Y, bounds, tol=1e-14).x, abs=1e-9)
    assert set(bounds) & set(result.coef.tolist())  # some weights lie exactly on a bound


@pytest.mark.parametrize("scale", [False, True])
@pytest.mark.parametrize("penalty", [MCP(0.4), SCAD(0.3), "mcp:alpha=0.4,gamma=2", "scad:alpha=0.4,gamma=3"])
def test_mcp_and_scad_select_features_without_shrinkage(penalty, scale):
    """Unlike the lasso: least squares on the columns of the true support (the oracle property)."""
    support = W != 0
    w = fit(penalty, scale=scale).coef
    assert w[~support].tolist() == [0.0, 0.0, 0.0]
    assert w[support] == pytest.approx(np.linalg.lstsq(X[:, support], Y)[0], abs=1e-9)
    assert not np.allclose(fit("l1", alpha=0.4).coef, w, atol=0.1)


def test_group_lasso_satisfies_its_optimality_conditions():
    groups, alpha = np.array([0, 0, 1, 1, 2, 1]), 0.8
    w = fit(GroupLasso(alpha, groups)).coef
    g = gradient(w)
    for members, kept in ((groups == 0, True), (groups == 1, False), (groups == 2, True)):
        pull = alpha * math.sqrt(members.sum())
        assert (w[members] != 0).tolist() == [kept] * members.sum()
        if kept:
            assert g[members] == pytest.approx(-pull * w[members] / np.linalg.norm(w[members]), abs=1e-9)
        else:
            assert np.linalg.norm(g[members]) < pull


BOX, MCP = "box:lower=-0.5,upper=1.25", "mcp:alpha=0.4"


@pytest.mark.parametrize(("penalty", "rule"), [(BOX, "momentum"), (BOX, "adagrad"), (BOX, "adam"), (MCP, "adam")])
def test_each_rule_stays_within_the_bounds_and_descends(penalty, rule):
    """Adaptive rules have a step per weight, which is huge where a gradient is 0."""
    result = fit(penalty, rule=rule, method="minibatch", learning_rate=0.02, max_epochs=40, tol=0, trace="step")
    term = resolve_penalty(penalty, 0.0, None)
    assert all(math.isfinite(term.value(w)) for w in result.steps["weights"])
    assert result.objective < 0.8 * result.trace["objective"][0]
    assert result.settings["penalty"].startswith(penalty.partition("=")[0])
