"""Problems without an optimum, or with many: no method says that it has converged, and a remark says what to do."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from scipy.sparse import csr_array

import fastgd
from fastgd.solvers.options import METHODS

pytestmark = pytest.mark.plain_python
N = 40
SMOOTH = [method for method in METHODS if method != "interior_point"]
UNPENALISED = [method for method in SMOOTH if method != "working_set"]  # it is for penalties
SEPARATED = "there is no optimum: X separates the classes, so the loss falls as the coefficients grow; add a penalty, "
FALLS = "there is no optimum: the loss falls without end in a direction of the coefficients; add a penalty, "
CONVERGED = ("tol", "gap_tol", "precision")


def data(rng, gap):
    """Two groups of rows, ``gap`` apart along the first column, where they overlap if it is 0."""
    labels = np.repeat([0, 1], N // 2)
    first = rng.uniform(0.2, 2.0, N) * np.where(labels, 1, -1) if gap else rng.normal(size=N) + labels
    return np.column_stack([first, rng.normal(size=N)]), labels


def fit(X, y, loss="logistic", **options):
    result = fastgd.fit(X, y, loss=loss, **options)
    assert result.converged == (result.stop_reason in CONVERGED)
    return result


def remarks_on_optimum(result):
    return [remark for remark in result.remarks if "optimum" in remark]


@pytest.mark.parametrize("max_epochs", [100, 1000])
@pytest.mark.parametrize("method", UNPENALISED)
def test_separated_classes_get_a_remark_from_every_method(rng, method, max_epochs):
    X, y = data(rng, gap=1)
    result = fit(X, y, method=method, max_epochs=max_epochs)
    assert not result.converged
    assert result.stationary is None
    assert remarks_on_optimum(result) == [SEPARATED + "such as alpha=0.0001"]


def test_a_sample_rules_out_that_mixed_classes_have_no_optimum(rng):
    X, y = rng.normal(size=(4000, 2)), rng.integers(0, 2, 4000)
    result = fit(X, y, method="gd", max_epochs=3, tol=0)
    assert remarks_on_optimum(result) == []
    assert result.passes["monitoring"] < 3  # the products of a direction with all rows would take three more


def test_one_row_in_thousands_on_the_wrong_side_is_an_optimum(rng):
    X = np.abs(rng.normal(size=(4000, 1))) + 1.0
    y = rng.integers(0, 2, 4000)
    X[y == 0] *= -1.0
    assert remarks_on_optimum(fit(X, y, method="newton")) != []
    y[-1] = 1 - y[-1]
    assert remarks_on_optimum(fit(X, y, method="newton")) == []


@pytest.mark.parametrize("form", [csr_array, np.float32], ids=["csr", "float32"])
def test_separated_classes_in_other_forms(rng, form):
    X, y = data(rng, gap=1)
    result = fit(csr_array(X) if form is csr_array else X.astype(np.float32), y)
    assert not result.converged
    assert remarks_on_optimum(result) == [SEPARATED + "such as alpha=0.0001"]


@pytest.mark.parametrize("method", ["newton", "lbfgs"])
def test_separated_classes_of_softmax(rng, method):
    X = rng.normal(size=(60, 2))
    X = X[np.abs(np.abs(X[:, 0]) - 0.5) > 0.1]
    result = fit(X, np.digitize(X[:, 0], [-0.5, 0.5]), "softmax", method=method, max_epochs=1000)
    assert not result.converged
    assert remarks_on_optimum(result) == [SEPARATED + "such as alpha=0.0001"]


def test_a_group_without_events_has_no_optimum(rng):
    group = np.arange(N) < 12
    counts = np.where(group, 0, rng.poisson(2.0, N)).astype(float)
    result = fit(np.column_stack([group, rng.normal(size=N)]), counts, "poisson")
    assert not result.converged
    assert remarks_on_optimum(result) == [FALLS + "such as alpha=0.0001"]


@pytest.mark.parametrize("method", SMOOTH)
def test_a_penalty_as_the_remark_says_gives_an_optimum(rng, method):
    X, y = data(rng, gap=1)
    result = fit(X, y, method=method, alpha=1e-4, penalty="l1" if method == "working_set" else "l2", max_epochs=300)
    assert remarks_on_optimum(result) == []
    if method in ("newton", "lbfgs", "working_set"):
        assert (result.converged, result.stationary) == (True, "minimum")


@pytest.mark.parametrize("method", UNPENALISED)
def test_overlapping_classes_get_no_remark(rng, method):
    X, y = data(rng, gap=0)
    result = fit(X, y, method=method, max_epochs=500)
    assert remarks_on_optimum(result) == []
    assert result.converged or method in ("sgd", "minibatch")


@pytest.mark.parametrize(
    ("loss", "method"),
    [
        ("squared_hinge", "newton"),
        ("squared_hinge", "lbfgs"),
        ("modified_huber", "newton"),
        ("hinge", "interior_point"),
        ("perceptron", "interior_point"),
    ],
)
def test_losses_of_separated_classes_that_reach_zero_converge(rng, loss, method):
    X, y = data(rng, gap=1)
    result = fit(X, y, loss, method=method)
    assert (result.converged, result.stationary) == (True, "minimum")
    assert result.objective <= 1e-4 * result.constant_objective
    assert remarks_on_optimum(result) == []


# --- More than one optimum --------------------------------------------------------------------------------------------

COPIES = "columns {} and {} are copies of each other, so only the sum of their coefficients is determined: "


@pytest.mark.parametrize("form", [np.asarray, csr_array, "names"], ids=["dense", "csr", "names"])
def test_columns_that_are_copies_are_named(rng, form):
    X = rng.normal(size=(N, 5))
    X[:, 3] = X[:, 1]
    y = X[:, 0] + rng.normal(size=N)
    given = pl.DataFrame(X, schema=list("abcde")) if form == "names" else form(X)
    first, second = ("'b'", "'d'") if form == "names" else ("2", "4")
    result = fit(given, y, "squared")
    assert result.converged
    assert [remark for remark in result.remarks if "copies" in remark] == [
        COPIES.format(first, second) + "leave one out, or add a penalty, such as alpha=0.0001"
    ]
    assert not any("copies" in remark for remark in fit(given, y, "squared", alpha=1e-4).remarks)


def test_columns_that_differ_in_a_single_row_are_not_copies(rng):
    X = rng.normal(size=(5000, 3))
    X[:, 2] = X[:, 1]
    X[4321, 2] += 1.0  # not among the rows that are compared first
    assert not any("copies" in remark for remark in fit(X, X[:, 0] + rng.normal(size=5000), "squared").remarks)
