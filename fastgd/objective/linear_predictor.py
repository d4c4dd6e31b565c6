"""z = X coef + intercept for one or several outputs."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..data.feature_matrix import count_values, dtype_of, shape_of
from ..kernels.batch_gradient import linear_predictor
from ..kernels.row_access import CSR
from .chunks import MIN_THREADED_VALUES, chunk_count


def predict_linear(X: np.ndarray | CSR, coef: np.ndarray, intercept: Any) -> np.ndarray:
    """z = X coef + intercept, float64: shape (n_samples,), or (n_samples, n_outputs) for coef with that many rows."""
    n_samples, n_features = shape_of(X)
    n_values = count_values(X)
    launch = linear_predictor if n_values >= MIN_THREADED_VALUES else linear_predictor.serial
    z = np.empty((len(np.atleast_2d(coef)), n_samples))
    for k, (w, b) in enumerate(zip(np.atleast_2d(coef), np.atleast_1d(intercept), strict=True)):
        launch(X, w.astype(dtype_of(X)), float(b), chunk_count(n_values, n_features), z[k])
    return z[0] if coef.ndim == 1 else np.ascontiguousarray(z.T)
