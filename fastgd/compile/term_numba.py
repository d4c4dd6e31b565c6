"""The numba type of a term: a struct of its fields, with its methods compiled on demand.

The only module that uses numba's typing internals. Imported when a kernel first receives a term.
"""

from __future__ import annotations

import inspect
import math
from types import BuiltinFunctionType, CellType, FunctionType, ModuleType
from typing import Any, ClassVar

import numba
from numba import types
from numba.core import cgutils
from numba.core.compiler_lock import global_compiler_lock
from numba.core.dispatcher import Dispatcher
from numba.core.errors import NumbaError
from numba.core.imputils import lower_getattr_generic
from numba.core.registry import cpu_target
from numba.core.typing.templates import AttributeTemplate, infer_getattr
from numba.extending import NativeValue, models, overload_method, register_model, unbox

from .elementary import exp
from .jit import CALLED_BY_KERNELS
from .term_code import Code, all_names, field_kinds, is_library, methods

NUMBA_KINDS = {
    "float": types.float64,
    "int": types.int64,
    "bool": types.boolean,
    "array": types.Array(types.float64, 1, "C", readonly=True),
}


# Function that terms call -> function that is compiled in its place.
INLINED = {math.exp: exp}


class TermType(types.Type):  # type: ignore[misc]  # numba ships no type hints
    """Numba type of one term class; equal in every process that has the same code for it."""

    registry: ClassVar[dict[str, TermType]] = {}

    def __init__(self, cls: type, name: str) -> None:
        self.kinds = {field: NUMBA_KINDS[kind] for field, kind in field_kinds(cls).items()}
        self.method_names = frozenset(methods(cls))
        self.joint = bool(getattr(cls, "joint", False))  # a loss of all outputs at once, see `Loss`
        super().__init__(name)

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        # By name: unpickling cached code must not fail where the class no longer exists.
        return _restore, (self.name,)


def _restore(name: str) -> types.Type:
    return TermType.registry.get(name) or types.Opaque(name)


_current: dict[type, tuple[Code, TermType]] = {}


def numba_type(cls: type) -> TermType:
    """The numba type of a term class, made at the first call and again when the code of the class has changed."""
    if cls not in _current or not _current[cls][0].is_current():
        with global_compiler_lock:  # so that no other thread compiles with a type that is not complete
            code = Code(cls)
            name = f"{cls.__module__}.{cls.__qualname__}#{code.digest}"
            _current[cls] = code, TermType.registry.get(name) or _make_type(cls, name)
    return _current[cls][1]


def _make_type(cls: type, name: str) -> TermType:
    # One numba type class per term class, so that methods of one name may have different parameters: a loss has
    # value(y, z), a penalty value(w).
    own_type = type(f"{cls.__name__}Type", (TermType,), {})
    register_model(own_type)(_TermModel)
    unbox(own_type)(_unbox)
    copies = _Copies()
    for method_name, method in methods(cls).items():
        _expose(own_type, method_name, copies.function(method))
    created: TermType = own_type(cls, name)
    TermType.registry[name] = created
    return created


