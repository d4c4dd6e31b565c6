"""Batch gradient descent: one step an epoch on the gradient of all rows."""

from __future__ import annotations

import numpy as np

from ..kernels.update import Stepper, prox_mapping_norm, update
from ..options import Options
from ..problem import Problem
from ..watch import Watch
from .plan import Plan


def gd(problem: Problem, options: Options, plan: Plan, watch: Watch, theta: np.ndarray) -> None:
    """Change ``theta`` by one step an epoch until the watch says stop. Source: Cauchy (1847).

    The loss that an epoch's gradient comes with is F where the epoch began, so the trace costs nothing.
    """
    stepper = Stepper.make(options.rule, problem.penalty, plan.metric, problem.n_parameters)
    at_zero = _norm_at_zero(problem, options, plan, stepper, theta)
    for epoch in watch.epochs():
        loss, gradient = problem.gradient(theta)
        watch.evaluate(loss + problem.penalty_at(theta))
        norm = float(prox_mapping_norm(theta, gradient, plan.learning_rate, stepper))
        at_zero = norm if at_zero is None else at_zero
        if options.tol and norm <= options.tol * at_zero:
            watch.stop("tol", converged=True)
            break
        rate = float(options.schedule.rate(plan.learning_rate, epoch - 1, float(epoch - 1)))
        update(theta, gradient, rate, epoch, stepper)
        watch.step(epoch, -1, loss, rate, gradient)
        watch.tick(1.0, loss, rate)
        watch.record(loss, rate, norm)


def _norm_at_zero(problem: Problem, options: Options, plan: Plan, stepper: Stepper, theta: np.ndarray) -> float | None:
    """The norm that ``tol`` is relative to; None where it comes with the first gradient anyway, or is not needed."""
    if not options.tol or not theta.any():
        return None
    zero = np.zeros_like(theta)
    _, gradient = problem.gradient(zero)
    return float(prox_mapping_norm(zero, gradient, plan.learning_rate, stepper))
