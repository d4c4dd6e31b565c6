"""The warning about a large copy of X."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from fastgd.data.feature_matrix import LARGE_COPY, as_matrix


@pytest.mark.parametrize(
    ("order", "dtype", "reason"),
    [("F", np.float64, "its rows are not contiguous"), ("C", np.int8, "its dtype is int8")],
)
def test_a_large_copy_of_X_gives_a_warning(order, dtype, reason):
    n_samples = LARGE_COPY // 16  # as two columns of float64 just large enough
    given = np.ones((n_samples, 2), dtype, order)
    with pytest.warns(
        UserWarning, match=rf"X was copied \(.* MB in .* s\) because {reason}.*X = np\.ascontiguousarray"
    ):
        copied, _ = as_matrix(given)
    with warnings.catch_warnings(action="error"):
        as_matrix(copied)
        as_matrix(given[1:])  # a copy a little smaller
