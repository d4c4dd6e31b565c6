"""Rows of a data set in memory: X, targets, weights and offsets, and subsets of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from ..kernels.row_access import CSR
from ..kernels.row_targets import Targets
from .feature_matrix import check_finite, count_values, dtype_of, shape_of, take_rows, without_columns
from .row_order import spread_rows


@dataclass(frozen=True)
class MemoryRows:
    """Rows in memory, or in a file that is mapped into memory; neither X nor the targets are ever changed.

    Attributes
    ----------
    X : array of shape (n_samples, n_features), or `CSR`.
    targets : the targets, weights (mean 1) and offsets of the rows.
    feature_names : for messages; None where the columns have no names.
    positions : the position of each row in the user's data, shape (n_samples,); None where no row was left out.
    """

    X: np.ndarray | CSR
    targets: Targets
    feature_names: tuple[str, ...] | None = None
    positions: np.ndarray | None = None
    _samples: dict[tuple[int, int], tuple[np.ndarray, MemoryRows]] = field(
        default_factory=dict, repr=False, compare=False
    )

    @property
    def n_samples(self) -> int:
        return shape_of(self.X)[0]

    @property
    def n_features(self) -> int:
        return shape_of(self.X)[1]

    @cached_property
    def n_values(self) -> int:
        """How many values X stores."""
        return count_values(self.X)

    @property
    def dtype(self) -> np.dtype:
        return dtype_of(self.X)

    @property
    def sparse(self) -> bool:
        return isinstance(self.X, CSR)

    @property
    def row_bytes(self) -> float:
        """Mean size of a row of X in memory, without its indices."""
        return self.n_values / self.n_samples * self.dtype.itemsize

    @property
    def weights(self) -> np.ndarray:
        """The weight of each row, ones where none were given."""
        return self.targets.weight if len(self.targets.weight) else np.ones(self.n_samples)

    def take(self, chosen: np.ndarray) -> MemoryRows:
        """A copy of some rows, with their weights as they are."""
        return MemoryRows(take_rows(self.X, chosen), self.targets.take(chosen), self.feature_names)

    def sample(self, size: int, seed: int) -> tuple[np.ndarray, MemoryRows]:
        """The positions, in order, of random rows, and these rows; all rows where there are at most ``size``.

        The last sample is kept: the statistics of the columns and Newton's Hessian ask for the same one.
        """
        if size >= self.n_samples:
            return np.arange(self.n_samples), self
        if (size, seed) not in self._samples:
            chosen = spread_rows(self.n_samples, size, seed)
            self._samples.clear()
            self._samples[size, seed] = chosen, self.take(chosen)
        return self._samples[size, seed]

    def has_sample(self, size: int, seed: int) -> bool:
        """Whether `sample` would copy no rows."""
        return size >= self.n_samples or (size, seed) in self._samples

    def without_columns(self, every: int = 1) -> MemoryRows:
        """The targets of every ``every``-th row, without X: for models that are an intercept alone."""
        targets = self.targets.every(every) if every > 1 else self.targets
        return MemoryRows(without_columns(self.X, len(targets.y)), targets)

    def with_targets(self, targets: Targets) -> MemoryRows:
        """The same rows of X with other targets."""
        return MemoryRows(self.X, targets, self.feature_names, self.positions)

    def in_float64(self) -> MemoryRows:
        """The same rows with X in float64, a copy where it is in float32."""
        if isinstance(self.X, CSR):
            X: np.ndarray | CSR = self.X._replace(data=self.X.data.astype(np.float64, copy=False))
        else:
            X = self.X.astype(np.float64, copy=False)
        return MemoryRows(X, self.targets, self.feature_names, self.positions)

    def check_finite(self) -> None:
        """Raise a `DataError` that says where X holds NaN or infinity, if it does."""
        check_finite(self.X, self.feature_names)
