"""The first point of newton and lbfgs: the given parameters, or the best intercepts if zero is far from them."""

from __future__ import annotations

import numpy as np

from ..objective.evaluation import Evaluation
from ..objective.intercept_only import best_intercepts
from ..objective.sampled_hessian import HessianSample
from ..objective.scaled_objective import ScaledEvaluation, ScaledObjective
from ..terms.losses import is_squared

# The best intercepts are searched if the gradient promises that they lower F by at least this part of it.
MIN_PROMISED_DECREASE = 0.25
# The promise and the search are computed on about this many rows.
INTERCEPT_ROWS = 1024


def first_point(
    scaled: ScaledObjective, sample: HessianSample, params: np.ndarray, start: Evaluation | None
) -> ScaledEvaluation:
    """F at ``params`` (``start``, if it is known), or at the best intercepts alone if they are much better.

    For counts of thousands, with logarithms of 8, zero is a bad start: steps by a quadratic model are wrong by orders
    of magnitude, and a gradient that is small relative to the one at zero can be far from the optimum.
    Source: McCullagh and Nelder, Generalized linear models (1989), section 2.5, where fits begin from the targets.
    """
    objective = scaled.objective
    here = scaled.evaluate(params) if start is None else scaled.scaled(start)
    if params.any() or not objective.fit_intercept or is_squared(objective.loss):
        return here
    curvature = sample.mean_curvature_at_zero(_row_step(sample.objective.n_samples))
    promised = 0.5 * float((here.gradient[:, -1] ** 2 / curvature).sum())
    if not promised > MIN_PROMISED_DECREASE * abs(here.objective):
        return here
    constant = params.copy()
    np.atleast_2d(constant)[:, -1], _ = best_intercepts(objective, _row_step(objective.n_samples))
    there = scaled.evaluate(constant)
    return there if there.objective < here.objective else here


def _row_step(n_samples: int) -> int:
    return max(n_samples // INTERCEPT_ROWS, 1)
