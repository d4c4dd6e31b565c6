"""The plan of a fit, made before the first step: batch size, preconditioner, learning rate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..kernels.update_step import Preconditioner, Stepper
from ..objective.objective import Objective
from ..objective.preconditioner import choose_preconditioner
from ..terms.schedule_protocol import schedule_traits
from .learning_rates import stable_rates
from .options import SECOND_ORDER, VARIANCE_REDUCED, WHOLE_STEPS, Options

# The default batch size; it is at most n_samples / MIN_BATCHES, since a batch of all rows would be gd.
DEFAULT_BATCH, MIN_BATCHES = 32, 3


@dataclass(frozen=True)
class Plan:
    """What a solver needs besides the objective and the options.

    Attributes
    ----------
    learning_rate : the rate the schedule starts from; for newton and lbfgs the part of a step that is tried first.
    output_rates : factors of the learning rate of each output, shape (n_outputs,).
    reason : the reason for this learning rate, in words.
    shards : number of parts of the rows that sgd processes in parallel.
    is_scaled : whether the preconditioner was chosen by the columns; else it is the identity.
    """

    method: str
    batch_size: int
    preconditioner: Preconditioner
    learning_rate: float
    output_rates: np.ndarray
    reason: str
    shards: int = 1
    is_scaled: bool = True

    @property
    def rows_per_update(self) -> int:
        """Rows of an update, over all shards."""
        return self.batch_size * self.shards


def make_plan(objective: Objective, options: Options) -> Plan:
    """Choose what the user left open; ``options.method`` is chosen already."""
    method = options.method
    batch_size = _batch_size(objective, options)
    preconditioner = _preconditioner(objective, options)
    shares, reason = np.ones(objective.n_outputs), "given"
    if options.learning_rate != "auto":
        rate = options.learning_rate
    elif method in SECOND_ORDER:
        rate, reason = 1.0, WHOLE_STEPS
    elif schedule_traits(options.schedule).sets_rate:
        rate, reason = float(options.schedule.rate(0.0, 0, 0.0)), "set by its schedule"
    else:
        rates = stable_rates(objective, options, preconditioner, batch_size)
        rate, reason = float(rates.values.max()), rates.reason
        shares = rates.values / rate
    shards = min(options.shards or 1, objective.n_samples)
    return Plan(
        method, batch_size, preconditioner, rate, shares * objective.rate_shares, reason, shards, is_scaled(options)
    )


def is_scaled(options: Options) -> bool:
    """Whether columns are scaled where they differ: with ``scale="auto"`` only for an automatic learning rate."""
    own_rate = options.learning_rate != "auto" and options.method not in SECOND_ORDER
    has_own_scales = options.method == "working_set"
    return options.scale is not False and not (options.scale == "auto" and own_rate) and not has_own_scales


def _preconditioner(objective: Objective, options: Options) -> Preconditioner:
    """Scale the columns as asked; with ``scale="auto"`` only for an automatic learning rate."""
    method, automatic = options.method, options.scale == "auto"
    if not is_scaled(options):
        return Preconditioner.identity(objective.n_features)
    return choose_preconditioner(
        objective,
        only_if_different=automatic,
        serial_steps=method == "sgd",
        lazy_steps=method in VARIANCE_REDUCED,
        for_hessian=method in ("newton", "interior_point"),
    )


def make_stepper(objective: Objective, options: Options, plan: Plan) -> Stepper:
    """The rule and the penalty, as kernels take them."""
    return Stepper.make(
        options.rule,
        objective.penalty,
        plan.preconditioner,
        objective.n_parameters,
        strength=objective.strength,
        rate=plan.output_rates,
        weights=objective.penalty_weights,
        clip=np.inf if options.clip_norm is None else options.clip_norm,
        average=int(options.average),
    )


def _batch_size(objective: Objective, options: Options) -> int:
    if options.method == "sgd" or options.method in VARIANCE_REDUCED:
        return 1
    if options.method != "minibatch":
        return objective.n_samples
    if options.batch_size != "auto":
        return min(options.batch_size, objective.n_samples)
    # On sparse rows an update costs n_features, however few values the batch has: give the batch as many values.
    values_per_row = max(objective.n_values / objective.n_samples, 1.0)
    enough = min(DEFAULT_BATCH, max(objective.n_samples // MIN_BATCHES, 1))
    while objective.sparse and enough * values_per_row < objective.n_features:
        enough *= 2
    return min(enough, objective.n_samples)
