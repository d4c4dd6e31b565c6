"""X, y and what users give for each row, class and feature: checked, and turned into rows that kernels take."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from ..errors import DataError, OptionError
from ..kernels.row_access import CSR
from ..kernels.row_targets import NONE, Targets
from ..terms.losses import check_targets, loss_traits
from ..terms.penalties import Box, check_features, penalty_traits
from ..wording import option
from .encoding.encoder import Encoder
from .feature_matrix import as_matrix, check_finite, encoded, shape_of, take_rows
from .magnitudes import check_magnitudes
from .row_source import MemoryRows
from .sample_weights import as_row_values, as_sample_weight, class_factors, factors_by_row, normalized
from .sparse_checks import check_width
from .table import Table
from .target import as_columns, as_target
from .validation_set import CheckedRows, as_validation_sample, hold_out, is_fraction


@dataclass(frozen=True)
class RowOptions:
    """The options of `fit` that hold a value for each row, class or feature."""

    sample_weight: Any = None
    class_weight: Any = None
    offset: Any = None
    penalty_weights: Any = None
    validation: Any = None
    seed: int = 0  # of the rows that are held out
    columns: Any = None  # how the columns of a data frame become features
    may_be_constant: bool = False  # whether the target may be: there is nothing to learn then but the intercept

    def encoded_by(self, encoder: Encoder | None) -> RowOptions:
        """These options, with a validation set that is a data frame encoded as the training data."""
        if encoder is None or not isinstance(self.validation, (tuple, list)) or not self.validation:
            return self
        return replace(self, validation=(encoded(self.validation[0], encoder), *self.validation[1:]))

    def completed_by(self, table: Table) -> RowOptions:
        """These options, with the weights and the offset of a table where none were given."""
        weight = table.sample_weight if self.sample_weight is None else self.sample_weight
        return replace(self, sample_weight=weight, offset=table.offset if self.offset is None else self.offset)


class TrainingData(NamedTuple):
    """What a fit is given, checked.

    ``classes`` are the labels of a classification, None for numbers; ``penalty_weights`` multiply the penalty of each
    feature and are empty where all are 1.
    """

    rows: MemoryRows
    validation: MemoryRows | None
    n_outputs: int
    classes: np.ndarray | None
    penalty_weights: np.ndarray


def check_training_data(
    X: Any, y: Any, loss: Any, penalty: Any, options: RowOptions = RowOptions(), fit_intercept: bool = True
) -> TrainingData:
    """X, y and the options of rows as kernels take them. Rows of weight 0 are left out.

    Raises
    ------
    DataError
        See `as_matrix`, `as_target`, `as_sample_weight`, `validation_set`; and where the lengths of X and y differ.
    OptionError
        Where an option does not fit the loss or the penalty.
    """
    matrix, names = as_matrix(X)
    n_samples, n_features = shape_of(matrix)
    if n_samples == 0:
        raise DataError("X has no rows: there is nothing to learn from")
    if n_features == 0:
        raise DataError("X has no columns: there is nothing to learn from")
    if isinstance(matrix, CSR):
        check_width(n_features, len(matrix.data), lambda message: DataError(f"X {message}"))
    columns = _targets_for(loss, y, n_samples)
    weight = NONE if options.sample_weight is None else as_sample_weight(options.sample_weight, n_samples)
    offset = NONE if options.offset is None else as_offset(options.offset, loss, n_samples)
    positions = None
    if not weight.all():
        positions = np.flatnonzero(weight)
        matrix, columns = take_rows(matrix, positions), [column[positions] for column in columns]
        weight, offset = weight[positions], offset[positions] if len(offset) else offset
    check_features(penalty, n_features)
    check_magnitudes(matrix, names)
    may_be_constant = options.may_be_constant or not fit_intercept or bool(len(offset) and (offset != offset[0]).any())
    target = as_target(columns, loss, may_be_constant)
    data, positions, held_out = _with_validation(
        CheckedRows(matrix, target, weight, offset), positions, names, loss, options
    )
    class_weight = None if options.class_weight is None else class_factors(options.class_weight, data.target)
    penalty_weights = as_penalty_weights(options.penalty_weights, penalty, n_features)
    validation = None if held_out is None else _as_rows(held_out, class_weight, names, None)
    rows = _as_rows(data, class_weight, names, positions)
    return TrainingData(rows, validation, data.target.n_outputs, data.target.classes, penalty_weights)


def _as_rows(
    sample: CheckedRows, class_weight: np.ndarray | None, names: tuple[str, ...] | None, positions: np.ndarray | None
) -> MemoryRows:
    weight = sample.weight
    if class_weight is not None:
        weight = factors_by_row(class_weight, sample.target) * (weight if len(weight) else 1.0)
    targets = Targets(sample.target.y, normalized(weight), sample.offset, sample.target.one_vs_rest)
    return MemoryRows(sample.X, targets, names, positions)


def _with_validation(
    data: CheckedRows, positions: np.ndarray | None, names: tuple[str, ...] | None, loss: Any, options: RowOptions
) -> tuple[CheckedRows, np.ndarray | None, CheckedRows | None]:
    """The rows to train on, their positions in the user's data where they are not all, and the rows to validate on."""
    if options.validation is None:
        return data, positions, None
    if not is_fraction(options.validation):
        return data, positions, as_validation_sample(options.validation, data, names, loss)
    check_finite(data.X, names)  # here, where its rows still have the user's numbers
    held = hold_out(options.validation, data.target, options.seed)
    kept = np.flatnonzero(~held)
    return data.take(kept), kept if positions is None else positions[kept], data.take(np.flatnonzero(held))


def _targets_for(loss: Any, y: Any, n_samples: int) -> list[np.ndarray]:
    """The targets, checked for their length and for what the loss allows."""
    columns = as_columns(y)
    if len(columns[0]) != n_samples:
        raise DataError(f"X has {n_samples} rows but y has {len(columns[0])} values; they must match")
    if not loss_traits(loss).classifies:
        for column in columns:
            check_targets(loss, column)
    return columns


def as_offset(values: Any, loss: Any, n_samples: int) -> np.ndarray:
    """An offset for each row."""
    if loss_traits(loss).joint:
        raise OptionError("an offset is the same for all classes, so to this loss it makes no difference")
    return as_row_values(option("offset"), values, n_samples)


def as_penalty_weights(values: Any, penalty: Any, n_features: int) -> np.ndarray:
    """The factor of the penalty for each feature; empty if all are 1. Bounds and group penalties take none."""
    if values is None:
        return NONE
    if isinstance(penalty, Box):
        raise OptionError(f"{option('penalty_weights')} goes with a penalty that has a strength, and bounds have none")
    if not penalty_traits(penalty).separable:
        raise OptionError(f"{option('penalty_weights')} goes with penalties of single features, not of groups")
    weights = as_row_values(option("penalty_weights"), values, n_features, "features")
    if (weights < 0).any():
        raise OptionError(f"{option('penalty_weights')} must be 0 or more, not {weights.min():g}")
    return NONE if (weights == 1).all() else weights
