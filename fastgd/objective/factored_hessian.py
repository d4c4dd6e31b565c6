"""The Hessian of each output with its Cholesky factor, as a value."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.linalg.lapack import dpotrf, dpotrs


class FactoredHessian(NamedTuple):
    """Symmetric matrices and what solves with them, one for each output.

    ``matrices`` and ``factors`` have the shape (n_outputs, n_parameters, n_parameters). A factor is the upper Cholesky
    factor of a positive definite matrix, with anything below its diagonal; of any other matrix it is the inverse.
    """

    matrices: np.ndarray
    factors: np.ndarray
    positive_definite: np.ndarray  # (n_outputs,)

    @classmethod
    def of(cls, matrices: np.ndarray) -> FactoredHessian:
        """Factor the matrices, which are kept."""
        factors, positive_definite = [], np.empty(len(matrices), bool)
        for k, matrix in enumerate(matrices):
            # LAPACK's own call: SciPy's takes longer to check a small matrix, NumPy's to clear half of a large one.
            factor, failed = dpotrf(matrix.T, lower=True, clean=False)
            positive_definite[k] = not failed
            # Rounding has made it indefinite, or overflow worse.
            factors.append(np.linalg.inv(matrix) if failed else factor.T)  # in the order of C, as is the matrix
        return cls(matrices, factors[0][None] if len(factors) == 1 else np.stack(factors), positive_definite)

    @property
    def largest(self) -> float:
        """The largest entry of the diagonals."""
        return float(np.einsum("kii->ki", self.matrices).max())

    def solve(self, b: np.ndarray) -> np.ndarray:
        """The x with H x = b for each output, b of shape (n_outputs, n_parameters)."""
        return np.stack([self.solve_one(k, row) for k, row in enumerate(b)])

    def solve_one(self, k: int, b: np.ndarray) -> np.ndarray:
        """The x with H_k x = b."""
        factor = self.factors[k]
        return np.asarray(dpotrs(factor.T, b, lower=True)[0] if self.positive_definite[k] else factor @ b)
