"""Registries: the named losses, penalties, schedules and rules, and the members that each kind of term has."""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import MISSING, fields
from types import FunctionType, MethodType
from typing import Any, NamedTuple, TypeVar

from ..compile.term_code import field_kinds, is_term, is_term_class, methods
from ..errors import OptionError

T = TypeVar("T")
N = TypeVar("N", bound=NamedTuple)

# Kind of a field -> how its value is read from text, where not as a float.
READ: dict[str, Callable[[str], Any]] = {
    "int": int,
    "array": lambda text: [float(number) for number in text.split("/")],
}


def nearest(word: str, known: Any) -> str:
    """A hint such as ``"; did you mean 'huber'?"``, or "" if no known word is similar."""
    near = difflib.get_close_matches(word, [str(k) for k in known], n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else ""


def _text(value: Any) -> str:
    return str(value) if isinstance(value, (int, float)) else "/".join(map(str, value.tolist()))


@functools.lru_cache(1024)
def _parameters(method: Callable[..., Any]) -> tuple[str, ...]:
    """Names of a method's parameters after ``self``; cached, since a signature takes as long as a short pass over X."""
    return tuple(inspect.signature(method).parameters)[1:]


class Members:
    """The members of a term; where it lacks one, the default that the protocol of its kind has for it."""

    def __init__(self, term: object, protocol: type) -> None:
        self.term = term
        self.protocol = protocol

    def has(self, name: str) -> bool:
        """Whether the term defines the member itself."""
        return getattr(type(self.term), name, None) not in (None, getattr(self.protocol, name))

    def get(self, name: str) -> Any:
        """The member: an attribute, or a method bound to the term."""
        if self.has(name):
            return getattr(self.term, name)
        default = getattr(self.protocol, name)
        return MethodType(default, self.term) if isinstance(default, FunctionType) else default


def read_traits(term: object, protocol: type, traits: type[N], **computed: Any) -> N:
    """A named tuple of a term's members, by the names of its fields; methods are called.

    A field ``has_x`` tells whether the term defines the member x; fields in ``computed`` have these values.
    """
    members = Members(term, protocol)
    for name in traits._fields:
        if name.startswith("has_"):
            computed[name] = members.has(name.removeprefix("has_"))
        elif name not in computed:
            member = members.get(name)
            computed[name] = member() if callable(member) else member
    make: Any = traits
    result: N = make(**computed)
    return result


def cached_by_value(resolve: Callable[[Any], T]) -> Callable[[Any], T]:
    """A function of a term that is called once per value; terms with arrays have no hash and are read at each call."""
    cached = functools.lru_cache(256)(resolve)

    def call(term: Any) -> T:
        try:
            hash(term)
        except TypeError:
            return resolve(term)
        return cached(term)

    return functools.wraps(resolve)(call)


class Registry(Mapping[str, type]):
    """Terms of one role by name, and the methods that kernels call on them.

    Parameters
    ----------
    role : what such a term is, for messages: "loss", "penalty", ...
    protocol : the class that declares all members of the role.
    required : the methods of the protocol that every term must define, with the same parameters.
    supplied : the methods that a term gets from the protocol where it does not define them.
    """

    def __init__(self, role: str, protocol: type, required: Iterable[str], supplied: Iterable[str] = ()) -> None:
        self.role = role
        self.protocol = protocol
        self.required = tuple(required)
        self.supplied = tuple(supplied)
        self._classes: dict[str, type] = {}
        self.aliases: dict[str, str] = {}  # other names that people type -> the registered name

    def __getitem__(self, name: str) -> type:
        return self._classes[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._classes)

    def __len__(self) -> int:
        return len(self._classes)

    def register(self, name: str, *aliases: str) -> Callable[[type[T]], type[T]]:
        """Decorator that registers a term class under ``name``; results never show an alias."""

        def register(cls: type[T]) -> type[T]:
            self.check_methods(cls)
            self._classes[name] = cls
            self.aliases.update(dict.fromkeys(aliases, name))
            return cls

        return register

    def canonical(self, text: str) -> str:
        """The text of a term, such as "pinball:quantile=0.9", with the registered name in place of an alias."""
        name, colon, settings = text.partition(":")
        return self.aliases.get(name, name) + colon + settings

    def aliases_of(self, name: str) -> list[str]:
        """The other names of a registered name."""
        return [alias for alias, registered in self.aliases.items() if registered == name]

    def name_of(self, value: object) -> str:
        """The name that the term's class is registered under; for a user's term, the name of its class."""
        for name, cls in self._classes.items():
            if type(value) is cls:
                return name
        return type(value).__qualname__

    def describe(self, value: Any) -> str:
        """A term as text that `resolve` reads: its name, then its settings."""
        settings = ",".join(f"{field.name}={_text(getattr(value, field.name))}" for field in fields(value))
        return self.name_of(value) + (f":{settings}" if settings else "")

    def resolve(self, value: Any) -> Any:
        """A term from a term, a name, or a name with settings such as ``"huber:delta=2"``.

        Raises
        ------
        OptionError
            For an unknown name or setting, and for a term that lacks a method of this role.
        """
        if isinstance(value, str):
            return self.make(*self.parse(value))
        if isinstance(value, type) and is_term_class(value):
            raise OptionError(f"{self.role}: pass an instance, {value.__qualname__}(), not the class itself")
        if not is_term(value):
            names = ", ".join(self)
            raise OptionError(
                f"{self.role}: {value!r} is neither a name ({names}) nor a term; decorate its class with @fastgd.term"
            )
        self.check_methods(type(value))
        return value

    def check_methods(self, cls: type) -> None:
        """Check that the class has the methods of the role with their parameters; supply those that have a default.

        Raises
        ------
        OptionError
            For a method that is missing, or whose parameters differ.
        """
        found = methods(cls)
        for name in (*self.required, *self.supplied):
            default = getattr(self.protocol, name)
            wanted = f"{name}({', '.join(('self', *_parameters(default)))})"
            if name not in found:
                if name in self.required:
                    raise OptionError(f"{self.role} {cls.__qualname__} has no method {wanted}")
                setattr(cls, name, default)
            elif _parameters(found[name]) != _parameters(default):
                got = f"{name}({', '.join(('self', *_parameters(found[name])))})"
                raise OptionError(f"{self.role} {cls.__qualname__}: the method must be {wanted}, not {got}")

    def parse(self, text: str) -> tuple[str, dict[str, Any]]:
        """The name and the settings in ``"huber:delta=2"``; the numbers of an array are separated by /."""
        name, _, settings = self.canonical(text).partition(":")
        if name not in self._classes:
            close = nearest(name, [*self, *self.aliases])
            raise OptionError(f"unknown {self.role} {name!r}{close} (known: {', '.join(self)})")
        kinds = field_kinds(self._classes[name])
        given: dict[str, Any] = {}
        for setting in filter(None, settings.split(",")):
            key, _, number = setting.partition("=")
            if key not in kinds:
                known = ", ".join(kinds) or "none"
                raise OptionError(f"{self.role} {name!r} has no setting {key!r}{nearest(key, kinds)} (it has: {known})")
            if key in given:
                raise OptionError(f"{self.role} {name!r}: {key} is given twice")
            try:
                given[key] = READ.get(kinds[key], float)(number)
            except ValueError:
                several = " nor several with / between them" if kinds[key] == "array" else ""
                raise OptionError(f"{self.role} {name!r}: {key}={number!r} is not a number{several}") from None
        return name, given

    def make(self, name: str, settings: dict[str, Any]) -> Any:
        """The term of that name with these settings and the defaults of the others."""
        cls = self._classes[name]
        for field in fields(cls):
            if field.default is MISSING and field.name not in settings:
                example = f"{cls.__qualname__}({', '.join(field_kinds(cls))})"
                raise OptionError(
                    f"{self.role} {name!r} needs {field.name}: write {name}:{field.name}=... or pass a term, {example}"
                )
        return cls(**settings)
