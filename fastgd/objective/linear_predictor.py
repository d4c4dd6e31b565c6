"""z = X coef + intercept, for one or several outputs."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..data.feature_matrix import count_values, dtype_of, shape_of
from ..kernels.batch_gradient import linear_predictor
from ..kernels.row_access import CSR
from .chunks import chunk_count, threaded


def predict_linear(X: np.ndarray | CSR, coef: np.ndarray, intercept: Any) -> np.ndarray:
    """z in float64: shape (n_samples,), or (n_samples, n_outputs) for ``coef`` of shape (n_outputs, n_features)."""
    pairs = zip(np.atleast_2d(coef), np.atleast_1d(intercept), strict=True)
    z = [predict_output(X, w.astype(dtype_of(X)), float(b)) for w, b in pairs]
    return z[0] if coef.ndim == 1 else np.stack(z, axis=1)


def predict_output(X: np.ndarray | CSR, w: np.ndarray, b: float) -> np.ndarray:
    """z of one output, in the precision of ``w``, as float64 of shape (n_samples,)."""
    n_values, z = count_values(X), np.empty(shape_of(X)[0])
    threaded(linear_predictor, n_values)(X, w, b, chunk_count(n_values, shape_of(X)[1]), z)
    return z
