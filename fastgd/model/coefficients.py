"""The coefficients of a model as a table of feature, level and coefficient."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data.encoding.column_encodings import Feature
from ..data.encoding.feature_columns import index_names

if TYPE_CHECKING:
    from .result import Result


def named_features(result: Result) -> tuple[Feature, ...]:
    """The column and level of each coefficient."""
    if result.encoder is not None:
        return result.encoder.features
    return tuple(map(Feature, result.feature_names or index_names(result.n_features)))


def coefficient_table(result: Result, outputs: tuple[str, ...]) -> Any:
    """See `Result.coef_table`; ``outputs`` are the names of several outputs."""
    import pyarrow as pa

    features = named_features(result)
    values = np.column_stack([result.coef, np.reshape(result.intercept, (*result.coef.shape[:-1], 1))]) if (
        result.coef.ndim == 2) else np.append(result.coef, result.intercept)[np.newaxis]  # fmt: skip
    names = ["coefficient"]
    if result.coef.ndim == 2:
        names = [f"coefficient_{name}" for name in outputs]
    table = pa.table(
        {
            "feature": pa.array([*(feature.column for feature in features), "intercept"], pa.string()),
            "level": pa.array([*(feature.level for feature in features), None], pa.string()),
            **dict(zip(names, values, strict=True)),
        }
    )
    return table.to_pandas() if find_spec("pandas") is not None else table
