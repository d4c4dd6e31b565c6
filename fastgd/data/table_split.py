"""Rows of a table that are held out of training, to measure the model on them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ..terms.losses import loss_traits
from .loss_choice import choose_loss
from .table import Table
from .target import as_columns, as_target
from .validation_set import hold_out


def split(
    table: Table, fraction: float, *, seed: int = 0, loss: Any = "auto", option_name: str = "test_size"
) -> tuple[Table, Table]:
    """The rows to train on and the rows held out, each in the order of the table; see `held_out`."""
    held = held_out(table, fraction, seed=seed, loss=loss, option_name=option_name)
    return rows_of(table, ~held), rows_of(table, held)


def held_out(
    table: Table, fraction: float, *, seed: int = 0, loss: Any = "auto", option_name: str = "test_size"
) -> np.ndarray:
    """A mask of the rows to hold out, shape (n_samples,).

    Rows are held out at random, by class where the loss is for labels; equal seeds hold out the same rows, and
    ``fit(validation=fraction)`` the same as well. Rows of weight 0 are never held out. ``option_name`` is for messages.

    Raises
    ------
    DataError
        If the target does not fit the loss, or there are too few rows.
    """
    chosen = choose_loss(loss, table, None)
    columns = as_columns(table.target_for(loss_traits(chosen.term).classifies))
    rows = np.arange(table.n_samples) if table.sample_weight is None else np.flatnonzero(table.sample_weight)
    target = as_target([column[rows] for column in columns], chosen.term, may_be_constant=True)
    held = np.zeros(table.n_samples, dtype=bool)
    held[rows[hold_out(fraction, target, seed, option_name)]] = True
    return held


def rows_of(table: Table, chosen: np.ndarray | slice) -> Table:
    """The rows of a table that a mask or a slice chooses."""
    y, weight, offset, text = (
        None if values is None else values[chosen]
        for values in (table.y, table.sample_weight, table.offset, table.label_text)
    )
    return replace(table, X=table.X[chosen], y=y, sample_weight=weight, offset=offset, label_text=text)
