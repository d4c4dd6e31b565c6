"""The feature columns of a table as a matrix with names: by a model's encoder, or one fitted to the table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ..table import Array
from .arrow_columns import numeric_array
from .column_checks import remarks_on_columns, remarks_on_large_integers
from .encoder import Encoder
from .fit_encoder import fit_encoder
from .origin import Origin
from .request import Request


class Features(NamedTuple):
    """(n_kept, n_features) ``X``; ``kept`` are the rows of the table that are in it, None for all."""

    X: Any
    names: tuple[str, ...]
    encoder: Encoder | None
    kept: Array | None
    remarks: tuple[str, ...]


def encode_features(table: Any, names: Sequence[str], request: Request, origin: Origin) -> Features:
    """The columns of a pyarrow Table as features; ``names`` are the model's where columns are matched by position.

    Raises
    ------
    DataError, OptionError
        See `fit_encoder` and `Encoder.transform`.
    """
    table = table.rename_columns(list(names))
    if request.encoder is not None:
        X, remarks = request.encoder.transform(table, origin)
        return Features(X, request.encoder.feature_names, request.encoder, None, remarks)
    if request.features is not None:  # of a model that has no encoder
        return Features(numeric_array(table, origin), tuple(names), None, None, ())
    encoder, kept, remarks = fit_encoder(table, request.columns, origin)
    if kept is not None:
        table = table.take(kept)
    X = numeric_array(table, origin) if encoder is None else encoder.transform(table, origin).X
    feature_names = tuple(names) if encoder is None else encoder.feature_names
    remarks = (*remarks, *remarks_on_large_integers(table, origin), *remarks_on_columns(X, feature_names, origin))
    return Features(X, feature_names, encoder, kept, remarks)
