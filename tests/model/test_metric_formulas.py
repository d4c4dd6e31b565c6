"""Metrics of one target, with and without weights, compared with scikit-learn's."""

from __future__ import annotations

import math

import numpy as np
import pytest
import sklearn.metrics as theirs
from hypothesis import given
from hypothesis import strategies as st

from fastgd.model import metric_formulas as scores

seeds = st.integers(0, 2**32 - 1)
sizes = st.integers(2, 60)
weighted = st.booleans()


def weights(random, n, weighted):
    """Whole, fractional and zero weights, at least one above zero; None for no weights."""
    return np.append(random.choice([0.0, 0.5, 1.0, 3.0], n - 1), 1.0) if weighted else None


@given(n=sizes, seed=seeds, scale=st.sampled_from([1e-6, 1.0, 1e6]), offset=st.sampled_from([0.0, 10.0]), w=weighted)
def test_regression_metrics(n, seed, scale, offset, w):
    random = np.random.default_rng(seed)
    y = scale * (random.normal(size=n) + offset)
    predicted = y + random.choice([0.1, 10]) * scale * random.normal(size=n)
    weight = weights(random, n, w)
    if weight is None or (weight > 0).sum() > 1:
        found = scores.r2(y, predicted, weight)
        assert found == pytest.approx(theirs.r2_score(y, predicted, sample_weight=weight), rel=1e-9)
    expected = theirs.root_mean_squared_error(y, predicted, sample_weight=weight)
    assert scores.rmse(y, predicted, weight) == pytest.approx(expected, rel=1e-12)
    expected = theirs.mean_absolute_error(y, predicted, sample_weight=weight)
    assert scores.mae(y, predicted, weight) == pytest.approx(expected, rel=1e-12)
    quantile = random.choice([0.1, 0.5, 0.9])
    expected = theirs.mean_pinball_loss(y, predicted, sample_weight=weight, alpha=quantile)
    assert scores.pinball(y, predicted, weight, quantile) == pytest.approx(expected, rel=1e-12)


@given(n=sizes, seed=seeds, power=st.sampled_from([-1.0, 0.0, 1.0, 1.2, 1.5, 1.9, 2.0, 3.0]), w=weighted)
def test_deviance(n, seed, power, w):
    random = np.random.default_rng(seed)
    y = random.poisson(2.0, n) if 1 <= power < 2 else random.gamma(2.0, 2.0, n)
    y, predicted = y.astype(float), random.gamma(2.0, 2.0, n) + 0.01
    weight = weights(random, n, w)
    expected = theirs.mean_tweedie_deviance(y, predicted, sample_weight=weight, power=power)
    assert scores.deviance(y, predicted, weight, power) == pytest.approx(expected, rel=1e-9)
    counted = y if weight is None else y[weight > 0]
    found = scores.d2(y, predicted, weight, power)
    if (counted == counted[0]).all():
        assert math.isnan(found)
    else:
        expected = theirs.d2_tweedie_score(y, predicted, sample_weight=weight, power=power)
        assert found == pytest.approx(expected, rel=1e-9)


def test_poisson_and_gamma_deviance():
    y, predicted = np.array([1.0, 2.0, 5.0]), np.array([1.5, 1.0, 4.0])
    assert scores.deviance(y, predicted, None, 1.0) == pytest.approx(theirs.mean_poisson_deviance(y, predicted))
    assert scores.deviance(y, predicted, None, 2.0) == pytest.approx(theirs.mean_gamma_deviance(y, predicted))
    assert scores.deviance(np.array([1.0, 2.0]), np.array([0.0, 1.0]), None, 1.0) == math.inf


@given(n=sizes, value=st.floats(-1e6, 1e6), w=weighted)
def test_r2_of_a_constant_target_is_nan(n, value, w):
    """The mean of equal numbers is often a different number, because of rounding."""
    y, predicted = np.full(n, value), np.arange(n, dtype=np.float64)
    weight = None
    if w:  # constant except for a row of weight 0
        y, predicted, weight = np.append(y, 7.0), np.append(predicted, 1.0), np.append(np.full(n, 0.3), 0.0)
    assert math.isnan(scores.r2(y, predicted, weight))
    assert math.isfinite(scores.rmse(y, predicted, weight))


def test_r2_is_nan_if_the_spread_underflows():
    assert math.isnan(scores.r2(np.array([0.0, 1e-200]), np.zeros(2), None))


@given(n=sizes, seed=seeds, ties=st.sampled_from([0, 1, 4, 20]), w=weighted)
def test_auc(n, seed, ties, w):
    random = np.random.default_rng(seed)
    positive = random.random(n) < random.choice([0.1, 0.5, 0.9])
    score = random.normal(positive, 1.0)
    score = np.round(score * ties) / ties if ties else score
    weight = weights(random, n, w)
    found = scores.auc(positive, score, weight)
    counted = positive if weight is None else positive[weight > 0]
    if counted.all() or not counted.any():
        assert math.isnan(found)
    else:
        expected = theirs.roc_auc_score(positive, score, sample_weight=weight)
        assert found == pytest.approx(expected, abs=1e-12)


def test_auc_by_hand():
    positive = np.array([True, True, False, False])
    assert scores.auc(positive, np.array([3.0, 1.0, 2.0, 1.0]), None) == (1 + 1 + 0 + 0.5) / 4
    weight = np.array([1.0, 2.0, 3.0, 1.0])
    assert scores.auc(positive, np.array([3.0, 1.0, 2.0, 1.0]), weight) == (3 + 1 + 0 + 2 * 0.5) / (3 * 4)


@given(n=sizes, seed=seeds, n_classes=st.integers(2, 5), w=weighted)
def test_log_loss(n, seed, n_classes, w):
    random = np.random.default_rng(seed)
    probability = random.dirichlet(np.full(n_classes, random.choice([0.01, 1.0])), n)
    number = random.integers(n_classes, size=n)
    weight = weights(random, n, w)
    found = scores.log_loss(probability[np.arange(n), number], weight)
    expected = theirs.log_loss(number, probability, sample_weight=weight, labels=range(n_classes))
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-12)
