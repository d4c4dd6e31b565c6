"""`Result`: equality, pickling and predictions."""

from __future__ import annotations

import dataclasses
import pickle

import cloudpickle
import numpy as np
import polars as pl
import pytest
import scipy.sparse as sp
from helpers.model_cases import FRAME, LABELS, MODELS, NAMES, LogCosh, X, assert_same, fit

import fastgd
from fastgd import DataError, FastgdError


def test_results_are_equal_if_all_their_fields_are():
    model = fit(y=LABELS, loss="logistic", validation=0.2)
    assert np.isnan(model.trace["running_loss"]).any()  # NaN is equal to NaN
    assert model == dataclasses.replace(model, coef=model.coef.copy(), trace=model.trace.copy())
    trace, changed = model.trace.copy(), {**model.settings, "seed": 1}
    trace["objective"][-1] += 1e-12
    for change in ({"coef": model.coef + 1e-12}, {"coef": model.coef[:2]}, {"trace": trace}, {"trace": trace[:-1]},
                   {"classes": model.classes.astype("S4")}, {"path": None}, {"settings": changed}, {"n_epochs": 4},
                   {"loss": fit().loss}, {"remarks": ("a remark",)}):  # fmt: skip
        assert model != dataclasses.replace(model, **change), change
    assert model != "a model"
    assert model != model.coef.tolist()


@pytest.mark.parametrize("library", [pickle, cloudpickle])
@pytest.mark.parametrize("kind", ["strings", "names", "steps", "diverged"])
def test_pickled_result_is_loaded_unchanged(library, kind):
    model = MODELS[kind]()
    loaded = pickle.loads(library.dumps(model))
    assert_same(loaded, model)
    assert loaded == model
    assert loaded.predict(X).tobytes() == model.predict(X).tobytes()


def test_cloudpickle_keeps_a_user_defined_loss_of_a_notebook():
    class Local(LogCosh):
        __module__ = "__main__"

    model = dataclasses.replace(fit(), loss=fastgd.term(Local)(2.0))
    loaded = pickle.loads(cloudpickle.dumps(model))
    assert loaded.loss.derivative(1.0, 3.0) == model.loss.derivative(1.0, 3.0)
    assert loaded.coef.tobytes() == model.coef.tobytes()


# --- A model that has learned nothing ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("objective", "constant", "is_worse"),
    [
        (2.0, 1.0, True),
        (1.0, 1.0, False),
        (0.5, 1.0, False),
        (-300.0, -400.0, True),  # poisson and gamma can be negative
        (-400.0, -400.0, False),
        (-500.0, -400.0, False),
        (1e-9, 0.0, True),
        (0.0, 0.0, False),
        (np.nan, 1.0, False),  # an interrupted fit
        (1.0, None, False),  # of a model that was saved without it
    ],
)
def test_warning_where_the_best_constant_is_better(objective, constant, is_worse):
    model = dataclasses.replace(fit(), objective=objective, constant_objective=constant)
    expected = (
        "the model is worse than the best constant: its objective is {:.6g}, and {:.6g} with all coefficients zero"
    )
    assert model.warning == (expected.format(objective, constant) if is_worse else "")


def test_a_fit_that_ends_worse_than_a_constant_warns(rng):
    y = rng.poisson(100, 40).astype(float)
    options = {"loss": "poisson", "method": "gd", "learning_rate": 1e-9, "max_epochs": 1}
    assert fastgd.fit(rng.normal(size=(40, 2)), y, start=0, **options).warning
    assert not fastgd.fit(rng.normal(size=(40, 2)), y, **options).warning
    assert not fastgd.fit(rng.normal(size=(40, 2)), y, loss="poisson", penalty="l1", alpha=1e5).warning


# --- Predicting ------------------------------------------------------------------------------------------------------


def test_predict_finds_columns_by_name():
    model = fit(FRAME)
    expected = model.predict(X)
    other = FRAME[NAMES[::-1]].assign(more=1.0)
    for frame in (FRAME, FRAME[NAMES[::-1]], other, pl.from_pandas(other)):
        assert model.predict(frame).tobytes() == expected.tobytes()
    np.testing.assert_allclose(expected, X @ model.coef + model.intercept, rtol=1e-12)


def test_error_names_the_missing_columns():
    with pytest.raises(DataError, match=r"X lacks 2 of the model's columns: 'größe' and 'weight, kg'$"):
        fit(FRAME).predict(FRAME[["age"]].assign(more=1.0, still_more=2.0))


@pytest.mark.parametrize("model", [fit, lambda: fit(FRAME)])
@pytest.mark.parametrize("width", [2, 4])
def test_wrong_number_of_columns_is_refused(model, width):
    other = np.ones((5, width))
    for form in (np.asarray, sp.csr_array):
        with pytest.raises(DataError, match=f"X has {width} columns, but the model was fitted on 3"):
            model().predict(form(other))


def test_impossible_predictions_are_refused():
    with pytest.raises(FastgdError, match="'squared' is no classification and has no probabilities"):
        fit().predict_proba(X)
    with pytest.raises(DataError, match="X must have two dimensions"):
        fit().predict(X[0])
    with pytest.raises(DataError, match="X must hold numbers"):
        fit().predict(X.astype(str))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_sparse_and_dense_predictions_are_equal(dtype):
    holes = (X * (np.abs(X) > 0.5)).astype(dtype)
    model = fit(y=LABELS, loss="logistic")
    np.testing.assert_allclose(model.predict_proba(sp.csr_array(holes)), model.predict_proba(holes), rtol=1e-6)
    assert (model.predict(sp.csc_array(holes)) == model.predict(holes)).all()
    assert model.decision_function(holes[:0]).shape == (0,)


def test_probabilities_of_two_classes():
    model = fit(y=LABELS, loss="logistic")
    positive = 1 / (1 + np.exp(-(X @ model.coef + model.intercept)))
    np.testing.assert_allclose(model.predict_proba(X), np.column_stack([1 - positive, positive]), rtol=1e-12)
    assert model.classes.tolist() == ["ham", "spam"]
    assert (model.predict(X) == np.where(positive > 0.5, "spam", "ham")).all()
