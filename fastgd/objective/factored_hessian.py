"""The Hessian of each output with its Cholesky factor, as a value."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.linalg.lapack import dpotrf, dpotrs


class FactoredHessian(NamedTuple):
    """A symmetric matrix for each output, with a factor to solve linear systems.

    ``matrices`` and ``factors`` have the shape (n_outputs, n_parameters, n_parameters). A factor is the upper Cholesky
    factor of a positive definite matrix, with arbitrary values below the diagonal; any other matrix has the inverse of
    a positive definite matrix near it. A single matrix may be of all outputs together.
    """

    matrices: np.ndarray
    factors: np.ndarray
    positive_definite: np.ndarray  # (n_outputs,)

    @classmethod
    def of(cls, matrices: np.ndarray) -> FactoredHessian:
        """Factor the matrices."""
        factors, positive_definite = [], np.empty(len(matrices), bool)
        for k, matrix in enumerate(matrices):
            # LAPACK itself: SciPy's function takes longer to check a small matrix, NumPy's to clear half of a large.
            factor, failed = dpotrf(matrix.T, lower=True, clean=False)
            positive_definite[k] = not failed
            # A factorization fails where rounding has made the matrix indefinite, or where it is not finite.
            factors.append(_inverse(matrix) if failed else factor.T)  # C-ordered, as the matrix is
        return cls(matrices, factors[0][None] if len(factors) == 1 else np.stack(factors), positive_definite)

    @property
    def largest(self) -> float:
        """The largest diagonal entry."""
        return float(np.einsum("kii->ki", self.matrices).max())

    def solve(self, b: np.ndarray) -> np.ndarray:
        """Solve H x = b for each output; b has the shape (n_outputs, n_parameters)."""
        if len(self.matrices) == 1:
            return self.solve_one(0, b.ravel()).reshape(b.shape)
        return np.stack([self.solve_one(k, row) for k, row in enumerate(b)])

    def solve_one(self, k: int, b: np.ndarray) -> np.ndarray:
        """Solve H_k x = b."""
        factor = self.factors[k]
        return np.asarray(dpotrs(factor.T, b, lower=True)[0] if self.positive_definite[k] else factor @ b)


def _inverse(matrix: np.ndarray) -> np.ndarray:
    """The inverse with eigenvalues in absolute value, and raised to the size of rounding where they are below it.

    Steps by it descend. Source: Nocedal and Wright, Numerical optimization (2006), section 3.4.
    """
    if not np.isfinite(matrix).all():
        return np.full_like(matrix, np.nan)
    size = np.sqrt(np.abs(np.diag(matrix)))
    size[size == 0.0] = 1.0
    values, vectors = np.linalg.eigh(matrix / np.outer(size, size))
    vectors /= size[:, None]
    floor = len(matrix) * np.finfo(np.float64).eps * max(float(values[-1]), np.finfo(np.float64).tiny)
    return np.ascontiguousarray((vectors / np.maximum(np.abs(values), floor)) @ vectors.T)
