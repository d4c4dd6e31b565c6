"""Gradient descent for linear and generalized linear models at the speed of the memory bus.

The public names are loaded when they are first used, so that ``import fastgd`` is quick and
``fastgd --help`` never imports numba.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from .alpha_path import fit_path as fit_path
    from .comparison import Comparison as Comparison
    from .comparison import compare as compare
    from .compile.term import term as term
    from .data.encoding.columns import Columns as Columns
    from .data.readers.generators import generate as generate
    from .data.readers.open_table import open as open  # noqa: A004  # as gzip.open is
    from .data.table import Table as Table
    from .data.text_format import TextFormat as TextFormat
    from .errors import DataError as DataError
    from .errors import DivergedError as DivergedError
    from .errors import FastgdError as FastgdError
    from .errors import Interrupted as Interrupted
    from .errors import OptionError as OptionError
    from .fitting import fit as fit
    from .grid_search import SearchResult as SearchResult
    from .grid_search import search as search
    from .model.landscape import Landscape as Landscape
    from .model.metrics import evaluate as evaluate
    from .model.quality import Quality as Quality
    from .model.result import Result as Result
    from .model.result import load as load
    from .rate_range import RateRange as RateRange
    from .rate_range import learning_rate_range as learning_rate_range
    from .show.plots.landscape_plot import plot_landscape as plot_landscape
    from .show.plots.loss_plot import plot_loss as plot_loss
    from .show.plots.rate_plot import plot_rate_range as plot_rate_range
    from .show.plots.search_plot import plot_search as plot_search
    from .show.report.page import write_report as write_report
    from .show.report.report_model import Report as Report
    from .show.smoothing import smooth as smooth
    from .show.trace_curves import Trace as Trace
    from .show.trace_curves import read_trace as read_trace
    from .sklearn import ElasticNet as ElasticNet
    from .sklearn import GammaRegressor as GammaRegressor
    from .sklearn import GDClassifier as GDClassifier
    from .sklearn import GDRegressor as GDRegressor
    from .sklearn import Lasso as Lasso
    from .sklearn import LogisticRegression as LogisticRegression
    from .sklearn import PoissonRegressor as PoissonRegressor
    from .sklearn import QuantileRegressor as QuantileRegressor
    from .sklearn import Ridge as Ridge
    from .sklearn import SGDClassifier as SGDClassifier
    from .sklearn import SGDRegressor as SGDRegressor
    from .sklearn import TweedieRegressor as TweedieRegressor
    from .surface import landscape as landscape
    from .training.callbacks import State as State
    from .training.progress import Reporter as Reporter
    from .training.progress import reporting_to as reporting_to

# The public names of each module.
_NAMES = {
    "alpha_path": "fit_path",
    "comparison": "Comparison compare",
    "compile.term": "term",
    "data.encoding.columns": "Columns",
    "data.readers.generators": "generate",
    "data.readers.open_table": "open",
    "data.table": "Table",
    "data.text_format": "TextFormat",
    "errors": "DataError DivergedError FastgdError Interrupted OptionError",
    "fitting": "fit",
    "grid_search": "SearchResult search",
    "model.landscape": "Landscape",
    "model.metrics": "evaluate",
    "model.quality": "Quality",
    "model.result": "Result load",
    "rate_range": "RateRange learning_rate_range",
    "show.plots.landscape_plot": "plot_landscape",
    "show.plots.loss_plot": "plot_loss",
    "show.plots.rate_plot": "plot_rate_range",
    "show.plots.search_plot": "plot_search",
    "show.report.page": "write_report",
    "show.report.report_model": "Report",
    "show.smoothing": "smooth",
    "show.trace_curves": "Trace read_trace",
    "surface": "landscape",
    "training.callbacks": "State",
    "training.progress": "Reporter reporting_to",
}
_HOMES = {name: module for module, names in _NAMES.items() for name in names.split()}

# Public modules that are loaded when first used, as the names above.
_MODULES = ("losses", "penalties", "rules", "schedules", "sklearn")
# Names of `fastgd.sklearn`, which needs scikit-learn; `from fastgd import *` leaves them out.
_ESTIMATORS = (
    "ElasticNet", "GDClassifier", "GDRegressor", "GammaRegressor", "Lasso", "LogisticRegression", "PoissonRegressor",
    "QuantileRegressor", "Ridge", "SGDClassifier", "SGDRegressor", "TweedieRegressor",
)  # fmt: skip

__all__ = [*_HOMES, "__version__"]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f".{name}", __name__)
    home = "sklearn" if name in _ESTIMATORS else _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'fastgd' has no attribute {name!r}")
    value = getattr(import_module(f".{home}", __name__), name)
    globals()[name] = value  # found at once from now on
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, *_ESTIMATORS])
