"""A command that never writes over its own inputs, nor two outputs to one file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from fastgd.wording import offering

from .values import OUTPUTS


class FileChecking(click.Command):
    """Checks the files named on the command line before the command does any work."""

    def invoke(self, ctx: click.Context) -> Any:
        check_files(ctx)
        with offering(flag for parameter in ctx.command.params for flag in parameter.opts):
            return super().invoke(ctx)


def check_files(ctx: click.Context) -> None:
    """Raise a `UsageError` if an output is also an input, or another output."""
    outputs: list[tuple[str, Path]] = []
    for parameter in ctx.command.params:
        value = ctx.params.get(parameter.name or "")
        if value is None or parameter.type not in OUTPUTS:
            continue
        flag = parameter.opts[0]
        for other, path in outputs:
            if are_same_file(value, path):
                raise click.UsageError(f"{flag} and {other} name the same file, {value}: give each a file of its own")
        for name, path in _inputs(ctx):
            if are_same_file(value, path):
                raise click.UsageError(f"{flag} would write over the input {path} ({name}): name another file")
        outputs.append((flag, Path(value)))


def _inputs(ctx: click.Context) -> Iterator[tuple[str, Path]]:
    """The existing files among the other values: data, a model, validation rows, a loss of the user's own."""
    for parameter in ctx.command.params:
        value = ctx.params.get(parameter.name or "")
        if parameter.type in OUTPUTS:
            continue
        for one in value if isinstance(value, (list, tuple)) else [value]:
            if isinstance(one, (str, os.PathLike)) and os.path.isfile(one):
                yield parameter.human_readable_name, Path(one)


def are_same_file(first: Path, second: Path) -> bool:
    """Whether two paths lead to one regular file; it need not exist yet. Devices may be named twice."""
    if os.path.exists(first) and os.path.exists(second):
        return os.path.isfile(first) and os.path.samefile(first, second)
    return os.path.realpath(first) == os.path.realpath(second)
