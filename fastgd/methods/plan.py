"""What is settled before a method starts: which one, its batch size, its variables, its learning rate."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..kernels.update import Metric, Stepper
from ..options import Options
from ..problem import Problem
from ..steps import choose_metric, stable_rates

DEFAULT_BATCH = 32
# Below this many rows a batch is most of the data, and the exact gradient costs next to nothing.
GD_BELOW_ROWS = 256


@dataclass(frozen=True)
class Plan:
    method: str
    batch_size: int
    metric: Metric
    learning_rate: float
    shares: np.ndarray  # of the learning rate for each output
    passes: float  # over X, for the statistics that the rate comes from
    reason: str  # why this learning rate


def make_plan(problem: Problem, options: Options) -> Plan:
    """Settle what the user left to us."""
    method = options.method
    if method == "auto":
        method = "gd" if problem.n_samples < GD_BELOW_ROWS and options.batch_size == "auto" else "minibatch"
    options = replace(options, method=method)
    batch_size = _batch_size(problem, options)
    metric = choose_metric(problem, options)
    shares, passes, reason = np.ones(problem.n_outputs), 0.0, "given"
    if options.learning_rate != "auto":
        rate = options.learning_rate
    elif getattr(options.schedule, "sets_rate", False):
        rate, reason = float(options.schedule.rate(0.0, 0, 0.0)), "set by its schedule"
    else:
        rates, passes, reason = stable_rates(problem, options, metric, batch_size)
        rate = float(rates.max())
        shares = rates / rate
    return Plan(method, batch_size, metric, rate, shares, passes, reason)


def make_stepper(problem: Problem, options: Options, plan: Plan) -> Stepper:
    """The rule and the penalty, ready to step."""
    return Stepper.make(
        options.rule,
        problem.penalty,
        plan.metric,
        problem.n_parameters,
        strength=problem.strength,
        rate=plan.shares * problem.rate_shares,
        weights=problem.penalty_weights,
        clip=np.inf if options.clip_norm is None else options.clip_norm,
    )


def _batch_size(problem: Problem, options: Options) -> int:
    if options.method == "gd":
        return problem.n_samples
    if options.method == "sgd":
        return 1
    if options.batch_size != "auto":
        return min(options.batch_size, problem.n_samples)
    # On sparse rows a step costs n_features, however few values the batch has: let it have as many.
    values_a_row = max(problem.n_values / problem.n_samples, 1.0)
    enough = DEFAULT_BATCH
    while problem.sparse and enough * values_a_row < problem.n_features:
        enough *= 2
    return min(enough, problem.n_samples)
