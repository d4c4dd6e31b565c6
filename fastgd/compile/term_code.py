"""What compiled code depends on in a term: its fields, its methods, the helpers that they call, and their digest."""

from __future__ import annotations

import hashlib
import inspect
import os
from collections.abc import Iterable, Mapping
from dataclasses import fields
from enum import Enum
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any

from ..errors import OptionError

# Annotation of a field -> its kind in machine code. With postponed evaluation, annotations are strings.
FIELD_KINDS = {"float": "float", "int": "int", "bool": "bool", "np.ndarray": "array", "numpy.ndarray": "array"}

# Libraries whose code changes only with their version: a name identifies it.
LIBRARIES = ("numpy", "scipy", "numba")
UNBOUND = object()
PROCESS = os.urandom(8).hex()


def is_term(value: object) -> bool:
    return is_term_class(type(value))


def is_term_class(cls: type) -> bool:
    """Whether the class, or a base class of it, is decorated with `term`; does not import numba."""
    return any("_numba_type_" in vars(base) for base in cls.__mro__)


def field_kinds(cls: type) -> dict[str, str]:
    """Name -> "float", "int", "bool" or "array", in the order of the fields."""
    kinds = {}
    for field in fields(cls):
        annotation = field.type if isinstance(field.type, str) else inspect.formatannotation(field.type)
        if annotation not in FIELD_KINDS:
            rule = "a term's fields are float, int, bool or np.ndarray"
            raise OptionError(f"{cls.__qualname__}.{field.name} is annotated {annotation}; {rule}")
        kinds[field.name] = FIELD_KINDS[annotation]
    return kinds


def methods(cls: type) -> dict[str, FunctionType]:
    """The methods that kernels may call: all but dunder methods, inherited ones included, those of protocols not."""
    found = {}
    for base in reversed(cls.__mro__[:-1]):
        if not vars(base).get("_is_protocol", False):
            found.update({name: v for name, v in vars(base).items() if inspect.isfunction(v) and name[:2] != "__"})
    return found


def digest(cls: type) -> str:
    """Digest of a term's code and of the helpers that it calls, equal in every process.

    It is part of the name of the term's numba type, so cached machine code is found as long as no code behind it has
    changed. Line numbers and docstrings do not count.
    """
    return Code(cls).digest


class Code:
    """A snapshot of a term's code, of its helpers and of the constants that they use."""

    def __init__(self, cls: type) -> None:
        self._seen: set[Any] = set()
        self._names: dict[tuple[int, str], tuple[Mapping[str, Any], str, Any]] = {}
        self._functions: list[tuple[FunctionType, CodeType]] = []
        self.digest = hashlib.sha256("\n".join(self._describe_term(cls)).encode()).hexdigest()[:16]

    def is_current(self) -> bool:
        """Whether every name is still bound to the same object; in a notebook, a helper may be redefined."""
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
        """Text that changes when ``value`` changes, as seen by compiled code that uses these names."""
        if isinstance(value, FunctionType):
            return self._describe_function(value)
        if isinstance(value, ModuleType):
            return self._describe_module(value, names)
        if hasattr(value, "py_func"):  # a numba dispatcher: its function and its compiler options
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
            constants = (None, *constants[1:])  # as in a function without a docstring
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
        """The attributes of the module with one of these names."""
        parts = [module.__name__]
        if is_library(module) or (id(module), names) in self._seen:
            return parts
        self._seen.add((id(module), names))
        for name in names:
            value = getattr(module, name, UNBOUND)  # before the look-up: a module may load attributes lazily
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
        return parts + self._describe(getattr(cls, "_fields", ()))  # of a named tuple

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
        if isinstance(value, (set, frozenset)):  # its order differs between processes
            return sorted("\n".join(self._describe(item)) for item in value)
        if isinstance(value, dict):
            return self._describe(sorted(value.items(), key=lambda item: str(item[0])))
        if hasattr(value, "tobytes") and hasattr(value, "dtype"):  # an array is a constant to compiled code
            return [str(value.dtype), str(value.shape), hashlib.sha256(value.tobytes()).hexdigest()]
        if isinstance(value, BuiltinFunctionType) or type(value).__module__.startswith(("numpy", "numba.core.types")):
            return [getattr(value, "__qualname__", None) or repr(value)]
        # Its content is unknown: compile again in each process.
        return [f"{type(value).__qualname__} {id(value)} of {PROCESS}"]


def is_library(thing: FunctionType | ModuleType) -> bool:
    """Whether a function or module belongs to one of `LIBRARIES`."""
    name = thing.__name__ if isinstance(thing, ModuleType) else thing.__module__
    return str(name).partition(".")[0] in LIBRARIES


def all_names(code: CodeType) -> list[str]:
    """Names of the globals and attributes that the code uses, nested code included."""
    names = list(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names.extend(all_names(constant))
    return names
