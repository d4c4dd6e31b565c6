"""`Table`: features and target, ready to be fitted, with their names."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from scipy import sparse

    from .encoding.encoder import Encoder

Array = npt.NDArray[Any]


def is_sparse(X: Any) -> bool:
    """Whether X is a SciPy sparse matrix; asked without importing SciPy, which takes 0.1 s."""
    module = sys.modules.get("scipy.sparse")
    return module is not None and bool(module.issparse(X))


def is_arrow(values: Any) -> bool:
    """Whether an object exports Arrow data: pyarrow's arrays and tables, and those of pandas and polars."""
    return hasattr(values, "__arrow_c_array__") or hasattr(values, "__arrow_c_stream__")


@dataclass(frozen=True, eq=False)
class Table:
    """Features and target, read and checked: all values are finite numbers, except labels in the target.

    Attributes
    ----------
    X : (n_samples, n_features) C-contiguous float64 or float32, or a float64 CSR array.
    y : (n_samples,) booleans and integers in their own type, other numbers as float64, or str labels; (n_samples,
        n_targets) for several targets, all of them str labels if any of them has labels; None without a target.
    feature_names : one name per column of ``X``.
    target_name : the name of the target, a tuple of names for several targets, None without a target.
    source : the path or the name of the built-in, for messages.
    defaults : options of ``fit`` that a built-in suggests, such as ``{"loss": "logistic"}``.
    remarks : sentences to show to the user, such as which column was taken as the target.
    sample_weight : (n_samples,) float64, the weight of each row; None if no column was named for it.
    offset : (n_samples,) float64, added to the linear predictor of each row; None if no column was named for it.
    encoder : how the columns of the source became these features; None where they are the columns of the source.
    label_text : (n_samples,) the target as a text file spells it, where it has whole numbers that begin with a zero,
        such as 01234, which as a label is not 1234; else None.
    offset_name : the column that ``offset`` was read from, so that a model can ask for the same column again.
    """

    X: Array | sparse.csr_array
    y: Array | None
    feature_names: tuple[str, ...]
    target_name: str | tuple[str, ...] | None
    source: str
    defaults: Mapping[str, Any] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    sample_weight: Array | None = None
    offset: Array | None = None
    offset_name: str | None = None
    encoder: Encoder | None = None
    label_text: Array | None = None

    def target_for(self, labels: bool) -> Array | None:
        """The target, as labels or as numbers."""
        return self.label_text if labels and self.label_text is not None else self.y

    @property
    def n_samples(self) -> int:
        return int(self.X.shape[0])

    @property
    def n_features(self) -> int:
        return int(self.X.shape[1])

    def __repr__(self) -> str:
        kind = "dense" if isinstance(self.X, np.ndarray) else "sparse"
        plural = "s" if isinstance(self.target_name, tuple) else ""
        target = "no target" if self.target_name is None else f"target{plural} {self.target_name!r}"
        return f"Table({self.source!r}, {self.n_samples:,} x {self.n_features:,} {kind} {self.X.dtype}, {target})"
