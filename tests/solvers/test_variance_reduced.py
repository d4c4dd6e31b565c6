"""svrg and saga: every update matches the reference, with lazy updates on sparse rows too."""

from __future__ import annotations

import numpy as np
import pytest
import reference
from conftest import share_of_examples
from hypothesis import given
from hypothesis import strategies as st
from reference import outputs as reference_outputs
from reference.losses import Softmax
from reference.variance_reduced import walk
from scipy.sparse import csr_array

import fastgd
from fastgd.errors import OptionError
from fastgd.penalties import MCP, Box, ElasticNet, GroupLasso, NonNegative

pytestmark = pytest.mark.plain_python

N, D = 30, 7

random = np.random.default_rng(8)
X = random.integers(-32, 33, (N, D)) / 16 * (random.random((N, D)) < 0.4)  # exact in float32
X[:, 6] = 0.0
X[[4, 25], 6] = 1.5  # a feature with few values
Y = X @ [2.0, -1.0, 0.5, 0.0, 0.0, 1.0, 3.0] + 1.0 + 0.1 * random.integers(-8, 9, N)
LABELS = np.where(np.median(Y) < Y, 1.0, -1.0)
WEIGHTS, OFFSET = random.integers(1, 4, N) / 2, random.integers(-8, 9, N) / 8
FACTORS = random.integers(0, 5, D) / 2.0
GROUPS = np.array([0.0, 1.0, 1.0, 2.0, 0.0, 2.0, 2.0])
ORDER = list(range(N))

FORMS = {
    "dense": lambda X: X,
    "dense float32": lambda X: X.astype(np.float32),
    "sparse": csr_array,
    "sparse float32": lambda X: csr_array(X.astype(np.float32)),
}
# Passes over the rows: A computes an anchor, S takes steps.
PASSES = {"svrg": "ASASASAS", "saga": "ASSSSSSS"}

methods = pytest.mark.parametrize("method", PASSES)
forms = pytest.mark.parametrize("form", FORMS)


def close(value, tolerance=1e-12):
    return pytest.approx(value, rel=tolerance, abs=tolerance)


def with_ones(X, fit_intercept=True):
    return np.column_stack([X, np.ones(len(X))]) if fit_intercept else X


def reference_walk(X, targets, loss, method, lr, fit_intercept=True, n_outputs=1, epochs=8, **options):
    rows = with_ones(X, fit_intercept).tolist()
    start = [[0.0] * len(rows[0])] * n_outputs
    passes = PASSES[method][:epochs]
    return walk(
        rows, targets, loss, lr=lr, passes=passes, orders=[ORDER] * epochs, start=start, penalised=X.shape[1],
        saga=method == "saga", **options,
    )  # fmt: skip


def fitted(X, y, method, lr, epochs=8, **options):
    return fastgd.fit(
        X,
        y,
        method=method,
        learning_rate=lr,
        max_epochs=epochs,
        shuffle=False,
        **{"loss": "half_squared", "start": 0, **options},
    )


def after_passes(path):
    """Weights after each pass, as in `Result.path`: 0 for the intercept if there is none."""
    return np.array([updates[-1][0] for updates in path])


CASES = {
    "plain": {},
    "l2": {"l2": 0.5},
    "l1": {"l1": 0.3},
    "elastic net": {"l1": 0.2, "l2": 0.3},
    "much l1": {"l1": 2.0},
    "no intercept": {"l1": 0.1, "fit_intercept": False},
    "weights of rows": {"sample_weight": WEIGHTS, "l2": 0.1},
    "offset": {"offset": OFFSET, "l1": 0.1},
    "weights of features": {"penalty_weights": FACTORS, "l1": 0.2, "l2": 0.3},
}


def penalty_options(l1=0.0, l2=0.0):
    return {"penalty": ElasticNet(l1, l2)}


