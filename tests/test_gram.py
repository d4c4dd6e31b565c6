"""X'SX, block by block and on any number of threads, against one product of whole matrices."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

import fastgd.gram
from fastgd.gram import BLOCK_ROWS, gram
from fastgd.jit import thread_pool_size, threads
from fastgd.matrix import as_matrix

N, D = 3 * BLOCK_ROWS + 5, 4


def data(form, n=N):
    random = np.random.default_rng(2)
    X = random.normal(size=(n, D)) * (random.random((n, D)) < 0.6)
    X = X.astype(np.float32) if form == "float32" else X
    return X, as_matrix(sp.csr_array(X) if form == "csr" else X)[0], random.random((n, 2)), random.normal(size=D)


@pytest.mark.parametrize("n", [3, N])
@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("form", ["dense", "csr", "float32"])
def test_it_is_the_product(form, intercept, n):
    X, matrix, weights, shift = data(form, n)
    columns = np.column_stack([X - shift, np.ones(n)])[:, : D + intercept]
    expected = [columns.T @ np.diag(s) @ columns for s in weights.T]
    np.testing.assert_allclose(gram(matrix, weights, shift, intercept), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("form", ["dense", "csr", "float32"])
def test_columns_are_scaled_and_sums_may_be_rough(form):
    X, matrix, weights, shift = data(form)
    inverse = np.array([1e-3, 1.0, 2.0, 1e3])
    columns = np.column_stack([inverse * (X - shift), np.ones(N)])
    expected = np.array([columns.T @ np.diag(s) @ columns for s in weights.T])
    np.testing.assert_allclose(gram(matrix, weights, shift, True, inverse), expected, rtol=1e-12)
    off = np.abs(gram(matrix, weights, shift, True, inverse, rough=True) - expected)
    lengths = np.sqrt(np.einsum("kii->ki", expected))
    assert 0 < (off / (lengths[:, :, None] * lengths[:, None, :])).max() < 1e-6


@pytest.mark.skipif(thread_pool_size() < 2, reason="needs two threads to compare with one")
@pytest.mark.parametrize("rough", [False, True])
def test_any_number_of_threads_gives_the_same_bits(rough, monkeypatch):
    _, matrix, weights, shift = data("dense")
    alone = gram(matrix, weights, shift, True, None, rough)
    monkeypatch.setattr(fastgd.gram, "PARALLEL_PRODUCTS", 0)
    for count in (1, 2):
        with threads(count):
            np.testing.assert_array_equal(gram(matrix, weights, shift, True, None, rough), alone)
