"""X'SX, by kernels and by NumPy, on any number of threads, against one product of whole matrices."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from fastgd.compile.jit import thread_pool_size, threads
from fastgd.data.feature_matrix import as_matrix
from fastgd.kernels.column_products import BLOCK_ROWS, PANEL
from fastgd.objective.gram import MIN_CHUNK_ROWS, GramLimits, gram

N, D = 3 * BLOCK_ROWS + 5, 4
FORMS = ("dense", "csr", "float32", "unsorted")

each_form = pytest.mark.parametrize("form", FORMS)


# Limits under which even the smallest X is summed by NumPy, by kernels, or by kernels on several threads.
BY_NUMPY, BY_KERNELS = GramLimits(max_numpy=1 << 60), GramLimits(max_numpy=0)
BY_THREADS = GramLimits(max_numpy=0, min_threaded=0, min_threaded_sparse=0)


def data(form, n=N, d=D, seed=2):
    random = np.random.default_rng(seed)
    X = random.normal(size=(n, d)) * (random.random((n, d)) < 0.6)
    X = X.astype(np.float32) if form == "float32" else X
    made = X
    if form == "csr":
        made = sp.csr_array(X)
    elif form == "unsorted":
        backwards = sp.csr_array(X[:, ::-1])
        made = sp.csr_array((backwards.data, d - 1 - backwards.indices, backwards.indptr), X.shape)
        assert not made.has_sorted_indices or d == 1 or n < 9
    weights = random.random((n, 2)) * (random.random((n, 2)) < 0.9)
    return X, as_matrix(made)[0], weights, random.normal(size=d)


def product(X, weights, shift, inverse=1.0):
    columns = np.column_stack([inverse * (X - shift), np.ones(len(X))])
    return np.array([columns.T @ np.diag(s) @ columns for s in weights.T])


@pytest.mark.parametrize("n", [3, N])
@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("limits", [BY_NUMPY, BY_KERNELS], ids=["numpy", "kernels"])
@each_form
def test_gram_is_the_weighted_product(limits, form, intercept, n):
    X, matrix, weights, shift = data(form, n)
    expected = product(X, weights, shift)[:, : D + intercept, : D + intercept]
    found = gram(matrix, weights, shift, intercept, limits=limits)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


@given(
    st.sampled_from(FORMS),
    st.integers(1, 2 * MIN_CHUNK_ROWS + 9),
    st.integers(1, 3 * PANEL + 2),
    st.integers(0, 2**32 - 1),
)
def test_gram_of_all_shapes(form, n, d, seed):
    X, matrix, weights, shift = data(form, n, d, seed)
    expected = product(X, weights, shift)
    found = gram(matrix, weights, shift, True, limits=BY_THREADS)
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10)


@each_form
def test_gram_of_scaled_columns_and_in_float32(form):
    X, matrix, weights, shift = data(form)
    inverse = np.array([1e-3, 1.0, 2.0, 1e3])
    expected = product(X, weights, shift, inverse)
    np.testing.assert_allclose(gram(matrix, weights, shift, True, inverse, limits=BY_KERNELS), expected, rtol=1e-12)
    lengths = np.sqrt(np.einsum("kii->ki", expected))
    off = np.abs(gram(matrix, weights, shift, True, inverse, in_float32=True, limits=BY_KERNELS) - expected)
    off /= lengths[:, :, None] * lengths[:, None, :]
    assert off.max() < (1e-6 if form in ("dense", "float32") else 1e-14)
    assert off.max() > 1e-9 or form in ("csr", "unsorted")


@each_form
def test_gram_of_columns_far_from_zero_is_precise(form):
    random = np.random.default_rng(3)
    X = np.column_stack([1e4 + random.normal(size=N), np.ones(N), random.normal(size=N)])
    X = X.astype(np.float32 if form == "float32" else np.float64)
    X[:, 2] *= random.random(N) < 0.2
    matrix = as_matrix(sp.csr_array(X) if form in ("csr", "unsorted") else X)[0]
    weights, shift = random.random((N, 2)), X.mean(axis=0, dtype=np.float64)
    found = gram(matrix, weights, shift, True, limits=GramLimits(max_numpy=0, dense_rows=500))
    np.testing.assert_allclose(found, product(X.astype(np.float64), weights, shift), rtol=1e-9, atol=1e-12)


@pytest.mark.skipif(thread_pool_size() < 2, reason="needs two threads to compare with one")
@pytest.mark.parametrize("rough", [False, True])
@pytest.mark.parametrize("form", ["dense", "csr"])
def test_any_number_of_threads_gives_the_same_bits(form, rough):
    _, matrix, weights, shift = data(form, 4 * MIN_CHUNK_ROWS + 7)
    found = []
    for count in (1, 2):
        with threads(count):
            found.append(gram(matrix, weights, shift, True, None, rough, BY_THREADS))
    np.testing.assert_array_equal(*found)
