"""How X becomes what kernels take, where that costs something."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from fastgd import matrix, memory

X = np.arange(12.0).reshape(4, 3)


@pytest.mark.parametrize(
    ("given", "why"),
    [(np.asfortranarray(X), "its rows do not lie one after another"), (X.astype(np.int64), "it holds int64")],
)
def test_a_large_copy_is_not_silent(given, why, monkeypatch):
    monkeypatch.setattr(matrix, "LARGE_COPY", X.nbytes)
    with pytest.warns(UserWarning, match=rf"X was copied, .* MB in .* s, since {why}.*X = np\.ascontiguousarray"):
        copied, _ = matrix.as_matrix(given)
    assert copied.tolist() == X.tolist()
    with warnings.catch_warnings(action="error"):
        matrix.as_matrix(X)


def test_a_small_one_is(monkeypatch):
    monkeypatch.setattr(matrix, "LARGE_COPY", X.nbytes + 1)
    with warnings.catch_warnings(action="error"):
        matrix.as_matrix(np.asfortranarray(X))


@pytest.mark.parametrize("shape", [(0, 3), (7, 3), (memory.SMALL // 8 - 1,), (300, 401), (2, 500, 700)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_array_that_is_not_small_begins_at_a_large_page(shape, dtype):
    array, other = memory.zeros(shape, dtype), memory.empty(shape, dtype)
    other.fill(1)
    for made, value in ((array, 0), (other, 1)):
        assert (made.shape, made.dtype) == (shape, dtype)
        assert made.flags.c_contiguous
        assert made.flags.writeable
        assert (made == value).all()
        assert made.nbytes < memory.SMALL or made.ctypes.data % memory.LARGE_PAGE == 0
    if array.size:
        array[(-1,) * array.ndim] = 5.0
        assert array.sum() == 5.0