class _Copies:
    """Copies of a term's methods and of their helpers, bound to the objects that those names refer to now.

    numba keeps the machine code of a helper even when a constant or another helper that it uses is redefined, as in a
    notebook. Copies compile to the code that the term's digest describes. Plain Python helpers are compiled too.
    """

    def __init__(self) -> None:
        self._made: dict[Any, Any] = {}

    def function(self, function: FunctionType) -> FunctionType:
        copy, cells = _unbound(function)
        self._bind(copy, cells, function)
        return copy

    def _bind(self, copy: FunctionType, cells: tuple[CellType, ...], function: FunctionType) -> None:
        names = tuple(all_names(function.__code__))
        for name in names:
            if name in function.__globals__:
                copy.__globals__[name] = self._of(function.__globals__[name], names)
        for cell, original in zip(cells, function.__closure__ or (), strict=True):
            cell.cell_contents = self._of(original.cell_contents, names)

    def _of(self, value: Any, names: tuple[str, ...]) -> Any:
        if isinstance(value, BuiltinFunctionType):
            return INLINED.get(value, value)
        if isinstance(value, ModuleType):
            return self._module(value, names)
        if isinstance(value, Dispatcher):
            return self._helper(value, value.py_func, value.targetoptions)
        if isinstance(value, FunctionType) and not _is_known(value):
            return self._helper(value, value, CALLED_BY_KERNELS)
        return value

    def _helper(self, value: Any, function: FunctionType, options: dict[str, Any]) -> Any:
        if is_library(function):
            return value
        if id(value) not in self._made:
            copy, cells = _unbound(function)
            self._made[id(value)] = numba.jit(**{**options, "nopython": True})(copy)
            self._bind(copy, cells, function)  # after `_made` has it: helpers may be recursive
        return self._made[id(value)]

    def _module(self, module: ModuleType, names: tuple[str, ...]) -> ModuleType:
        if is_library(module):
            return module
        key = id(module), names
        copy = self._made.get(key)
        if copy is None:
            copy = self._made[key] = ModuleType(module.__name__)
            for name in names:
                if hasattr(module, name):
                    setattr(copy, name, self._of(getattr(module, name), names))
        return copy


def _unbound(function: FunctionType) -> tuple[FunctionType, tuple[CellType, ...]]:
    """A copy with empty globals, and its closure cells, still empty."""
    cells = tuple(CellType() for _ in function.__closure__ or ())
    namespace = {"__name__": function.__module__}
    copy = FunctionType(function.__code__, namespace, function.__name__, function.__defaults__, cells or None)
    copy.__module__, copy.__qualname__ = function.__module__, function.__qualname__
    return copy, cells


def _is_known(function: FunctionType) -> bool:
    """Whether numba has its own implementation of a plain function, as by ``numba.extending.overload``."""
    context = cpu_target.typing_context
    context.refresh()
    try:
        context.resolve_value_type(function)
    except (NumbaError, ValueError):
        return False
    return True


def _expose(own_type: type, name: str, method: Any) -> None:
    def resolve(*_types: Any) -> Any:
        return method

    resolve.__signature__ = inspect.signature(method)  # type: ignore[attr-defined]  # numba reads the parameters here
    overload_method(own_type, name, jit_options={**CALLED_BY_KERNELS, "forceinline": True})(resolve)


class _TermModel(models.StructModel):  # type: ignore[misc]
    def __init__(self, dmm: Any, fe_type: TermType) -> None:
        members = list(fe_type.kinds.items())
        super().__init__(dmm, fe_type, members or [("_", types.float64)])  # LLVM requires a member


def _unbox(typ: TermType, obj: Any, c: Any) -> NativeValue:
    struct = cgutils.create_struct_proxy(typ)(c.context, c.builder)
    for name, kind in typ.kinds.items():
        value = c.pyapi.object_getattr_string(obj, name)
        if kind == types.float64:
            setattr(struct, name, c.pyapi.float_as_double(value))  # takes an int as well
        else:
            setattr(struct, name, c.unbox(kind, value).value)
        c.pyapi.decref(value)
    failed = cgutils.is_not_null(c.builder, c.pyapi.err_occurred())
    return NativeValue(struct._getvalue(), is_error=failed)


@infer_getattr
class _TermFields(AttributeTemplate):  # type: ignore[misc]
    key = TermType

    def generic_resolve(self, typ: TermType, attr: str) -> types.Type | None:
        return typ.kinds.get(attr)


@lower_getattr_generic(TermType)  # type: ignore[untyped-decorator]
def _getattr(context: Any, builder: Any, typ: TermType, value: Any, attr: str) -> Any:
    member = getattr(cgutils.create_struct_proxy(typ)(context, builder, value=value), attr)
    if isinstance(typ.kinds[attr], types.Array):
        context.nrt.incref(builder, typ.kinds[attr], member)  # the struct keeps its own reference
    return member
