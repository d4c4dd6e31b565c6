"""The errors that fastgd raises. Each message is one sentence that names the problem and says what to do."""

from __future__ import annotations

from typing import Any

from .wording import printable


class FastgdError(Exception):
    """Base class of all errors of fastgd.

    A message may quote data and paths: it is one line, with control characters as escapes.
    """

    def __str__(self) -> str:
        return printable(super().__str__(), kept="")


class DataError(FastgdError, ValueError):
    """The data cannot be read or used: the message names the file, row or column."""


class OptionError(FastgdError, ValueError):
    """An option has a wrong value, or contradicts another option."""


class DivergedError(FastgdError, ArithmeticError):
    """The loss grew instead of falling.

    Attributes
    ----------
    result : the `Result` up to the divergence.
    epoch : the epoch of the divergence, from 1.
    stable_rate : the largest learning rate known to be stable, computed from the data; None if there is no such limit
        (for a loss of unbounded curvature, or an adaptive rule).
    suggested_rate : a learning rate that lowered the objective in a trial on these data; None if none was found.
    columns : at most three columns that are far larger than the others, each with its name, mean, spread and the
        typical size of the others (see `fastgd.training.divergence.ColumnScale`).
    under_way : structured array with epoch, passes, seconds and running_loss of the epoch of the divergence, which is
        not in the trace of ``result``: a row for each block of rows, of which the last one showed the divergence.
    """

    def __init__(
        self, message: str, result: Any = None, *, epoch: int | None = None, stable_rate: float | None = None,
        suggested_rate: float | None = None, columns: tuple[Any, ...] = (), under_way: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(message)
        self.result, self.epoch, self.under_way = result, epoch, under_way
        self.stable_rate, self.suggested_rate, self.columns = stable_rate, suggested_rate, columns


class Interrupted(KeyboardInterrupt):
    """Ctrl-C during training; ``result`` is the `Result` so far."""

    def __init__(self, result: Any) -> None:
        super().__init__("interrupted")
        self.result = result
