"""newton renews its Hessian from a larger sample where steps by a small sample's Hessian fail."""

from __future__ import annotations

import numpy as np
import pytest

import fastgd
from fastgd.data.row_order import spread_rows
from fastgd.data.training_data import RowOptions
from fastgd.fitting import pose
from fastgd.losses import LOSSES
from fastgd.objective.column_statistics import SAMPLE_ROWS, sample_size
from fastgd.objective.sampled_hessian import HessianSample
from fastgd.penalties import ElasticNet

random = np.random.default_rng(2)
N, D = 60_000, 10
X = random.normal(size=(N, D))
HEAVY = X.copy()
HEAVY[:, 3] = random.standard_t(1.2, size=N)
COUNTS = random.poisson(np.exp(np.clip(X[:, 0] + 0.1 * HEAVY[:, 3], -5, 5)))
YES = X[:, 0] - X[:, 1] + random.logistic(size=N) > 0
del random  # tests draw from the fixture `rng`
OUTLYING = X.copy()
UNSEEN = np.setdiff1d(np.arange(N), spread_rows(N, SAMPLE_ROWS, 0))[::2000]  # not in the first sample
OUTLYING[UNSEEN, 0] = 60.0  # the counts are not larger there


@pytest.fixture
def curved(monkeypatch):
    """Sample sizes of the Hessians computed."""
    seen, hessian = [], HessianSample.hessian

    def seeing(self, params):
        seen.append(self.objective.n_samples)
        return hessian(self, params)

    monkeypatch.setattr(HessianSample, "hessian", seeing)
    return seen


def test_larger_samples_find_rare_rows(curved):
    given = {"loss": "poisson", "alpha": 1e-4}
    result = fastgd.fit(OUTLYING, COUNTS, method="newton", tol=1e-14, **given)
    assert result.converged
    assert curved[0] == SAMPLE_ROWS
    assert curved[-1] == N
    exact = fastgd.fit(OUTLYING, COUNTS, method="lbfgs", tol=1e-13, max_epochs=500, **given).objective
    assert result.objective == pytest.approx(exact, rel=1e-9)


def test_one_sample_is_enough_when_no_step_fails(curved):
    fastgd.fit(X, YES, loss="logistic", alpha=1e-4, method="newton", tol=1e-6)
    assert set(curved) == {SAMPLE_ROWS}


def test_the_hessian_is_renewed_on_the_way_to_the_minimum_of_the_sample(curved):
    """The first Hessian is of a part of the sample, which may differ from the rest."""
    fastgd.fit(HEAVY, COUNTS, loss="poisson", alpha=1e-4, method="newton", max_epochs=100, tol=1e-14, start=0)
    assert curved[: curved.index(N)].count(SAMPLE_ROWS) > 2  # two of them are for the steps on all rows


def test_the_size_of_larger_samples_is_limited():
    """The Gram matrix of a larger sample takes at most three times the products of the first."""
    wide = pose(np.ones((40_000, 200)), YES[:40_000], LOSSES["logistic"](), ElasticNet(), True, RowOptions()).objective
    assert sample_size(wide, True, growth=8) == pytest.approx(3 * sample_size(wide, True), abs=3)
    narrow = pose(X, YES, LOSSES["logistic"](), ElasticNet(), True, RowOptions()).objective
    assert sample_size(narrow, True, growth=8) == 8 * SAMPLE_ROWS
