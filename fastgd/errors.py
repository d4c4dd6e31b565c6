"""The errors fastgd raises, each a sentence for the person who has to mend it."""

from __future__ import annotations

from typing import Any


class FastgdError(Exception):
    """Base of every error that fastgd raises on purpose."""


class DataError(FastgdError, ValueError):
    """The data cannot be read or used: the message names the file, row or column."""


class OptionError(FastgdError, ValueError):
    """An option has a value that makes no sense, alone or beside another."""


class DivergedError(FastgdError, ArithmeticError):
    """The loss grew instead of falling; ``result``, a `Result`, holds what there was until then."""

    def __init__(self, message: str, result: Any = None) -> None:
        super().__init__(message)
        self.result = result


class Interrupted(KeyboardInterrupt):
    """Ctrl-C during training; ``result``, a `Result`, holds the weights reached so far."""

    def __init__(self, result: Any) -> None:
        super().__init__("interrupted")
        self.result = result
