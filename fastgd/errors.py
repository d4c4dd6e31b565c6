"""The errors fastgd raises, each a sentence for the person who has to fix the problem."""

from __future__ import annotations

from typing import Any


class FastgdError(Exception):
    """Base of every error that fastgd raises on purpose."""


class DataError(FastgdError, ValueError):
    """The data cannot be read or used: the message names the file, row or column."""


class OptionError(FastgdError, ValueError):
    """An option has a value that makes no sense, alone or beside another."""


class DivergedError(FastgdError, ArithmeticError):
    """The loss grew instead of falling.

    Attributes
    ----------
    result : a `Result` with what there was until then.
    epoch : the epoch in which it happened, from 1.
    stable_rate : the largest learning rate that is sure to be stable, as measured from the data; None where there is no
        such limit (for a loss without a largest curvature, or an adaptive rule).
    suggested_rate : a learning rate that was tried on these data and lowered the objective; None if none was found.
    columns : the columns that are far larger than the others, three at most, each with its name, mean, spread and what
        is typical of the others (see `fastgd.training.divergence.ColumnScale`).
    under_way : structured array with epoch, passes, seconds and running_loss: of the epoch in which it diverged, which
        the trace of ``result`` does not have, a row for each block of rows that was done; the last one showed it.
    """

    def __init__(
        self,
        message: str,
        result: Any = None,
        *,
        epoch: int | None = None,
        stable_rate: float | None = None,
        suggested_rate: float | None = None,
        columns: tuple[Any, ...] = (),
        under_way: Any = None,
    ) -> None:
        super().__init__(message)
        self.result = result
        self.epoch = epoch
        self.stable_rate = stable_rate
        self.suggested_rate = suggested_rate
        self.columns = columns
        self.under_way = under_way


class Interrupted(KeyboardInterrupt):
    """Ctrl-C during training; ``result``, a `Result`, holds the weights reached so far."""

    def __init__(self, result: Any) -> None:
        super().__init__("interrupted")
        self.result = result
