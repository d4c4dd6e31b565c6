"""What the classes that replace scikit-learn's own share: its checks and its units around one call of `trained`.

Each is a subclass of scikit-learn's class and overrides ``fit``, so that parameters, their checks, predictions and tags
are those of the installed version.
"""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import numpy as np

from ..model.result import Result
from ..terms.losses import loss_traits
from ..terms.penalties import ElasticNet
from .training import trained

SMALLEST_TOLERANCE = 1e-16  # of F, relative to what there is to gain


class WithoutArrayAPI:
    """No arrays of other libraries, which some classes of scikit-learn take."""

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()  # type: ignore[misc]  # of the class beside it
        tags.array_api_support = False
        return tags


class Fitted(NamedTuple):
    """Coefficients and intercept in the dtype of X, and the `Result` that they are from."""

    coef: np.ndarray
    intercept: np.ndarray
    result: Result


def minimise(
    X: Any, y: np.ndarray, weights: np.ndarray | None, *, loss: Any, l1: float = 0.0, l2: float = 0.0,
    fit_intercept: bool, tol: float, max_iter: int | None, start: Any = None,
) -> Fitted:  # fmt: skip
    """Minimise F on checked data. ``tol`` is for F; ``max_iter`` bounds the passes over the rows."""
    result = trained(
        X, y, loss=loss, penalty=ElasticNet(l1=float(l1), l2=float(l2)), fit_intercept=fit_intercept, start=start,
        rows={"sample_weight": weights}, tol=tol, max_epochs=100 if max_iter is None else max(int(max_iter), 1),
    )  # fmt: skip
    coef, intercept = result.coef, np.asarray(result.intercept)
    if loss_traits(loss).joint and fit_intercept:
        intercept = intercept - intercept.mean()  # a constant added to all of them changes nothing
    return Fitted(coef.astype(X.dtype), intercept.astype(X.dtype), dataclasses.replace(result, path=None))


def gradient_tolerance(tol: float) -> float:
    """The tolerance of F for scikit-learn's tolerance of a gradient: near the optimum F - F* goes with its square."""
    return max(float(tol) ** 2, SMALLEST_TOLERANCE)


def total_weight(X: Any, weights: np.ndarray | None) -> float:
    """The sum of the weights, by which scikit-learn's sums differ from the means in F."""
    return float(X.shape[0] if weights is None else weights.sum())


def with_remark(result: Result, option: str, value: Any) -> Result:
    """``result`` with a remark that an option that names a solver of scikit-learn was mapped to a method of fastgd."""
    remark = f"{option}={value!r} names a solver of scikit-learn; fastgd took the method {result.method}"
    return dataclasses.replace(result, remarks=(*result.remarks, remark))


def start_of(estimator: Any, fit_intercept: bool) -> Any:
    """The fitted parameters, to start from, where the estimator has warm_start and has been fitted."""
    if not (getattr(estimator, "warm_start", False) and hasattr(estimator, "coef_")):
        return None
    coef = np.asarray(estimator.coef_)
    return (coef, np.asarray(estimator.intercept_)) if fit_intercept else coef
