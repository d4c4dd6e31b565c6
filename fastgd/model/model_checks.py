"""Checks of a model that was read from a file: the type of each field, and that shapes and values fit together."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data.encoding.encoder import Encoder

if TYPE_CHECKING:
    from .result import Result

# The fields of `Result` that a file may hold as arrays, and the kinds of their values; those of _OPTIONAL may be None,
# and the intercept of one output is a float.
ARRAYS = {"coef": "f", "intercept": "f", "trace": "V", "path": "f", "steps": "V", "classes": "biufUSMm"}
_OPTIONAL = {"path", "steps", "classes"}


def unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object as a dictionary; raises `ValueError` for a key that occurs twice."""
    result = dict(pairs)
    if len(result) < len(pairs):
        raise ValueError
    return result


def check_model(result: Result) -> None:
    """Raise `ValueError` if a field has a wrong type, or the fields do not fit together."""
    coef, intercept = result.coef, result.intercept
    _check_types(result)
    _need(coef.ndim in (1, 2) and coef.dtype == np.float64)
    _need(isinstance(intercept, float if coef.ndim == 1 else np.ndarray) and np.shape(intercept) == coef.shape[:-1])
    _need(bool(np.isfinite(coef).all() and np.isfinite(intercept).all()))
    n_outputs, n_features = result.n_outputs, result.n_features
    if result.feature_names is not None:
        _need(len(set(result.feature_names)) == len(result.feature_names) == n_features)
    if result.encoder is not None:
        _need(result.encoder.feature_names == result.feature_names)
    _need(isinstance(result.target_name, str | None) or len(result.target_name) == n_outputs)
    if result.classes is not None:
        _need(result.classes.shape in {(n_outputs, 2), (max(n_outputs, 2),)})
    if result.path is not None:
        _need(result.path.shape == (len(result.trace), *coef.shape[:-1], n_features + 1))
    _need("epoch" in (result.trace.dtype.names or ()) and result.trace.ndim == 1)


def _check_types(result: Result) -> None:
    for field in dataclasses.fields(result):
        value = getattr(result, field.name)
        if isinstance(value, np.ndarray):
            _need(value.dtype.kind in ARRAYS.get(field.name, ""))
        elif field.name in ARRAYS:
            _need(isinstance(value, float) if field.name == "intercept" else value is None and field.name in _OPTIONAL)
        elif field.name != "loss":
            _need(_TYPES[str(field.type)](value))


def _need(condition: bool) -> None:
    if not condition:
        raise ValueError


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_whole(value: Any) -> bool:
    return _is_number(value) and isinstance(value, int) and 0 <= value < 2**63


def _are_words(value: Any) -> bool:
    return isinstance(value, tuple) and all(isinstance(word, str) for word in value)


# By the annotation of a field of `Result`.
_TYPES: dict[str, Callable[[Any], bool]] = {
    "bool": lambda value: isinstance(value, bool),
    "int": _is_whole,
    "int | None": lambda value: value is None or _is_whole(value),
    "float": _is_number,
    "float | None": lambda value: value is None or _is_number(value),
    "str": lambda value: isinstance(value, str),
    "str | None": lambda value: value is None or isinstance(value, str),
    "tuple[str, ...]": _are_words,
    "tuple[str, ...] | None": lambda value: value is None or _are_words(value),
    "str | tuple[str, ...] | None": lambda value: value is None or isinstance(value, str) or _are_words(value),
    "Encoder | None": lambda value: value is None or isinstance(value, Encoder),
    "dict[str, Any]": lambda value: isinstance(value, dict),
    "dict[str, float]": lambda value: isinstance(value, dict) and all(map(_is_number, value.values())),
}
