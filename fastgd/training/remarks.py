"""What a user should know about a problem at the end of a fit, with what to do about it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise

import numpy as np

from ..data.feature_matrix import as_scipy
from ..kernels.row_access import CSR
from ..objective.linear_predictor import predict_linear
from ..objective.objective import Objective
from ..objective.recession import FAR, falls_by, falls_forever
from ..solvers.newton_decrement import MAX_SURE_CHANGE
from ..terms.losses import loss_traits
from ..wording import option
from .convergence import ConvergenceTest

# Columns are compared in full if they have the same product with random numbers in this many rows.
COMPARED_ROWS = 1024
# Rows on which a direction is tried before all.
TRIED_ROWS = 1024
# Newton steps that are tried as directions in which F falls.
NEWTON_STEPS = 12


def no_optimum(
    objective: Objective, params: np.ndarray, value: float, directions: Iterable[np.ndarray], seed: int
) -> str | None:
    """A remark if F falls without end in one of the ``directions`` from ``params``; None if not.

    For a convex F that is so if it is lower far out. ``value`` is F at ``params``, or NaN. It takes some passes, unless
    a sample of the rows rules it out. Source: Albert and Anderson, On the existence of maximum likelihood estimates in
    logistic regression models (1984).
    """
    if not falls_forever(objective):
        return None
    for direction in directions:
        if _rises_on_sample(objective, params, value, direction, seed):
            continue
        longest = float(np.abs(_predictors(objective, direction)).max(initial=0.0))
        if not 0.0 < longest < np.inf:
            continue
        if falls_by(objective, params, direction * (FAR / longest)):
            return _sentence(objective)
    return None


def newton_steps(test: ConvergenceTest, params: np.ndarray) -> Iterator[np.ndarray]:
    """Steps of Newton's method, until one is small: where F has no optimum they turn into a direction in which F falls.

    Each takes about two passes.
    """
    for _ in range(NEWTON_STEPS if test.has_model else 0):
        test.model.remaining(test.objective.evaluate(params))
        step = test.direction
        if step is None or not np.isfinite(step).all():
            return
        if float(np.abs(_predictors(test.objective, step)).max(initial=0.0)) <= MAX_SURE_CHANGE:
            return
        yield step
        params = params + step


def _rises_on_sample(objective: Objective, params: np.ndarray, value: float, direction: np.ndarray, seed: int) -> bool:
    """Whether some rows alone make F larger far out: where no loss is negative, they prove that F is larger."""
    traits = loss_traits(objective.loss)
    if not (traits.classifies or traits.joint):
        return False
    sample = objective.sample(TRIED_ROWS, seed)
    longest = float(np.abs(_predictors(sample, direction)).max(initial=0.0))
    if sample is objective or not 0.0 < longest < np.inf:
        return False
    share = sample.n_samples / objective.n_samples
    return bool(share * sample.value(params + direction * (FAR / share / longest)) > value)  # at any distance


def _predictors(objective: Objective, params: np.ndarray) -> np.ndarray:
    objective.count_pass()
    coef, intercept = objective.split(np.atleast_2d(params))
    return predict_linear(objective.X, coef, intercept)


def _sentence(objective: Objective) -> str:
    add = f"add a penalty, such as {option('alpha', 1e-4)}"
    if loss_traits(objective.loss).classifies:
        return f"there is no optimum: X separates the classes, so the loss falls as the coefficients grow; {add}"
    return f"there is no optimum: the loss falls without end in a direction of the coefficients; {add}"


def copied_columns(objective: Objective, seed: int) -> str | None:
    """A remark if columns of X are copies of each other; None if not."""
    X, names = objective.X, objective.rows.feature_names
    step = max(objective.n_samples // COMPARED_ROWS, 1)
    part = as_scipy(X)[::step] if isinstance(X, CSR) else X[::step]
    objective.passes.add(part.shape[0])
    products = np.asarray(np.random.default_rng(seed).standard_normal(part.shape[0]) @ part)
    order = np.argsort(products, kind="stable")
    for j, k in pairwise(order):
        if products[j] == products[k] and products[j] != 0.0 and _are_equal(X, int(j), int(k)):
            first, second = (repr(names[i]) if names else str(i + 1) for i in sorted((int(j), int(k))))
            return (
                f"columns {first} and {second} are copies of each other, so only the sum of their coefficients is "
                f"determined: leave one out, or add a penalty, such as {option('alpha', 1e-4)}"
            )
    return None


def _are_equal(X: np.ndarray | CSR, j: int, k: int) -> bool:
    if isinstance(X, CSR):
        columns = as_scipy(X)[:, [j, k]].tocsc()
        return bool((columns[:, [0]] != columns[:, [1]]).nnz == 0)
    return bool((X[:, j] == X[:, k]).all())
