"""`fit` on sparse X: the same models as on dense X, for any order and type of indices; coefficients at 0 stay 0."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from helpers.sparse_variants import unsorted, with_duplicates, with_long_indices

import fastgd
from fastgd import fit_path
from fastgd.data.feature_matrix import as_matrix, as_scipy, squared

N, D = 45, 6


def sparse_problem():
    """X with an empty row 7 and an empty column 3, three targets, weights and offsets."""
    rng = np.random.default_rng(9)
    X = rng.integers(-8, 9, (N, D)) / 8 * (rng.random((N, D)) < 0.4)
    X[7] = 0.0
    X[:, 3] = 0.0
    targets = X @ rng.normal(size=(D, 3)) + rng.normal(size=(N, 3)) + [0.0, 1.0, -1.0]
    return X, targets, rng.integers(0, 3, N).astype(float), rng.normal(size=N)


X, TARGETS, WEIGHT, OFFSET = sparse_problem()
Y = TARGETS[:, 0]
CLASSES = TARGETS.argmax(axis=1)
HUBER = "huber:delta=1.5"
METHODS = {"gd": {}, "sgd": {"shuffle": False}, "minibatch": {"shuffle": False, "batch_size": 8}}
PROBLEMS = {"one": (Y, HUBER), "targets": (TARGETS, HUBER), "softmax": (CLASSES, "softmax")}

each_method = pytest.mark.parametrize("method", METHODS)
each_problem = pytest.mark.parametrize(("y", "loss"), PROBLEMS.values(), ids=list(PROBLEMS))


def fit(X, y=Y, loss=HUBER, method="gd", **options):
    options = {"learning_rate": 0.1, "max_epochs": 4, **METHODS[method], **options}
    return fastgd.fit(X, y, loss=loss, method=method, **options)


def assert_same_fit(sparse, dense, tolerance=1e-10):
    np.testing.assert_allclose(sparse.path, dense.path, rtol=0, atol=tolerance)
    np.testing.assert_allclose(sparse.trace["objective"], dense.trace["objective"], rtol=tolerance)
    np.testing.assert_allclose(sparse.trace["running_loss"], dense.trace["running_loss"], rtol=tolerance)


# --- The same models as on dense X ------------------------------------------------------------------------------------

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
def test_sparse_X_gives_the_fit_of_dense_X(method, y, loss, options):
    assert_same_fit(fit(sp.csr_array(X), y, loss, method, **options), fit(X, y, loss, method, **options))


@each_method
@pytest.mark.parametrize("y", [Y, TARGETS], ids=["one", "several"])
def test_sparse_X_gives_the_fit_of_dense_X_with_scaled_and_centred_columns(method, y):
    """The columns are not centred in memory; the kernels subtract the means."""
    options = {"scale": True, "alpha": 0.01, "offset": OFFSET, "penalty_weights": [0.0, 1.0, 2.0, 1.0, 1.0, 1.0]}
    shifted = X * [1.0, 20.0, 0.5, 1.0, 1.0, 1.0] + [0.0, 30.0, 0.0, 0.0, 0.0, 1.0]
    sparse, dense = fit(sp.csr_array(shifted), y, method=method, **options), fit(shifted, y, method=method, **options)
    assert_same_fit(sparse, dense, 1e-9)
    assert sparse.remarks == dense.remarks == ("steps were taken with columns scaled and centred; the model is in the "
                                               "units of the data",)  # fmt: skip


@each_method
@pytest.mark.parametrize("y", [Y, TARGETS], ids=["one", "several"])
def test_float32_and_int64_indices_give_nearly_the_same_fit(method, y):
    made = with_long_indices(sp.csr_array(X.astype(np.float32)))
    assert_same_fit(fit(made, y, method=method), fit(X, y, method=method), 1e-5)


def test_fit_path_on_sparse_X_gives_the_fits_of_dense_X():
    options = {"alphas": [0.0, 0.1, 0.5], "loss": HUBER, "max_epochs": 4, "tol": 0, "penalty": "l1", "scale": False}
    for method, others in METHODS.items():
        both = (fit_path(made, Y, method=method, **options, **others) for made in (sp.csr_array(X), X))
        for sparse, dense in zip(*both, strict=True):
            np.testing.assert_allclose(sparse.path, dense.path, rtol=0, atol=1e-10)


@pytest.mark.parametrize("y", [TARGETS, CLASSES], ids=["targets", "classes"])
def test_predictions_of_sparse_X_are_those_of_dense_X(y):
    result = fit(X, y, HUBER if y is TARGETS else "softmax")
    np.testing.assert_allclose(
        result.decision_function(sp.csr_array(X)), result.decision_function(X), rtol=0, atol=1e-13
    )


# --- Indices ----------------------------------------------------------------------------------------------------------


def with_stored_zeros(X):
    """X as CSR with some of its zeros stored."""
    kept = (X != 0) | (np.arange(X.size).reshape(X.shape) % 3 == 0)
    indptr = np.concatenate([[0], np.cumsum(kept.sum(axis=1))])
    return sp.csr_array((X[kept], np.nonzero(kept)[1].astype(np.int32), indptr.astype(np.int32)), X.shape)


FORMS = {
    "csr matrix": sp.csr_matrix,
    "unsorted": unsorted,
    "duplicates": with_duplicates,
    "csr with duplicates": lambda X: with_adjacent_duplicates(sp.csr_array(X)),
    "stored zeros": with_stored_zeros,
    "csc": sp.csc_array,
    "coo": sp.coo_array,
    "lil": sp.lil_array,
    "integers": lambda X: sp.csr_array((8 * X).astype(np.int64)) / 8,
    "a slice of rows": lambda X: sp.csr_array(np.vstack([X, X]))[:N],
    "unused entries at the end": lambda X: with_unused_entries(sp.csr_array(X)),
}


def with_adjacent_duplicates(csr):
    """Each value as two adjacent entries of half the value."""
    parts = np.repeat(csr.data / 2, 2), np.repeat(csr.indices, 2), 2 * csr.indptr
    return sp.csr_array(parts, csr.shape)


def with_unused_entries(csr):
    """The arrays are longer than the number of values; the excess is invalid."""
    data, indices = np.append(csr.data, [np.nan] * 3), np.append(csr.indices, [99] * 3).astype(csr.indices.dtype)
    result = csr.copy()
    result.data, result.indices = data, indices
    return result


@each_method
@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_sparse_X_gives_the_fit_of_dense_X(form, method):
    made = FORMS[form](X)
    before = made.copy()
    for y in (Y, TARGETS):
        assert_same_fit(fit(made, y, method=method, alpha=0.1), fit(X, y, method=method, alpha=0.1))
    assert (made != before).nnz == 0


def test_converted_rows_have_no_duplicate_indices():
    for form in FORMS.values():
        matrix, _ = as_matrix(form(X))
        for start, stop in zip(matrix.indptr, matrix.indptr[1:], strict=False):
            assert len(np.unique(matrix.indices[start:stop])) == stop - start


def test_unsorted_indices_are_neither_copied_nor_sorted():
    """Sorting would take longer than several passes, in each fit."""
    matrix = unsorted(X)
    assert np.shares_memory(as_matrix(matrix)[0].data, matrix.data)
    before = matrix.indices.copy()
    for method in ("lbfgs", "newton", "svrg", "sgd"):
        fastgd.fit(matrix, Y, loss=HUBER, method=method, alpha=0.1, max_epochs=3)
    np.testing.assert_array_equal(squared(as_matrix(matrix)[0]).toarray(), X**2)
    np.testing.assert_array_equal(matrix.indices, before)


def test_duplicate_indices_in_unsorted_rows_are_summed():
    data, indices = np.array([1.0, 2.0, 4.0, 1.0, 1.0]), np.array([3, 1, 3, 2, 0])
    matrix, _ = as_matrix(sp.csr_array((data, indices, [0, 3, 5]), (2, 4)))
    np.testing.assert_array_equal(as_scipy(matrix).toarray(), [[0, 2, 0, 5], [1, 0, 1, 0]])
    assert len(matrix.data) == 4


# --- Coefficients at 0 ------------------------------------------------------------------------------------------------


@each_method
@each_problem
@pytest.mark.parametrize("form", [np.asarray, sp.csr_array], ids=["dense", "csr"])
def test_l1_sets_coefficients_to_exactly_0(method, y, loss, form):
    """The coefficients of the empty column, from any start, and of some other columns."""
    # sgd needs a larger alpha than gd, because steps on single rows push coefficients away from 0.
    alpha = 0.05 if loss != HUBER else 0.12 if method == "gd" else 0.3
    options = {"start": 0.01, "max_epochs": 60, "schedule": "cosine"}
    result = fit(form(X), y, loss, method, penalty="l1", alpha=alpha, **options)
    assert (result.coef[..., 3] == 0).all()
    assert 2 <= np.count_nonzero(result.coef) < result.coef.size - result.n_outputs
    plain = fit(form(X), y, loss, method, **options)
    assert np.delete(plain.coef, 3, axis=-1).all()
    assert (plain.coef[..., 3] == 0.01).all()


@each_method
def test_an_l1_penalty_above_all_gradients_leaves_only_intercepts(method):
    for y in (Y, TARGETS):
        result = fit(sp.csr_array(X), y, method=method, penalty="l1", alpha=50.0, start=0.3, max_epochs=2)
        assert not result.coef.any()
        assert np.all(result.intercept != 0)
