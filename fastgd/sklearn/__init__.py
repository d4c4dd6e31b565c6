"""Estimators with scikit-learn's interface. They need scikit-learn: ``pip install "fastgd[sklearn]"``.

`GDClassifier` and `GDRegressor` offer all of `fastgd.fit`. The other classes have the names, parameters and attributes
of scikit-learn's own, and minimise the same objectives.
"""

from __future__ import annotations

try:
    import sklearn  # noqa: F401
except ImportError:
    raise ImportError("fastgd.sklearn needs scikit-learn: pip install 'fastgd[sklearn]'") from None

from .exchange import from_sklearn, to_sklearn
from .gd_classifier import GDClassifier
from .gd_regressor import GDRegressor
from .generalized_models import GammaRegressor, PoissonRegressor, TweedieRegressor
from .logistic_model import LogisticRegression
from .regression_models import ElasticNet, Lasso, QuantileRegressor, Ridge
from .sgd_models import SGDClassifier, SGDRegressor

__all__ = [
    "ElasticNet",
    "GDClassifier",
    "GDRegressor",
    "GammaRegressor",
    "Lasso",
    "LogisticRegression",
    "PoissonRegressor",
    "QuantileRegressor",
    "Ridge",
    "SGDClassifier",
    "SGDRegressor",
    "TweedieRegressor",
    "from_sklearn",
    "to_sklearn",
]
ESTIMATORS = [name for name in __all__ if name not in ("from_sklearn", "to_sklearn")]
