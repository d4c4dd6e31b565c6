"""`to_sklearn` and `from_sklearn`: fitted models as estimators of scikit-learn and back."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from sklearn import linear_model
from sklearn.utils.validation import check_is_fitted

from ..errors import OptionError
from ..model.result import Result
from ..terms.losses import LOSSES
from .gd_estimator import GDEstimator

IDENTITY_LINK = (
    "squared", "half_squared", "huber", "absolute", "quantile", "epsilon_insensitive", "squared_epsilon_insensitive",
)  # fmt: skip
MARGINS = ("hinge", "squared_hinge", "modified_huber", "perceptron")
OWN_ATTRIBUTES = ("result_", "loss_curve_", "_descents")


def to_sklearn(model: Any) -> Any:
    """A fitted estimator of scikit-learn that predicts the same, without fastgd.

    Parameters
    ----------
    model : a `fastgd.Result`, or a fitted estimator of `fastgd.sklearn`. A class with a name of scikit-learn gives
        that class; any other model LogisticRegression, SGDClassifier, LinearRegression, PoissonRegressor,
        GammaRegressor or TweedieRegressor, by its loss.

    Raises
    ------
    OptionError
        Where scikit-learn has no class with these predictions.

    Examples
    --------
    >>> from fastgd.sklearn import GDRegressor, to_sklearn
    >>> type(to_sklearn(GDRegressor().fit([[1.0], [2.0]], [1.0, 3.0]))).__name__
    'LinearRegression'
    """
    if isinstance(model, Result):
        return _of_result(model)
    check_is_fitted(model)
    if isinstance(model, GDEstimator):
        found = _of_result(model.result_)
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(model, name):
                setattr(found, name, getattr(model, name))
        return found
    return _with_attributes(getattr(linear_model, type(model).__name__), model)


def from_sklearn(model: Any) -> Any:
    """The estimator of `fastgd.sklearn` of the same name, with the parameters and the fit of ``model``.

    Raises
    ------
    OptionError
        Where `fastgd.sklearn` has no class of this name.
    """
    ours = sys.modules[__package__]
    name = type(model).__name__
    if name not in ours.ESTIMATORS or not hasattr(linear_model, name):
        known = [one for one in ours.ESTIMATORS if hasattr(linear_model, one)]
        raise OptionError(f"fastgd.sklearn has no class {name}: there are {', '.join(known)}")
    return _with_attributes(getattr(ours, name), model)


def _with_attributes(kind: Any, model: Any) -> Any:
    """An estimator of the class ``kind`` with the parameters and the fitted attributes of ``model``."""
    known = kind._get_param_names()
    found = kind(**{name: value for name, value in model.get_params(deep=False).items() if name in known})
    parameters = model.get_params(deep=False)
    for name, value in vars(model).items():
        if name not in parameters and name not in OWN_ATTRIBUTES:
            setattr(found, name, value)
    return found


def _of_result(result: Result) -> Any:
    if result.encoder is not None:
        raise OptionError("this model encodes columns of a table, which scikit-learn's linear models do not")
    name, classes = LOSSES.name_of(result.loss), result.classes
    found: Any = None
    if classes is not None and classes.ndim == 1:
        if name == "softmax" or (name == "logistic" and len(classes) == 2):
            found = linear_model.LogisticRegression()
        elif name == "logistic" or name in MARGINS:
            found = linear_model.SGDClassifier(loss="log_loss" if name == "logistic" else name)
    elif classes is None and result.coef.ndim == 1 and name in ("poisson", "gamma", "tweedie"):
        kinds = {"poisson": linear_model.PoissonRegressor, "gamma": linear_model.GammaRegressor}
        found = kinds[name]() if name in kinds else linear_model.TweedieRegressor(power=result.loss.power, link="log")
        found._base_loss = found._get_loss()
    elif classes is None and name in IDENTITY_LINK:
        found = linear_model.LinearRegression()
    if found is None or (name == "softmax" and len(result.coef) == 2):
        raise OptionError(f"scikit-learn has no linear model with the predictions of the loss {name!r} and this target")
    found.coef_, found.intercept_ = result.coef.copy(), result.intercept
    found.n_features_in_ = result.n_features
    if classes is not None:
        found.classes_, found.coef_ = classes, np.atleast_2d(found.coef_)
        found.intercept_ = np.atleast_1d(np.asarray(result.intercept))
    return found
