"""Terms: small frozen dataclasses that compiled kernels accept as arguments.

A term (a loss, a penalty, a schedule, an update rule) is written as plain Python. When it is passed to a kernel, its
methods are compiled into the kernel and inlined; its fields stay run-time values, so changing one compiles nothing.
This module does not import numba: `term_numba` declares a term to numba when a kernel first receives one.
"""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, TypeVar, dataclass_transform

from ..errors import OptionError
from .term_code import field_kinds

T = TypeVar("T")


@dataclass_transform(frozen_default=True)
def term(cls: type[T]) -> type[T]:
    """Make ``cls`` a frozen dataclass that kernels accept as an argument.

    Fields are annotated ``float``, ``int``, ``bool`` or ``np.ndarray`` (one-dimensional, float64).

    Raises
    ------
    OptionError
        For a field of any other type.
    """
    own_check = getattr(cls, "__post_init__", lambda _self: None)

    def check_then_own_check(self: Any) -> None:
        _check_fields(self)
        own_check(self)

    cls.__post_init__ = check_then_own_check  # type: ignore[attr-defined]  # called by the dataclass
    cls = dataclass(frozen=True)(cls)
    field_kinds(cls)
    cls._numba_type_ = _NumbaType()  # type: ignore[attr-defined]  # read by numba's typeof
    return cls


class _NumbaType:
    """Descriptor of ``_numba_type_``, which only numba reads; until then numba is not imported."""

    def __get__(self, instance: object, owner: type) -> Any:
        from .term_numba import numba_type

        return numba_type(owner)


def _check_fields(self: Any) -> None:
    """Convert the fields to their declared types, which machine code relies on."""
    for name, kind in field_kinds(type(self)).items():
        checked = CHECKS[kind](f"{type(self).__name__}: {name}", getattr(self, name))
        object.__setattr__(self, name, checked)


def _check_float(label: str, value: Any) -> float:
    try:
        if not isinstance(value, bool) and isinstance(value, Real) and value == value:
            return float(value)
    except OverflowError:  # an integer beyond the largest float
        pass
    raise OptionError(f"{label} must be a number, not {value!r}")


def _check_int(label: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise OptionError(f"{label} must be a whole number, not {value!r}")
    whole = int(value)
    if not -(2**63) <= whole < 2**63:
        raise OptionError(f"{label} must be a whole number of at most 64 bits, not {whole}")
    return whole


def _check_bool(label: str, value: Any) -> bool:
    if repr(value).removeprefix("np.").rstrip("_") in ("True", "False"):  # NumPy's bool too, without importing NumPy
        return bool(value)
    raise OptionError(f"{label} must be true or false, not {value!r}")


def _check_array(label: str, value: Any) -> Any:
    import numpy as np

    try:
        array = np.array(value, dtype=np.float64, ndmin=1)  # a copy: the term stays frozen
    except (TypeError, ValueError):
        array = np.array([np.nan])
    if array.ndim != 1 or np.isnan(array).any():
        raise OptionError(f"{label} must be a one-dimensional array of numbers, none of them NaN")
    array.flags.writeable = False
    return array


CHECKS = {"float": _check_float, "int": _check_int, "bool": _check_bool, "array": _check_array}
