"""Built-in data on which the nonconvex loss phase_retrieval traps gradient descent: a saddle point, two valleys."""

from __future__ import annotations

import numpy as np

from ..table import Table


def saddle() -> Table:
    """Seven rows on which F has a saddle point; gradient descent from (0.3, 0) converges to it and stays there.

    On the axis w2 = 0 the rows (1, 1; 1) and (1, -1; 1) have opposite derivatives with respect to w2 and the other rows
    have none, so the full gradient is exactly 0 in w2, in any order of summation. On that axis F has its minimum, 1/6,
    at w1^2 = 2/3, where the Hessian is diag(4/7, -2/7): F decreases on both sides of the axis. The minima of F are
    (0, 1) and (0, -1), where F is 0. A step on some of the rows leaves the axis.
    """
    # These two rows come first, so that every kernel computes both derivatives with the same instructions.
    X = [[1, 1], [1, -1], [1, 0], [0, 1], [0, 1], [0, 1], [0, 1]]
    return _table("saddle", X, [1, 1, 0, 1, 1, 1, 1], (0.3, 0.0))


def valleys() -> Table:
    """Four rows on which F has two valleys; gradient descent from (3, 1) ends in the shallower one.

    The data ask for |2 w1| = 4, |w1 + 2 w2| = 5, |w1 + w2| = 2 and |w1| = 3, which no coefficients satisfy. F has a
    local minimum of 5.34 at (1.98, 1.38), in the wider valley, the global minimum of 1.68 at (2.07, -3.54), and the
    same values at the opposite points.
    """
    return _table("valleys", [[2, 0], [1, 2], [1, 1], [1, 0]], [16, 25, 4, 9], (3.0, 1.0))


def _table(name: str, X: list[list[int]], y: list[int], start: tuple[float, float]) -> Table:
    return Table(
        X=np.array(X, np.float64), y=np.array(y, np.float64), feature_names=("x1", "x2"), target_name="y", source=name,
        defaults={"loss": "phase_retrieval", "start": start, "fit_intercept": False},
    )  # fmt: skip
