"""How X becomes what kernels take, where that costs something."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from fastgd.data import feature_matrix

X = np.arange(12.0).reshape(4, 3)


@pytest.mark.parametrize(
    ("given", "why"),
    [(np.asfortranarray(X), "its rows do not lie one after another"), (X.astype(np.int64), "it holds int64")],
)
def test_a_large_copy_is_not_silent(given, why, monkeypatch):
    monkeypatch.setattr(feature_matrix, "LARGE_COPY", X.nbytes)
    with pytest.warns(UserWarning, match=rf"X was copied, .* MB in .* s, since {why}.*X = np\.ascontiguousarray"):
        copied, _ = feature_matrix.as_matrix(given)
    assert copied.tolist() == X.tolist()
    with warnings.catch_warnings(action="error"):
        feature_matrix.as_matrix(X)


def test_a_small_one_is(monkeypatch):
    monkeypatch.setattr(feature_matrix, "LARGE_COPY", X.nbytes + 1)
    with warnings.catch_warnings(action="error"):
        feature_matrix.as_matrix(np.asfortranarray(X))
