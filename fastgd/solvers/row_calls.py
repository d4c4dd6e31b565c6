"""Rows per kernel call. They depend on the size of a row only, so that calls end on the same grid in every fit."""

from __future__ import annotations

import numpy as np

from ..kernels.row_access import CSR
from ..objective.objective import Objective

# Values per call: a few milliseconds of work, so that Ctrl-C, progress, divergence and max_seconds respond, and so that
# the work between calls (learning rates, checks) is negligible.
VALUES_PER_CALL = 1 << 21
# Cost of a row besides its values, in values.
ROW_OVERHEAD = 16
# With shards a call is a round, and handing its parts to threads and waiting for them takes some tenths of a
# millisecond. With 1 or 200 rounds per epoch F was the same, on 500,000 x 54 values and on sparse rows.
VALUES_PER_PART = 1 << 22


def rows_per_call(objective: Objective, rows_per_update: int, shards: int = 1, values_per_update: float = 0.0) -> int:
    """Rows per kernel call, a multiple of ``rows_per_update``; ``values_per_update`` is work besides the rows."""
    values_per_row = (objective.n_values / objective.n_samples + ROW_OVERHEAD) * objective.n_outputs
    values_per_row += values_per_update / rows_per_update
    values = VALUES_PER_CALL if shards == 1 else shards * VALUES_PER_PART
    # Each call, or part of a round, reads and writes every parameter.
    values = max(values, 4 * shards * objective.n_features * objective.n_outputs)
    return rows_per_update * max(1, int(values / values_per_row) // rows_per_update)


def row_gradient(objective: Objective, i: int, derivatives: np.ndarray) -> np.ndarray:
    """The gradient of row i from ``derivatives``, dloss/dz of each output; in the shape of the parameters."""
    X, d = objective.X, objective.n_features
    row = np.zeros(objective.n_parameters)
    if isinstance(X, CSR):
        span = slice(X.indptr[i], X.indptr[i + 1])
        row[X.indices[span]] = X.data[span]
    else:
        row[:d] = X[i]
    row[d:] = 1.0
    return np.outer(derivatives, row) if objective.several else derivatives[0] * row
