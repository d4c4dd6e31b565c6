"""What is settled before a method starts: which one, its batch size, its variables, its learning rate."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..kernels.update_step import Preconditioner, Stepper
from ..objective.problem import Problem
from ..terms.losses import LOSSES
from ..terms.penalties import is_smooth
from ..terms.rate_schedules import SCHEDULES
from .options import QUASI_NEWTON, VARIANCE_REDUCED, WHOLE_STEPS, Options
from .steps import choose_preconditioner, penalty_curvature, stable_rates

# No more than a third of the rows: a batch of all of them would be gd.
DEFAULT_BATCH, FEWEST_BATCHES = 32, 3
# Below this many rows a batch is most of the data, and the exact gradient costs next to nothing.
GD_BELOW_ROWS = 256
# A Hessian of so many values, times a few thousand rows, is made in the time of some passes.
MOST_HESSIAN_VALUES = 2_000_000


@dataclass(frozen=True)
class Plan:
    method: str
    batch_size: int
    preconditioner: Preconditioner
    learning_rate: float
    shares: np.ndarray  # of the learning rate for each output
    passes: float  # over X, for the statistics that the rate comes from
    reason: str  # why this learning rate
    shards: int = 1  # parts of the rows that sgd goes through side by side

    @property
    def rows_a_step(self) -> int:
        """Of all shards together."""
        return self.batch_size * self.shards


def settle(problem: Problem, options: Options) -> Options:
    """The options with the method settled, where the user left it to us, as follows.

    - sgd where ``shards`` are given;
    - where steps are the user's choice (a rule, schedule, learning_rate, batch_size, clip_norm or average, or a trace
      of single steps), and for what is not convex (phase_retrieval, mcp, scad) or has penalties of groups: minibatch,
      or gd below 256 rows;
    - for losses with kinks (hinge, absolute, quantile, ..., and your own without a `curvature`): the same, with the
      schedule adaptive, since at a constant rate their noise would stay;
    - up to 2 million values of all Hessians, n_outputs x n_parameters^2: newton, but for a smooth penalty with more
      parameters than rows;
    - beyond: lbfgs for a smooth penalty; for one with kinks saga, or svrg where X is sparse: on rows with few values
      each, a look into saga's table costs as much as the step. With an l2 part, as elasticnet has, the passes of gd,
      accelerated, are sooner there still: each weight of a row decays in each step, each weight of all once a pass.
    """
    if options.method != "auto":
        return options
    if options.shards is not None:
        return replace(options, method="sgd")
    if not options.leaves_steps_open or not can_be_modelled(problem):
        few = problem.n_samples < GD_BELOW_ROWS and options.batch_size == "auto" and not options.average
        options = replace(options, method="gd" if few else "minibatch")
        if is_kinked(problem.loss) and options.leaves_steps_open:
            options = replace(options, schedule=SCHEDULES["adaptive"]())
        return options
    smooth, p = is_smooth(problem.penalty), problem.n_parameters
    if problem.n_outputs * p * p <= MOST_HESSIAN_VALUES and not (smooth and p > problem.n_samples):
        return replace(options, method="newton")
    if smooth:
        return replace(options, method="lbfgs")
    if not problem.sparse:
        return replace(options, method="saga")
    curved = hasattr(problem.loss, "curvature") and bool((penalty_curvature(problem) > 0.0).all())
    return replace(options, method="gd" if curved else "svrg")


def is_kinked(loss: Any) -> bool:
    """Whether second derivatives say nothing of a loss; of the user's own that is assumed unless it states one."""
    own = LOSSES.name_of(loss) not in LOSSES
    return bool(getattr(loss, "kinked", False)) or (own and not hasattr(loss, "curvature"))


def can_be_modelled(problem: Problem) -> bool:
    """Whether a quadratic model of F leads to its minimum."""
    loss, penalty = problem.loss, problem.penalty
    convex = not getattr(loss, "random_start", False) and getattr(penalty, "convex", True)
    return convex and not is_kinked(loss) and getattr(penalty, "separable", True)


def make_plan(problem: Problem, options: Options) -> Plan:
    """Settle what the user left to us; ``options.method`` is settled already."""
    method = options.method
    batch_size = _batch_size(problem, options)
    preconditioner = choose_preconditioner(problem, options)
    shares, passes, reason = np.ones(problem.n_outputs), 0.0, "given"
    if options.learning_rate != "auto":
        rate = options.learning_rate
    elif method in QUASI_NEWTON:
        rate, reason = 1.0, WHOLE_STEPS
    elif getattr(options.schedule, "sets_rate", False):
        rate, reason = float(options.schedule.rate(0.0, 0, 0.0)), "set by its schedule"
    else:
        rates, passes, reason = stable_rates(problem, options, preconditioner, batch_size)
        rate = float(rates.max())
        shares = rates / rate
    shards = min(options.shards or 1, problem.n_samples)
    return Plan(method, batch_size, preconditioner, rate, shares, passes, reason, shards)


def make_stepper(problem: Problem, options: Options, plan: Plan) -> Stepper:
    """The rule and the penalty, ready to step."""
    return Stepper.make(
        options.rule,
        problem.penalty,
        plan.preconditioner,
        problem.n_parameters,
        strength=problem.strength,
        rate=plan.shares * problem.rate_shares,
        weights=problem.penalty_weights,
        clip=np.inf if options.clip_norm is None else options.clip_norm,
        average=int(options.average),
    )


def _batch_size(problem: Problem, options: Options) -> int:
    if options.method == "sgd" or options.method in VARIANCE_REDUCED:
        return 1
    if options.method != "minibatch":
        return problem.n_samples
    if options.batch_size != "auto":
        return min(options.batch_size, problem.n_samples)
    # On sparse rows a step costs n_features, however few values the batch has: let it have as many.
    values_a_row = max(problem.n_values / problem.n_samples, 1.0)
    enough = min(DEFAULT_BATCH, max(problem.n_samples // FEWEST_BATCHES, 1))
    while problem.sparse and enough * values_a_row < problem.n_features:
        enough *= 2
    return min(enough, problem.n_samples)
