"""working_set reaches the optimum of penalties that select columns, and proves it."""

from __future__ import annotations

import numpy as np
import pytest
import reference
from reference.coordinate_descent import elastic_net
from scipy.sparse import csr_array
from sklearn.linear_model import ElasticNet, Lasso, LogisticRegression

import fastgd
from fastgd import OptionError
from fastgd.penalties import GroupLasso

FORMS = pytest.mark.parametrize("form", [np.asarray, csr_array], ids=["dense", "csr"])
plain_python = pytest.mark.plain_python


def wide(rng, n=30, d=60, mean=0.0, far=0.0):
    X = rng.normal(size=(n, d)) * (rng.random((n, d)) < 0.7) + far
    return X, mean + 3 * X[:, 0] - 2 * X[:, 1] + X[:, 2] + 0.5 * rng.normal(size=n)


def fit(X, y, **options):
    return fastgd.fit(X, y, **{"method": "working_set", "loss": "half_squared", "tol": 1e-12} | options)


def gradient_of(loss, X, y, w, b):
    """The gradient of the mean loss in the coefficients, and in the intercept, by the reference's loss."""
    z = X @ w + b
    slopes = np.array([reference.LOSSES[loss].derivative(float(t), float(v)) for t, v in zip(y, z, strict=True)])
    return X.T @ slopes / len(y), slopes.mean()


# --- Least squares ----------------------------------------------------------------------------------------------------


@plain_python
@FORMS
@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
@pytest.mark.parametrize("given", ["plain", "no intercept", "weights and offset", "penalty_weights"])
def test_equals_plain_coordinate_descent(rng, form, l1_ratio, given):
    X, y = wide(rng, 20, 30, mean=4.0)
    weight, offset = rng.integers(1, 4, 20).astype(float), rng.normal(size=20)
    factors = np.concatenate([[0.0], rng.uniform(0.5, 2, 29)])
    ours, theirs = {
        "plain": ({}, {}),
        "no intercept": ({"fit_intercept": False}, {"intercept": False}),
        "weights and offset": ({"sample_weight": weight, "offset": offset}, {"weight": weight, "offset": offset}),
        "penalty_weights": ({"penalty_weights": factors}, {"factors": factors}),
    }[given]
    w, b = elastic_net(X, y, 0.3 * l1_ratio, 0.3 * (1 - l1_ratio), **theirs)
    result = fit(form(X), y, penalty="elasticnet", alpha=0.3, l1_ratio=l1_ratio, **ours)
    assert 0 < np.count_nonzero(w) < 25
    np.testing.assert_allclose(np.append(result.coef, result.intercept), np.append(w, b), atol=1e-9)
    assert ((result.coef == 0) == (np.array(w) == 0)).all()
    assert result.converged


@FORMS
@pytest.mark.parametrize("mean", [0.0, 120.0, 1e4])
def test_auto_takes_it_and_finds_the_optimum_of_targets_far_from_zero(rng, form, mean):
    G = rng.normal(size=(300, 1600))
    y = mean + 5 * G[:, 0] - 4 * G[:, 1] + 3 * rng.normal(size=300)
    known = Lasso(alpha=0.5, tol=1e-12).fit(G, y)
    best = np.mean((y - known.predict(G)) ** 2) / 2 + 0.5 * np.abs(known.coef_).sum()
    result = fastgd.fit(form(G), y, loss="half_squared", penalty="l1", alpha=0.5)
    assert (result.method, result.converged) == ("working_set", True)
    assert result.objective == pytest.approx(best, rel=1e-10)
    assert result.gap_bound < 1e-3 * best
    assert np.flatnonzero(result.coef).tolist() == np.flatnonzero(known.coef_).tolist()
    assert result.passes["training"] < 10


@plain_python
def test_columns_far_from_zero(rng):
    X, y = wide(rng, far=1e6)
    near = fit(X - 1e6, y, penalty="l1", alpha=0.2)
    result = fit(X, y, penalty="l1", alpha=0.2)
    np.testing.assert_allclose(result.coef, near.coef, atol=1e-7)
    assert result.gap_bound < 1e-6


