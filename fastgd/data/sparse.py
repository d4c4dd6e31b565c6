"""Whether something is a sparse matrix of SciPy's, asked without loading SciPy, which takes a tenth of a second."""

from __future__ import annotations

import sys
from typing import Any


def is_sparse(X: Any) -> bool:
    """Nothing is, while nobody has loaded them."""
    module = sys.modules.get("scipy.sparse")
    return module is not None and bool(module.issparse(X))
