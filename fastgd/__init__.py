"""Gradient descent for linear and generalized linear models at the speed of the memory bus.

The public names are loaded when they are first used, so that ``import fastgd`` is quick and
``fastgd --help`` never imports numba.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from .compare import Comparison as Comparison
    from .compare import compare as compare
    from .data import Table as Table
    from .data import open as open  # noqa: A004  # as gzip.open is
    from .data.generators import generate as generate
    from .errors import DataError as DataError
    from .errors import DivergedError as DivergedError
    from .errors import FastgdError as FastgdError
    from .errors import Interrupted as Interrupted
    from .errors import OptionError as OptionError
    from .fit import fit as fit
    from .landscape import Landscape as Landscape
    from .landscape import landscape as landscape
    from .path import fit_path as fit_path
    from .plots.landscape import plot_landscape as plot_landscape
    from .plots.loss import plot_loss as plot_loss
    from .plots.rates import plot_rate_range as plot_rate_range
    from .plots.search import plot_search as plot_search
    from .progress import Reporter as Reporter
    from .progress import reporting_to as reporting_to
    from .rate_range import RateRange as RateRange
    from .rate_range import learning_rate_range as learning_rate_range
    from .report.model import Report as Report
    from .report.page import write_report as write_report
    from .result import Result as Result
    from .result import load as load
    from .search import SearchResult as SearchResult
    from .search import search as search
    from .smooth import smooth as smooth
    from .term import term as term
    from .traces import Trace as Trace
    from .traces import read_trace as read_trace
    from .watch import State as State

_HOMES = {
    "Comparison": "compare",
    "DataError": "errors",
    "DivergedError": "errors",
    "FastgdError": "errors",
    "Interrupted": "errors",
    "Landscape": "landscape",
    "OptionError": "errors",
    "RateRange": "rate_range",
    "Report": "report.model",
    "Reporter": "progress",
    "Result": "result",
    "SearchResult": "search",
    "State": "watch",
    "Table": "data",
    "Trace": "traces",
    "compare": "compare",
    "fit": "fit",
    "fit_path": "path",
    "generate": "data.generators",
    "landscape": "landscape",
    "learning_rate_range": "rate_range",
    "load": "result",
    "open": "data",
    "plot_landscape": "plots.landscape",
    "plot_loss": "plots.loss",
    "plot_rate_range": "plots.rates",
    "plot_search": "plots.search",
    "read_trace": "traces",
    "reporting_to": "progress",
    "search": "search",
    "smooth": "smooth",
    "term": "term",
    "write_report": "report.page",
}

__all__ = [*_HOMES, "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'fastgd' has no attribute {name!r}")
    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value  # found at once from now on
    return value


class _Package(ModuleType):
    """Importing the file fit.py makes it an attribute of the package, which must not hide the function `fit`."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in _HOMES and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __dir__() -> list[str]:
    return sorted(__all__)
