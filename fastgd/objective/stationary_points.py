"""Where a fit of what is not convex has stopped: at a minimum, a saddle point or a maximum; by the Hessian of F there.

Where the gradient is zero, F falls along the eigenvectors of negative eigenvalues and rises along those of positive
ones. The weights are scaled so that no unit of a column matters, which leaves the signs as they are (Sylvester's law of
inertia). Source: Nocedal and Wright, Numerical optimization (2006), theorems 2.3 and 2.4.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ..data.feature_matrix import as_scipy, squared
from ..kernels.outputs_gradient import is_joint
from ..kernels.second_derivatives import curvatures
from ..solvers.steps import penalty_curvature
from ..terms.penalties import is_smooth
from .gram import gram
from .problem import Problem, predict_linear

# The whole Hessian for so many weights, and so many products; beyond, steps of Lanczos, each two passes over X.
MOST_WEIGHTS, MOST_PRODUCTS, LANCZOS_STEPS = 500, 1 << 31, 40
# Scaled so that its entries are at most 1, a Hessian has eigenvalues as small as this by rounding.
FLAT = 1e-7
# The gradient is small where a step of Newton's would gain no more than this part of what training has gained, or of F,
# or of what a step as long as the weights would.
SMALL, SMALL_OF_F, SMALL_OF_WEIGHTS = 1e-2, 1e-13, 1e-12


class Bend(NamedTuple):
    """The least and the largest eigenvalue of a scaled Hessian; and what steps change by a quadratic model.

    ``gain`` is that of the step |H|^-1 g, ``reach`` of one as long as the weights: w |H| w / 2.
    """

    least: float
    largest: float
    gain: float
    reach: float


NOWHERE = Bend(np.nan, np.nan, np.nan, np.nan)


def is_convex(problem: Problem) -> bool:
    """Whether loss and penalty are known to be convex, so that F has no stationary point but its minimum."""
    return bool(getattr(problem.loss, "convex", False)) and bool(getattr(problem.penalty, "convex", True))


def can_be_told(problem: Problem) -> bool:
    """Whether F has second derivatives to look at."""
    # A loss of the user's own is taken to be smooth: were it linear in pieces, F would be flat, which tells nothing.
    smooth = not getattr(problem.loss, "kinked", False)
    return smooth and not is_joint(problem.loss) and is_smooth(problem.penalty)


def stationary(problem: Problem, params: np.ndarray, gained: float) -> str | None:
    """What F has at ``params``: "minimum", "saddle" (F falls one way and not every way), "maximum", or None.

    None where the gradient is not small, F has no second derivatives, or is so flat one way that they do not tell.
    ``gained``: how far training has lowered F. It takes a few passes over X.
    """
    if not (can_be_told(problem) and np.isfinite(params).all()):
        return None
    with np.errstate(all="ignore"):
        loss, gradient = problem.gradient(params)
        enough = max(SMALL * gained, SMALL_OF_F * abs(loss + problem.penalty_at(params)))
        rows = zip(np.atleast_2d(params), np.atleast_2d(gradient), strict=True)
        found = {_kind(_bend(problem, k, w, g), enough) for k, (w, g) in enumerate(rows)}
    if len(found) == 1:
        return found.pop()
    return None if None in found else "saddle"  # outputs are independent of each other: each bends its own way


def _kind(bend: Bend, enough: float) -> str | None:
    if not bend.gain <= max(enough, SMALL_OF_WEIGHTS * bend.reach):  # nor where it is NaN
        return None
    if bend.least < -FLAT:
        return "maximum" if bend.largest < -FLAT else "saddle"
    return "minimum" if bend.least > FLAT else None


def _bend(problem: Problem, k: int, params: np.ndarray, gradient: np.ndarray) -> Bend:
    """How F bends in the weights of output k."""
    d, p, n = problem.n_features, problem.n_parameters, problem.n_samples
    slope, by_penalty = gradient.copy(), np.zeros(p)
    by_penalty[:d] = penalty_curvature(problem)[k]
    slope += by_penalty * params
    curvature = _curvature(problem, k, params) / n
    if p <= MOST_WEIGHTS and problem.n_values * p <= MOST_PRODUCTS:
        return _by_eigenvalues(problem, curvature, by_penalty, params, slope)
    return _by_lanczos(problem, curvature, by_penalty, params, slope)


def _curvature(problem: Problem, k: int, params: np.ndarray) -> np.ndarray:
    """The second derivative of each row's loss in its linear predictor, weighted."""
    d, targets = problem.n_features, problem.targets
    z = predict_linear(problem.X, params[:d], params[d] if problem.fit_intercept else 0.0)
    z += targets.offset if len(targets.offset) else 0.0
    out = np.empty_like(z)
    one = targets._replace(y=problem.output_target(k), one_vs_rest=False)
    curvatures(one, z, problem.loss, -np.inf, 1.0, out)
    return out


