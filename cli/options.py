"""Types and options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from fastgd.data.names import BUILTINS

F = TypeVar("F", bound=Callable[..., Any])

OWN_LOSS_HELP = "The loss again, FILE.py:CLASS, of a model that was fitted with one of your own."
DATA_HELP = f"DATA is a file or one of the built-ins: {', '.join(BUILTINS)}."


class AutoOr(click.ParamType):  # type: ignore[type-arg]  # generic in newer versions of click only
    """The word auto, or a number."""

    def __init__(self, number: type) -> None:
        self.number = number
        self.name = "auto|int" if number is int else "auto|float"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "auto" or isinstance(value, self.number):
            return value
        try:
            return self.number(value)
        except ValueError:
            kind = "a whole number" if self.number is int else "a number"
            self.fail(f"{value!r} is neither 'auto' nor {kind}", param, ctx)


class Numbers(click.ParamType):  # type: ignore[type-arg]  # generic in newer versions of click only
    """One number, or several with commas between them; always a list with ``as_list``."""

    name = "numbers"

    def __init__(self, as_list: bool = False) -> None:
        self.as_list = as_list

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        try:
            numbers = [float(part) for part in value.split(",")]
        except ValueError:
            self.fail(f"{value!r} is not a number, nor several with commas between them", param, ctx)
        return numbers[0] if len(numbers) == 1 and not self.as_list else numbers


class ClassWeights(click.ParamType):  # type: ignore[type-arg]  # generic in newer versions of click only
    """The word balanced, or a weight for each of some labels."""

    name = "class weights"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "balanced" or not isinstance(value, str):
            return value
        pairs = [part.rpartition("=") for part in value.split(",")]
        try:
            weights = {label.strip(): float(weight) for label, _, weight in pairs}
        except ValueError:
            weights = {}
        if len(weights) < len(pairs) or "" in weights:
            self.fail(f"{value!r} is neither 'balanced' nor LABEL=WEIGHT, with commas between several", param, ctx)
        return weights


class Names(click.ParamType):  # type: ignore[type-arg]  # generic in newer versions of click only
    """Names with commas between them."""

    name = "names"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def json_option(function: F) -> F:
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")(function)


def quiet_option(function: F) -> F:
    return click.option("--quiet", "-q", is_flag=True, help="No progress and no remarks on standard error.")(function)
