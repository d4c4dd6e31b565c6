"""The options of a fit. A wrong value, or two values that contradict each other, raise an `OptionError`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import Any, Literal

from ..errors import OptionError
from ..terms.losses import loss_traits
from ..terms.penalties import ElasticNet, is_smooth, penalty_traits
from ..terms.rate_schedules import SCHEDULES, bind_schedule
from ..terms.registry import nearest
from ..terms.rule_protocol import rule_traits
from ..terms.schedule_protocol import schedule_traits
from ..terms.update_rules import RULES, SGD
from ..wording import for_reader, option

# Types of public arguments; a test compares them with the names below.
Method = Literal[
    "auto", "gd", "sgd", "minibatch", "newton", "lbfgs", "interior_point", "svrg", "saga", "working_set"
]  # fmt: skip
Shuffle = bool | Literal["blocks", "full", "none"]
OnDivergence = Literal["auto", "shrink", "raise"]
TraceRows = Literal["epoch", "step"]

# The methods, each with a short description for help texts.
METHODS = {
    "auto": "chooses a method by the shape of the data",
    "gd": "batch gradient descent: one step per epoch along the gradient of all rows, in parallel",
    "sgd": "stochastic gradient descent: one step per row, serial or in shards",
    "minibatch": "one step per batch of rows",
    "newton": "one step per epoch, preconditioned by the Hessian of sampled rows; up to about a thousand columns",
    "lbfgs": "limited-memory BFGS, one step per epoch; any number of columns, smooth penalties",
    "interior_point": "second-order steps for losses with kinks, such as quantile and hinge, with a proof",
    "svrg": "one step per row, corrected by a full gradient every other epoch: reaches the optimum at a constant rate",
    "saga": "one step per row, corrected by the stored gradients of all rows: as svrg, without full gradients",
    "working_set": "proximal Newton on the columns that the model uses, with a bound; wide data, penalties such as l1",
}
# What `fastgd.compare` compares by default; the number after the colon is the batch size.
COMPARED = ("gd", "sgd", "minibatch:32", "minibatch:256", "auto")
VARIANCE_REDUCED = ("svrg", "saga")
QUASI_NEWTON = ("newton", "lbfgs")
# Methods with steps of their own, which take no rate, rule or schedule.
SECOND_ORDER = (*QUASI_NEWTON, "interior_point", "working_set")
WHOLE_STEPS = "whole steps of a quadratic model"  # why the learning rate of these methods is 1
ON_DIVERGENCE = {
    "auto": "shrink only an automatic rate",
    "shrink": "retry with a smaller rate",
    "raise": "stop",
}
SHUFFLES = ("blocks", "full", "none")
AVERAGING = ("auto", "sgd", "minibatch")  # methods whose steps can be averaged
SHARDING = ("auto", "sgd")  # methods that can process parts of the rows in parallel
AUTO_TOLERANCE = 1e-4
# For newton, whose last step gains several digits at once.
AUTO_TOLERANCE_OF_NEWTON = 1e-6


@dataclass
class Options:
    """The options of `fastgd.fit` on the method, its steps and when they stop, under the same names."""

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
    trace: TraceRows = "epoch"
    callbacks: Sequence[Callable[..., Any]] = ()
    average: bool | int = False
    on_divergence: OnDivergence = "auto"
    shards: int | None = None
    has_default_tol: bool = False

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
        for name, minimum in (("max_epochs", 1), ("patience", 1), ("seed", 0)):
            setattr(self, name, check_whole(name, getattr(self, name), minimum))
        for name in ("n_threads", "shards"):
            if getattr(self, name) is not None:
                setattr(self, name, check_whole(name, getattr(self, name), 1))
        for name in ("max_seconds", "gap_tol", "clip_norm"):
            if getattr(self, name) is not None:
                setattr(self, name, _positive(name, getattr(self, name)))
        if not isinstance(self.average, bool):
            self.average = check_whole("average", self.average, 0, for_reader("True, False or ", ""))
        self._check_tolerance()
        self._check_choices()

    def bound_to(self, loss: Any, penalty: Any, alpha: float) -> Options:
        """The options for this loss and penalty, with the settings that the schedule takes from the fit filled in.

        Raises
        ------
        OptionError
            When an option cannot be combined with the loss, the penalty, the rule or the schedule.
        """
        schedule = bind_schedule(self.schedule, max_epochs=self.max_epochs, alpha=alpha, loss=loss)
        separable = penalty_traits(penalty).separable
        if schedule_traits(schedule).sets_rate:
            self._check_scheduled_rates(SCHEDULES.name_of(schedule))
        if not separable:
            self._check_groups()
        if self.method in (*QUASI_NEWTON, "working_set"):
            self._check_can_be_modelled(loss, penalty)
        if self.method == "interior_point" and not (loss_traits(loss).has_pieces and isinstance(penalty, ElasticNet)):
            raise OptionError(
                "method 'interior_point' is for piecewise-linear losses, such as absolute, quantile and hinge, with "
                "the penalties l1, l2 and elasticnet: take the method auto"
            )
        if self.average or (self.shards or 1) > 1:
            self._check_averaging(penalty)
        return replace(self, schedule=schedule, scale=self.scale if separable else False)

    def with_method(self, method: str) -> Options:
        """The options with a method in place of auto, and its default tolerance where none was given."""
        tol = AUTO_TOLERANCE_OF_NEWTON if self.has_default_tol and self.tol and method == "newton" else self.tol
        return replace(self, method=method, tol=tol)

    @property
    def shrinks(self) -> bool:
        """Whether training that diverges is retried with a smaller learning rate."""
        return self.on_divergence == "shrink" or (self.on_divergence == "auto" and self.learning_rate == "auto")

    def _check_scheduled_rates(self, schedule: str) -> None:
        if self.learning_rate != "auto":
            raise OptionError(
                f"schedule {schedule!r} sets the learning rate itself: leave {option('learning_rate')} out"
            )
        if self.on_divergence == "shrink":
            raise OptionError(
                f"schedule {schedule!r} sets the learning rate itself, so there is none to shrink: leave "
                f"{option('on_divergence', 'shrink')} out"
            )

    def _check_groups(self) -> None:
        if rule_traits(self.rule).adaptive:
            raise OptionError(
                f"a penalty on groups needs one step size per group, but rule {RULES.name_of(self.rule)!r} has one "
                "per weight: take the rule sgd, momentum or nesterov"
            )
        if self.scale is True:
            raise OptionError(f"{option('scale', True)} needs a penalty on single features, not on groups")

    def _check_averaging(self, penalty: Any) -> None:
        """Raise where ``average`` or ``shards`` would average parameters that are not the model."""
        from ..kernels.update_step import keeps_model  # imports numba, which the choices above must not

        if self.average and self.method not in AVERAGING:
            raise OptionError(
                f"{option('average')} is for the methods sgd and minibatch, whose steps scatter about the optimum, not "
                f"for {self.method!r}: leave it out"
            )
        if keeps_model(self.rule, penalty):
            raise OptionError(
                f"rule {RULES.name_of(self.rule)!r} keeps a model apart from the weights that would be averaged: leave "
                f"{option('average' if self.average else 'shards')} out, or take the rule sgd"
            )

    def _check_tolerance(self) -> None:
        self.has_default_tol = self.has_default_tol or self.tol is None
        if self.tol is None:
            self.tol = AUTO_TOLERANCE if self.learning_rate == "auto" and self.gap_tol is None else 0.0
        if not _is_number(self.tol) or not 0 <= self.tol < math.inf:
            raise OptionError(f"{option('tol')} must be a number, 0 or more, not {self.tol!r}")
        self.tol = float(self.tol)

    def _check_choices(self) -> None:
        if self.shuffle in (True, False):
            self.shuffle = "blocks" if self.shuffle else "none"
        for name, choices, shown in (
            ("shuffle", SHUFFLES, f"True, False or one of {', '.join(SHUFFLES)}"),
            ("trace", ("epoch", "step"), "'epoch' or 'step'"),
            ("on_divergence", ON_DIVERGENCE, f"one of {', '.join(ON_DIVERGENCE)}"),
            ("scale", (True, False, "auto"), "True, False or 'auto'"),
        ):
            if getattr(self, name) not in choices:
                raise OptionError(f"{option(name)} must be {shown}, not {getattr(self, name)!r}")
        if self.scale != "auto":
            self.scale = bool(self.scale)
        self._check_method()
        self._check_callbacks()

    def _check_method(self) -> None:
        """Raise for options that the method cannot use."""
        if self.method in ("sgd", *VARIANCE_REDUCED) and self.batch_size not in ("auto", 1):
            self._refuse_batches("one row per step")
        if self.method in ("gd", *SECOND_ORDER) and self.batch_size != "auto":
            self._refuse_batches("all rows in each step")
        if self.shards is not None:
            self._check_shards(self.shards)
        if self.method in SECOND_ORDER:
            self._check_own_steps()
        if self.method in VARIANCE_REDUCED:
            self._check_variance_reduced()

    def _refuse_batches(self, rows: str) -> None:
        raise OptionError(
            f"method {self.method!r} takes {rows}: leave {option('batch_size')} out, or take "
            f"{option('method', 'minibatch')}"
        )

    def _check_shards(self, shards: int) -> None:
        if self.method not in SHARDING:
            raise OptionError(
                f"{option('shards')} is for method 'sgd', which can process parts of the rows in parallel, not for "
                f"{self.method!r}: leave it out"
            )
        if self.batch_size not in ("auto", 1):
            raise OptionError(f"shards take one row per step: leave {option('batch_size')} or {option('shards')} out")
        if self.trace == "step" and shards > 1:
            raise OptionError(
                f"{option('trace', 'step')} records steps in their order, but shards take theirs in parallel: leave it "
                f"or {option('shards')} out"
            )

    def _check_can_be_modelled(self, loss: Any, penalty: Any) -> None:
        """Raise where a quadratic model cannot approximate the objective."""
        if loss_traits(loss).kinked:
            raise OptionError(
                f"method {self.method!r} needs second derivatives, and the loss has kinks: take the method auto, "
                "minibatch or sgd"
            )
        if self.method == "working_set":
            self._check_has_working_set(loss, penalty)
            return
        if not penalty_traits(penalty).convex or not penalty_traits(penalty).separable:
            raise OptionError(
                f"method {self.method!r} needs a convex penalty on single features: take another method or penalty"
            )
        if self.method == "lbfgs" and not is_smooth(penalty):
            raise OptionError(
                "method 'lbfgs' needs a penalty without kinks, such as l2: take the method newton, saga or auto"
            )

    def _check_has_working_set(self, loss: Any, penalty: Any) -> None:
        if loss_traits(loss).joint:
            raise OptionError(
                "method 'working_set' solves each output by itself, and the loss takes all outputs at once: take the "
                "method auto"
            )
        traits = penalty_traits(penalty)
        if not traits.separable and traits.block_numbers is None:
            raise OptionError(
                "method 'working_set' needs a penalty on single features or on groups: take another method or penalty"
            )

    @property
    def leaves_steps_open(self) -> bool:
        """Whether no option asks for steps along the gradient, so that ``auto`` may choose any method."""
        plain = self.rule == RULES["sgd"]() and self.schedule == SCHEDULES["constant"]()
        automatic = self.learning_rate == "auto" and self.batch_size == "auto"
        return plain and automatic and self.clip_norm is None and self.trace == "epoch" and not self.average

    def _check_own_steps(self) -> None:
        for name, default in (("rule", RULES["sgd"]()), ("schedule", SCHEDULES["constant"]()), ("clip_norm", None)):
            if getattr(self, name) != default:
                raise OptionError(
                    f"method {self.method!r} computes its own steps: leave {option(name)} out, or take another method"
                )

    def _check_variance_reduced(self) -> None:
        if not isinstance(self.rule, SGD):
            raise OptionError(f"method {self.method!r} has its own update rule: leave {option('rule')} out")
        if self.clip_norm is not None:
            raise OptionError(
                f"clipping would bias the steps of method {self.method!r}, whose mean is the full gradient: leave "
                f"{option('clip_norm')} out, or take {option('method', 'minibatch')}"
            )

    def _check_callbacks(self) -> None:
        try:
            self.callbacks = tuple(self.callbacks)
        except TypeError:
            raise OptionError(f"callbacks must be a list of functions of the state, not {self.callbacks!r}") from None
        for callback in self.callbacks:
            if not callable(callback):
                raise OptionError(f"callbacks must be functions of the state, and {callback!r} cannot be called")


def _is_number(value: object) -> bool:
    return not isinstance(value, bool) and isinstance(value, Real) and not math.isnan(value)


def _positive(name: str, value: Any, expected: str = "a number above 0") -> float:
    if not _is_number(value) or not 0 < value < math.inf:
        raise OptionError(f"{option(name)} must be {expected}, not {value!r}")
    return float(value)


def check_whole(name: str, value: Any, minimum: int, also: str = "") -> int:
    """``value`` as an int; an `OptionError` where it is no whole number, or is below ``minimum``."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < minimum:
        raise OptionError(f"{option(name)} must be {also}a whole number, {minimum} or more, not {value!r}")
    return int(value)
