"""The warning about a large copy of X."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from fastgd.data import feature_matrix

X = np.arange(12.0).reshape(4, 3)


@pytest.mark.parametrize(
    ("given", "reason"),
    [(np.asfortranarray(X), "its rows are not contiguous"), (X.astype(np.int64), "its dtype is int64")],
)
def test_a_large_copy_of_X_gives_a_warning(given, reason, monkeypatch):
    monkeypatch.setattr(feature_matrix, "LARGE_COPY", X.nbytes)
    with pytest.warns(
        UserWarning, match=rf"X was copied \(.* MB in .* s\) because {reason}.*X = np\.ascontiguousarray"
    ):
        copied, _ = feature_matrix.as_matrix(given)
    assert copied.tolist() == X.tolist()
    with warnings.catch_warnings(action="error"):
        feature_matrix.as_matrix(X)


def test_a_small_copy_of_X_gives_no_warning(monkeypatch):
    monkeypatch.setattr(feature_matrix, "LARGE_COPY", X.nbytes + 1)
    with warnings.catch_warnings(action="error"):
        feature_matrix.as_matrix(np.asfortranarray(X))
