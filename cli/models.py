"""A saved model, and a table with the columns it wants."""

from __future__ import annotations

from pathlib import Path

import fastgd
from fastgd import Result, Table
from fastgd.errors import OptionError

from .own_loss import read_loss


def load_model(path: Path, loss: str | None = None) -> Result:
    """The model in a file; ``loss`` is for one that was fitted with a loss of the user's own."""
    result = fastgd.load(path, loss=read_loss(loss))
    if isinstance(result.loss, str):
        raise OptionError(
            f"{path}: was fitted with the loss {result.loss}, which fastgd does not have: name its file "
            f"with --loss FILE.py:{result.loss}"
        )
    return result


def open_for(
    result: Result,
    data: str,
    *,
    need_target: bool,
    target: str | None = None,
    sample_weight: str | None = None,
    offset: str | None = None,
) -> Table:
    """DATA with the model's columns, by name where both have names; target and offset too, unless others are given."""
    features = result.feature_names or tuple(map(str, range(result.n_features)))
    own = (result.target_name,) if isinstance(result.target_name, str) else result.target_name
    return fastgd.open(
        data,
        target=own if target is None else target,
        features=features,
        need_target=need_target,
        weight=sample_weight,
        offset=result.offset_name if offset is None else offset,
    )