def test_more_columns_in_use_than_a_hessian_holds(rng):
    """With hardly any l1, hundreds of columns are used on 20 rows: coordinate descent then reads the columns."""
    X, y = wide(rng, 20, 300)
    known = ElasticNet(alpha=0.5, l1_ratio=0.02, tol=1e-14, max_iter=100_000).fit(X, y)
    assert np.count_nonzero(known.coef_) > 4 * 20
    for form in (np.asarray, csr_array):
        result = fit(form(X), y, penalty="elasticnet", alpha=0.5, l1_ratio=0.02, tol=1e-9, max_epochs=50)
        assert result.converged
        np.testing.assert_allclose(result.coef, known.coef_, atol=1e-5)


def test_support_of_nearly_as_many_columns_as_rows(rng):
    X, y = wide(rng, 40, 200)
    known = Lasso(alpha=1e-3, tol=1e-14, max_iter=1_000_000).fit(X, y)
    result = fit(X, y, penalty="l1", alpha=1e-3, tol=1e-8)
    assert np.count_nonzero(known.coef_) > 30
    assert result.converged
    assert result.objective <= np.mean((y - known.predict(X)) ** 2) / 2 + 1e-3 * np.abs(known.coef_).sum() + 1e-9


def test_copies_of_columns(rng):
    X, y = wide(rng, 30, 20)
    once, twice = (fit(A, y, penalty="l1", alpha=0.1) for A in (X, np.hstack([X, X])))
    assert twice.converged
    assert twice.objective == pytest.approx(once.objective, rel=1e-12)


@plain_python
@FORMS
def test_alpha_at_which_all_coefficients_are_zero_takes_one_pass(rng, form):
    X, y = wide(rng, mean=7.0)
    largest = np.abs(X.T @ (y - y.mean())).max() / len(y)
    result = fit(form(X), y, penalty="l1", alpha=largest * 1.001)
    assert not result.coef.any()
    assert result.intercept == pytest.approx(y.mean())
    assert (result.converged, result.n_epochs, result.passes["training"]) == (True, 1, 1.0)
    assert np.count_nonzero(fit(form(X), y, penalty="l1", alpha=largest * 0.999).coef) == 1


@plain_python
def test_float32(rng):
    X, y = wide(rng, mean=50.0)
    X = X.astype(np.float32)
    single, double = (fit(A, y, penalty="l1", alpha=0.2) for A in (X, X.astype(np.float64)))
    np.testing.assert_allclose(single.coef, double.coef, atol=1e-12)


@plain_python
def test_several_outputs_equal_single_ones(rng):
    X, y = wide(rng)
    Y = np.column_stack([y, y[::-1] + 2, 5 * X[:, 9]])
    whole = fit(X, Y, penalty="l1", alpha=0.2)
    for k in range(3):
        np.testing.assert_allclose(whole.coef[k], fit(X, Y[:, k], penalty="l1", alpha=0.2).coef, atol=1e-10)
    assert whole.converged


@plain_python
@FORMS
def test_a_start_is_used_and_its_columns_may_become_zero(rng, form):
    X, y = wide(rng)
    start = (rng.normal(size=X.shape[1]), 2.0)
    from_start, plain = (fit(form(X), y, penalty="l1", alpha=0.2, start=s) for s in (start, None))
    np.testing.assert_allclose(from_start.coef, plain.coef, atol=1e-10)
    assert from_start.trace["objective"][0] > 2 * plain.trace["objective"][0]


def test_gathered_columns_count_as_passes(rng):
    X, y = wide(rng, 40, 1000)
    passes = fit(X, y, penalty="l1", alpha=0.1, max_epochs=2).trace["passes"]
    assert passes[1] == 1.0
    assert 1.0 < passes[2] <= 2.1 + 1e-12


# --- Other losses -----------------------------------------------------------------------------------------------------


