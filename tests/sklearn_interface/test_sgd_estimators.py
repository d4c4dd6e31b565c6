"""SGDClassifier and SGDRegressor predict what scikit-learn's do after the same epochs; what they add."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from sklearn import linear_model as theirs

import fastgd.sklearn as ours

pytestmark = pytest.mark.plain_python

KINDS = ("SGDClassifier", "SGDRegressor")
# Losses whose derivatives grow; the first steps of the schedule "optimal" diverge on them, in scikit-learn too.
GROWING = ("squared_error", "squared_hinge", "squared_epsilon_insensitive")


@st.composite
def settings_of_a_fit(draw):
    kind = draw(st.sampled_from(KINDS))
    loss = draw(st.sampled_from(sorted(getattr(theirs, kind).loss_functions)))
    rate = draw(st.sampled_from(["constant", "invscaling", "adaptive", "optimal"]))
    params = {
        "loss": loss,
        "learning_rate": "constant" if rate == "optimal" and loss in GROWING else rate,
        "eta0": draw(st.sampled_from([1e-3, 1e-2])),
        "alpha": draw(st.sampled_from([1e-4, 1e-2])),
        "penalty": draw(st.sampled_from(["l2", None])),
        "fit_intercept": draw(st.booleans()),
        "average": draw(st.sampled_from([False, True, 30])),
        "max_iter": draw(st.integers(1, 3)),
        "tol": None,
        "shuffle": False,
    }
    if kind == "SGDClassifier":
        params["class_weight"] = draw(st.sampled_from([None, "balanced"]))
    return kind, params, draw(st.booleans()), draw(st.booleans()), draw(st.integers(2, 3)), draw(st.integers(0, 9))


@given(settings_of_a_fit())
def test_predictions_are_those_of_scikit_learn(drawn):
    kind, params, is_sparse, weighted, n_classes, seed = drawn
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((50, 4)) * (rng.random((50, 4)) < 0.6)
    z = X[:, 0] + 0.5 * rng.standard_normal(50)
    y = np.digitize(z, [0.0, 0.7][: n_classes - 1]) if kind == "SGDClassifier" else z
    matrix = sp.csr_array(X) if is_sparse else X
    weights = rng.integers(1, 4, 50) / 2 if weighted else None
    found, expected = (getattr(m, kind)(**params).fit(matrix, y, sample_weight=weights) for m in (ours, theirs))
    scores = [m.decision_function(X) if kind == "SGDClassifier" else m.predict(X) for m in (found, expected)]
    np.testing.assert_allclose(scores[0], scores[1], rtol=1e-9, atol=1e-9 * (1 + abs(scores[1]).max()))
    assert found.coef_.shape == expected.coef_.shape
    assert found.t_ == expected.t_
    assert found.n_iter_ == expected.n_iter_


def rows(rng, n_rows=400):
    X = rng.standard_normal((n_rows, 5))
    z = X @ [1.0, -1.0, 0.5, 0.0, 0.0] + 0.3
    return X, (z + rng.logistic(size=n_rows) > 0).astype(int), z + rng.standard_normal(n_rows)


def test_early_stopping_stops_where_scikit_learn_does(rng):
    X, y, _ = rows(rng)
    params = {"early_stopping": True, "shuffle": False, "random_state": 0, "tol": 1e-3}
    found, expected = (m.SGDClassifier(**params).fit(X, y) for m in (ours, theirs))
    assert found.n_iter_ == expected.n_iter_
    np.testing.assert_allclose(found.coef_, expected.coef_, rtol=1e-9)


@pytest.mark.parametrize("average", [False, True])
def test_partial_fit_over_blocks_equals_epochs(rng, average):
    X, y, _ = rows(rng)
    # The first steps of "optimal" are so long that they magnify rounding a million times.
    params = {"loss": "log_loss", "shuffle": False, "tol": None, "average": average}
    params |= {"learning_rate": "invscaling", "eta0": 0.1}
    whole = ours.SGDClassifier(max_iter=2, **params).fit(X, y)
    blocks = ours.SGDClassifier(**params)
    for _ in range(2):
        for block in np.split(np.arange(400), 4):
            blocks = pickle.loads(pickle.dumps(blocks.partial_fit(X[block], y[block], classes=[0, 1])))
    np.testing.assert_allclose(blocks.coef_, whole.coef_, rtol=1e-9)
    assert blocks.t_ == whole.t_
    assert len(blocks.loss_curve_) == 8


def test_partial_fit_keeps_the_memory_of_a_rule(rng):
    X, _, y = rows(rng)
    params = {"rule": "adam", "method": "minibatch", "batch_size": 20, "shuffle": False, "tol": None}
    whole = ours.SGDRegressor(max_iter=1, **params).fit(X, y)
    blocks = ours.SGDRegressor(**params)
    for block in np.split(np.arange(400), 4):
        blocks.partial_fit(X[block], y[block])
    np.testing.assert_allclose(blocks.coef_, whole.coef_, rtol=1e-9)


def test_automatic_rate_and_other_methods_end_near_the_optimum(rng):
    X, y, _ = rows(rng)
    best = theirs.LogisticRegression(C=1 / (1e-2 * 400), tol=1e-10).fit(X, y).coef_
    for method, tol in (("newton", 1e-6), ("sgd", 0.05), ("minibatch", 0.05)):
        params = {"loss": "log_loss", "alpha": 1e-2, "learning_rate": "auto", "method": method, "tol": 1e-6}
        found = ours.SGDClassifier(max_iter=200, random_state=0, **params).fit(X, y)
        np.testing.assert_allclose(found.coef_, best, atol=max(tol, 1e-3))


def test_loss_curve_falls(rng):
    X, y, _ = rows(rng)
    model = ours.SGDClassifier(loss="log_loss", random_state=0).fit(X, y)
    assert len(model.loss_curve_) == model.n_iter_
    assert model.loss_curve_[-1] < model.loss_curve_[0]
    three = ours.SGDClassifier(loss="log_loss", max_iter=3, tol=None).fit(X, y + (X[:, 0] > 1))
    assert [len(curve) for curve in three.loss_curve_] == [3, 3, 3]


def test_jobs_give_the_same_model(rng):
    X, y, _ = rows(rng)
    y = y + (X[:, 0] > 1)
    one, two = (ours.SGDClassifier(n_jobs=n, random_state=0, max_iter=3, tol=None).fit(X, y) for n in (1, 2))
    np.testing.assert_array_equal(one.coef_, two.coef_)


def test_verbose_prints_a_line_for_each_epoch(rng, capsys):
    X, _, y = rows(rng)
    ours.SGDRegressor(max_iter=2, tol=None, verbose=1).fit(X, y)
    assert [line.split(":")[0] for line in capsys.readouterr().out.splitlines()] == ["epoch 1", "epoch 2"]
