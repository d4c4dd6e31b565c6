"""Models that go to scikit-learn and back predict the same."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import linear_model as theirs

import fastgd
import fastgd.sklearn as ours

pytestmark = pytest.mark.plain_python

MODELS = {
    "LogisticRegression": [
        ours.GDClassifier(alpha=0.1),
        ours.LogisticRegression(),
    ],
    "SGDClassifier": [ours.GDClassifier("hinge", alpha=0.1), ours.SGDClassifier(loss="log_loss", random_state=0)],
    "LinearRegression": [ours.GDRegressor("absolute", alpha=0.1)],
    "PoissonRegressor": [ours.GDRegressor("poisson", alpha=0.1), ours.PoissonRegressor()],
    "GammaRegressor": [ours.GDRegressor("gamma", alpha=0.1)],
    "TweedieRegressor": [ours.GDRegressor("tweedie:power=1.3", alpha=0.1), ours.TweedieRegressor(power=1.5)],
    "Lasso": [ours.Lasso(alpha=0.1)],
    "SGDRegressor": [ours.SGDRegressor(random_state=0)],
}
CLASSIFIERS = ("LogisticRegression", "SGDClassifier")
CASES = [
    (name, model, n_classes)
    for name, models in MODELS.items()
    for model in models
    for n_classes in ((2, 3) if name in CLASSIFIERS else (0,))
]


@pytest.mark.parametrize(("name", "model", "n_classes"), CASES)
def test_predictions_stay(rng, name, model, n_classes):
    X = rng.standard_normal((80, 3))
    y = rng.integers(0, n_classes, 80) if n_classes else rng.uniform(0.5, 4.0, 80)
    model = model.fit(X, y)
    found = ours.to_sklearn(model)
    assert type(found) is getattr(theirs, name)
    np.testing.assert_allclose(found.predict(X), model.predict(X), rtol=1e-12)
    if hasattr(model, "predict_proba"):
        np.testing.assert_allclose(found.predict_proba(X), model.predict_proba(X), rtol=1e-9, atol=1e-12)
    if not isinstance(model, ours.GDClassifier | ours.GDRegressor):
        back = ours.from_sklearn(found)
        assert type(back) is type(model)
        np.testing.assert_array_equal(back.predict(X), model.predict(X))


def test_what_scikit_learn_lacks_is_refused(rng):
    X = rng.standard_normal((30, 2))
    several = ours.GDClassifier(alpha=0.1).fit(X, (X > 0).astype(int))
    with pytest.raises(fastgd.OptionError, match="no linear model with the predictions"):
        ours.to_sklearn(several)
    with pytest.raises(fastgd.OptionError, match=r"no class HuberRegressor: there are ElasticNet"):
        ours.from_sklearn(theirs.HuberRegressor().fit(X, X[:, 0]))


def test_result_goes_to_scikit_learn(rng):
    X = rng.standard_normal((50, 3))
    result = fastgd.fit(X, X[:, 0] + rng.standard_normal(50), loss="squared")
    np.testing.assert_allclose(ours.to_sklearn(result).predict(X), result.predict(X), rtol=1e-12)
