"""The choice of ``method="auto"``."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ..objective.objective import Objective
from ..terms.losses import loss_traits
from ..terms.penalties import ElasticNet, is_smooth, penalty_traits
from ..terms.rate_schedules import SCHEDULES
from .column_choice import moves
from .options import Options
from .restricted_problem import MAX_HESSIAN_COLUMNS
from .starting_point import default_start

# Minimum rows for minibatch: with fewer, a batch is most of the data, and the exact gradient costs little more.
MIN_MINIBATCH_ROWS = 256
# Maximum values of all Hessians for newton: they are then computed in the time of some passes.
MAX_HESSIAN_VALUES = 2_000_000
# Maximum parameters for newton where there are fewer rows than parameters: a Hessian then costs little, and lbfgs needs
# many more steps where columns are nearly dependent.
MAX_SQUARE_PARAMETERS = 500
# Maximum values of X for working_set on any shape: on 442 x 10 to 5,000 x 30 it took 0.3 to 0.9 of newton's time and
# left no gap, on 20,000 x 50 up to twice the time.
MAX_SMALL_VALUES = 1 << 18


def choose_method(objective: Objective, options: Options) -> Options:
    """The options, with a method in place of "auto".

    - sgd where ``shards`` are given;
    - where the user asks for steps along the gradient (by a rule, schedule, learning_rate, batch_size, clip_norm or
      average, or a trace of single updates), and for phase_retrieval: minibatch, or gd below 256 rows;
    - for losses with kinks (hinge, absolute, quantile, ..., and a user's loss without `curvature`): the same with the
      schedule adaptive, since at a constant rate the noise would stay;
    - for piecewise-linear losses (hinge, absolute, quantile, ...) with l1 and l2 penalties: interior_point;
    - for smooth losses and penalties that make most coefficients zero: working_set for mcp, scad and groups, and for
      l1, elasticnet and nonnegative on small data, and with more parameters than rows, or than newton takes; but gd
      for sparse rows and a penalty with an l2 part so weak that the model uses thousands of columns;
    - up to 2 million values of all Hessians, n_outputs x n_parameters^2: newton, except for a smooth penalty with more
      parameters than rows;
    - beyond: lbfgs for a smooth penalty. For others, such as box, saga, or on sparse rows svrg, since with few values
      in a row a look-up in saga's table costs as much as the update; or gd for a penalty with an l2 part, since each
      update for a single row would decay the coefficients of its columns.
    """
    if options.method != "auto":
        return options.with_method(options.method)
    if options.shards is not None:
        return options.with_method("sgd")
    if options.leaves_steps_open and solves_kinks(objective):
        return options.with_method("interior_point")
    if options.leaves_steps_open and has_working_set(objective):
        return options.with_method("gd" if uses_many_columns(objective) else "working_set")
    if not options.leaves_steps_open or not has_useful_curvature(objective):
        few = objective.n_samples < MIN_MINIBATCH_ROWS and options.batch_size == "auto" and not options.average
        options = options.with_method("gd" if few else "minibatch")
        if is_kinked(objective.loss) and options.leaves_steps_open:
            options = replace(options, schedule=SCHEDULES["adaptive"]())
        return options
    smooth, p = is_smooth(objective.penalty), objective.n_parameters
    few = p <= max(objective.n_samples, MAX_SQUARE_PARAMETERS)
    if objective.n_outputs * p * p <= MAX_HESSIAN_VALUES and (few or not smooth):
        return options.with_method("newton")
    if smooth:
        return options.with_method("lbfgs")
    if not objective.sparse:
        return options.with_method("saga")
    return options.with_method("gd" if is_curved(objective) else "svrg")


def solves_kinks(objective: Objective) -> bool:
    """Whether interior points find the optimum: for piecewise-linear losses and not too many columns."""
    p = objective.n_parameters
    known = loss_traits(objective.loss).has_pieces and isinstance(objective.penalty, ElasticNet)
    return known and p * p <= MAX_HESSIAN_VALUES


def is_kinked(loss: Any) -> bool:
    """Whether second derivatives do not describe the loss; assumed for a user's loss that states no curvature."""
    traits = loss_traits(loss)
    return traits.kinked or (traits.user_defined and traits.curvature is None)


def has_working_set(objective: Objective) -> bool:
    """Whether `working_set` is the method for F: a smooth loss, and a penalty that makes most coefficients zero.

    For a convex penalty on single features, fewer than there are rows, newton is as fast on large data, and faster
    where the model uses most of them.
    """
    loss, penalty = loss_traits(objective.loss), penalty_traits(objective.penalty)
    is_smooth_loss = not (is_kinked(objective.loss) or loss.joint or loss.random_start)
    if not (is_smooth_loss and penalty.selects and (objective.strength > 0.0).all()):
        return False
    if not penalty.separable:
        return penalty.block_numbers is not None
    p = objective.n_parameters
    if objective.n_values <= MAX_SMALL_VALUES:
        return True
    return not penalty.convex or p > objective.n_samples or objective.n_outputs * p * p > MAX_HESSIAN_VALUES


def is_curved(objective: Objective) -> bool:
    """Whether F has bounded second derivatives and a penalty with an l2 part: gradient steps converge linearly."""
    return loss_traits(objective.loss).curvature is not None and bool((objective.penalty_curvature() > 0.0).all())


def uses_many_columns(objective: Objective) -> bool:
    """Whether the first working set of sparse rows would be too large for its Hessian, and gd converges linearly.

    With 18,000 columns in use and an l2 part, gd took a fifth of the time. This takes one pass.
    """
    wide = objective.n_outputs * objective.n_parameters**2 > MAX_HESSIAN_VALUES
    if not (objective.sparse and wide and penalty_traits(objective.penalty).separable and is_curved(objective)):
        return False
    start = objective.evaluate(default_start(objective, seed=0))
    d, params, gradient = objective.n_features, np.atleast_2d(start.params), np.atleast_2d(start.gradient)
    moving = [moves(objective, k, params[k, :d], gradient[k, :d]) for k in range(objective.n_outputs)]
    return bool(min(map(np.count_nonzero, moving)) > MAX_HESSIAN_COLUMNS)


def has_useful_curvature(objective: Objective) -> bool:
    """Whether steps by a quadratic model of F lead to its minimum."""
    penalty = penalty_traits(objective.penalty)
    convex = not loss_traits(objective.loss).random_start and penalty.convex
    return convex and not is_kinked(objective.loss) and penalty.separable
