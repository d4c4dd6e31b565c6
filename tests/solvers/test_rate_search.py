"""Learning rates by trial: automatic fits gain most of what is possible, for every loss and all units."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import scipy.sparse as sp

import fastgd
from fastgd.losses import LOSSES
from fastgd.objective.column_statistics import FIRST_ROWS
from fastgd.solvers.rate_search import LONGEST_ROWS, MIN_EPOCHS, SEARCH_ROWS, _choose

WITHOUT_CURVATURE = [name for name, loss in LOSSES.items() if not hasattr(loss, "curvature")]
FORMS = {"dense": np.asarray, "csr": sp.csr_array}


@dataclass
class Random:
    """A problem with known weights and columns in any units."""

    X: np.ndarray
    y: np.ndarray
    known: tuple[np.ndarray, float]


def random_problem(loss, seed, scaled):
    random = np.random.default_rng(seed)
    n, d = int(random.integers(60, 400)), int(random.integers(1, 9))
    X = random.normal(size=(n, d)) * (random.random((n, d)) < 0.6) + random.integers(0, 2, d)
    w = random.normal(size=d)
    w *= 1.2 / np.linalg.norm(w)
    b = 0.5
    z = X @ w + b
    if loss == "gamma":
        y = np.exp(z) * random.gamma(4, 1 / 4, n)
    elif loss in ("poisson", "tweedie"):
        y = random.poisson(np.exp(z))
    elif getattr(LOSSES[loss], "classifies", False):
        middle = np.median(z)
        y = np.where(z > middle, 1.0, -1.0)
        w, b = 10 * w, 10 * (b - middle)  # far from the decision boundary
    else:
        y = z**2 if loss == "phase_retrieval" else z + 0.1 * random.standard_t(3, n)
    units = np.ones(d) if scaled else 10.0 ** random.uniform(-3, 3, d)
    return Random(X * units, y.astype(float), (w / units, b))


def share_left(loss, problem, result):
    """The part of F(start) - F(known weights) that the fit has not gained."""
    value, (w, b) = LOSSES[loss]().value, problem.known
    at = np.mean([value(y, z) for y, z in zip(problem.y, problem.X @ w + b, strict=True)])
    before = result.trace["objective"][0]
    return (result.objective - at) / (before - at)


# One method for each loss and all methods for one loss: compilation takes most of the time.
WAYS = [
    *((loss, "minibatch", "dense") for loss in WITHOUT_CURVATURE if loss not in ("perceptron", "hinge")),
    *(("absolute", *way) for way in (("gd", "dense"), ("sgd", "dense"), ("minibatch", "csr"))),
    ("poisson", "gd", "dense"),
    ("hinge", "sgd", "dense"),
]


@pytest.mark.parametrize(("loss", "method", "form"), WAYS)
@pytest.mark.parametrize("scaled", [True, False], ids=["like columns", "columns in any units"])
def test_automatic_rates_gain_at_least_half_of_the_possible(loss, method, form, scaled):
    for seed in range(20):
        problem = random_problem(loss, seed, scaled)
        result = fastgd.fit(FORMS[form](problem.X), problem.y, loss=loss, method=method, max_epochs=60, seed=seed)
        # A constant rate leaves noise, and gd has not converged.
        assert share_left(loss, problem, result) < 0.5, seed


def test_the_perceptron_learns_from_a_start_with_zero_objective():
    """Its path scales with the rate, so that any rate gives the same predictions."""
    shares = []
    for seed in range(20):
        problem = random_problem("perceptron", seed, True)
        result = fastgd.fit(problem.X, problem.y, loss="perceptron", method="minibatch", max_epochs=60)
        shares.append(np.mean(result.predict(problem.X) == problem.y))
    assert np.median(shares) > 0.95


@pytest.mark.parametrize("method", ["sgd", "minibatch"])
def test_rates_on_separable_data_do_not_overshoot_in_the_first_epoch(method):
    for seed in range(20):
        problem = random_problem("hinge", seed, True)
        result = fastgd.fit(problem.X, problem.y, loss="hinge", method=method, max_epochs=60, seed=seed)
        assert result.trace["running_loss"][1] < 2.5


@pytest.mark.parametrize("method", ["gd", "sgd", "minibatch"])
def test_the_rate_has_the_same_bits_on_any_number_of_threads(method):
    problem = random_problem("absolute", 3, True)
    fits = [
        fastgd.fit(problem.X, problem.y, loss="absolute", method=method, max_epochs=40, n_threads=count, seed=2)
        for count in (None, None, 1, 2)
    ]
    assert len({result.learning_rate for result in fits}) == 1
    assert len({result.path.tobytes() for result in fits}) == 1


def test_trials_on_a_sample_count_as_passes():
    random = np.random.default_rng(1)
    X = random.normal(size=(8192, 3))
    result = fastgd.fit(X, X @ [1.0, -2.0, 0.5] + random.normal(size=8192), loss="absolute", method="minibatch")
    # Lengths of all rows, the scales of the columns, a copy of the sample, and the epochs of one rate.
    fixed, each = 8192 + 2 * FIRST_ROWS, 1 + MIN_EPOCHS
    n_read = 8192 * result.trace["passes"][0]
    assert fixed + each * SEARCH_ROWS <= n_read <= fixed + each * (SEARCH_ROWS + LONGEST_ROWS)
    assert result.coef == pytest.approx([1.0, -2.0, 0.5], abs=0.1)


@pytest.mark.parametrize(
    ("values", "before", "chosen"),
    [
        ([9.0, 5.0, 1.0, 5.0, np.inf], 10.0, 2),  # one rate is clearly best
        ([9.0, 1.2, 1.0, 1.1, 50.0], 10.0, 2),  # the middle of three equally good rates
        ([9.0, 1.0, 1.1, 1.2, 1.1, np.nan], 10.0, 2),  # the smaller of the two middle ones of four
        ([10.0, 11.0, np.inf], 10.0, 0),  # nothing gained
        ([10.0, 9.0, 9.5], 8.0, 1),  # above the best constant model, but the best rate
        ([np.nan, np.nan, np.nan], 10.0, 0),
        ([-1.0, -5.0, -4.9], -1.0, 1),  # objectives may be negative
    ],
)
def test_which_rate_is_chosen(values, before, chosen):
    assert _choose(np.array(values), before) == chosen
