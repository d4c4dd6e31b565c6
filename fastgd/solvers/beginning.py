"""Where methods begin that can see at once how far off a constant is."""

from __future__ import annotations

import numpy as np

from ..objective.intercept_only import best_intercepts
from ..objective.sampled_hessian import Sample
from ..objective.scaled import Scaled
from ..terms.losses import is_squared
from ..training.watch import Watch

# The best constant is looked for where the slope along the intercepts promises to take so large a part of F.
WORTH_A_LOOK = 0.25
# Both are of so many rows, about.
FEW_ROWS = 1024


def beginning(scaled: Scaled, sample: Sample, params: np.ndarray, watch: Watch) -> tuple[np.ndarray, np.ndarray]:
    """Weights to begin from, ``params`` or the best intercepts alone, and the gradient there.

    Counts of thousands have logarithms of 8: from zero, steps that believe in a quadratic model of the loss go wrong by
    orders of magnitude, and a gradient that is small beside the one there may still have most of the way to go.
    ``sample`` says how the loss curves. Source: McCullagh and Nelder, Generalized linear models (1989), section 2.5,
    where fits begin from the targets themselves.
    """
    problem = scaled.problem
    scaled.evaluate(params)
    gradient, objective = scaled.gradient.copy(), scaled.objective
    if params.any() or not problem.fit_intercept or is_squared(problem.loss):
        return params, gradient
    curvature = sample.curvatures_at_zero(_one_in(sample.problem.n_samples))
    promised = 0.5 * float((scaled.slope[:, -1] ** 2 / curvature).sum())
    if not promised > WORTH_A_LOOK * abs(objective):
        return params, gradient
    start = params.copy()
    np.atleast_2d(start)[:, -1], _ = best_intercepts(problem, _one_in(problem.n_samples))
    scaled.evaluate(start)
    watch.passes_before += problem.n_samples / watch.problem.n_samples
    return (start, scaled.gradient.copy()) if scaled.objective < objective else (params, gradient)


def _one_in(n_samples: int) -> int:
    return max(n_samples // FEW_ROWS, 1)
