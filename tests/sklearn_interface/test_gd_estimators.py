"""GDClassifier and GDRegressor: all of `fit` behind scikit-learn's interface."""

from __future__ import annotations

import pickle

import cloudpickle
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import sklearn
from joblib import Parallel, delayed, parallel_config
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fastgd
from fastgd.sklearn import GDClassifier, GDRegressor

pytestmark = pytest.mark.plain_python


@pytest.fixture
def data(rng):
    X = rng.standard_normal((150, 4))
    z = X @ [1.0, -0.5, 0.0, 0.3] + 0.2
    return X, z, rng


def test_regressor_is_fit(data):
    X, z, rng = data
    y, weights = z + rng.standard_normal(150), rng.integers(0, 3, 150)
    model = GDRegressor(loss="huber:delta=0.5", alpha=0.1, tol=1e-10).fit(X, y, sample_weight=weights)
    result = fastgd.fit(X, y, loss="huber:delta=0.5", alpha=0.1, tol=1e-10, sample_weight=weights)
    np.testing.assert_array_equal(model.coef_, result.coef)
    np.testing.assert_array_equal(model.predict(X), result.predict(X))
    assert model.gap_bound_ == result.gap_bound
    assert len(model.trace_) == model.n_iter_ + 1


@pytest.mark.parametrize("labels", [["a", "b"], ["x", "y", "z"], [3, 5, 9], [False, True]])
def test_classifier_keeps_labels(data, labels):
    X, z, rng = data
    y = np.array(labels)[np.digitize(z + rng.logistic(size=150), [-0.5, 0.8][: len(labels) - 1])]
    model = GDClassifier(alpha=0.01).fit(X, y)
    assert model.classes_.tolist() == labels
    assert model.predict(X).dtype == y.dtype
    assert model.score(X, y) > 0.5
    probabilities = model.predict_proba(X)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0)
    np.testing.assert_array_equal(model.classes_[probabilities.argmax(axis=1)], model.predict(X))


def test_hinge_says_why_it_has_no_probabilities():
    model = GDClassifier(loss="hinge")
    assert not hasattr(model, "predict_proba")
    with pytest.raises(AttributeError) as error:
        model.predict_proba([[1.0]])
    assert "the loss 'hinge' gives scores, not probabilities: take loss='logistic'" in str(error.value.__cause__)


def test_several_targets(data):
    X, z, rng = data
    numbers = np.column_stack([z, -2 * z]) + rng.standard_normal((150, 2))
    model = GDRegressor(alpha=0.1, tol=1e-12).fit(X, numbers)
    for k in range(2):
        one = GDRegressor(alpha=0.1, tol=1e-12).fit(X, numbers[:, k])
        np.testing.assert_allclose(model.coef_[k], one.coef_, rtol=1e-9)
    words = np.column_stack([np.where(z > 0, "up", "down"), np.where(X[:, 1] > 0, "yes", "no")])
    labels = GDClassifier(alpha=0.01).fit(X, words)
    assert [one.tolist() for one in labels.classes_] == [["down", "up"], ["no", "yes"]]
    assert (labels.predict(X) == words).mean() > 0.9


def test_constant_targets_give_the_constant(data):
    X, _, _ = data
    model = GDRegressor().fit(X, np.full(150, 3.0))
    np.testing.assert_allclose(model.predict(X), 3.0)


def test_offset_is_metadata(data):
    X, z, rng = data
    exposure = rng.uniform(0.5, 3.0, 150)
    y = rng.poisson(exposure * np.exp(z))
    offset = np.log(exposure)
    result = fastgd.fit(X, y, loss="poisson", alpha=0.01, offset=offset)
    with sklearn.config_context(enable_metadata_routing=True):
        model = GDRegressor("poisson", alpha=0.01).set_fit_request(offset=True).set_score_request(offset=True)
        pipeline = make_pipeline(StandardScaler(), model).fit(X, y, offset=offset)
        scores = cross_validate(model, X, y, params={"offset": offset})["test_score"]
    np.testing.assert_allclose(pipeline[-1].predict(pipeline[0].transform(X)), result.predict(X), rtol=0.05)
    assert (scores > 0.2).all()
    np.testing.assert_allclose(
        model.fit(X, y, offset=offset).predict(X, offset=offset), result.predict(X, offset=offset), rtol=1e-12
    )


@pytest.mark.parametrize(
    "to_frame", [pd.DataFrame, pl.DataFrame, lambda d: pa.table(d)], ids=["pandas", "polars", "arrow"]
)
def test_frames_with_columns_are_encoded(data, to_frame):
    _, z, rng = data
    values = rng.standard_normal(150)
    words = np.where(z > 0, "high", "low")
    frame = to_frame({"size": values.tolist(), "kind": words.tolist()})
    y = values + 2.0 * (words == "high")
    model = GDRegressor(columns=fastgd.Columns(), tol=1e-12).fit(frame, y)
    np.testing.assert_allclose(model.predict(frame), y, atol=1e-6)
    assert model.result_.feature_names is not None


def test_frames_of_numbers_have_names_that_are_checked(data):
    X, z, _ = data
    frame = pd.DataFrame(X, columns=list("abcd"))
    model = GDRegressor(alpha=0.1).fit(frame, z)
    assert model.feature_names_in_.tolist() == list("abcd")
    assert model.result_.feature_names == tuple("abcd")
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame[list("dcba")])
    with pytest.raises(ValueError, match="expecting 4 features"):
        model.predict(X[:, :2])


def test_copies_predict_the_same(data):
    X, z, _ = data
    model = GDClassifier(loss=fastgd.losses.Logistic(), alpha=0.1).fit(X, z > 0)
    expected = model.predict_proba(X)
    for copy in (pickle.loads(pickle.dumps(model)), cloudpickle.loads(cloudpickle.dumps(model))):
        np.testing.assert_array_equal(copy.predict_proba(X), expected)
    again = clone(model)
    with pytest.raises(NotFittedError):
        again.predict(X)
    np.testing.assert_array_equal(again.fit(X, z > 0).predict_proba(X), expected)
    assert repr(model).startswith("GDClassifier(alpha=0.1")
    assert "GDClassifier" in model._repr_html_()


def test_joblib_in_threads(data):
    X, z, _ = data
    alone = GDRegressor(alpha=0.1).fit(X, z).coef_
    with parallel_config("threading", n_jobs=2):
        fits = Parallel()(delayed(GDRegressor(alpha=0.1).fit)(X, z) for _ in range(4))
        found = GridSearchCV(GDRegressor(), {"alpha": [0.01, 10.0]}).fit(X, z)
    for fit in fits:
        np.testing.assert_array_equal(fit.coef_, alone)
    assert found.best_params_ == {"alpha": 0.01}


def test_random_state_is_the_seed(data):
    X, z, _ = data
    options = {"method": "minibatch", "max_epochs": 2, "tol": 0}
    zero, also_zero, other = (GDRegressor(random_state=s, **options).fit(X, z).coef_ for s in (0, 0, 1))
    np.testing.assert_array_equal(zero, also_zero)
    assert (zero != other).any()
    np.testing.assert_array_equal(zero, fastgd.fit(X, z, seed=0, **options).coef)
