"""The data sets that come with fastgd."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ..encoding.array_tables import table_from_arrays
from ..encoding.origin import Origin
from ..encoding.request import Request
from ..table import Table
from .builtin_landscapes import saddle, valleys
from .generators import generate, tutorial

GENERATED_ROWS = {"linear": 1_000_000, "logistic": 500_000}


def load(name: str, request: Request) -> Table:
    """The built-in of this name (a key of ``BUILTINS``), with the columns that the request asks for."""
    if name == "diabetes":
        return _diabetes(request)
    makers = {"tutorial": tutorial, "saddle": saddle, "valleys": valleys}
    table = generate(name, GENERATED_ROWS[name], 20) if name in GENERATED_ROWS else makers[name]()
    chosen = table_from_arrays(table.X, table.y, table.feature_names, True, ("y",), request, Origin(name))
    return replace(chosen, defaults=table.defaults)


def _diabetes(request: Request) -> Table:
    """442 patients: age, sex, body mass index, blood pressure, six blood serum measurements, and disease progression.

    All in the original units. Source: the public data of B. Efron, T. Hastie, I. Johnstone and R. Tibshirani, "Least
    Angle Regression", Annals of Statistics 32 (2004) 407-499.
    """
    from ..encoding.column_source import table_from_columns
    from ..text_format import TextFormat
    from .text_files import read_text

    source = read_text(str(Path(__file__).with_name("diabetes.csv")), ".csv", "", TextFormat())
    source = replace(source, origin=replace(source.origin, source="diabetes"))
    return replace(table_from_columns(source, request), defaults={"loss": "squared"})
