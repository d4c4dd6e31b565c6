"""The optimum of a problem with its proof: F*, F of the best constant model, and what counts as rounding."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from . import kinked_optimum, smooth_optimum
from .coordinates import coordinates
from .losses import LOG_LINK, Loss, softmax_parts
from .problems import Problem
from .recession import has_no_optimum

PROVED = 1e-10  # the gap of a reference, as a part of F(constant) - F*: a hundredth of the smallest tolerance asked
REACHED = 12.0  # range of z below which F has a minimum
SQUARED = ("squared", "half_squared", "huber", "squared_epsilon_insensitive")
ABSOLUTE = ("absolute", "quantile", "epsilon_insensitive")


class Optimum(NamedTuple):
    """``kind`` is "proved", "none" (F has no minimum) or "unproved"; F, in extended precision, up to ``gap``."""

    kind: str
    value: np.longdouble = np.longdouble(np.nan)
    constant: np.longdouble = np.longdouble(np.nan)
    gap: float = np.inf
    coef: np.ndarray | None = None
    intercept: Any = None

    @property
    def to_gain(self) -> np.longdouble:
        return self.constant - self.value


class Posed(NamedTuple):
    """The data as the solvers take them: y in units of its spread, from a center; F is ``power`` of that unit."""

    loss: Loss
    y: np.ndarray
    offset: np.ndarray
    c: np.ndarray
    unit: float
    center: float
    power: int


def pose(problem: Problem) -> Posed:
    y, c = problem.y.astype(np.longdouble), problem.shares
    offset = np.zeros(len(y), np.longdouble) if problem.offset is None else problem.offset.astype(np.longdouble)
    name = problem.loss.name
    if name not in SQUARED + ABSOLUTE:
        return Posed(problem.loss, y, offset, c, 1.0, 0.0, 0)
    center = float(np.median(problem.y)) if problem.fit_intercept else 0.0
    spread = np.median(np.abs(y - offset - center)) or np.mean(np.abs(y - offset - center)) or 1.0
    unit = float(2.0 ** np.round(np.log2(float(spread))))
    loss = problem.loss
    if name not in ("squared", "half_squared", "absolute", "quantile"):
        loss = replace(loss, setting=loss.setting / unit)
    return Posed(loss, (y - center) / unit, offset / unit, c, unit, center, 2 if name in SQUARED else 1)


def find_optimum(problem: Problem) -> Optimum:
    """F* by Newton, interior points or HiGHS."""
    posed = pose(problem)
    constant = constant_model(problem, posed)
    p = posed.unit**posed.power
    columns = _first_columns(problem, posed, constant)
    while True:
        co = coordinates(problem, _curvature(posed), columns)
        found = _minimise(problem, posed, co, constant)
        if columns is None:
            break
        missing = _violations(problem, posed, co, columns, found)
        if not len(missing):
            break
        columns = np.union1d(columns, missing)
    K = problem.n_classes
    coef, intercept = co.model(found.theta.reshape(K, -1))
    value, at_constant, gap = found.value * p, constant.value * p, found.gap * p
    result = Optimum("proved", value, at_constant, gap, coef * posed.unit, intercept * posed.unit + posed.center)
    proved = gap <= max(PROVED * result.to_gain, 0.1 * rounding(problem, result.coef, result.intercept).last_bit)
    if not proved:
        result = result._replace(kind="unproved")
    # Towards an infimum that is not reached, z grows until F no longer changes.
    close = proved and np.ptp(linear_predictor(problem, result.coef, result.intercept)) < REACHED
    return Optimum("none") if not close and has_no_optimum(problem) else result


def constant_model(problem: Problem, posed: Posed):
    """The best model of zero coefficients."""
    n, K, theta = len(posed.y), problem.n_classes, np.zeros(0, np.longdouble)
    if not problem.fit_intercept:
        z = np.zeros((n, K), np.longdouble) if K > 1 else posed.offset
        return kinked_optimum.Found(theta, posed.c @ posed.loss.value(posed.y, z), 0.0)
    none = np.zeros(1, np.longdouble)
    return _solve(posed, np.ones((n, 1), np.longdouble), none, none, K, _start(posed, K))


def _start(posed: Posed, K: int) -> np.ndarray:
    if posed.loss.name in LOG_LINK:
        mean = posed.c @ posed.y / (posed.c @ np.exp(posed.offset))
        return np.log(np.maximum(mean, 1e-300))[None]
    return np.zeros(K, np.longdouble)


def _solve(posed: Posed, B, l1, l2, K: int, theta):
    loss, y, c, offset = posed.loss, posed.y, posed.c, posed.offset
    strength = posed.unit ** (1 - posed.power) * l1, posed.unit ** (2 - posed.power) * l2
    if loss.kinked:
        return kinked_optimum.minimise(kinked_optimum.pieces_of(loss, y, c, offset, B, *strength), theta)
    if loss.name == "huber":  # where most rows are beyond delta, Newton steps have nothing to go by
        theta = kinked_optimum.huber_start(loss, y, c, offset, B, *strength)
    smooth = smooth_optimum.Smooth(loss, y, c, offset, B, *strength, classes=K)
    return smooth_optimum.minimise(smooth, theta)


def _minimise(problem: Problem, posed: Posed, co, constant):
    theta, K = np.zeros((problem.n_classes, co.B.shape[1]), np.longdouble), problem.n_classes
    if problem.fit_intercept:
        theta[:, -1] = constant.theta
    return _solve(posed, co.B, co.l1, co.l2, K, theta.ravel())


def _curvature(posed: Posed) -> float:
    """A size of the second derivative in the units of y, which scales columns under l2."""
    name = posed.loss.name
    if name in ABSOLUTE:
        return 1 / posed.unit
    if name in LOG_LINK:
        power = {"poisson": 1.0, "gamma": 2.0}.get(name, posed.loss.setting)
        return float(posed.c @ posed.y) ** (2 - power) or 1.0
    return 1.0


def _first_columns(problem: Problem, posed: Posed, constant):
    """With l1, the columns that could be used, as their gradients at the constant model tell; else None for all."""
    if problem.l1 == 0:
        return None
    ones = np.ones((len(posed.y), int(problem.fit_intercept)), np.longdouble)
    strength, gradients = _strengths_and_gradients(problem, posed, ones, constant.theta)
    return np.flatnonzero(strength <= max(100 * gradients.max(), strength.min()))


def _violations(problem: Problem, posed: Posed, co, columns, found) -> np.ndarray:
    """Columns that are left out, and whose gradients at the optimum of the others are beyond l1."""
    strength, gradients = _strengths_and_gradients(problem, posed, co.B, found.theta)
    others = np.setdiff1d(np.arange(problem.X.shape[1]), columns)
    return others[gradients[others] > strength[others]]


def _strengths_and_gradients(problem: Problem, posed: Posed, B, theta):
    """l1 and the size of the gradient for each column of deviation 1; for kinked losses a bound of all gradients."""
    X, c = problem.X.astype(np.longdouble), posed.c
    U = X - c @ X if problem.fit_intercept else X
    scale = np.sqrt(c @ U**2)
    scale[scale == 0] = 1
    strength = problem.l1 * posed.unit ** (1 - posed.power) / scale
    if posed.loss.kinked:
        _, low, high = posed.loss.pieces(posed.y)
        return strength, np.abs(U / scale).T @ (c * np.maximum(-low, high).sum(axis=0))
    theta = theta.reshape(problem.n_classes, -1)
    if posed.loss.name == "softmax":
        slopes = softmax_parts(posed.y, B @ theta.T)[1] - (posed.y[:, None] == np.arange(problem.n_classes))
    else:
        slopes = posed.loss.parts(posed.y, B @ theta[0] + posed.offset)[1][:, None]
    return strength, np.abs((U / scale).T @ (c[:, None] * slopes)).max(axis=1)


def objective(problem: Problem, coef, intercept) -> np.longdouble:
    """F of a model in extended precision, X centred so that far columns lose no digits."""
    coef, intercept = np.atleast_2d(coef).astype(np.longdouble), np.atleast_1d(intercept).astype(np.longdouble)
    z = linear_predictor(problem, coef, intercept)
    with np.errstate(over="ignore", invalid="ignore"):
        loss = problem.shares @ problem.loss.value(problem.y.astype(np.longdouble), z)
    return loss + problem.l1 * np.abs(coef).sum() + problem.l2 * (coef**2).sum() / 2


def linear_predictor(problem: Problem, coef, intercept):
    X = problem.X.astype(np.longdouble)
    mean = problem.shares @ X
    z = (X - mean) @ coef.T + (intercept + mean @ coef.T)
    if problem.offset is not None:
        z = z + problem.offset[:, None]
    return z if problem.loss.name == "softmax" else z[:, 0]


class Rounding(NamedTuple):
    """Bounds of the error of F where it is evaluated in float64 (Higham, Accuracy and stability, 2002, section 3.1)."""

    last_bit: float  # of the terms of F
    total: float  # of a sum over all rows, each with a dot product


def rounding(problem: Problem, coef, intercept) -> Rounding:
    coef, intercept = np.atleast_2d(coef).astype(np.longdouble), np.atleast_1d(intercept).astype(np.longdouble)
    y, z, c = problem.y.astype(np.longdouble), linear_predictor(problem, coef, intercept), problem.shares
    sizes = np.abs(problem.X).astype(np.longdouble) @ np.abs(coef).T + np.abs(intercept)
    sizes = sizes + (0 if problem.offset is None else np.abs(problem.offset)[:, None])
    values = problem.loss.value(y, z)
    if problem.loss.name == "softmax":
        errors = sizes.max(axis=1)
    elif problem.loss.kinked:
        _, low, high = problem.loss.pieces(y)
        errors = np.maximum(-low, high).max(axis=0) * (sizes[:, 0] + np.abs(y))
    else:
        slopes = problem.loss.parts(y, z)[1]
        errors = np.abs(slopes) * sizes[:, 0]
        if problem.loss.name in LOG_LINK:  # the value is a sum of terms that can cancel
            values = np.abs(values) + np.abs(slopes) + np.abs(y * z)
    penalty = problem.l1 * np.abs(coef).sum() + problem.l2 * (coef**2).sum() / 2
    terms, eps = float(c @ np.abs(values) + penalty), np.finfo(float).eps
    n, d = problem.X.shape
    return Rounding(eps * terms, eps * (n * terms + (d + 1) * float(c @ errors)))
