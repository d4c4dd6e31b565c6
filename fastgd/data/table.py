"""A table ready to be fitted: features, target and what they are called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Table:
    """Features and target, read and checked: finite numbers throughout, but for a target of labels.

    Attributes
    ----------
    X : (n_samples, n_features) C-contiguous float64 or float32, or a float64 CSR array.
    y : (n_samples,) float64, or str labels; None when there is no target.
    feature_names : one name per column of ``X``.
    target_name : what the target is called, None when there is none.
    source : where the data came from, for messages: a path or a built-in's name.
    defaults : options that a built-in suggests for ``fit``, such as ``{"loss": "logistic"}``.
    remarks : sentences worth showing to the user, such as which column was taken as the target.
    """

    X: Array | sparse.csr_array
    y: Array | None
    feature_names: tuple[str, ...]
    target_name: str | None
    source: str
    defaults: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    remarks: tuple[str, ...] = ()

    @property
    def n_samples(self) -> int:
        return int(self.X.shape[0])

    @property
    def n_features(self) -> int:
        return int(self.X.shape[1])

    def __repr__(self) -> str:
        kind = "dense" if isinstance(self.X, np.ndarray) else "sparse"
        target = "no target" if self.target_name is None else f"target {self.target_name!r}"
        return f"Table({self.source!r}, {self.n_samples:,} x {self.n_features:,} {kind} {self.X.dtype}, {target})"
