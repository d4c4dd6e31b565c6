"""Sparse rows through `fit`: the same models as of dense ones, whatever the indices are like; zeros stay zero."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from test_fit_inputs import unsorted, with_duplicates, with_long_indices

import fastgd
from fastgd import DataError, fit_path
from fastgd.data.feature_matrix import as_matrix, as_scipy, squared

RANDOM = np.random.default_rng(9)
N, D = 45, 6
X = RANDOM.integers(-8, 9, (N, D)) / 8 * (RANDOM.random((N, D)) < 0.4)
X[7] = 0.0  # an empty row
X[:, 3] = 0.0  # and an empty column
TARGETS = X @ RANDOM.normal(size=(D, 3)) + RANDOM.normal(size=(N, 3)) + [0.0, 1.0, -1.0]
Y = TARGETS[:, 0]
CLASSES = TARGETS.argmax(axis=1)
WEIGHT, OFFSET = RANDOM.integers(0, 3, N).astype(float), RANDOM.normal(size=N)
HUBER = "huber:delta=1.5"
METHODS = {"gd": {}, "sgd": {"shuffle": False}, "minibatch": {"shuffle": False, "batch_size": 8}}
PROBLEMS = {"one": (Y, HUBER), "targets": (TARGETS, HUBER), "softmax": (CLASSES, "softmax")}

each_method = pytest.mark.parametrize("method", METHODS)
each_problem = pytest.mark.parametrize(("y", "loss"), PROBLEMS.values(), ids=list(PROBLEMS))


def fit(X, y=Y, loss=HUBER, method="gd", **options):
    options = {"learning_rate": 0.1, "max_epochs": 4, **METHODS[method], **options}
    return fastgd.fit(X, y, loss=loss, method=method, **options)


def same(sparse, dense, tolerance=1e-10):
    np.testing.assert_allclose(sparse.path, dense.path, rtol=0, atol=tolerance)
    np.testing.assert_allclose(sparse.trace["objective"], dense.trace["objective"], rtol=tolerance)
    np.testing.assert_allclose(sparse.trace["running_loss"], dense.trace["running_loss"], rtol=tolerance)


# --- As dense rows ----------------------------------------------------------------------------------------------------

OPTIONS = {
    "plain": {},
    "l1 and l2": {"penalty": "elasticnet", "alpha": 0.2, "l1_ratio": 0.5},
    "no intercept": {"fit_intercept": False, "alpha": 0.1},
    "clipped": {"clip_norm": 0.3},
    "weights": {"sample_weight": WEIGHT, "alpha": 0.1},
}


@each_method
@each_problem
@pytest.mark.parametrize("options", OPTIONS.values(), ids=list(OPTIONS))
def test_sparse_is_dense(method, y, loss, options):
    same(fit(sp.csr_array(X), y, loss, method, **options), fit(X, y, loss, method, **options))


@each_method
@pytest.mark.parametrize("y", [Y, TARGETS], ids=["one", "several"])
def test_sparse_is_dense_in_scaled_and_centred_columns(method, y):
    """Centring is folded in, never carried out."""
    options = {"scale": True, "alpha": 0.01, "offset": OFFSET, "penalty_weights": [0.0, 1.0, 2.0, 1.0, 1.0, 1.0]}
    shifted = X * [1.0, 20.0, 0.5, 1.0, 1.0, 1.0] + [0.0, 30.0, 0.0, 0.0, 0.0, 1.0]
    sparse, dense = fit(sp.csr_array(shifted), y, method=method, **options), fit(shifted, y, method=method, **options)
    same(sparse, dense, 1e-9)
    assert sparse.remarks == dense.remarks == ("steps were taken with columns scaled and centred; the model is in the "
                                               "units of the data",)  # fmt: skip


@each_method
@pytest.mark.parametrize("y", [Y, TARGETS], ids=["one", "several"])
def test_single_precision_and_long_indices_are_near(method, y):
    made = with_long_indices(sp.csr_array(X.astype(np.float32)))
    same(fit(made, y, method=method), fit(X, y, method=method), 1e-5)


def test_models_side_by_side_are_those_of_dense_rows():
    options = {"alphas": [0.0, 0.1, 0.5], "loss": HUBER, "max_epochs": 4, "tol": 0, "penalty": "l1", "scale": False}
    for method, others in METHODS.items():
        both = (fit_path(made, Y, method=method, **options, **others) for made in (sp.csr_array(X), X))
        for sparse, dense in zip(*both, strict=True):
            np.testing.assert_allclose(sparse.path, dense.path, rtol=0, atol=1e-10)


@pytest.mark.parametrize("y", [TARGETS, CLASSES], ids=["targets", "classes"])
def test_predictions_of_sparse_rows(y):
    result = fit(X, y, HUBER if y is TARGETS else "softmax")
    np.testing.assert_allclose(
        result.decision_function(sp.csr_array(X)), result.decision_function(X), rtol=0, atol=1e-13
    )


# --- Indices ----------------------------------------------------------------------------------------------------------


def with_zeros(X):
    """Some zeros are stored."""
    kept = (X != 0) | (np.arange(X.size).reshape(X.shape) % 3 == 0)
    indptr = np.concatenate([[0], np.cumsum(kept.sum(axis=1))])
    return sp.csr_array((X[kept], np.nonzero(kept)[1].astype(np.int32), indptr.astype(np.int32)), X.shape)


FORMS = {
    "csr matrix": sp.csr_matrix,
    "unsorted": unsorted,
    "duplicates": with_duplicates,
    "csr with duplicates": lambda X: duplicated(sp.csr_array(X)),
    "stored zeros": with_zeros,
    "csc": sp.csc_array,
    "coo": sp.coo_array,
    "of objects of another kind": sp.lil_array,
    "integers": lambda X: sp.csr_array((8 * X).astype(np.int64)) / 8,
    "rows taken out": lambda X: sp.csr_array(np.vstack([X, X]))[:N],
    "room at the end": lambda X: with_room(sp.csr_array(X)),
}


def duplicated(csr):
    """Each value as two halves beside each other."""
    parts = np.repeat(csr.data / 2, 2), np.repeat(csr.indices, 2), 2 * csr.indptr
    return sp.csr_array(parts, csr.shape)


def with_room(csr):
    """More room than there are values, with rubbish in it."""
    data, indices = np.append(csr.data, [np.nan] * 3), np.append(csr.indices, [99] * 3).astype(csr.indices.dtype)
    result = csr.copy()
    result.data, result.indices = data, indices
    return result


@each_method
@pytest.mark.parametrize("form", FORMS)
def test_indices_of_any_kind(form, method):
    made = FORMS[form](X)
    before = made.copy()
    for y in (Y, TARGETS):
        same(fit(made, y, method=method, alpha=0.1), fit(X, y, method=method, alpha=0.1))
    assert (made != before).nnz == 0


def test_kernels_get_no_column_twice():
    for form in FORMS.values():
        matrix, _ = as_matrix(form(X))
        for start, stop in zip(matrix.indptr, matrix.indptr[1:], strict=False):
            assert len(np.unique(matrix.indices[start:stop])) == stop - start


def test_rows_in_any_order_are_not_copied():
    """To sort them would take longer than several passes, in each fit."""
    matrix = unsorted(X)
    assert np.shares_memory(as_matrix(matrix)[0].data, matrix.data)
    before = matrix.indices.copy()
    for method in ("lbfgs", "newton", "svrg", "sgd"):
        fastgd.fit(matrix, Y, loss=HUBER, method=method, alpha=0.1, max_epochs=3)
    np.testing.assert_array_equal(squared(as_matrix(matrix)[0]).toarray(), X**2)
    np.testing.assert_array_equal(matrix.indices, before)


def test_a_column_named_twice_in_rows_that_are_not_sorted():
    data, indices = np.array([1.0, 2.0, 4.0, 1.0, 1.0]), np.array([3, 1, 3, 2, 0])
    matrix, _ = as_matrix(sp.csr_array((data, indices, [0, 3, 5]), (2, 4)))
    np.testing.assert_array_equal(as_scipy(matrix).toarray(), [[0, 2, 0, 5], [1, 0, 1, 0]])
    assert len(matrix.data) == 4


def damaged(form, **parts):
    matrix = form(X)
    for name, (place, value) in parts.items():
        array = getattr(matrix, name).copy()
        array[place] = value
        setattr(matrix, name, array)
    return matrix


OUTSIDE = "X is damaged: it has the column index {}, but only 6 columns"
DAMAGED = {
    "an index too large": (sp.csr_array, {"indices": (4, D)}, OUTSIDE.format(6)),
    "an index far too large": (sp.csr_array, {"indices": (-1, 10**6)}, OUTSIDE.format(10**6)),
    "a negative index": (sp.csr_array, {"indices": (0, -1)}, OUTSIDE.format(-1)),
    "it does not start at 0": (sp.csr_array, {"indptr": (0, 1)}, "X is damaged: index pointer should start with 0"),
    "it ends too late": (sp.csr_array, {"indptr": (-1, 10**4)}, "X is damaged: Last value of index pointer"),
    "it goes back": (sp.csr_array, {"indptr": (5, 0)}, "its indptr does not say where its rows begin and end"),
    "a row too large": (sp.csc_array, {"indices": (4, 10**8)}, "X is damaged: "),
    "columns that go back": (sp.csc_array, {"indptr": (3, 0)}, "X is damaged: "),
}


@pytest.mark.parametrize("what", DAMAGED)
@pytest.mark.parametrize("y", [Y, TARGETS], ids=["one", "several"])
def test_a_damaged_matrix_is_refused(what, y):
    form, parts, message = DAMAGED[what]
    with pytest.raises(DataError, match=message):
        fit(damaged(form, **parts), y)
    with pytest.raises(DataError, match=message):
        fit(X, y).predict(damaged(form, **parts))


# --- Zeros ------------------------------------------------------------------------------------------------------------


@each_method
@each_problem
@pytest.mark.parametrize("form", [np.asarray, sp.csr_array], ids=["dense", "csr"])
def test_l1_sets_weights_to_exactly_0(method, y, loss, form):
    """Those of an empty column from wherever they start, and of others where they are of little use."""
    # Steps on single rows push weights away from 0 again and again.
    alpha = 0.05 if loss != HUBER else 0.12 if method == "gd" else 0.3
    options = {"start": 0.01, "max_epochs": 60, "schedule": "cosine"}
    result = fit(form(X), y, loss, method, penalty="l1", alpha=alpha, **options)
    assert (result.coef[..., 3] == 0).all()
    assert 2 <= np.count_nonzero(result.coef) < result.coef.size - result.n_outputs
    plain = fit(form(X), y, loss, method, **options)
    assert np.delete(plain.coef, 3, axis=-1).all()
    assert (plain.coef[..., 3] == 0.01).all()


@each_method
def test_a_penalty_above_every_gradient_leaves_nothing_but_the_intercepts(method):
    for y in (Y, TARGETS):
        result = fit(sp.csr_array(X), y, method=method, penalty="l1", alpha=50.0, start=0.3, max_epochs=2)
        assert not result.coef.any()
        assert np.all(result.intercept != 0)
