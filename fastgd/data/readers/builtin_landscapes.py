"""Built-in data whose loss, phase_retrieval, is a landscape to get lost in: a saddle point; two valleys."""

from __future__ import annotations

from types import MappingProxyType

import numpy as np

from ..table import Table


def saddle() -> Table:
    """Seven rows on which F has a saddle point that gradient descent from (0.3, 0) walks into, and does not leave.

    On the axis w2 = 0 the rows (1, 1; 1) and (1, -1; 1) pull w2 by opposite amounts and all others not at all, so the
    gradient of all rows is exactly 0 in w2, in any order of summation. Along that axis F is least at w1^2 = 2/3, where
    it is 1/6 and the Hessian is diag(4/7, -2/7): it falls to both sides. The minima are (0, 1) and (0, -1), where F is
    0. A step on some of the rows leaves the axis.
    """
    # The two stand side by side at the front, where every kernel works out both slopes by the same instructions.
    X = [[1, 1], [1, -1], [1, 0], [0, 1], [0, 1], [0, 1], [0, 1]]
    return _table("saddle", X, [1, 1, 0, 1, 1, 1, 1], (0.3, 0.0))


def valleys() -> Table:
    """Four rows on which F has two valleys, and gradient descent from (3, 1) ends in the wrong one.

    With z known but for its sign, |2 w1| = 4, |w1 + 2 w2| = 5, |w1 + w2| = 2 and |w1| = 3, which no weights fit. F has
    a minimum of 5.34 at (1.98, 1.38), with the wider valley, a deeper one of 1.68 at (2.07, -3.54), and the same at the
    opposite weights.
    """
    return _table("valleys", [[2, 0], [1, 2], [1, 1], [1, 0]], [16, 25, 4, 9], (3.0, 1.0))


def _table(name: str, X: list[list[int]], y: list[int], start: tuple[float, float]) -> Table:
    return Table(
        X=np.array(X, np.float64),
        y=np.array(y, np.float64),
        feature_names=("x1", "x2"),
        target_name="y",
        source=name,
        defaults=MappingProxyType({"loss": "phase_retrieval", "start": start, "fit_intercept": False}),
    )
