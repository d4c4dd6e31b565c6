"""gd, sgd and minibatch reach the objective that scikit-learn's solvers reach, on weighted rows.

    F(w, b) = sum_i s_i loss(y_i, x_i . w + b) / S  +  l1 |w|_1 + l2/2 |w|_2^2,    S = sum_i s_i

scikit-learn scales the two parts in three ways: a penalty beside the mean loss, whose strength is ours; a penalty
beside the sum of losses, whose strength is S times ours; a sum of losses beside the penalty, with C = 1 / (S l2).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
from helpers.loss_cases import expected
from scipy.special import logsumexp

import fastgd

sklearn = pytest.importorskip("sklearn")
linear_model, svm = pytest.importorskip("sklearn.linear_model"), pytest.importorskip("sklearn.svm")

N, ALPHA = 120, 0.05

random = np.random.default_rng(8)
X = random.normal(size=(N, 6)) @ (np.eye(6) + 0.3) * (random.random((N, 6)) < 0.7)
SIGNAL = X @ [1.0, -0.5, 0.0, 0.0, 0.25, 0.0] + 0.5
Y = SIGNAL + 0.7 * random.normal(size=N)
OUTLIERS = Y + 15.0 * (np.arange(N) % 20 == 0)
TARGETS = np.column_stack([Y, OUTLIERS, 2.0 - Y**2])
LABELS = np.where(SIGNAL + random.logistic(size=N) > 0.4, 1.0, -1.0)
CLASSES = np.digitize(SIGNAL + random.logistic(size=N), [-0.5, 1.0]).astype(float)  # 0, 1 and 2
COUNTS = random.poisson(np.exp(SIGNAL)).astype(float)
AMOUNTS = random.gamma(2.0, np.exp(SIGNAL))
CLAIMS = np.array([random.gamma(2.0, 1.0, int(count)).sum() for count in COUNTS])  # many of them 0

WEIGHT = np.where(np.arange(N) % 7, random.uniform(0.2, 3.0, N), 0.0)
SUM = float(WEIGHT.sum())
del random  # tests draw from the fixture `rng`

# The gradient falls to 1e-6 of its norm; the error of F is of the order of its square.
SMOOTH = {"rule": "nesterov", "tol": 1e-6, "max_epochs": 5000}
# Subgradients do not vanish at an optimum with kinks, so the rate has to fall. Where F grows in proportion to the
# distance (a linear program), geometric rates give linear convergence: Goffin, On convergence rates of subgradient
# optimization methods (1977). With an l2 penalty F grows by the square in some directions, and rates must fall slower.
SHARP = {"learning_rate": 0.5, "schedule": "exponential:decay=0.99", "max_epochs": 2000}
KINKED = {"learning_rate": 0.5, "schedule": "exponential:decay=0.998", "max_epochs": 6000}

EXACT = {"tol": 1e-12, "max_iter": 100_000}
NEWTON = {"solver": "newton-cholesky", "tol": 1e-10}
# Before scikit-learn 1.6 this solver fitted one class against the rest.
JOINTLY = tuple(map(int, sklearn.__version__.split(".")[:2])) >= (1, 6)
NEWTON_OF_CLASSES = NEWTON if JOINTLY else {"solver": "newton-cg", "tol": 1e-10}


class Case(NamedTuple):
    """A fit, and the scikit-learn model of the same objective."""

    loss: str
    y: np.ndarray
    peer: Any
    l1: float = 0.0
    l2: float = ALPHA
    fit_intercept: bool = True
    how: dict[str, Any] = SMOOTH

    def fit(self, **options: Any) -> fastgd.Result:
        alpha = self.l1 + self.l2
        options = {"penalty": "elasticnet", "alpha": alpha, "l1_ratio": self.l1 / alpha, **self.how, **options}
        return fastgd.fit(X, self.y, loss=self.loss, sample_weight=WEIGHT, fit_intercept=self.fit_intercept, **options)

    def objective(self, coef: np.ndarray, intercept: Any) -> float:
        """F with the losses of the reference; over several outputs, its sum."""
        z = X @ np.atleast_2d(coef).T + intercept
        if self.loss == "softmax":
            losses = logsumexp(z, axis=1) - z[np.arange(N), self.y.astype(int)]
        else:
            pairs = zip(self.y.reshape(N, -1).tolist(), z.tolist(), strict=True)
            losses = [sum(map(expected(self.loss).value, *pair)) for pair in pairs]
        penalty = self.l1 * np.abs(coef).sum() + self.l2 / 2 * (coef**2).sum()
        return float(np.average(losses, weights=WEIGHT) + penalty)


def svc(loss: str, **options: Any) -> Any:
    """Without an intercept, which LinearSVC penalises."""
    return svm.LinearSVC(loss=loss, C=1 / (SUM * ALPHA), fit_intercept=False, max_iter=1_000_000, **options)


CASES = {
    "ridge": Case("half_squared", Y, linear_model.Ridge(alpha=SUM * ALPHA, tol=1e-12)),
    "ridge, squared": Case("squared", Y, linear_model.Ridge(alpha=SUM * ALPHA / 2, tol=1e-12)),
    "ridge, three targets": Case("half_squared", TARGETS, linear_model.Ridge(alpha=SUM * ALPHA, tol=1e-12)),
    "lasso": Case("half_squared", Y, linear_model.Lasso(ALPHA, **EXACT), l1=ALPHA, l2=0.0),
    "elastic net": Case(
        "half_squared", Y, linear_model.ElasticNet(ALPHA, l1_ratio=0.25, **EXACT),
        l1=0.25 * ALPHA, l2=0.75 * ALPHA,
    ),
    "logistic": Case("logistic", LABELS, linear_model.LogisticRegression(C=1 / (SUM * ALPHA), **NEWTON)),
    "softmax": Case(
        "softmax", CLASSES, linear_model.LogisticRegression(C=1 / (SUM * ALPHA), **NEWTON_OF_CLASSES)
    ),
    "poisson": Case("poisson", COUNTS, linear_model.PoissonRegressor(alpha=ALPHA, **NEWTON)),
    "gamma": Case("gamma", AMOUNTS, linear_model.GammaRegressor(alpha=ALPHA, **NEWTON)),
    "tweedie": Case(
        "tweedie:power=1.3", CLAIMS,
        linear_model.TweedieRegressor(power=1.3, link="log", alpha=ALPHA, **NEWTON),
    ),
    "quantile": Case(
        "quantile:quantile=0.8", Y, linear_model.QuantileRegressor(quantile=0.8, alpha=ALPHA),
        l1=ALPHA, l2=0.0, how=SHARP,
    ),
    "squared hinge": Case("squared_hinge", LABELS, svc("squared_hinge", dual=False, tol=1e-8), fit_intercept=False),
    "hinge": Case("hinge", LABELS, svc("hinge", dual=True, tol=1e-8), fit_intercept=False, how=KINKED),
}  # fmt: skip


def check_optimum(case: Case, model: Any) -> None:
    """F is the same, to a millionth of it, at the parameters of fastgd and of the fitted model of scikit-learn."""
    result = case.fit(method="gd")
    assert result.converged == (case.how is SMOOTH)
    theirs = case.objective(model.coef_, model.intercept_)
    ours = case.objective(result.coef, result.intercept)
    assert abs(theirs) > 0.1  # so that a relative difference means something
    assert ours == pytest.approx(theirs, rel=1e-6)
    assert result.objective == pytest.approx(ours, rel=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_gd_and_scikit_learn_reach_the_same_objective(name):
    case = CASES[name]
    check_optimum(case, case.peer.fit(X, case.y, sample_weight=WEIGHT))


def test_huber_reaches_the_objective_of_scikit_learn_at_its_scale():
    """HuberRegressor minimises sum s_i (sigma + sigma H(r_i / sigma)) + alpha |w|^2 over sigma as well.

    sigma H(r / sigma) is 2 / sigma times our loss with delta = epsilon sigma: at its sigma it has our optimum for
    l2 = alpha sigma / S.
    """
    model = linear_model.HuberRegressor(epsilon=1.5, alpha=ALPHA * N, tol=1e-9, max_iter=10_000)
    model.fit(X, OUTLIERS, sample_weight=WEIGHT)
    delta, l2 = 1.5 * float(model.scale_), ALPHA * N * float(model.scale_) / SUM
    check_optimum(Case(f"huber:delta={delta!r}", OUTLIERS, model, l2=l2), model)


# The size of batches divides N: then the gradients of an epoch add up to the full gradient, and the noise is of the
# order of the squared rate; rows of a short last batch would count more than others.
STOCHASTIC = {"sgd": {"method": "sgd"}, "minibatch": {"method": "minibatch", "batch_size": 6}}
stochastic = pytest.mark.parametrize("method", STOCHASTIC)


@stochastic
@pytest.mark.parametrize("name", ["elastic net", "logistic"])
def test_sgd_and_minibatch_with_falling_rates_reach_the_same_objective(name, method):
    """As the rate falls, so does the noise, in proportion to its square."""
    case = CASES[name]
    model = case.peer.fit(X, case.y, sample_weight=WEIGHT)
    falling = {"rule": "sgd", "schedule": "exponential:decay=0.995", "max_epochs": 1000, "tol": 0}
    result = case.fit(**STOCHASTIC[method], **falling)
    assert result.objective == pytest.approx(case.objective(model.coef_, model.intercept_), rel=1e-6)


@stochastic
def test_the_pegasos_schedule_reaches_the_objective_of_linear_svc(method):
    """Theorem 1 of Pegasos: after T steps F is above its minimum by the order of log T / (alpha T) times |x|^2.

    For these 120,000 rows that is 2e-3 |x|^2, in the worst case.
    """
    case = CASES["hinge"]
    model = case.peer.fit(X, case.y, sample_weight=WEIGHT)
    pegasos = {"schedule": f"pegasos:alpha={ALPHA}", "learning_rate": "auto", "max_epochs": 1000, "tol": 0}
    result = case.fit(**STOCHASTIC[method], **pegasos)
    assert result.objective == pytest.approx(case.objective(model.coef_, 0.0), rel=1e-3)
