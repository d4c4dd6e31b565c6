"""A saved model, and a table with the columns it wants."""

from __future__ import annotations

from pathlib import Path

import fastgd
from fastgd import Result, Table


def load_model(path: Path) -> Result:
    return fastgd.load(path)


def open_for(result: Result, data: str, *, need_target: bool) -> Table:
    """DATA with the model's columns, by name where both have names."""
    names = result.feature_names or tuple(map(str, range(result.n_features)))
    return fastgd.open(data, target=result.target_name, features=names, need_target=need_target)
