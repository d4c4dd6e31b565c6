"""Batch gradient descent at a rate that follows the curvature its steps have met: for losses without a largest one.

Source: Malitsky and Mishchenko, Adaptive gradient descent without descent (2020) and Adaptive proximal gradient method
for convex optimization (2024), algorithm 2:

    L_k = |g_k - g_(k-1)| / |u_k - u_(k-1)|,   growth_k = rate_k / rate_(k-1),
    rate_(k+1) = min(sqrt(2/3 + growth_k) rate_k,  rate_k / sqrt(max(2 rate_k^2 L_k^2 - 1, 0))),

g the gradient of the smooth part of F, in the variables u of the preconditioner. Theirs need not descend; here a step after
which F is higher is taken back and made shorter, since e^z may have left the doubles by then.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..compile.jit import of_fixed_types
from ..kernels.update_step import Preconditioner, update
from ..objective.problem import Problem
from ..training.watch import Watch
from .options import Options
from .plan import Plan, make_stepper
from .stationarity import all_small, mapping_norms, norms_at_zero
from .steps import penalty_curvature

SHRINK = 4.0
MOST_SHRINKS = 60
# F may rise by what rounding makes of it.
ROUNDING = 1e-13


def gd_by_local_rate(problem: Problem, options: Options, plan: Plan, watch: Watch, params: np.ndarray) -> None:
    """Change ``params`` by one step an epoch until the watch says stop; each step taken back costs a pass as well."""
    stepper, move = make_stepper(problem, options, plan), of_fixed_types(update)
    rate, growth = plan.learning_rate, math.inf
    at_zero = norms_at_zero(problem, options, rate, stepper, params)
    loss, gradient = _at(problem, params)
    objective = loss + problem.penalty_at(params)
    for epoch in watch.epochs():
        norms = mapping_norms(params, gradient, rate, stepper)
        at_zero = norms if at_zero is None else at_zero
        if options.tol and all_small(norms, at_zero, options.tol, problem.independent):
            watch.stop("tol", converged=True)
            break
        if watch.certified(gradient):
            break
        before, first = params.copy(), rate
        for _ in range(MOST_SHRINKS):
            move(params, gradient, rate, epoch, stepper)
            new_loss, new_gradient = _at(problem, params)
            new = new_loss + problem.penalty_at(params)
            if new <= objective + ROUNDING * abs(objective):  # a NaN is not
                break
            params[:] = before
            rate /= SHRINK
            watch.passes_before += 1.0
        else:  # nowhere to go but by rounding
            watch.stop("tol", converged=True)
            break
        growth = growth if rate == first else 1.0
        watch.step(epoch, -1, loss, rate, gradient)
        watch.tick(1.0, loss, rate)
        watch.record(loss, rate, float(np.linalg.norm(norms)))
        watch.evaluate(new)
        curvature = _curvature_met(problem, plan.preconditioner, params - before, new_gradient - gradient)
        rate, growth = following(rate, growth, curvature)
        loss, gradient, objective = new_loss, new_gradient, new


def following(rate: float, growth: float, curvature: float) -> tuple[float, float]:
    """The rate of the next step, and by how much it has grown; at first, of which ``growth`` is infinite, at once."""
    excess = 2.0 * (rate * curvature) ** 2 - 1.0
    by_curvature = rate / math.sqrt(excess) if excess > 0.0 else math.inf
    if growth == math.inf and curvature > 0.0:
        new = min(by_curvature, 1.0 / (math.sqrt(2.0) * curvature))
    else:
        new = min(math.sqrt(2.0 / 3.0 + min(growth, 1e6)) * rate, by_curvature)
    return new, new / rate


def _at(problem: Problem, params: np.ndarray) -> tuple[float, np.ndarray]:
    loss, gradient = problem.gradient(params)
    return loss, gradient.copy()


def _curvature_met(problem: Problem, preconditioner: Preconditioner, step: np.ndarray, turn: np.ndarray) -> float:
    """|change of the gradient| / |step| in the variables of ``preconditioner``, the smooth part of the penalty included."""
    d = problem.n_features
    u: Any = step.copy()
    g: Any = turn.copy()
    g[:d] += penalty_curvature(problem)[0] * step[:d]
    if problem.fit_intercept:
        u[d] += preconditioner.shift @ step[:d]
        g[:d] -= preconditioner.shift * turn[d]
    u[:d] /= preconditioner.scale
    g[:d] *= preconditioner.scale
    length = float(np.linalg.norm(u))
    return float(np.linalg.norm(g)) / length if length > 0.0 else 0.0
