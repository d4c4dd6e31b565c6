"""scikit-learn's own checks of estimators, on every class."""

from __future__ import annotations

import warnings

import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.estimator_checks import check_estimator

import fastgd
import fastgd.sklearn as estimators

pytestmark = pytest.mark.plain_python

# Without a penalty the checks of weights and probabilities have no unique optimum: fewer rows than coefficients.
PARAMETERS = {
    "GDClassifier": {"alpha": 0.05, "tol": 1e-14},
    "GDRegressor": {"alpha": 0.05, "tol": 1e-14},
}
# scikit-learn lists these for its own class too: steps in random order depend on how often a row occurs.
RANDOM_STEPS = dict.fromkeys(
    ("check_sample_weight_equivalence_on_dense_data", "check_sample_weight_equivalence_on_sparse_data"),
    "sample_weight is not equivalent to removing/repeating samples.",
)
EXPECTED_FAILURES = {"SGDClassifier": RANDOM_STEPS, "SGDRegressor": RANDOM_STEPS}


@pytest.mark.parametrize("name", estimators.ESTIMATORS)
def test_check_estimator(name):
    estimator = getattr(estimators, name)(**PARAMETERS.get(name, {}))
    expected = EXPECTED_FAILURES.get(name, {})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = check_estimator(estimator, on_fail=None, expected_failed_checks=expected)
    assert len(results) > 50
    bad = {result["check_name"]: result["exception"] for result in results if result["status"] == "failed"}
    assert bad == {}


def test_names_are_loaded_from_fastgd():
    assert sorted(fastgd._ESTIMATORS) == sorted(estimators.ESTIMATORS)
    for name in estimators.ESTIMATORS:
        assert getattr(fastgd, name) is getattr(estimators, name)
        assert name in dir(fastgd)


def test_convergence_warning_says_what_to_do(rng):
    X, y = rng.standard_normal((200, 5)), rng.standard_normal(200)
    with pytest.warns(ConvergenceWarning, match="allow more epochs"):
        estimators.GDRegressor(method="gd", max_epochs=2, tol=1e-12).fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        estimators.GDRegressor(method="gd", max_epochs=2, tol=0).fit(X, y)
