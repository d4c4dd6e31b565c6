"""`PoissonRegressor`, `GammaRegressor` and `TweedieRegressor` with the objectives of scikit-learn's own."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn import linear_model

from ..terms.losses import LOSSES
from .drop_in import WithoutArrayAPI, gradient_tolerance, minimise, start_of, with_remark
from .input_checks import checked_data, weights_of_rows


class PoissonRegressor(WithoutArrayAPI, linear_model.PoissonRegressor):  # type: ignore[misc]
    """Half the mean Poisson deviance with a log link, plus ``alpha / 2 |w|^2``.

    Parameters and attributes are those of `sklearn.linear_model.PoissonRegressor`; ``result_`` is the `fastgd.Result`.
    ``solver`` chooses no solver: fastgd takes its own, see ``result_.remarks``.
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """Fit; shapes as in scikit-learn."""
        return _fit(self, LOSSES["poisson"](), X, y, sample_weight)


class GammaRegressor(WithoutArrayAPI, linear_model.GammaRegressor):  # type: ignore[misc]
    """Half the mean gamma deviance with a log link, plus ``alpha / 2 |w|^2``; see `PoissonRegressor`."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """Fit; shapes as in scikit-learn."""
        return _fit(self, LOSSES["gamma"](), X, y, sample_weight)


class TweedieRegressor(WithoutArrayAPI, linear_model.TweedieRegressor):  # type: ignore[misc]
    """Half the mean Tweedie deviance, plus ``alpha / 2 |w|^2``; see `PoissonRegressor`. Power 0 is least squares.

    With a power below 0 or above 2, or a link that is not the power's own (identity for 0, log for 1 to 2),
    scikit-learn's solver fits.
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """Fit; shapes as in scikit-learn."""
        self._validate_params()
        loss = _tweedie(float(self.power), self.link)
        return super().fit(X, y, sample_weight) if loss is None else _fit(self, loss, X, y, sample_weight)


def _tweedie(power: float, link: str) -> Any:
    """The loss of fastgd, None where it has none."""
    if power == 0 and link in ("auto", "identity"):
        return LOSSES["half_squared"]()
    if not 1 <= power <= 2 or link == "identity":
        return None
    if power in (1, 2):
        return LOSSES["poisson" if power == 1 else "gamma"]()
    return LOSSES["tweedie"](power)


def _fit(estimator: Any, loss: Any, X: Any, y: Any, sample_weight: Any) -> Any:
    estimator._validate_params()
    X, y = checked_data(estimator, X, y, numeric=True, single=True)
    weights = None if sample_weight is None else weights_of_rows(sample_weight, X)
    theirs = estimator._get_loss()
    if not theirs.in_y_true_range(np.asarray(y, dtype=np.float64)):
        raise ValueError(f"Some value(s) of y are out of the valid range of the loss {type(theirs).__name__!r}.")
    fitted = minimise(
        X, y, weights, loss=loss, l2=estimator.alpha, fit_intercept=estimator.fit_intercept,
        tol=gradient_tolerance(estimator.tol), max_iter=estimator.max_iter,
        start=start_of(estimator, estimator.fit_intercept),
    )  # fmt: skip
    estimator._base_loss = theirs  # predict and score of the class take its link and deviance
    estimator.coef_ = fitted.coef
    estimator.intercept_ = fitted.intercept[()] if estimator.fit_intercept else 0.0
    estimator.n_iter_ = fitted.result.n_epochs
    estimator.result_ = with_remark(fitted.result, "solver", estimator.solver)
    return estimator