@plain_python
@FORMS
@pytest.mark.parametrize("loss", ["logistic", "huber", "squared_hinge", "poisson", "gamma", "modified_huber"])
def test_smooth_losses_satisfy_the_conditions_of_an_optimum(rng, form, loss):
    X, y = wide(rng)
    y = {"poisson": np.round(np.exp(y / 4)), "gamma": np.exp(y / 4), "huber": 10 * y}.get(loss, np.sign(y))
    largest = max(np.abs(gradient_of(loss, X, y, np.zeros(60), b)[0]).max() for b in (0.0, 1.0))
    alpha = 0.1 * largest
    result = fit(form(X), y, loss=loss, penalty="l1", alpha=alpha, tol=1e-13)
    g, of_intercept = gradient_of(loss, X, y, result.coef, result.intercept)
    used = result.coef != 0
    assert 0 < used.sum() < 40
    np.testing.assert_allclose(g[used], -alpha * np.sign(result.coef[used]), atol=1e-7 * largest)
    assert np.abs(g).max() <= alpha * (1 + 1e-6)
    assert abs(of_intercept) < 1e-10 * largest
    assert result.converged


def test_many_rows_with_a_sampled_hessian_equal_liblinear(rng):
    X = rng.normal(size=(12_000, 30))
    y = np.where(rng.random(12_000) < 1 / (1 + np.exp(-X[:, 0] - 0.5 * X[:, 1])), 1.0, -1.0)
    alpha = 5e-3
    known = LogisticRegression(
        C=1 / (alpha * len(y)), l1_ratio=1, solver="saga", tol=1e-8, max_iter=2000
    ).fit(X, y)  # fmt: skip
    for form in (np.asarray, csr_array):
        result = fit(form(X), y, loss="logistic", penalty="l1", alpha=alpha, tol=1e-10)
        np.testing.assert_allclose(result.coef, known.coef_[0], atol=1e-5)
        assert result.converged
        assert result.gap_bound < 1e-10


def test_bound_is_above_the_true_gap_while_training_goes_on(rng):
    X, y = wide(rng, 40, 1000)
    best = fit(X, y, penalty="l1", alpha=0.02).objective
    for epochs in (1, 2, 3):
        early = fit(X, y, penalty="l1", alpha=0.02, max_epochs=epochs)
        assert early.objective - best <= early.gap_bound <= 1.01 * early.objective


# --- Other penalties --------------------------------------------------------------------------------------------------


@plain_python
@FORMS
@pytest.mark.parametrize("penalty", ["mcp:alpha=0.3", "scad:alpha=0.3"])
def test_penalties_that_are_not_convex_end_at_a_stationary_point(rng, form, penalty):
    X, y = wide(rng)
    result = fastgd.fit(form(X), y, loss="half_squared", penalty=penalty, tol=1e-10)
    assert (result.method, result.converged) == ("working_set", True)
    g, _ = gradient_of("half_squared", X, y, result.coef, result.intercept)
    term = reference.PENALTY_TERMS[penalty.partition(":")[0]](alpha=0.3, gamma=3.7 if "scad" in penalty else 3.0)
    step = 1e-2
    moved = term.prox(list(result.coef - step * g), [step] * 60)
    np.testing.assert_allclose(moved, result.coef, atol=1e-8)
    assert 0 < np.count_nonzero(result.coef) < 20


@plain_python
@FORMS
def test_groups_satisfy_their_conditions(rng, form):
    X, y = wide(rng)
    groups = rng.permutation(np.arange(60) % 17)
    result = fastgd.fit(form(X), y, loss="half_squared", penalty=GroupLasso(0.1, groups), tol=1e-12)
    assert (result.method, result.converged) == ("working_set", True)
    assert result.gap_bound < 1e-9
    g, _ = gradient_of("half_squared", X, y, result.coef, result.intercept)
    in_use = 0
    for members in (groups == k for k in range(17)):
        w, limit = result.coef[members], 0.1 * np.sqrt(members.sum())
        if w.any():
            in_use += 1
            np.testing.assert_allclose(g[members], -limit * w / np.linalg.norm(w), atol=1e-5)
        else:
            assert np.linalg.norm(g[members]) <= limit * (1 + 1e-9)
    assert 0 < in_use < 17


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"loss": "absolute"}, "the loss has kinks"),
        ({"loss": "softmax"}, "the loss takes all outputs at once"),
        ({"batch_size": 8}, "takes all rows in each step"),
        ({"rule": "adam"}, "computes its own steps"),
    ],
)
def test_what_it_cannot_do_is_refused(options, told):
    with pytest.raises(OptionError, match=told):
        fastgd.fit([[1.0], [2.0], [3.0]], [0, 1, 2], **{"loss": "squared"} | options, method="working_set")