@methods
@forms
@pytest.mark.parametrize("case", CASES)
def test_every_pass_matches_the_reference(case, form, method):
    """Weights of absent features are updated lazily within a pass, and brought up to date at its end."""
    strengths = {key: CASES[case][key] for key in ("l1", "l2") if key in CASES[case]}
    others = {key: value for key, value in CASES[case].items() if key not in strengths}
    path, met = reference_walk(X, [[v] for v in Y], reference.HalfSquared(), method, 0.03, **strengths, **others)
    result = fitted(FORMS[form](X), Y, method, 0.03, **penalty_options(**strengths), **others)
    expected = after_passes(path)
    assert result.path[1:, : expected.shape[1]] == close(expected, 1e-12 if "32" not in form else 1e-6)
    assert result.trace["running_loss"][1:] == close(met, 1e-11 if "32" not in form else 1e-6)


@methods
@pytest.mark.parametrize("form", ["dense", "sparse"])
def test_every_step_matches_the_reference(form, method):
    path, _ = reference_walk(X, [[v] for v in Y], reference.HalfSquared(), method, 0.03, l1=0.1, l2=0.2, epochs=4)
    result = fitted(FORMS[form](X), Y, method, 0.03, 4, trace="step", **penalty_options(0.1, 0.2))
    steps = [
        update[0] for updates, kind in zip(path, PASSES[method], strict=False) if kind == "S" for update in updates
    ]
    assert result.steps["weights"] == close(np.array(steps))
    assert result.steps["row"].tolist() == ORDER * (len(steps) // N)
    # The recorded gradient is the direction of the step without the penalty.
    w, g = result.steps["weights"], result.steps["gradient"]
    moved = w[:-1] - 0.03 * (g[1:] + 0.2 * w[:-1] * [*[1] * D, 0])
    moved[:, :D] = np.sign(moved[:, :D]) * np.maximum(np.abs(moved[:, :D]) - 0.03 * 0.1, 0.0)
    inner = np.array(
        [row[0] != row[1] for row in zip(result.steps["epoch"][1:], result.steps["epoch"][:-1], strict=True)]
    )
    assert moved[~inner] == close(w[1:][~inner])


@methods
@pytest.mark.parametrize("form", ["dense", "sparse"])
def test_logistic_steps_match_the_reference(form, method):
    path, _ = reference_walk(X, [[v] for v in LABELS], reference.Logistic(), method, 0.1, l1=0.02, l2=0.01)
    result = fitted(FORMS[form](X), LABELS, method, 0.1, loss="logistic", **penalty_options(0.02, 0.01))
    assert result.path[1:] == close(after_passes(path))


@methods
@pytest.mark.parametrize("form", ["dense", "sparse"])
@pytest.mark.parametrize("penalty", ["mcp", "nonnegative", "box", "group_lasso"])
def test_each_penalty_matches_the_reference(penalty, form, method):
    terms = {
        "mcp": (MCP(0.3, 4.0), reference.mcp(0.3, 4.0)),
        "nonnegative": (NonNegative(0.1), reference.nonnegative(0.1)),
        "box": (Box(-0.5, 1.0), reference.box(-0.5, 1.0)),
        "group_lasso": (GroupLasso(0.1, GROUPS), reference.GroupLasso(0.1, GROUPS)),
    }[penalty]
    path, _ = reference_walk(X, [[v] for v in Y], reference.HalfSquared(), method, 0.03, penalty=terms[1])
    result = fitted(FORMS[form](X), Y, method, 0.03, penalty=terms[0])
    assert result.path[1:] == close(after_passes(path))


@methods
@pytest.mark.parametrize("form", ["dense", "sparse"])
@pytest.mark.parametrize("fit_intercept", [True, False], ids=["intercept", "no intercept"])
def test_steps_in_scaled_variables_equal_steps_on_scaled_data(fit_intercept, form, method):
    """Dense columns are centred too, where there is an intercept; sparse ones are divided by their largest values.

    Sparse columns far from zero are centred as well: see test_far_columns.
    """
    rows = X * 2.0 ** np.array([4, 0, -3, 0, 0, 2, 0])
    shift, spread = np.zeros(D), np.abs(rows).max(axis=0)
    if form == "dense":
        shift = rows.mean(axis=0) if fit_intercept else shift
        spread = np.sqrt(((rows - shift) ** 2).mean(axis=0))
    inverse = 2.0 ** -np.round(np.log2(spread))
    path, _ = reference_walk(
        (rows - shift) * inverse, [[v] for v in Y], reference.HalfSquared(), method, 0.03, fit_intercept
    )
    expected = after_passes(path)
    expected[:, :D] *= inverse
    if fit_intercept:
        expected[:, D] -= expected[:, :D] @ shift
    passes = len(expected) + 4  # for the scales of the columns as well
    result = fitted(FORMS[form](rows), Y, method, 0.03, passes, scale=True, fit_intercept=fit_intercept)
    assert result.path[1 : len(expected) + 1, : expected.shape[1]] == close(expected, 1e-11)


@methods
@pytest.mark.parametrize("form", ["dense", "sparse"])
def test_scaled_variables_have_their_own_l1_and_l2_strengths(form, method):
    """The optimum is the same as in the user's variables, in which the penalty is defined."""
    rows = FORMS[form](X * 2.0 ** np.array([4, 0, -3, 0, 0, 2, 0]))
    options = {"loss": "half_squared", "tol": 1e-13, "max_epochs": 4000, "penalty_weights": FACTORS}
    options |= penalty_options(0.02, 0.05)
    scaled = fastgd.fit(rows, Y, method=method, scale=True, **options)
    plain = fastgd.fit(rows, Y, method="gd", rule="nesterov", scale=True, **options | {"max_epochs": 5_000})
    assert scaled.converged
    assert plain.converged
    assert scaled.objective == pytest.approx(plain.objective, rel=1e-12)


# --- Several outputs --------------------------------------------------------------------------------------------------

CLASSES = np.digitize(Y, np.quantile(Y, [0.3, 0.7]))


@methods
@pytest.mark.parametrize("form", ["dense", "sparse"])
@pytest.mark.parametrize("loss", ["softmax", "logistic", "half_squared"])
def test_several_outputs_match_the_reference(loss, form, method):
    several = np.column_stack([Y, X[:, 0] - Y])
    targets = {
        "softmax": CLASSES.tolist(),
        "logistic": reference_outputs.targets_of(CLASSES, 3),
        "half_squared": several.tolist(),
    }[loss]
    l1 = 0.0 if loss == "softmax" else 0.02
    path, met = reference_walk(
        X, targets, Softmax() if loss == "softmax" else reference.LOSSES[loss], method, 0.03,
        n_outputs=2 if loss == "half_squared" else 3, l1=l1, l2=0.1,
        sample_weight=WEIGHTS,
    )  # fmt: skip
    y = several if loss == "half_squared" else CLASSES
    result = fitted(FORMS[form](X), y, method, 0.03, loss=loss, sample_weight=WEIGHTS, **penalty_options(l1, 0.1))
    expected = np.array([updates[-1] for updates in path])
    assert result.path[1:] == close(expected)
    assert result.trace["running_loss"][1:] == close(met)


@methods
def test_fit_path_equals_single_fits(method):
    options = {"method": method, "loss": "half_squared", "max_epochs": 6, "penalty": "l2", "tol": 0}
    alphas, rates = [0.01, 1.0], [0.03, 0.02]
    for k, model in enumerate(fastgd.fit_path(X, Y, alphas=alphas, learning_rates=rates, **options)):
        alone = fastgd.fit(X, Y, alpha=alphas[k], learning_rate=rates[k], **options)
        assert model.coef == close(alone.coef)


# --- The optimum ------------------------------------------------------------------------------------------------------

BIG = random.normal(size=(400, 6)) @ (np.eye(6) + 0.4) + [0.5, 0, 0, -1, 0, 0]
TARGET = BIG @ [2.0, -1.0, 0.0, 0.0, 0.5, 0.0] + 1.5 + random.normal(size=400)
del random  # tests draw from the fixture `rng`


@methods
@share_of_examples(0.5)
@given(data=st.data())
def test_small_problems_reach_the_optimum_of_gd(method, data):
    seed, n, d = data.draw(st.integers(0, 2**32 - 1)), data.draw(st.integers(8, 60)), data.draw(st.integers(1, 8))
    loss = data.draw(st.sampled_from(["half_squared", "logistic"]))
    random = np.random.default_rng(seed)
    X = random.normal(size=(n, d)) * (random.random((n, d)) < 0.6)
    y = X @ random.normal(size=d) + random.normal(size=n)
    y = np.where(y > np.median(y), 1.0, -1.0) if loss == "logistic" else y
    options = {"loss": loss, "tol": 1e-10, **penalty_options(data.draw(st.sampled_from([0.0, 0.05])), 0.1)}
    rows = data.draw(st.sampled_from([lambda X: X, csr_array]))(X)
    result = fastgd.fit(rows, y, method=method, max_epochs=3000, **options)
    best = fastgd.fit(rows, y, method="gd", rule="nesterov", max_epochs=2_000, **options | {"tol": 1e-12})
    assert result.converged
    assert result.objective == pytest.approx(best.objective, rel=1e-9)


# --- Passes and stopping ----------------------------------------------------------------------------------------------


@methods
def test_each_trace_row_is_one_pass(method):
    trace = fitted(X, Y, method, 0.03).trace
    assert trace["passes"].tolist() == list(range(9))
    known = [k for k, kind in enumerate(PASSES[method]) if kind == "A"]
    assert np.isfinite(trace["gradient_norm"]).nonzero()[0].tolist() == [k + 1 for k in known]
    for k in known:  # an anchor leaves the weights as they are
        assert trace["objective"][k] == close(trace["objective"][k + 1])


@methods
@pytest.mark.parametrize("max_epochs", [1, 3, 4, 5, 6, 7])
def test_no_last_pass_is_an_anchor(max_epochs, method):
    """If few passes are left they are passes of steps, the first of which may start from gradients of zero."""
    result = fastgd.fit(X, Y, method=method, loss="half_squared", max_epochs=max_epochs)
    objective = result.trace["objective"]
    assert result.n_epochs == max(1, int(max_epochs - result.trace["passes"][0]))  # some were for scales and the rate
    assert objective[-1] < objective[-2]


@methods
def test_convergence_is_confirmed_by_the_full_gradient(method):
    result = fastgd.fit(BIG, TARGET, method=method, loss="half_squared", tol=1e-3, max_epochs=500, scale=False)
    columns = np.column_stack([BIG, np.ones(400)])
    optimum = np.mean((TARGET - columns @ np.linalg.lstsq(columns, TARGET)[0]) ** 2) / 2
    assert result.converged
    assert result.objective - optimum <= 1e-3 * (TARGET.var() / 2 - optimum)
    again = fastgd.fit(
        BIG, TARGET, method=method, loss="half_squared", tol=1e-3, max_epochs=500, scale=False, start=result
    )
    assert again.n_epochs <= 3


@methods
@pytest.mark.parametrize("loss", ["poisson", "absolute"])
def test_losses_without_a_curvature_bound_find_a_rate_by_trial(rng, loss, method):
    y = rng.poisson(np.exp(np.clip(0.3 * BIG[:, 0], -2, 2)))
    result = fastgd.fit(BIG, y, method=method, loss=loss, max_epochs=30)
    assert result.objective < result.trace["objective"][0]


@methods
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"rule": "adam"}, "has its own update rule: leave rule out"),
        ({"batch_size": 8}, "takes one row per step: leave batch_size out"),
        ({"clip_norm": 1.0}, "clipping would bias the steps .* leave clip_norm out"),
    ],
)
def test_error_names_unsupported_options(options, words, method):
    with pytest.raises(OptionError, match=words):
        fastgd.fit(X, Y, method=method, **options)
