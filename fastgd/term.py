"""Terms: small frozen dataclasses that compiled kernels accept as arguments.

A term (a loss, a penalty, a schedule, an update rule) is written as plain Python. Passed to a
kernel, its methods are compiled into the kernel and inlined; its fields stay run-time values, so
changing one compiles nothing. This file needs no numba: `term_numba` tells numba about a term the
first time a kernel sees one.
"""

from __future__ import annotations

import hashlib
import inspect
import sys
from dataclasses import dataclass, fields
from numbers import Integral, Real
from types import CodeType, FunctionType, ModuleType
from typing import Any, TypeVar, dataclass_transform

from .errors import OptionError

T = TypeVar("T")

# How a field travels into machine code. Annotations are strings where a module postpones them.
FIELD_KINDS = {"float": "float", "int": "int", "bool": "bool", "np.ndarray": "array", "numpy.ndarray": "array"}


@dataclass_transform(frozen_default=True)
def term(cls: type[T]) -> type[T]:
    """Make ``cls`` a frozen dataclass that kernels accept as an argument.

    Fields are annotated ``float``, ``int``, ``bool`` or ``np.ndarray`` (one-dimensional, float64).

    Raises
    ------
    OptionError
        For a field of any other type.
    """
    own_check = getattr(cls, "__post_init__", lambda self: None)

    def check_then_own_check(self: Any) -> None:
        _check_fields(self)
        own_check(self)

    cls.__post_init__ = check_then_own_check  # type: ignore[attr-defined]  # called by the dataclass
    cls = dataclass(frozen=True)(cls)
    field_kinds(cls)
    cls._numba_type_ = _NumbaType()  # type: ignore[attr-defined]  # read by numba's typeof
    return cls


def is_term(value: object) -> bool:
    return not isinstance(value, type) and hasattr(type(value), "_numba_type_")


def field_kinds(cls: type) -> dict[str, str]:
    """Name -> "float", "int", "bool" or "array", in the order of the fields."""
    kinds = {}
    for field in fields(cls):  # type: ignore[arg-type]  # every term class is a dataclass
        annotation = field.type if isinstance(field.type, str) else _dotted_name(field.type)
        if annotation not in FIELD_KINDS:
            allowed = "float, int, bool or np.ndarray"
            raise OptionError(
                f"{cls.__qualname__}.{field.name} is annotated {annotation}; a term's fields are {allowed}"
            )
        kinds[field.name] = FIELD_KINDS[annotation]
    return kinds


def methods(cls: type) -> dict[str, FunctionType]:
    """The methods that kernels may call: all but the dunder ones, a base class's included."""
    found = {}
    for base in reversed(cls.__mro__[:-1]):
        for name, value in vars(base).items():
            if inspect.isfunction(value) and not name.startswith("__"):
                found[name] = value
    return found


def digest(cls: type) -> str:
    """Fingerprint of a term's code and of the helpers it calls, the same in every process.

    It names the term's numba type, so machine code cached on disk is found again just as long as
    nothing that went into it has changed. Line numbers and docstrings do not count.
    """
    seen: set[int] = set()
    parts = [repr(sorted(field_kinds(cls).items()))]
    for name, method in sorted(methods(cls).items()):
        parts.append(name)
        parts.extend(_describe(method, seen))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


class _NumbaType:
    """Descriptor behind ``_numba_type_``: numba is imported when numba asks, not before."""

    def __get__(self, instance: object, owner: type) -> Any:
        from .term_numba import numba_type

        return numba_type(owner)


def _check_fields(self: Any) -> None:
    """Machine code reads the fields by their declared types, so they have to be right."""
    for name, kind in field_kinds(type(self)).items():
        value = getattr(self, name)
        label = f"{type(self).__name__}: {name}"
        if kind == "array":
            import numpy as np

            array = np.array(value, dtype=np.float64, ndmin=1)  # a copy: the term stays frozen
            array.flags.writeable = False
            object.__setattr__(self, name, array)
        elif kind == "bool" and not isinstance(value, bool):
            raise OptionError(f"{label} is true or false, not {value!r}")
        elif kind == "int" and (isinstance(value, bool) or not isinstance(value, Integral)):
            raise OptionError(f"{label} is a whole number, not {value!r}")
        elif kind == "float" and (isinstance(value, bool) or not isinstance(value, Real) or value != value):
            raise OptionError(f"{label} is a number, not {value!r}")


def _dotted_name(annotation: Any) -> str:
    if getattr(annotation, "__module__", "builtins") == "builtins":
        return str(getattr(annotation, "__name__", annotation))
    return f"{annotation.__module__}.{getattr(annotation, '__qualname__', annotation)}"


def _describe(value: Any, seen: set[int]) -> list[str]:
    """Text that changes when ``value``, as compiled code sees it, changes."""
    value = getattr(value, "py_func", value)  # a numba dispatcher stands for its function
    if isinstance(value, FunctionType):
        return _describe_function(value, seen)
    if isinstance(value, type) and hasattr(value, "_numba_type_"):
        return [digest(value)]
    if is_term(value):
        return [digest(type(value)), repr(value)]
    if hasattr(value, "tobytes"):  # an array is a constant to compiled code
        return [str(value.dtype), str(value.shape), hashlib.sha256(value.tobytes()).hexdigest()]
    if isinstance(value, (int, float, complex, str, bytes, tuple, type(None))):
        return [repr(value)]
    return [getattr(value, "__qualname__", type(value).__qualname__)]


def _describe_function(function: FunctionType, seen: set[int]) -> list[str]:
    package = (function.__module__ or "").partition(".")[0]
    if package in sys.stdlib_module_names - {"__main__"} or package in ("numpy", "scipy", "numba"):
        return [f"{function.__module__}.{function.__qualname__}"]  # a library's version, not its bytecode
    if id(function) in seen:
        return []
    seen.add(id(function))
    parts = [repr(function.__defaults__), *_describe_code(function.__code__)]
    for cell in function.__closure__ or ():
        parts.extend(_describe(cell.cell_contents, seen))
    names = _all_names(function.__code__)
    for name in names:
        value = function.__globals__.get(name)
        if isinstance(value, ModuleType):
            parts.append(value.__name__)
            for attribute in names:
                if hasattr(value, attribute):
                    parts.extend(_describe(getattr(value, attribute), seen))
        elif name in function.__globals__:
            parts.extend(_describe(value, seen))
    return parts


def _describe_code(code: CodeType) -> list[str]:
    constants = list(code.co_consts)
    if constants and isinstance(constants[0], str):
        constants = constants[1:]  # the docstring, where there is one
    parts = [code.co_code.hex(), repr(code.co_names), repr(code.co_varnames)]
    for constant in constants:
        if isinstance(constant, CodeType):
            parts.extend(_describe_code(constant))
        elif isinstance(constant, frozenset):
            parts.append(repr(sorted(map(repr, constant))))  # its own order differs from process to process
        else:
            parts.append(repr(constant))
    return parts


def _all_names(code: CodeType) -> list[str]:
    names = list(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names.extend(_all_names(constant))
    return names
