"""``clip_norm`` and ``penalty_weights``: whole fits match the reference.

As plain Python (`make test` runs this file under NUMBA_DISABLE_JIT=1 too) with every rule and method.
"""

from __future__ import annotations

import math

import numba
import numpy as np
import pytest
import scipy.sparse as sp
from reference import outputs as reference_outputs
from reference.losses import Huber
from reference.rules import RULES as EXPECTED_RULES

import fastgd
from fastgd import DataError, OptionError
from fastgd.penalties import GroupLasso
from fastgd.rules import RULES, rule_traits

PLAIN_PYTHON = bool(numba.config.DISABLE_JIT)
pytestmark = [pytest.mark.plain_python] * PLAIN_PYTHON  # these tests run compiled as well
compiled = pytest.mark.skipif(PLAIN_PYTHON, reason="too slow as plain Python")

RANDOM = np.random.default_rng(4)
N, D = 30, 5
X = RANDOM.normal(size=(N, D)) * (RANDOM.random((N, D)) < 0.7)
TARGETS = X @ np.array([[2.0, 0.0, -1.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0, 0.5], [1.0, 1.0, 1.0, 0.0, -2.0]]).T
TARGETS += 1.0 + 0.3 * RANDOM.normal(size=(N, 3))
del RANDOM  # tests draw from the fixture `rng`
Y = TARGETS[:, 0]
FACTORS = [0.0, 1.0, 2.0, 0.5, 3.0]
BATCH = {"gd": N, "sgd": 1, "minibatch": 6}
FORMS = {"dense": np.asarray, "csr": sp.csr_array}

if PLAIN_PYTHON:
    CHOICES = [(method, rule, form) for method in BATCH for rule in RULES for form in FORMS]
else:
    CHOICES = [(method, "sgd", form) for method in BATCH for form in FORMS]
each_choice = pytest.mark.parametrize(("method", "rule", "form"), CHOICES)
each_y = pytest.mark.parametrize("y", [Y, TARGETS], ids=["one", "several"])


def fit(y=Y, X=X, loss="huber:delta=1.5", **options):
    options = {"method": "gd", "learning_rate": 0.1, "max_epochs": 2, **options}
    if options["method"] == "minibatch":
        options.setdefault("batch_size", BATCH["minibatch"])
    return fastgd.fit(X, y, loss=loss, **options)


ALPHA, L1_RATIO = 0.3, 0.5
AS_EXPECTED = {
    "penalty": "elasticnet", "alpha": ALPHA, "l1_ratio": L1_RATIO, "start": 0.5, "shuffle": False, "trace": "step",
}  # fmt: skip


def expected(y, method, rule="sgd", **options):
    """Weights after every step of two passes over the rows in order."""
    targets, steps = np.atleast_2d(y.T).T, 2 * N // BATCH[method]
    K = targets.shape[1]
    path, _ = reference_outputs.minibatch(
        X, targets.tolist(), Huber(1.5), rates=[0.1] * steps, order=np.tile(np.arange(N), 2), batch_size=BATCH[method],
        start=([[0.5] * D] * K, [0.0] * K), rule=EXPECTED_RULES[rule], l1=ALPHA * L1_RATIO, l2=ALPHA * (1 - L1_RATIO),
        **options,
    )  # fmt: skip
    return np.array([np.column_stack([W, B]) for W, B in path[1:]]).reshape(steps, *y.shape[1:], D + 1)


def follows(result, path):
    np.testing.assert_allclose(result.steps["weights"], path, rtol=0, atol=1e-11)


# --- clip_norm --------------------------------------------------------------------------------------------------------


@each_y
@each_choice
def test_gradients_are_clipped_before_the_penalty_is_added(method, rule, form, y):
    """The norm over all outputs and intercepts."""
    options = {"method": method, "rule": rule, "clip_norm": 0.8, **AS_EXPECTED}
    path = expected(y, method, rule, clip=0.8)
    follows(fit(y, FORMS[form](X), **options), path)
    if not rule_traits(RULES[rule]()).adaptive:  # the steps of these rules do not depend on the length of the gradient
        assert np.abs(path[-1] - expected(y, method, rule)[-1]).max() > 1e-3


