"""Read tables from files and data frames, write tables to files, and check X and y for the kernels.

``readers`` and ``writers`` convert between files and a `Table`; ``encoding`` chooses the columns of a table and makes
arrays of them. None of the three imports numba. The modules beside them check what `fit` is given: X
(`feature_matrix`), y (`target`), weights and offsets (`sample_weights`) and the validation set (`validation_set`).

All names except ``BUILTINS`` are imported on first use: listing the built-ins imports neither NumPy nor pyarrow.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .readers.data_frames import to_arrays, to_target
    from .readers.generators import generate
    from .readers.open_table import open  # noqa: A004  # the public name: fastgd.open
    from .table import Table

__all__ = ["BUILTINS", "Table", "generate", "open", "to_arrays", "to_target"]

BUILTINS: Mapping[str, str] = {
    "linear": "1,000,000 x 20 standard normal, a linear target with noise",
    "logistic": "500,000 x 20 standard normal, labels 0 and 1 from a logistic model",
    "tutorial": "the lesson's three points: x = 1, 2, 3 and y = 2 x",
    "saddle": "7 rows x 2, whose loss has a saddle point between its minima at (0, 1) and (0, -1)",
    "valleys": "4 rows x 2, whose loss has a wide valley and a narrower one that is deeper",
    "diabetes": "442 patients x 10 measurements, the progression of their disease (Efron et al. 2004)",
}

_HOMES = {
    "Table": "table",
    "generate": "readers.generators",
    "open": "readers.open_table",
    "to_arrays": "readers.data_frames",
    "to_target": "readers.data_frames",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
