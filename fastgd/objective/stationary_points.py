"""The kind of a stationary point of an F that is not convex: a minimum, a saddle point or a maximum, by its Hessian.

Where the gradient is zero, F falls along the eigenvectors of negative eigenvalues and rises along those of positive
ones. The parameters are scaled so that the units of the columns do not matter; the signs of the eigenvalues stay as
they are (Sylvester's law of inertia). Source: Nocedal and Wright, Numerical optimization (2006), theorems 2.3 and 2.4.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ..data.feature_matrix import as_scipy, squared
from ..kernels.outputs_gradient import is_joint
from ..kernels.second_derivatives import curvatures
from ..terms.losses import loss_traits
from ..terms.penalties import is_smooth, penalty_traits
from .gram import gram
from .linear_predictor import predict_linear
from .objective import Objective

# Maximum parameters and products for the whole Hessian; beyond, this many Lanczos steps, each of two passes over X.
MAX_PARAMETERS, MAX_PRODUCTS, LANCZOS_STEPS = 500, 1 << 31, 40
# Eigenvalues within this of 0 may be rounding, in a Hessian scaled to entries of at most 1.
EIGENVALUE_ROUNDING = 1e-7
# The gradient counts as small if a Newton step would lower F by no more than this part of what training has, or of F,
# or of the change by a step as long as the parameters.
MAX_GAIN, MAX_GAIN_OF_F, MAX_GAIN_OF_PARAMS = 1e-2, 1e-13, 1e-12


class HessianSpectrum(NamedTuple):
    """The smallest and the largest eigenvalue of a scaled Hessian H, and changes of F by a quadratic model.

    ``gain`` is the change by the step |H|^-1 g, ``reach`` the change by a step as long as the parameters, w |H| w / 2.
    """

    smallest: float
    largest: float
    gain: float
    reach: float


NOT_FINITE = HessianSpectrum(np.nan, np.nan, np.nan, np.nan)


def is_convex(objective: Objective) -> bool:
    """Whether loss and penalty are known to be convex, so that every stationary point of F is a minimum."""
    return loss_traits(objective.loss).convex and penalty_traits(objective.penalty).convex


def has_second_derivatives(objective: Objective) -> bool:
    """Whether F has second derivatives that tell the kind of a stationary point."""
    # A user's loss counts as smooth: if it is piecewise linear, F looks flat, which gives no answer.
    smooth = not loss_traits(objective.loss).kinked
    return smooth and not is_joint(objective.loss) and is_smooth(objective.penalty)


def stationary_kind(
    objective: Objective, params: np.ndarray, gained: float, max_parameters: int = MAX_PARAMETERS
) -> str | None:
    """The kind of stationary point at ``params``: "minimum", "saddle", "maximum", or None.

    At a saddle point F falls along some directions and not along all. None where the gradient is not small, F has no
    second derivatives, or F is so flat along a direction that they give no answer. ``gained`` is how far training has
    lowered F. It takes a few passes over X; with more than ``max_parameters`` only the ends of the spectrum are found.
    """
    if not (has_second_derivatives(objective) and np.isfinite(params).all()):
        return None
    with np.errstate(all="ignore"):
        at = objective.evaluate(params)
        max_gain = max(MAX_GAIN * gained, MAX_GAIN_OF_F * abs(at.objective))
        rows = zip(np.atleast_2d(params), np.atleast_2d(at.gradient), strict=True)
        kinds = {_kind(_spectrum(objective, k, w, g, max_parameters), max_gain) for k, (w, g) in enumerate(rows)}
    if len(kinds) == 1:
        return kinds.pop()
    return None if None in kinds else "saddle"  # F is a sum over the outputs


def _kind(spectrum: HessianSpectrum, max_gain: float) -> str | None:
    if not spectrum.gain <= max(max_gain, MAX_GAIN_OF_PARAMS * spectrum.reach):  # also where the gain is NaN
        return None
    if spectrum.smallest < -EIGENVALUE_ROUNDING:
        return "maximum" if spectrum.largest < -EIGENVALUE_ROUNDING else "saddle"
    return "minimum" if spectrum.smallest > EIGENVALUE_ROUNDING else None


def _spectrum(
    objective: Objective, k: int, params: np.ndarray, gradient: np.ndarray, max_parameters: int
) -> HessianSpectrum:
    """The spectrum of the Hessian in the parameters of output k."""
    d, p, n = objective.n_features, objective.n_parameters, objective.n_samples
    by_penalty = np.zeros(p)
    by_penalty[:d] = objective.penalty_curvature()[k]
    gradient = gradient + by_penalty * params
    weights = _second_derivatives(objective, k, params) / n
    if p <= max_parameters and objective.n_values * p <= MAX_PRODUCTS:
        return _by_eigenvalues(objective, weights, by_penalty, params, gradient)
    return _by_lanczos(objective, weights, by_penalty, params, gradient)


def _second_derivatives(objective: Objective, k: int, params: np.ndarray) -> np.ndarray:
    """The weighted second derivative of each row's loss in its linear predictor."""
    objective.count_pass(1.0 / objective.n_outputs)
    d, targets = objective.n_features, objective.targets
    z = predict_linear(objective.X, params[:d], params[d] if objective.fit_intercept else 0.0)
    z += targets.offset if len(targets.offset) else 0.0
    out = np.empty_like(z)
    one = targets._replace(y=objective.output_target(k), one_vs_rest=False)
    curvatures(one, z, objective.loss, -np.inf, 1.0, out)
    return out


