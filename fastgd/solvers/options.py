"""How to fit, checked: every option is either right or one clear `OptionError`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import Any, Literal

from ..errors import OptionError
from ..terms.penalties import is_smooth
from ..terms.rate_schedules import SCHEDULES, bind_schedule
from ..terms.registry import nearest
from ..terms.update_rules import RULES, SGD

# What each method is, for the choices on the command line; the code is in methods/.
METHODS = {
    "auto": "picks one of the others for the shape of the data",
    "gd": "batch gradient descent: one step an epoch on the gradient of all rows, in parallel",
    "sgd": "stochastic gradient descent: one step a row, serial or in shards",
    "minibatch": "one step a batch of rows: the compromise",
    "newton": "one step a pass, preconditioned by the Hessian of sampled rows; for up to about a thousand columns",
    "lbfgs": "one step a pass, from a memory of the last ones; for any number of columns and a smooth penalty",
    "svrg": "steps a row, corrected by a full gradient every other epoch: to the optimum without a falling rate",
    "saga": "steps a row, corrected by the last gradient of each row: the same without passes for full gradients",
}
# What `fastgd.compare` sets side by side unless told otherwise; after a colon, rows a step.
COMPARED = ("gd", "sgd", "minibatch:32", "minibatch:256", "auto")
# Those that correct the gradient of a row by gradients of the past.
VARIANCE_REDUCED = ("svrg", "saga")
# Those whose steps come from a model of the curvature.
QUASI_NEWTON = ("newton", "lbfgs")
WHOLE_STEPS = "whole steps of a quadratic model"  # why their rate is 1
ON_DIVERGENCE = {
    "auto": "at an automatic rate as shrink, at one of yours as raise",
    "shrink": "go back to where it had not diverged and on at a smaller rate",
    "raise": "stop, and say what is wrong",
}
SHUFFLES = ("blocks", "full", "none")
AVERAGING = ("auto", "sgd", "minibatch")  # the methods whose steps can be averaged
SHARDING = ("auto", "sgd")  # those whose steps can be taken side by side
AUTO_TOLERANCE = 1e-4


@dataclass
class Options:
    """The options of `fastgd.fit` that say how to fit, under the names they have there."""

    method: str = "auto"
    rule: Any = "sgd"
    learning_rate: float | Literal["auto"] = "auto"
    schedule: Any = "constant"
    batch_size: int | Literal["auto"] = "auto"
    scale: bool | Literal["auto"] = "auto"
    max_epochs: int = 100
    max_seconds: float | None = None
    tol: float | None = None
    gap_tol: float | None = None
    patience: int = 5
    clip_norm: float | None = None
    shuffle: bool | str = True
    seed: int = 0
    n_threads: int | None = None
    trace: Literal["epoch", "step"] = "epoch"
    callbacks: Sequence[Callable[..., Any]] = ()
    average: bool | int = False
    on_divergence: Literal["auto", "shrink", "raise"] = "auto"
    shards: int | None = None

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise OptionError(
                f"unknown method {self.method!r}{nearest(str(self.method), METHODS)} (known: {', '.join(METHODS)})"
            )
        self.rule = RULES.resolve(self.rule)
        self.schedule = SCHEDULES.resolve(self.schedule)
        if self.learning_rate != "auto":
            self.learning_rate = _positive("learning_rate", self.learning_rate, "'auto' or a number above 0")
        if self.batch_size != "auto":
            self.batch_size = check_whole("batch_size", self.batch_size, 1, "'auto' or ")
        self.max_epochs = check_whole("max_epochs", self.max_epochs, 1)
        self.patience = check_whole("patience", self.patience, 1)
        self.seed = check_whole("seed", self.seed, 0)
        if self.max_seconds is not None:
            self.max_seconds = _positive("max_seconds", self.max_seconds)
        if self.gap_tol is not None:
            self.gap_tol = _positive("gap_tol", self.gap_tol)
        if self.clip_norm is not None:
            self.clip_norm = _positive("clip_norm", self.clip_norm)
        if self.n_threads is not None:
            self.n_threads = check_whole("n_threads", self.n_threads, 1)
        if not isinstance(self.average, bool):
            self.average = check_whole("average", self.average, 0, "True, False or ")
        if self.shards is not None:
            self.shards = check_whole("shards", self.shards, 1)
        self._check_tolerance()
        self._check_choices()

    def bound_to(self, loss: Any, penalty: Any, alpha: float) -> Options:
        """The options for this loss and penalty: settings of the schedule that were left to the fit are filled in.

        Raises
        ------
        OptionError
            When rule, schedule and penalty do not go together.
        """
        schedule = bind_schedule(self.schedule, max_epochs=self.max_epochs, alpha=alpha, loss=loss)
        if getattr(schedule, "sets_rate", False) and self.learning_rate != "auto":
            name = SCHEDULES.name_of(schedule)
            raise OptionError(f"schedule {name!r} sets the learning rate itself: leave learning_rate out")
        if not getattr(penalty, "separable", True):
            if getattr(self.rule, "adaptive", False):
                name = RULES.name_of(self.rule)
                raise OptionError(
                    f"a penalty of groups needs one step size for all of a group, but rule {name!r} has one for each "
                    "weight: take rule='sgd', 'momentum' or 'nesterov'"
                )
            if self.scale is True:
                raise OptionError("scale=True goes with penalties of single features, not of groups")
        if self.method in QUASI_NEWTON:
            self._check_can_be_modelled(loss, penalty)
        if self.average:
            self._check_average(penalty)
        if self.shards is not None and self.shards > 1:
            self._check_shards(penalty)
        if self.on_divergence == "shrink" and getattr(schedule, "sets_rate", False):
            name = SCHEDULES.name_of(schedule)
            raise OptionError(
                f"schedule {name!r} sets the rates itself: on_divergence='shrink' has none to make smaller"
            )
        scale = self.scale if getattr(penalty, "separable", True) else False
        return replace(self, schedule=schedule, scale=scale)

    @property
    def shrinks(self) -> bool:
        """Whether training that diverges goes back, and on at a smaller rate."""
        return self.on_divergence == "shrink" or (self.on_divergence == "auto" and self.learning_rate == "auto")

    def _check_average(self, penalty: Any) -> None:
        from ..kernels.update_step import keeps_model  # brings numba, which the choices above must not

        if self.method not in AVERAGING:
            raise OptionError(
                f"average goes with the methods sgd and minibatch, whose steps end up about the optimum, and not with "
                f"{self.method!r}: leave it out"
            )
        if keeps_model(self.rule, penalty):
            name = RULES.name_of(self.rule)
            raise OptionError(
                f"rule {name!r} makes the model from the weights of its steps in a way of its own here: "
                "leave average out, or take the rule sgd"
            )

    def _check_shards(self, penalty: Any) -> None:
        from ..kernels.update_step import keeps_model  # brings numba, as above

        if keeps_model(self.rule, penalty):
            name = RULES.name_of(self.rule)
            raise OptionError(
                f"rule {name!r} keeps the model apart from the weights that shards average: leave shards out, or take "
                "the rule sgd"
            )

    def _check_tolerance(self) -> None:
        if self.tol is None:
            self.tol = AUTO_TOLERANCE if self.learning_rate == "auto" and self.gap_tol is None else 0.0
        if not _is_number(self.tol) or not 0 <= self.tol < math.inf:
            raise OptionError(f"tol must be a number, 0 or more, not {self.tol!r}")
        self.tol = float(self.tol)

    def _check_choices(self) -> None:
        if self.shuffle in (True, False):
            self.shuffle = "blocks" if self.shuffle else "none"
        if self.shuffle not in SHUFFLES:
            raise OptionError(f"shuffle is True, False or one of {', '.join(SHUFFLES)}, not {self.shuffle!r}")
        if self.trace not in ("epoch", "step"):
            raise OptionError(f"trace is 'epoch' or 'step', not {self.trace!r}")
        if self.on_divergence not in ON_DIVERGENCE:
            raise OptionError(f"on_divergence is one of {', '.join(ON_DIVERGENCE)}, not {self.on_divergence!r}")
        if self.scale not in (True, False, "auto"):
            raise OptionError(f"scale is True, False or 'auto', not {self.scale!r}")
        if self.scale != "auto":
            self.scale = bool(self.scale)
        self._check_method()
        self._check_callbacks()

    def _check_method(self) -> None:
        """Options that the method would have to ignore."""
        if self.method == "sgd" and self.batch_size not in ("auto", 1):
            raise OptionError("method 'sgd' takes one row a step; for a batch_size other than 1 use method 'minibatch'")
        if self.method == "gd" and self.batch_size != "auto":
            raise OptionError("method 'gd' takes all rows in each step; for a batch_size use method 'minibatch'")
        if self.shards is not None:
            self._check_goes_in_shards(self.shards)
        if self.method in QUASI_NEWTON:
            self._check_own_steps()
        if self.method in VARIANCE_REDUCED:
            self._check_variance_reduced()

    def _check_goes_in_shards(self, shards: int) -> None:
        if self.method not in SHARDING:
            raise OptionError(
                f"shards are parts of the rows that method 'sgd' steps through side by side, and method "
                f"{self.method!r} has none: leave shards out, or take method 'sgd'"
            )
        if self.batch_size not in ("auto", 1):
            raise OptionError("shards take one row a step each: leave batch_size or shards out")
        if self.trace == "step" and shards > 1:
            raise OptionError(
                "trace='step' records one step after the other, and shards take theirs side by side: leave one of the "
                "two out"
            )

    def _check_can_be_modelled(self, loss: Any, penalty: Any) -> None:
        """Whether a quadratic model of the curvature says something of the loss and the penalty."""
        if getattr(loss, "kinked", False):
            raise OptionError(
                f"method {self.method!r} needs second derivatives, and the loss has kinks: take 'auto', 'minibatch' or "
                "'sgd'"
            )
        if not getattr(penalty, "convex", True) or not getattr(penalty, "separable", True):
            raise OptionError(f"method {self.method!r} takes convex penalties of single features: take another method")
        if self.method == "lbfgs" and not is_smooth(penalty):
            raise OptionError(
                "method 'lbfgs' needs a penalty without kinks, such as l2: take 'newton', 'saga' or 'auto'"
            )

    @property
    def leaves_steps_open(self) -> bool:
        """Whether nothing was asked for that only steps along the gradient have."""
        plain = self.rule == RULES["sgd"]() and self.schedule == SCHEDULES["constant"]()
        automatic = self.learning_rate == "auto" and self.batch_size == "auto"
        return plain and automatic and self.clip_norm is None and self.trace == "epoch" and not self.average

    def _check_own_steps(self) -> None:
        """Options that make no sense where a method makes its own steps."""
        for name, default in (("rule", RULES["sgd"]()), ("schedule", SCHEDULES["constant"]()), ("clip_norm", None)):
            if getattr(self, name) != default:
                raise OptionError(
                    f"method {self.method!r} makes its own steps: leave {name} out, or take another method"
                )
        if self.batch_size != "auto":
            raise OptionError(f"method {self.method!r} takes all rows in each step: leave batch_size out")

    def _check_variance_reduced(self) -> None:
        if not isinstance(self.rule, SGD):
            name = RULES.name_of(self.rule)
            raise OptionError(
                f"method {self.method!r} is an update rule of its own, which rule {name!r} does not go with"
            )
        if self.batch_size not in ("auto", 1):
            raise OptionError(f"method {self.method!r} takes one row a step: leave batch_size out")
        if self.clip_norm is not None:
            raise OptionError(
                f"method {self.method!r} steps along the mean gradient in the long run, which clip_norm would bend: "
                "leave it out, or take method='minibatch'"
            )

    def _check_callbacks(self) -> None:
        try:
            self.callbacks = tuple(self.callbacks)
        except TypeError:
            raise OptionError(f"callbacks is a list of functions of the state, not {self.callbacks!r}") from None
        for callback in self.callbacks:
            if not callable(callback):
                raise OptionError(f"callbacks are functions of the state, and {callback!r} cannot be called")


def _is_number(value: object) -> bool:
    return not isinstance(value, bool) and isinstance(value, Real) and not math.isnan(value)


def _positive(name: str, value: Any, expected: str = "a number above 0") -> float:
    if not _is_number(value) or not 0 < value < math.inf:
        raise OptionError(f"{name} must be {expected}, not {value!r}")
    return float(value)


def check_whole(name: str, value: Any, least: int, also: str = "") -> int:
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise OptionError(f"{name} must be {also}a whole number, {least} or more, not {value!r}")
    return int(value)
