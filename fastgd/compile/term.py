"""Terms: small frozen dataclasses that compiled kernels accept as arguments.

A term (a loss, a penalty, a schedule, an update rule) is written as plain Python. Passed to a
kernel, its methods are compiled into the kernel and inlined; its fields stay run-time values, so
changing one compiles nothing. This file needs no numba: `term_numba` tells numba about a term the
first time a kernel sees one.
"""

from __future__ import annotations

import hashlib
import inspect
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from enum import Enum
from numbers import Integral, Real
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any, TypeVar, dataclass_transform

from ..errors import OptionError

T = TypeVar("T")

# How a field travels into machine code. Annotations are strings where a module postpones them.
FIELD_KINDS = {"float": "float", "int": "int", "bool": "bool", "np.ndarray": "array", "numpy.ndarray": "array"}

# Their code is known by its name: it changes with their version only.
LIBRARIES = ("numpy", "scipy", "numba")
UNBOUND = object()
PROCESS = os.urandom(8).hex()


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


def is_term(value: object) -> bool:
    return is_term_class(type(value))


def is_term_class(cls: type) -> bool:
    """Whether `term` made the class, or one that it inherits from; asking does not load numba."""
    return any("_numba_type_" in vars(base) for base in cls.__mro__)


def field_kinds(cls: type) -> dict[str, str]:
    """Name -> "float", "int", "bool" or "array", in the order of the fields."""
    kinds = {}
    for field in fields(cls):
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
    return Code(cls).digest


class Code:
    """One reading of a term's code, its helpers and the constants they use: what machine code is made from."""

    def __init__(self, cls: type) -> None:
        self._seen: set[Any] = set()
        self._names: dict[tuple[int, str], tuple[Mapping[str, Any], str, Any]] = {}
        self._functions: list[tuple[FunctionType, CodeType]] = []
        self.digest = hashlib.sha256("\n".join(self._describe_term(cls)).encode()).hexdigest()[:16]

    def is_current(self) -> bool:
        """Whether every name that was read is still bound to the same object: in a notebook, a helper may not be."""
        names, functions = self._names.values(), self._functions
        return all(namespace.get(name, UNBOUND) is value for namespace, name, value in names) and all(
            function.__code__ is code for function, code in functions
        )

    def _look_up(self, namespace: Mapping[str, Any], name: str) -> Any:
        value = namespace.get(name, UNBOUND)
        self._names[id(namespace), name] = namespace, name, value
        return value

    def _describe_term(self, cls: type) -> list[str]:
        parts = [repr(sorted(field_kinds(cls).items()))]
        for name, method in sorted(methods(cls).items()):
            self._look_up(vars(next(base for base in cls.__mro__ if name in vars(base))), name)
            parts += [name, *self._describe_function(method)]
        return parts

    def _describe(self, value: Any, names: tuple[str, ...] = ()) -> list[str]:
        """Text that changes when ``value``, as compiled code that uses these names sees it, changes."""
        if isinstance(value, FunctionType):
            return self._describe_function(value)
        if isinstance(value, ModuleType):
            return self._describe_module(value, names)
        if hasattr(value, "py_func"):  # a numba dispatcher: its function, and how that is compiled
            options = self._describe(getattr(value, "targetoptions", None))
            return [*options, *self._describe_function(value.py_func)]
        if isinstance(value, type):
            return self._describe_class(value)
        if is_term(value):
            settings = {name: getattr(value, name) for name in field_kinds(type(value))}
            return [*self._describe_term(type(value)), *self._describe(settings)]
        if isinstance(value, CodeType):
            return self._describe_code(value, value.co_consts)
        return self._describe_constant(value)

    def _describe_function(self, function: FunctionType) -> list[str]:
        if is_library(function):
            return [f"{function.__module__}.{function.__qualname__}"]
        if id(function) in self._seen:
            return []
        self._seen.add(id(function))
        code = function.__code__
        self._functions.append((function, code))
        constants = code.co_consts
        if constants and function.__doc__ is not None and constants[0] == function.__doc__:
            constants = (None, *constants[1:])  # what is there without a docstring
        parts = [*self._describe(function.__defaults__), *self._describe_code(code, constants)]
        for cell in function.__closure__ or ():
            parts += self._describe(cell.cell_contents)
        names = tuple(all_names(code))
        for name in names:
            value = self._look_up(function.__globals__, name)
            if value is not UNBOUND:
                parts += [name, *self._describe(value, names)]
        return parts

    def _describe_code(self, code: CodeType, constants: Iterable[Any]) -> list[str]:
        parts = [code.co_code.hex(), repr(code.co_names), repr(code.co_varnames)]
        for constant in constants:
            parts += self._describe(constant)
        return parts

    def _describe_module(self, module: ModuleType, names: tuple[str, ...]) -> list[str]:
        """Those of its attributes that may be meant: whatever has one of the names."""
        parts = [module.__name__]
        if is_library(module) or (id(module), names) in self._seen:
            return parts
        self._seen.add((id(module), names))
        for name in names:
            value = getattr(module, name, UNBOUND)  # before the look-up, since a module may load what it has lazily
            self._look_up(vars(module), name)
            if value is not UNBOUND:
                parts += [name, *self._describe(value, names)]
        return parts

    def _describe_class(self, cls: type) -> list[str]:
        if is_term_class(cls):
            return self._describe_term(cls)
        if type(cls).__module__.startswith("numba."):  # a jitclass
            return self._describe_constant(cls)
        parts = [f"{cls.__module__}.{cls.__qualname__}"]
        if issubclass(cls, Enum):
            return [*parts, *self._describe({member.name: member.value for member in cls})]
        return parts + self._describe(getattr(cls, "_fields", ()))  # a named tuple's

    def _describe_constant(self, value: Any) -> list[str]:
        if isinstance(value, Enum):
            return [repr(value.name), *self._describe(value.value)]
        if isinstance(value, (int, float, complex, str, bytes, type(None), type(...))):
            return [repr(value)]
        if isinstance(value, (tuple, list)):
            parts = [f"{type(value).__qualname__} of {len(value)}"]
            for item in value:
                parts += self._describe(item)
            return parts
        if isinstance(value, (set, frozenset)):  # its own order differs from process to process
            return sorted("\n".join(self._describe(item)) for item in value)
        if isinstance(value, dict):
            return self._describe(sorted(value.items(), key=lambda item: str(item[0])))
        if hasattr(value, "tobytes") and hasattr(value, "dtype"):  # an array is a constant to compiled code
            return [str(value.dtype), str(value.shape), hashlib.sha256(value.tobytes()).hexdigest()]
        if isinstance(value, BuiltinFunctionType) or type(value).__module__.startswith(("numpy", "numba.core.types")):
            return [getattr(value, "__qualname__", None) or repr(value)]
        # Who knows what is in it: compile anew in each process.
        return [f"{type(value).__qualname__} {id(value)} of {PROCESS}"]


