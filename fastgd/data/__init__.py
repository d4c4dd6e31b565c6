"""Data in and out: tables from files, built-ins and data frames, and files from arrays.

Everything but the light ``names`` loads on first use, so that listing the built-ins imports neither NumPy nor pyarrow.
``write`` stays in the module of that name, which would otherwise hide it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .names import BUILTINS

if TYPE_CHECKING:
    from .readers.data_frames import from_frame, to_arrays, to_target
    from .readers.generators import generate
    from .readers.open_table import open  # noqa: A004  # the public name: fastgd.open
    from .table import Table

__all__ = ["BUILTINS", "Table", "from_frame", "generate", "open", "to_arrays", "to_target"]

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
