"""The protocol of schedules: the learning rate as a function of progress, and the registry of schedules."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple, Protocol

from .registry import Members, Registry, cached_by_value, read_traits


class Schedule(Protocol):
    """The learning rate of each update. A schedule must define ``rate``; the other members are optional."""

    sets_rate: ClassVar[bool] = False  # the rate does not depend on lr
    feedback: ClassVar[bool] = False  # the training loop lowers the rate when the loss stops improving, see `Adaptive`

    def rate(self, lr: float, t: int, epoch: float) -> float:
        """The rate from the base rate ``lr`` after ``t`` updates and ``epoch`` (fractional) passes over the rows."""
        ...

    def bind(self, *, max_epochs: float, alpha: float, loss: Any) -> Any:
        """The same schedule with the fields that were left at 0 set from the fit: its length, the penalty, the loss."""
        return self


SCHEDULES = Registry("schedule", Schedule, required=("rate",))


class ScheduleTraits(NamedTuple):
    """The optional members of a schedule; see `Schedule`."""

    sets_rate: bool
    feedback: bool


@cached_by_value
def schedule_traits(schedule: Any) -> ScheduleTraits:
    """The optional members of a schedule, with the defaults of `Schedule`."""
    return read_traits(schedule, Schedule, ScheduleTraits)


def bind_schedule(schedule: Any, *, max_epochs: float, alpha: float, loss: Any) -> Any:
    """The schedule with the fields that were left open set from the fit; see `Schedule.bind`.

    Raises
    ------
    OptionError
        When the fit does not determine them.
    """
    return Members(schedule, Schedule).get("bind")(max_epochs=max_epochs, alpha=alpha, loss=loss)
