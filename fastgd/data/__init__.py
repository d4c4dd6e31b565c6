"""Data in and out: tables from files, built-ins and data frames, and files from arrays.

Everything but the light ``names`` loads on first use, so that listing the built-ins imports neither NumPy nor pyarrow.
``write`` stays in the module of that name, which would otherwise hide it.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .readers.data_frames import from_frame, to_arrays, to_target
    from .readers.generators import generate
    from .readers.open_table import open  # noqa: A004  # the public name: fastgd.open
    from .table import Table

__all__ = ["BUILTINS", "Table", "from_frame", "generate", "open", "to_arrays", "to_target"]

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
    "from_frame": "readers.data_frames",
    "generate": "readers.generators",
    "open": "readers.open_table",
    "to_arrays": "readers.data_frames",
    "to_target": "readers.data_frames",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value  # found directly from now on
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
