"""The parameters that a fit starts from."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..data.masked_arrays import check_unmasked
from ..errors import OptionError
from ..objective.intercept_only import ConstantModel, best_constant
from ..objective.objective import Objective
from ..terms.losses import loss_traits
from ..wording import option


def default_start(objective: Objective, seed: int, constant: ConstantModel | None = None) -> np.ndarray:
    """The best constant model, as far as the penalty allows zero coefficients; random normal coefficients for a loss
    with a saddle point or maximum at zero.

    For counts of thousands, with logarithms of 8, zero is a bad start: steps by a quadratic model are wrong by orders
    of magnitude, and a gradient that is small relative to the one at zero can be far from the optimum.
    Source: McCullagh and Nelder, Generalized linear models (1989), section 2.5, where fits begin from the targets.
    """
    params = objective.zeros()
    coef, _ = objective.split(params)
    is_random = loss_traits(objective.loss).random_start
    if is_random:
        coef[:] = np.random.default_rng(seed).standard_normal(coef.shape)
    objective.project(params)
    if objective.fit_intercept and not is_random and not coef.any():
        constant = best_constant(objective) if constant is None else constant
        params[..., -1] = constant.intercepts if objective.several else constant.intercepts[0]
    return params


def starting_point(start: Any, objective: Objective, seed: int, constant: ConstantModel) -> np.ndarray:
    """The parameters given by ``start`` (see `fit`), moved into the bounds of the penalty; or the `default_start`.

    Raises
    ------
    OptionError
        Where it has another shape than the parameters, or is not finite.
    """
    if start is None:
        return default_start(objective, seed, constant)
    params = objective.zeros()
    _fill(params, start, objective)
    objective.project(params)
    return params


def _fill(params: np.ndarray, start: Any, objective: Objective) -> None:
    d = objective.n_features
    coef: Any = start
    intercept: Any = 0.0
    if hasattr(start, "coef") and hasattr(start, "intercept"):  # a Result, or a SearchResult
        coef, intercept = start.coef, start.intercept
    elif isinstance(start, tuple) and len(start) == 2 and np.ndim(start[0]) == params.ndim == np.ndim(start[1]) + 1:
        coef, intercept = start
    for part in (coef, intercept):
        check_unmasked(part, option("start"))
    try:
        coef, intercept = np.asarray(coef, dtype=np.float64), np.asarray(intercept, dtype=np.float64)
    except (TypeError, ValueError):
        raise OptionError(f"{option('start')} must be coefficients, (coefficients, intercept) or a Result") from None
    if coef.shape not in ((), params[..., :d].shape):
        wanted = f"{objective.n_outputs} x {d} coefficients" if objective.several else f"{d} coefficients"
        raise OptionError(f"{option('start')} has the shape {coef.shape}, but the model has {wanted}")
    if intercept.shape not in ((), params.shape[:-1]):
        raise OptionError(f"{option('start')} has {intercept.size} intercepts, but the model has {objective.n_outputs}")
    params[..., :d] = coef
    if objective.fit_intercept:
        params[..., d] = intercept
    elif intercept.any():
        raise OptionError(f"{option('start')} has the intercept {intercept}, but the model is fitted without one")
    if not np.isfinite(params).all():
        raise OptionError(f"{option('start')} holds NaN or infinity")
