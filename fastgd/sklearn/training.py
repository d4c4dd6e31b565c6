"""From an estimator's parameters to a `Result`: `fastgd.fit` without what scikit-learn has checked already."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state

from ..data.loss_choice import ChosenLoss
from ..data.training_data import RowOptions
from ..fitting import train
from ..model.result import Result
from ..solvers.options import Options
from ..terms.losses import LOSSES

# Reasons to stop before the optimum that nobody asked for.
UNCONVERGED = ("max_epochs", "max_seconds", "stalled")
MOST_SEED = 1 << 31


def trained(
    X: Any, y: Any, *, loss: Any, penalty: Any, alpha: float = 0.0, fit_intercept: bool = True, start: Any = None,
    rows: dict[str, Any], **options: Any,
) -> Result:  # fmt: skip
    """Fit a model; ``rows`` are `RowOptions`, and ``options`` are `Options`.

    Warns
    -----
    ConvergenceWarning
        Where the fit did not converge, or is worse than the best constant model.
    """
    term = LOSSES.resolve(loss)
    bound = Options(**options).bound_to(term, penalty, alpha)
    row_options = RowOptions(**rows, seed=bound.seed, may_be_constant=True)
    result = train(X, ChosenLoss(term, y), penalty, bound, row_options, fit_intercept, start)
    warn_unless_converged(result)
    return result


def warn_unless_converged(result: Result) -> None:
    """A ConvergenceWarning that says what to do, unless no tolerance was asked for."""
    if result.warning:
        warnings.warn(f"{result.warning}; scale the columns or take method='auto'", ConvergenceWarning, stacklevel=4)
        return
    wanted = result.settings["tol"] or result.settings["gap_tol"]
    if wanted and not result.converged and result.stop_reason in UNCONVERGED:
        warnings.warn(
            f"the fit stopped ({result.stop_reason}) after {result.n_epochs} epochs before it converged: allow more "
            "epochs or a larger tolerance, or take method='auto'",
            ConvergenceWarning,
            stacklevel=4,
        )


def seed_of(random_state: Any) -> int:
    """The seed of fastgd: a number as it is, else a number that the generator draws."""
    if isinstance(random_state, int | np.integer):
        return int(random_state)
    return int(check_random_state(random_state).randint(MOST_SEED))
