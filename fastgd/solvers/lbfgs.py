"""L-BFGS: quasi-Newton steps from a memory of the last few, for any number of columns."""

from __future__ import annotations

import numpy as np

from ..objective.problem import Problem
from ..objective.sampled_hessian import Sample
from ..objective.scaled import Scaled
from ..training.watch import Watch
from .beginning import beginning
from .options import Options
from .plan import Plan, make_stepper
from .quasi_newton import LimitedMemory, QuasiNewton, descend
from .steps import SAMPLE_ROWS

TINY = np.finfo(np.float64).tiny


def lbfgs(problem: Problem, options: Options, plan: Plan, watch: Watch, params: np.ndarray) -> None:
    """Change ``params`` by a step a pass, from the gradient of all rows and the changes of it that the last steps saw.

    Over the diagonal of a sample's Hessian. Source: Liu and Nocedal, On the limited memory BFGS method for large
    scale optimization (1989).
    """
    scaled = Scaled(problem, make_stepper(problem, options, plan))
    sample = Sample.draw(scaled, SAMPLE_ROWS, options.seed)
    start, at_start = beginning(scaled, sample, params, watch)
    diagonal = sample.diagonal(start)
    direction = -scaled.slope / diagonal
    # The first step goes to the minimum along the slope, as far as the sample can tell.
    length = sample.curvature_along(start, direction) / max(-float(np.vdot(scaled.slope, direction)), TINY)
    watch.passes_before += 2.0 * sample.share
    model = LimitedMemory.over_diagonal(diagonal, length or 1.0)
    descend(QuasiNewton(scaled, start, model, plan.learning_rate), options, watch, params, at_start=at_start)
