"""Batch gradient descent: one step an epoch on the gradient of all rows."""

from __future__ import annotations

import numpy as np

from ..compile.jit import of_fixed_types
from ..kernels.update_step import keeps_model, model_of, update, update_outputs
from ..objective.problem import Problem
from ..training.watch import Watch
from .local_rate import gd_by_local_rate
from .options import Options
from .plan import Plan, make_stepper
from .stationarity import all_small, mapping_norms, norms_at_zero
from .steps import follows_curvature


def gd(problem: Problem, options: Options, plan: Plan, watch: Watch, params: np.ndarray) -> None:
    """Change ``params`` by one step an epoch until the watch says stop. Source: Cauchy (1847).

    The loss that an epoch's gradient comes with is F where the epoch began, so the trace costs nothing.
    """
    if follows_curvature(problem, options):
        gd_by_local_rate(problem, options, plan, watch, params)
        return
    stepper = make_stepper(problem, options, plan)
    move = of_fixed_types(update_outputs if problem.several else update)
    apart = keeps_model(options.rule, problem.penalty)
    at_zero = norms_at_zero(problem, options, plan.learning_rate, stepper, params)
    for epoch in watch.epochs():
        loss, gradient = problem.gradient(params)
        if not apart:
            watch.evaluate(loss + problem.penalty_at(params))
        norms = mapping_norms(params, gradient, plan.learning_rate, stepper)
        at_zero = norms if at_zero is None else at_zero
        if options.tol and all_small(norms, at_zero, options.tol, problem.independent):
            watch.stop("tol", converged=True)
            break
        if not apart and watch.certified(gradient):
            break
        rate = float(options.schedule.rate(plan.learning_rate, epoch - 1, float(epoch - 1))) * watch.rate_factor
        move(params, gradient, rate, epoch, stepper)
        if apart:
            watch.follow(lambda: model_of(params, stepper))
        watch.step(epoch, -1, loss, rate, gradient)
        watch.tick(1.0, loss, rate)
        watch.record(loss, rate, float(np.linalg.norm(norms)))
        if apart:
            watch.evaluate_if_small()
            watch.certified()
        watch.lower_if_stalled(loss)
