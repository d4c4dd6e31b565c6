"""Losses against those of scikit-learn: equal values up to terms of y alone, equal derivatives and means."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.loss_cases import PREDICTORS, close, kinks, targets

from fastgd.losses import LOSSES

pytest.importorskip("sklearn")
from sklearn import _loss
from sklearn._loss.loss import AbsoluteError, HuberLoss
from sklearn.linear_model import _sgd_fast

GLM = {
    "half_squared": lambda: _loss.HalfSquaredError(),
    "huber": lambda: HuberLoss(delta=1.35),
    "huber:delta=0.5": lambda: HuberLoss(delta=0.5),
    "absolute": lambda: AbsoluteError(),
    "quantile": lambda: _loss.PinballLoss(quantile=0.5),
    "quantile:quantile=0.8": lambda: _loss.PinballLoss(quantile=0.8),
    "logistic": lambda: _loss.HalfBinomialLoss(),
    "poisson": lambda: _loss.HalfPoissonLoss(),
    "gamma": lambda: _loss.HalfGammaLoss(),
    "tweedie": lambda: _loss.HalfTweedieLoss(power=1.5),
    **{
        f"tweedie:power={power}": lambda power=power: _loss.HalfTweedieLoss(power=power)
        for power in (-1, 0, 1, 1.9, 2, 3)
    },
}

SGD = {
    "epsilon_insensitive": lambda: _sgd_fast.EpsilonInsensitive(0.1),
    "epsilon_insensitive:epsilon=0.5": lambda: _sgd_fast.EpsilonInsensitive(0.5),
    "squared_epsilon_insensitive": lambda: _sgd_fast.SquaredEpsilonInsensitive(0.1),
    "squared_epsilon_insensitive:epsilon=0.5": lambda: _sgd_fast.SquaredEpsilonInsensitive(0.5),
    "hinge": lambda: _sgd_fast.Hinge(1.0),
    "squared_hinge": lambda: _sgd_fast.SquaredHinge(1.0),
    "modified_huber": lambda: _sgd_fast.ModifiedHuber(),
    "perceptron": lambda: _sgd_fast.Hinge(0.0),
}


def places(loss):
    """Pairs of y and z, kinks included, for which e^z does not overflow."""
    return [(y, z) for y in targets(loss) for z in [*PREDICTORS, *kinks(loss, y)] if abs(z) < 100]


@pytest.mark.parametrize("text", GLM)
def test_value_and_gradient_equal_those_of_sklearn_glms(text):
    loss, peer = LOSSES.resolve(text), GLM[text]()
    y, z = map(np.array, zip(*places(loss), strict=True))
    theirs = (y + 1) / 2 if text == "logistic" else y  # 0 and 1 for -1 and +1
    rise = peer.loss(y_true=theirs, raw_prediction=z) - peer.loss(y_true=theirs, raw_prediction=np.zeros_like(z))
    gradient = peer.gradient(y_true=theirs, raw_prediction=z)
    means = peer.link.inverse(z)
    for k in range(len(y)):
        at_zero = loss.value(y[k], 0.0)
        assert loss.value(y[k], z[k]) - at_zero == pytest.approx(rise[k], rel=1e-13, abs=1e-14 * (1 + abs(at_zero)))
        assert loss.derivative(y[k], z[k]) == close(gradient[k]), (y[k], z[k])
        assert loss.mean(z[k]) == close(means[k])


@pytest.mark.parametrize("text", SGD)
def test_value_and_gradient_equal_those_of_sklearn_sgd(text):
    loss, peer = LOSSES.resolve(text), SGD[text]()
    for y, z in places(loss):
        assert loss.value(y, z) == close(peer.py_loss(y=y, p=z))
        assert loss.derivative(y, z) == close(peer.py_dloss(y=y, p=z)), (y, z)


def test_modified_huber_probability_equals_sklearn():
    from sklearn.linear_model import SGDClassifier

    model = SGDClassifier(loss="modified_huber", max_iter=5, tol=None).fit([[-1.0], [1.0]], [-1, 1])
    rows = np.linspace(-2, 2, 21)[:, None]
    loss = LOSSES["modified_huber"]()
    means = [loss.mean(z) for z in model.decision_function(rows)]
    np.testing.assert_allclose(means, model.predict_proba(rows)[:, 1], rtol=1e-14)
