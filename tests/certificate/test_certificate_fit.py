"""Certificates of fits: `gap_bound`, stopping by `gap_tol`, and why there may be no bound."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest
from test_certificate import problem_of

import fastgd
from fastgd.certificate.certificate import Certificate, CertificateLimits
from fastgd.penalties import ElasticNet, resolve_penalty


def classes(n=400, d=3):
    random = np.random.default_rng(12)
    X = random.normal(size=(n, d))
    return X, np.where(X[:, 0] - 0.5 * X[:, 1] + random.normal(size=n) > 0, "yes", "no")


@pytest.mark.parametrize("method", ["gd", "sgd", "minibatch"])
@pytest.mark.parametrize("gap_tol", [1e-1, 1e-3])
def test_gap_tol_stops(method, gap_tol):
    X, y = classes()
    options = {"loss": "logistic", "alpha": 0.1}
    schedule = "constant" if method == "gd" else "invscaling"
    result = fastgd.fit(X, y, **options, method=method, schedule=schedule, gap_tol=gap_tol, max_epochs=3000)
    best = fastgd.fit(X, y, **options, method="gd", tol=1e-12, max_epochs=2000).objective
    assert (result.stop_reason, result.converged) == ("gap_tol", True)
    assert result.objective - best <= result.gap_bound <= gap_tol
    assert result.settings["gap_tol"] == gap_tol
    assert result.trace["passes"][-1] >= result.n_epochs


def test_evaluations_of_the_gap_count_as_passes():
    X, y = classes()
    result = fastgd.fit(X, y, loss="logistic", alpha=0.1, method="minibatch", gap_tol=1e-12, max_epochs=30, tol=0)
    assert result.stop_reason == "max_epochs"
    assert result.n_epochs <= 11
    assert result.gap_bound > 1e-12


def test_gd_evaluates_the_gap_only_where_it_can_succeed():
    X, y = classes()
    result = fastgd.fit(X, y, loss="logistic", alpha=0.1, method="gd", gap_tol=1e-6, max_epochs=500)
    more = result.trace["passes"][-1] - result.trace["passes"][0] - result.n_epochs
    assert result.stop_reason == "gap_tol"
    assert more <= 4.0


def test_gap_tol_of_least_squares_without_a_penalty():
    random = np.random.default_rng(13)
    X = random.normal(size=(300, 150))
    y = random.normal(size=300)
    assert "100 columns" in fastgd.fit(X, y, max_epochs=3, method="gd").gap_note
    result = fastgd.fit(X, y, method="gd", gap_tol=1e-3, max_epochs=3000)
    A = np.column_stack([X, np.ones(300)])
    best = np.mean((A @ np.linalg.lstsq(A, y, rcond=None)[0] - y) ** 2)
    assert result.stop_reason == "gap_tol"
    assert result.objective - best <= result.gap_bound * (1 + 1e-9) <= 1.1e-3


def test_gap_tol_with_a_rule_that_averages():
    X, y = classes()
    options = {"loss": "logistic", "penalty": "l1", "alpha": 0.05, "method": "gd", "rule": "schedule_free"}
    result = fastgd.fit(X, y, **options, gap_tol=1e-2, max_epochs=2000, learning_rate=1.0)
    assert result.stop_reason == "gap_tol"
    assert result.gap_bound <= 1e-2


@fastgd.term
class Cosh:
    def value(self, y: float, z: float) -> float:
        return 0.5 * (z - y) * (z - y)

    def derivative(self, y: float, z: float) -> float:
        return z - y

    def mean(self, z: float) -> float:
        return z


@fastgd.term
class StatedConvex(Cosh):
    convex: ClassVar[bool] = True


NO_BOUND = {
    "loss not convex": ({"loss": "phase_retrieval", "alpha": 0.1}, "the loss phase_retrieval is not convex"),
    "tweedie": ({"loss": "tweedie:power=3", "alpha": 0.1}, "the loss tweedie:power=3.0 is not convex"),
    "own loss": ({"loss": Cosh(), "alpha": 0.1}, "the loss Cosh may not be convex"),
    "own loss, far off": ({"loss": StatedConvex(), "penalty": "l1", "alpha": 0.1}, "has no method minimum(y)"),
    "mcp": ({"penalty": "mcp", "alpha": 0.1}, "the penalty is not convex"),
    "half a box": ({"penalty": "box:lower=0"}, "not bounded on both sides"),
    "nonnegative": ({"penalty": "nonnegative"}, "grow for ever"),
    "no penalty": ({"loss": "huber"}, "without a penalty on every coefficient"),
    "a free weight": ({"loss": "huber", "alpha": 0.1, "penalty_weights": [1, 0, 1]}, "without a penalty on every"),
    "l1 but one": ({"penalty": "l1", "alpha": 0.1, "penalty_weights": [1, 0, 1]}, "without a penalty on every"),
}


@pytest.mark.parametrize("name", NO_BOUND)
def test_error_says_why_there_is_no_gap(name):
    options, why = NO_BOUND[name]
    X, y = np.arange(36.0).reshape(12, 3) % 7, np.linspace(1, 2, 12)
    penalty = resolve_penalty(options.get("penalty"), options.get("alpha", 0.0), None)
    rows = {key: value for key, value in options.items() if key == "penalty_weights"}
    certificate = Certificate(problem_of(X, y, options.get("loss", "squared"), penalty, **rows))
    assert why in certificate.reason
    assert np.isnan(certificate.gap(np.zeros(4)))
    with pytest.raises(fastgd.OptionError, match="gap_tol needs a bound"):
        fastgd.fit(X, y, method="gd", gap_tol=0.1, **options)


def test_fits_without_a_gap():
    X, y = classes()
    result = fastgd.fit(X, y, loss="logistic", method="gd", max_epochs=2)
    assert result.gap_bound is None
    assert "without a penalty on every coefficient" in result.gap_note


def test_gap_of_a_convex_user_loss():
    """Without minimum(y) dual points cannot be scaled."""
    by_duality = CertificateLimits(gram_columns=0)  # for least squares too
    X, y, term = np.arange(36.0).reshape(12, 3) % 7, np.linspace(1, 2, 12), ElasticNet(l2=0.1)
    near, far = np.array([0.1, 0.1, 0.12, 0.3]), np.array([9.0, 9.0, 9.0, 9.0])
    own, known = (
        Certificate(problem_of(X, y, loss, term), limits=by_duality) for loss in (StatedConvex(), "half_squared")
    )
    assert own.gap(far) > 2 * known.gap(far)
    assert np.isfinite(own.gap(near))


def test_no_bound_where_training_was_interrupted():
    def interrupt(state):
        raise KeyboardInterrupt

    X, y = classes()
    with pytest.raises(fastgd.Interrupted) as caught:
        fastgd.fit(X, y, loss="logistic", alpha=0.1, method="gd", callbacks=[interrupt])
    assert caught.value.result.gap_bound is None
    assert "did not finish" in caught.value.result.gap_note


@pytest.mark.parametrize("gap_tol", [0, -1.0, np.nan, "x", True])
def test_gap_tol_is_a_number_above_zero(gap_tol):
    with pytest.raises(fastgd.OptionError, match="gap_tol must be a number above 0"):
        fastgd.fit(*classes(), loss="logistic", alpha=0.1, gap_tol=gap_tol)


def test_gap_of_fit_path():
    X, y = classes()
    y = X[:, 0] + (y == "yes")
    models = fastgd.fit_path(X, y, loss="huber:delta=1.5", alphas=[0.0, 0.1, 1.0], method="gd", tol=1e-6)
    assert models[0].gap_bound is None
    assert "without a penalty" in models[0].gap_note
    for model in models[1:]:
        assert 0 < model.gap_bound < 1e-6


def test_gap_is_saved_with_the_model(tmp_path):
    X, y = classes()
    result = fastgd.fit(X, y, loss="logistic", alpha=0.1)
    result.save(tmp_path / "model.fastgd")
    assert fastgd.load(tmp_path / "model.fastgd").gap_bound == result.gap_bound > 0
