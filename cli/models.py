"""Load a saved model, and a table with the columns that the model needs."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import fastgd
from fastgd import Result, Table, TextFormat
from fastgd.errors import OptionError

from .console import remark


def load_model(path: Path, loss: Any = None) -> Result:
    """The model in a file; ``loss`` is needed if it was trained with a loss of the user's own."""
    result = fastgd.load(path, loss=loss)
    if isinstance(result.loss, str):
        raise OptionError(
            f"{path}: was trained with the loss {result.loss}, which is not part of fastgd: name its file with "
            f"--loss {shlex.quote(f'FILE.py:{result.loss}')}"
        )
    return result


def open_for(
    result: Result, data: str, *, need_target: bool, target: str | None = None, sample_weight: str | None = None,
    offset: str | None = None, text: TextFormat | None = None,
) -> Table:  # fmt: skip
    """A table with the model's columns, by name if both have names; target and offset default to the model's."""
    features = None if result.encoder else result.feature_names or tuple(map(str, range(result.n_features)))
    own = (result.target_name,) if isinstance(result.target_name, str) else result.target_name
    table = fastgd.open(
        data, target=own if target is None else target, features=features, need_target=need_target,
        weight=sample_weight, offset=result.offset_name if offset is None else offset,
        columns=result.encoder, text=text,
    )  # fmt: skip
    if result.encoder is not None:  # levels that training did not see
        for said in table.remarks:
            remark(said)
    return table
