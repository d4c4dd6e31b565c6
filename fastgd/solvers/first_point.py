"""Where newton and lbfgs begin: at the given parameters, or at the best intercepts where zero is far from them."""

from __future__ import annotations

import numpy as np

from ..objective.evaluation import Evaluation
from ..objective.intercept_only import best_intercepts
from ..objective.sampled_hessian import HessianSample
from ..objective.scaled_objective import ScaledEvaluation, ScaledObjective
from ..terms.losses import is_squared

# The best intercepts are looked for where the gradient along the intercepts promises to lower F by this part of it.
WORTH_A_LOOK = 0.25
# Both the look and the search take about this many rows.
INTERCEPT_ROWS = 1024


def first_point(
    scaled: ScaledObjective, sample: HessianSample, params: np.ndarray, start: Evaluation | None
) -> ScaledEvaluation:
    """F at the point to begin from: ``params``, where ``start`` is F if it is known, or the best intercepts alone.

    Counts of thousands have logarithms of 8: from zero, steps that trust a quadratic model of the loss go wrong by
    orders of magnitude, and a gradient that is small relative to the one there may still have most of the way to go.
    Source: McCullagh and Nelder, Generalized linear models (1989), section 2.5, where fits begin from the targets.
    """
    objective = scaled.objective
    here = scaled.evaluate(params) if start is None else scaled.scaled(start)
    if params.any() or not objective.fit_intercept or is_squared(objective.loss):
        return here
    curvature = sample.curvatures_at_zero(_every(sample.objective.n_samples))
    promised = 0.5 * float((here.gradient[:, -1] ** 2 / curvature).sum())
    if not promised > WORTH_A_LOOK * abs(here.objective):
        return here
    constant = params.copy()
    np.atleast_2d(constant)[:, -1], _ = best_intercepts(objective, _every(objective.n_samples))
    there = scaled.evaluate(constant)
    return there if there.objective < here.objective else here


def _every(n_samples: int) -> int:
    return max(n_samples // INTERCEPT_ROWS, 1)