def _by_eigenvalues(
    objective: Objective, weights: np.ndarray, by_penalty: np.ndarray, params: np.ndarray, gradient: np.ndarray
) -> HessianSpectrum:
    objective.count_pass(1.0 / objective.n_outputs)
    no_shift = np.zeros(objective.n_features)
    parts = np.maximum(np.column_stack([weights, -weights]), 0.0)
    positive, negative = gram(objective.X, parts, no_shift, objective.fit_intercept)
    hessian = positive - negative + np.diag(by_penalty)
    scale = _scale(np.diag(positive) + np.diag(negative) + by_penalty)
    hessian = scale[:, None] * hessian * scale
    if not np.isfinite(hessian).all():
        return NOT_FINITE
    values, vectors = np.linalg.eigh(hessian)
    sizes = np.maximum(np.abs(values), EIGENVALUE_ROUNDING)
    gain = 0.5 * float(((vectors.T @ (scale * gradient)) ** 2 / sizes).sum())
    reach = 0.5 * float(((vectors.T @ (params / scale)) ** 2 * sizes).sum())
    return HessianSpectrum(float(values[0]), float(values[-1]), gain, reach)


def _by_lanczos(
    objective: Objective, weights: np.ndarray, by_penalty: np.ndarray, params: np.ndarray, gradient: np.ndarray
) -> HessianSpectrum:
    """By products of the Hessian and vectors; the gain is a lower bound, of a step along the gradient."""
    d, p, X = objective.n_features, objective.n_parameters, as_scipy(objective.X)
    sizes = np.abs(weights)
    objective.count_pass(1.0 / objective.n_outputs)
    squares = squared(objective.X).T @ sizes if objective.sparse else np.einsum("i,ij,ij->j", sizes, X, X)
    scale = _scale(np.append(squares, [sizes.sum()] * (p - d)) + by_penalty)

    def multiply(v: np.ndarray) -> np.ndarray:
        objective.count_pass(2.0 / objective.n_outputs)
        u = scale * v
        z = weights * (X @ u[:d].astype(objective.dtype) + u[d:].sum())
        product = np.append(X.T @ z.astype(objective.dtype), [z.sum()] * (p - d)) + by_penalty * u
        return np.asarray(scale * product)

    values, errors = lanczos(multiply, p)
    # Ritz values lie within the spectrum: a negative one proves a negative eigenvalue, a positive one needs a bound.
    smallest = values[0] if values[0] < 0 or errors[0] < 0.5 * values[0] else 0.0
    largest = values[-1] if values[-1] > 0 or errors[-1] < -0.5 * values[-1] else 0.0
    size = max(EIGENVALUE_ROUNDING, float(np.abs(values).max()))
    gain, reach = float(np.linalg.norm(scale * gradient)) ** 2 / size, float(np.linalg.norm(params / scale)) ** 2 * size
    return HessianSpectrum(float(smallest), float(largest), 0.5 * gain, 0.5 * reach)


def lanczos(multiply: Callable[[np.ndarray], np.ndarray], size: int) -> tuple[np.ndarray, np.ndarray]:
    """Some eigenvalues of a symmetric matrix, ascending, with error bounds; ``multiply`` multiplies a vector by it.

    Both ends of the spectrum converge first. Source: Golub and Van Loan, Matrix computations (2013), section 10.1.
    """
    steps = min(LANCZOS_STEPS, size)
    basis, diagonal, off_diagonal = np.zeros((steps, size)), np.zeros(steps), np.zeros(steps)
    v = np.random.default_rng(0).standard_normal(size)
    for k in range(steps):
        basis[k] = v / np.linalg.norm(v)
        v = multiply(basis[k])
        diagonal[k] = basis[k] @ v
        for _ in range(2):  # orthogonalize twice, which is enough
            v -= basis[: k + 1].T @ (basis[: k + 1] @ v)
        off_diagonal[k] = np.linalg.norm(v)
        if off_diagonal[k] <= EIGENVALUE_ROUNDING**2 * np.abs(diagonal).max():  # an invariant subspace is complete
            steps = k + 1
            break
    if not np.isfinite(diagonal).all():
        return np.full(1, np.nan), np.full(1, np.nan)
    off = np.diag(off_diagonal[: steps - 1], 1)
    tridiagonal = np.diag(diagonal[:steps]) + off + off.T
    values, vectors = np.linalg.eigh(tridiagonal)
    return values, off_diagonal[steps - 1] * np.abs(vectors[-1])


def _scale(sizes: np.ndarray) -> np.ndarray:
    """Factors of the rows and columns of the Hessian; 1 for a parameter without curvature."""
    return np.asarray(1.0 / np.sqrt(np.where(sizes > 0, sizes, 1.0)))
