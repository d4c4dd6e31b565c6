"""How numba sees a term: a struct of its fields, with its methods compiled on demand.

The only file that touches numba's typing internals. Loaded when the first kernel sees a term.
"""

from __future__ import annotations

import inspect
from typing import Any

from numba import types
from numba.core import cgutils
from numba.core.imputils import lower_getattr_generic
from numba.core.typing.templates import AttributeTemplate, infer_getattr
from numba.extending import NativeValue, models, overload_method, register_model, unbox

from .jit import COMPILE_OPTIONS
from .term import digest, field_kinds, methods

NUMBA_KINDS = {
    "float": types.float64,
    "int": types.int64,
    "bool": types.boolean,
    "array": types.Array(types.float64, 1, "C", readonly=True),
}


class TermType(types.Type):  # type: ignore[misc]  # numba ships no type hints
    """Numba type of one term class; equal in every process that has the same code for it."""

    registry: dict[str, TermType] = {}

    def __init__(self, cls: type, name: str) -> None:
        self.instance_class = cls
        self.kinds = {field: NUMBA_KINDS[kind] for field, kind in field_kinds(cls).items()}
        super().__init__(name)

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        # By name: cached code must load, or be passed over, even where the class is gone.
        return _restore, (self.name,)


def _restore(name: str) -> types.Type:
    return TermType.registry.get(name) or types.Opaque(name)


_types: dict[type, TermType] = {}


def numba_type(cls: type) -> TermType:
    """The numba type of a term class, made at the first call."""
    if cls not in _types:
        _types[cls] = _make_type(cls)
    return _types[cls]


def _make_type(cls: type) -> TermType:
    name = f"{cls.__module__}.{cls.__qualname__}#{digest(cls)}"
    # A numba type class for each term class: two terms may then have methods of one name and
    # different parameters, as a loss's value(y, z) and a penalty's value(w).
    own_type = type(f"{cls.__name__}Type", (TermType,), {})
    register_model(own_type)(_TermModel)
    unbox(own_type)(_unbox)
    for method_name, method in methods(cls).items():
        _expose(own_type, method_name, method)
    created: TermType = own_type(cls, name)
    TermType.registry[name] = created
    return created


def _expose(own_type: type, name: str, method: Any) -> None:
    def resolve(self: Any, *args: Any) -> Any:
        return method

    resolve.__signature__ = inspect.signature(method)  # type: ignore[attr-defined]  # numba reads the parameters here
    overload_method(own_type, name, jit_options=dict(COMPILE_OPTIONS))(resolve)


class _TermModel(models.StructModel):  # type: ignore[misc]
    def __init__(self, dmm: Any, fe_type: TermType) -> None:
        members = list(fe_type.kinds.items())
        super().__init__(dmm, fe_type, members or [("_", types.float64)])  # LLVM wants a member


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
