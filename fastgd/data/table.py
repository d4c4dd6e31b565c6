"""A table ready to be fitted: features, target and what they are called."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from scipy import sparse

Array = npt.NDArray[Any]


def is_sparse(X: Any) -> bool:
    """Whether X is a SciPy sparse matrix; asked without importing SciPy, which takes 0.1 s."""
    module = sys.modules.get("scipy.sparse")
    return module is not None and bool(module.issparse(X))


@dataclass(frozen=True, eq=False)
class Table:
    """Features and target, read and checked: finite numbers throughout, but for a target of labels.

    Attributes
    ----------
    X : (n_samples, n_features) C-contiguous float64 or float32, or a float64 CSR array.
    y : (n_samples,) float64, or str labels; (n_samples, n_targets) for several targets, str labels all of them when one
        has words; None when there is no target.
    feature_names : one name per column of ``X``.
    target_name : what the target is called, a tuple for several, None when there is none.
    source : where the data came from, for messages: a path or a built-in's name.
    defaults : options that a built-in suggests for ``fit``, such as ``{"loss": "logistic"}``.
    remarks : sentences worth showing to the user, such as which column was taken as the target.
    sample_weight : (n_samples,) float64, the weight of each row; None when no column was named for it.
    offset : (n_samples,) float64, what is added to the linear predictor of each row; None likewise.
    offset_name : the column it was named as, so that a model can ask for it again.
    """

    X: Array | sparse.csr_array
    y: Array | None
    feature_names: tuple[str, ...]
    target_name: str | tuple[str, ...] | None
    source: str
    defaults: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    remarks: tuple[str, ...] = ()
    sample_weight: Array | None = None
    offset: Array | None = None
    offset_name: str | None = None

    @property
    def n_samples(self) -> int:
        return int(self.X.shape[0])

    @property
    def n_features(self) -> int:
        return int(self.X.shape[1])

    def __repr__(self) -> str:
        kind = "dense" if isinstance(self.X, np.ndarray) else "sparse"
        several = isinstance(self.target_name, tuple)
        target = "no target" if self.target_name is None else f"target{'s' if several else ''} {self.target_name!r}"
        return f"Table({self.source!r}, {self.n_samples:,} x {self.n_features:,} {kind} {self.X.dtype}, {target})"
