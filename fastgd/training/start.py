"""Where a fit starts from."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import OptionError
from ..objective.problem import Problem
from ..wording import option


def start_weights(start: Any, problem: Problem, seed: int) -> np.ndarray:
    """The weights that ``start`` (see `fit`) stands for, as the problem's ``params``, within the bounds of the penalty.

    Raises
    ------
    OptionError
        When it has another shape than the weights, or is not finite.
    """
    if start is None:
        return problem.default_start(seed)
    params = problem.zeros()
    _fill(params, start, problem)
    problem.project(params)
    return params


def _fill(params: np.ndarray, start: Any, problem: Problem) -> None:
    d = problem.n_features
    coef: Any = start
    intercept: Any = 0.0
    if hasattr(start, "coef") and hasattr(start, "intercept"):  # a Result, or a SearchResult
        coef, intercept = start.coef, start.intercept
    elif isinstance(start, tuple) and len(start) == 2 and np.ndim(start[0]) == params.ndim == np.ndim(start[1]) + 1:
        coef, intercept = start
    try:
        coef, intercept = np.asarray(coef, dtype=np.float64), np.asarray(intercept, dtype=np.float64)
    except (TypeError, ValueError):
        raise OptionError(f"{option('start')} must be coefficients, (coefficients, intercept) or a Result") from None
    if coef.shape not in ((), params[..., :d].shape):
        wanted = f"{problem.n_outputs} x {d} coefficients" if problem.several else f"{d} coefficients"
        raise OptionError(f"{option('start')} has the shape {coef.shape}, but the model has {wanted}")
    if intercept.shape not in ((), params.shape[:-1]):
        raise OptionError(f"{option('start')} has {intercept.size} intercepts, but the model has {problem.n_outputs}")
    params[..., :d] = coef
    if problem.fit_intercept:
        params[..., d] = intercept
    elif intercept.any():
        raise OptionError(f"{option('start')} has the intercept {intercept}, but the model is fitted without one")
    if not np.isfinite(params).all():
        raise OptionError(f"{option('start')} holds NaN or infinity")
