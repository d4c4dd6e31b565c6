"""The solver of each method."""

from __future__ import annotations

from collections.abc import Callable

from ..objective.objective import Objective
from .adaptive_gd import AdaptiveGradientDescent
from .gd import GradientDescent
from .interior_point import InteriorPoint
from .lbfgs import LBFGS
from .learning_rates import follows_curvature
from .minibatch import MinibatchDescent
from .newton import Newton
from .options import Options
from .plan import Plan
from .protocol import Solver
from .sgd import StochasticGradientDescent, has_own_kernel
from .sharded_sgd import ShardedSGD
from .variance_reduced import VarianceReduced
from .working_set import WorkingSet

SOLVERS: dict[str, Callable[[Objective, Options, Plan], Solver]] = {
    "gd": GradientDescent,
    "sgd": StochasticGradientDescent,
    "minibatch": MinibatchDescent,
    "lbfgs": LBFGS,
    "newton": Newton,
    "interior_point": InteriorPoint,
    "svrg": VarianceReduced,
    "saga": VarianceReduced,
    "working_set": WorkingSet,
}


def make_solver(objective: Objective, options: Options, plan: Plan) -> Solver:
    """The solver of ``plan.method``."""
    kind = SOLVERS[plan.method]
    if plan.method == "gd" and follows_curvature(objective, options):
        kind = AdaptiveGradientDescent
    if plan.method == "sgd":
        if plan.shards > 1:
            kind = ShardedSGD
        elif not has_own_kernel(objective, options, plan):
            kind = MinibatchDescent  # with batches of one row
    return kind(objective, options, plan)
