"""The files that a command writes; an error about one of them loses neither the others nor what is printed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from fastgd.errors import FastgdError


class WrittenFiles:
    """What was written, by the kind of output, and the errors about what was not."""

    def __init__(self) -> None:
        self.paths: dict[str, str] = {}
        self.errors: list[FastgdError] = []

    def write(self, kind: str, path: Path | None, write: Callable[[Path], None]) -> None:
        """Write an output to ``path``, if it is asked for."""
        if path is None:
            return
        try:
            write(path)
        except FastgdError as error:
            self.errors.append(error)
        else:
            self.paths[kind] = str(path)

    def raise_error(self) -> None:
        """Raise the errors, if there were some, as one."""
        if self.errors:
            raise FastgdError("; ".join(map(str, self.errors)))