class _NumbaType:
    """Descriptor behind ``_numba_type_``: numba is imported when numba asks, not before."""

    def __get__(self, instance: object, owner: type) -> Any:
        from .term_numba import numba_type

        return numba_type(owner)


def _check_fields(self: Any) -> None:
    """Machine code reads the fields by their declared types, so they have to be right."""
    for name, kind in field_kinds(type(self)).items():
        checked = CHECKS[kind](f"{type(self).__name__}: {name}", getattr(self, name))
        object.__setattr__(self, name, checked)


def _check_float(label: str, value: Any) -> float:
    try:
        if not isinstance(value, bool) and isinstance(value, Real) and value == value:
            return float(value)
    except OverflowError:  # a whole number beyond the largest float
        pass
    raise OptionError(f"{label} is a number, not {value!r}")


def _check_int(label: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise OptionError(f"{label} is a whole number, not {value!r}")
    whole = int(value)
    if not -(2**63) <= whole < 2**63:
        raise OptionError(f"{label} is a whole number of at most 64 bits, not {whole}")
    return whole


def _check_bool(label: str, value: Any) -> bool:
    if repr(value).removeprefix("np.").rstrip("_") in ("True", "False"):  # NumPy's as well, without importing it
        return bool(value)
    raise OptionError(f"{label} is true or false, not {value!r}")


def _check_array(label: str, value: Any) -> Any:
    import numpy as np

    try:
        array = np.array(value, dtype=np.float64, ndmin=1)  # a copy: the term stays frozen
    except (TypeError, ValueError):
        array = np.array([np.nan])
    if array.ndim != 1 or np.isnan(array).any():
        raise OptionError(f"{label} is an array of numbers in one dimension, without gaps")
    array.flags.writeable = False
    return array


CHECKS = {"float": _check_float, "int": _check_int, "bool": _check_bool, "array": _check_array}


def _dotted_name(annotation: Any) -> str:
    if getattr(annotation, "__module__", "builtins") == "builtins":
        return str(getattr(annotation, "__name__", annotation))
    return f"{annotation.__module__}.{getattr(annotation, '__qualname__', annotation)}"


def is_library(thing: FunctionType | ModuleType) -> bool:
    name = thing.__name__ if isinstance(thing, ModuleType) else thing.__module__
    return str(name).partition(".")[0] in LIBRARIES


def all_names(code: CodeType) -> list[str]:
    """Names of globals and attributes that the code, and any code within it, uses."""
    names = list(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names.extend(all_names(constant))
    return names