@compiled
@pytest.mark.parametrize("fit_intercept", [True, False])
@each_y
def test_step_trace_holds_the_gradient_before_clipping(y, fit_intercept):
    options = {"clip_norm": 0.3, "fit_intercept": fit_intercept, **AS_EXPECTED}
    by_row = fit(y, method="sgd", **options).steps
    in_batches = fit(y, method="minibatch", batch_size=1, **options).steps
    np.testing.assert_allclose(by_row["gradient"], in_batches["gradient"], rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(by_row["weights"], in_batches["weights"], rtol=1e-11, atol=1e-12)
    assert np.linalg.norm(by_row["gradient"].reshape(2 * N, -1), axis=1).max() > 1.0


@compiled
@pytest.mark.parametrize("method", BATCH)
def test_clip_norm_above_all_gradients_changes_nothing(method):
    for y in (Y, TARGETS):
        plain = fit(y, method=method)
        clipped = fit(y, method=method, clip_norm=1e6)
        assert clipped.path.tobytes() == plain.path.tobytes()


# --- penalty_weights --------------------------------------------------------------------------------------------------


@each_y
@each_choice
def test_penalty_weights_multiply_the_penalty_of_each_feature(method, rule, form, y):
    options = {"method": method, "rule": rule, "penalty_weights": FACTORS, **AS_EXPECTED}
    path = expected(y, method, rule, penalty_weights=FACTORS)
    result = fit(y, FORMS[form](X), **options)
    follows(result, path)
    W = result.path[-1][..., :D]
    loss = np.mean([Huber(1.5).value(t, z) for t, z in zip(y.ravel(), result.predict(X).ravel(), strict=True)])
    penalty = ALPHA * np.sum(FACTORS * (L1_RATIO * np.abs(W) + (1 - L1_RATIO) / 2 * W**2))
    assert result.objective == pytest.approx(loss * y[0].size + penalty, rel=1e-12)


def without(columns, *others):
    """Residuals of the other columns, regressed on the columns and a constant."""
    basis, _ = np.linalg.qr(np.column_stack([np.ones(N), *columns.T]))
    return [other - basis @ (basis.T @ other) for other in others]


OPTIMUM = {"loss": "half_squared", "learning_rate": "auto", "max_epochs": 5000, "tol": 1e-16}


@compiled
@pytest.mark.parametrize("scale", [False, True])
@pytest.mark.parametrize("penalty", ["l1", "l2"])
def test_weighted_optimum_equals_scikit_learns_on_rescaled_columns(penalty, scale):
    """The penalty of f w is that of w in variables X / f (l1), or of sqrt(f) w in X / sqrt(f) (l2).

    Unpenalised features and the intercept are projected out first (Frisch, Waugh and Lovell).
    """
    linear_model, alpha = pytest.importorskip("sklearn.linear_model"), 0.1
    result = fit(penalty=penalty, alpha=alpha, penalty_weights=FACTORS, scale=scale, **OPTIMUM)
    penalised, y = without(X[:, :1], X[:, 1:], Y)
    factors = np.array(FACTORS[1:]) if penalty == "l1" else np.sqrt(FACTORS[1:])
    if penalty == "l1":
        theirs = linear_model.Lasso(alpha=alpha, fit_intercept=False, tol=1e-12, max_iter=100_000)
    else:
        theirs = linear_model.Ridge(alpha=N * alpha, fit_intercept=False)
    coef = theirs.fit(penalised / factors, y).coef_ / factors
    np.testing.assert_allclose(result.coef[1:], coef, atol=1e-7)
    free, _, _, _ = np.linalg.lstsq(np.column_stack([X[:, 0], np.ones(N)]), Y - X[:, 1:] @ coef, rcond=None)
    np.testing.assert_allclose([result.coef[0], result.intercept], free, atol=1e-7)
    if penalty == "l1":
        assert (result.coef == 0).tolist() == [False, *(coef == 0)]
        assert 0 < np.count_nonzero(coef) < D - 1


@compiled
@pytest.mark.parametrize("method", BATCH)
@each_y
def test_weighted_l1_sets_penalised_features_to_zero(method, y):
    options = {"method": method, "penalty": "l1", "max_epochs": 30}
    heavy = fit(y, alpha=1.0, penalty_weights=[0.0, 100.0, 0.0, 100.0, 0.0], **options).coef
    assert (heavy == 0).tolist() == np.broadcast_to([False, True, False, True, False], heavy.shape).tolist()
    none = fit(y, alpha=1.0, penalty_weights=np.zeros(D), **options)
    free = fit(y, method=method, max_epochs=30)
    np.testing.assert_allclose(none.path, free.path, rtol=1e-10, atol=1e-12)
    assert none.objective == pytest.approx(free.objective, rel=1e-10)


@compiled
@pytest.mark.parametrize("method", BATCH)
def test_weights_of_1_change_nothing_and_weights_of_2_double_the_strength(method):
    options = {"method": method, "penalty": "elasticnet", "l1_ratio": 0.5}
    for y in (Y, TARGETS):
        plain = fit(y, alpha=0.2, **options)
        assert fit(y, alpha=0.2, penalty_weights=np.ones(D), **options).path.tobytes() == plain.path.tobytes()
        doubled = fit(y, alpha=0.1, penalty_weights=[2] * D, **options)
        np.testing.assert_allclose(doubled.path, plain.path, rtol=1e-11, atol=1e-12)
        assert doubled.objective == pytest.approx(plain.objective, rel=1e-12)


@pytest.mark.skipif(not PLAIN_PYTHON, reason="would have kernels compiled for each")
@pytest.mark.parametrize("penalty", ["mcp", "scad", "nonnegative"])
def test_a_feature_of_weight_0_is_not_penalised(penalty):
    """Bounds still hold."""
    result = fit(penalty=penalty, alpha=10.0, penalty_weights=[1.0, 1.0, 0.0, 1.0, 0.0], max_epochs=200)
    assert (result.coef[[0, 1, 3]] == 0).all()
    free = fit(X=X[:, [2, 4]], penalty="nonnegative" if penalty == "nonnegative" else None, max_epochs=200)
    np.testing.assert_allclose(result.coef[[2, 4]], free.coef, atol=1e-10)
    assert result.objective == pytest.approx(free.objective, rel=1e-10)
    assert result.coef[2] < 0 or penalty == "nonnegative"


BAD = {
    "negative": ({"penalty_weights": [-1.0, *FACTORS[1:]]}, OptionError, "penalty_weights must be 0 or more, not -1"),
    "NaN": ({"penalty_weights": [math.nan, *FACTORS[1:]]}, DataError, "penalty_weights has 1 NaN .*in feature 1"),
    "too few": ({"penalty_weights": FACTORS[1:]}, DataError, "penalty_weights must hold a number for each of the 5"),
    "a number": ({"penalty_weights": 2.0}, DataError, "penalty_weights must hold a number for each of the 5 features"),
    "groups": (
        {"penalty_weights": FACTORS, "penalty": GroupLasso(0.1, (0, 0, 1, 1, 2)), "alpha": 0.0}, OptionError,
        "penalty_weights goes with penalties of single features, not of groups",
    ),
    "bounds": (
        {"penalty_weights": FACTORS, "penalty": "box:lower=0", "alpha": 0.0}, OptionError,
        "penalty_weights goes with a penalty that has a strength, and bounds have none",
    ),
    "clip 0": ({"clip_norm": 0.0}, OptionError, "clip_norm must be a number above 0, not 0.0"),
    "clip inf": ({"clip_norm": math.inf}, OptionError, "clip_norm must be a number above 0, not inf"),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
def test_error_names_the_option_and_its_values(what):
    options, error, message = BAD[what]
    with pytest.raises(error, match=message):
        fit(**{"alpha": 0.1} | options)
