"""Detection of columns that occur twice in a CSR row; SciPy detects them in sorted rows only."""

from __future__ import annotations

import numpy as np

from ..compile.jit import kernel


@kernel
def any_repeats(indptr, indices, last_row):
    """Whether a row has a column more than once; ``last_row`` is workspace, -1 for each column."""
    for i in range(indptr.shape[0] - 1):
        for p in range(np.uint64(indptr[i]), np.uint64(indptr[i + 1])):
            j = np.uint64(indices[p])
            if last_row[j] == i:
                return True
            last_row[j] = i
    return False