def _by_eigenvalues(
    problem: Problem, curvature: np.ndarray, by_penalty: np.ndarray, params: np.ndarray, slope: np.ndarray
) -> Bend:
    no_shift = np.zeros(problem.n_features)
    parts = np.maximum(np.column_stack([curvature, -curvature]), 0.0)
    up, down = gram(problem.X, parts, no_shift, problem.fit_intercept)
    hessian = up - down + np.diag(by_penalty)
    scale = _scale(np.diag(up) + np.diag(down) + by_penalty)
    hessian = scale[:, None] * hessian * scale
    if not np.isfinite(hessian).all():
        return NOWHERE
    values, vectors = np.linalg.eigh(hessian)
    sizes = np.maximum(np.abs(values), FLAT)
    gain = 0.5 * float(((vectors.T @ (scale * slope)) ** 2 / sizes).sum())
    reach = 0.5 * float(((vectors.T @ (params / scale)) ** 2 * sizes).sum())
    return Bend(float(values[0]), float(values[-1]), gain, reach)


def _by_lanczos(
    problem: Problem, curvature: np.ndarray, by_penalty: np.ndarray, params: np.ndarray, slope: np.ndarray
) -> Bend:
    """By products of the Hessian and a vector; the gain is that of a step along the gradient, which is no more."""
    d, p, X = problem.n_features, problem.n_parameters, as_scipy(problem.X)
    sizes = np.abs(curvature)
    squares = squared(problem.X).T @ sizes if problem.sparse else np.einsum("i,ij,ij->j", sizes, X, X)
    scale = _scale(np.append(squares, [np.abs(curvature).sum()] * (p - d)) + by_penalty)

    def times(v: np.ndarray) -> np.ndarray:
        u = scale * v
        z = curvature * (X @ u[:d].astype(problem.dtype) + u[d:].sum())
        product = np.append(X.T @ z.astype(problem.dtype), [z.sum()] * (p - d)) + by_penalty * u
        return np.asarray(scale * product)

    values, errors = lanczos(times, p)
    # The first is never below the least eigenvalue, so that it is negative is sure; that nothing is below it is not.
    least = values[0] if values[0] < 0 or errors[0] < 0.5 * values[0] else 0.0
    most = values[-1] if values[-1] > 0 or errors[-1] < -0.5 * values[-1] else 0.0
    size = max(FLAT, float(np.abs(values).max()))
    gain, reach = float(np.linalg.norm(scale * slope)) ** 2 / size, float(np.linalg.norm(params / scale)) ** 2 * size
    return Bend(float(least), float(most), 0.5 * gain, 0.5 * reach)


def lanczos(times: Callable[[np.ndarray], np.ndarray], size: int) -> tuple[np.ndarray, np.ndarray]:
    """Some eigenvalues of a symmetric matrix of which ``times`` gives products, ascending, and how far off each may be.

    Those at both ends come first. Source: Golub and Van Loan, Matrix computations (2013), section 10.1.
    """
    steps = min(LANCZOS_STEPS, size)
    basis, diagonal, beside = np.zeros((steps, size)), np.zeros(steps), np.zeros(steps)
    v = np.random.default_rng(0).standard_normal(size)
    for k in range(steps):
        basis[k] = v / np.linalg.norm(v)
        v = times(basis[k])
        diagonal[k] = basis[k] @ v
        for _ in range(2):  # twice is enough
            v -= basis[: k + 1].T @ (basis[: k + 1] @ v)
        beside[k] = np.linalg.norm(v)
        if beside[k] <= FLAT**2 * np.abs(diagonal).max():  # these span all that the first vector has a part in
            steps = k + 1
            break
    if not np.isfinite(diagonal).all():
        return np.full(1, np.nan), np.full(1, np.nan)
    tridiagonal = np.diag(diagonal[:steps]) + np.diag(beside[: steps - 1], 1) + np.diag(beside[: steps - 1], -1)
    values, vectors = np.linalg.eigh(tridiagonal)
    return values, beside[steps - 1] * np.abs(vectors[-1])


def _scale(sizes: np.ndarray) -> np.ndarray:
    """What to multiply each weight's row and column by; of one that nothing depends on, by 1, which leaves it flat."""
    return np.asarray(1.0 / np.sqrt(np.where(sizes > 0, sizes, 1.0)))
