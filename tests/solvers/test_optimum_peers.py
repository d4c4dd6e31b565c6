"""gd converges to the optimum that scikit-learn's own solvers find, by the value of F, and the others come near it.

    F(w, b) = sum_i s_i loss(y_i, x_i . w + b) / S  +  l1 |w|_1 + l2/2 |w|_2^2,    S = sum_i s_i

scikit-learn weighs the two parts in three ways: a penalty beside the mean loss, whose strength is ours; a penalty
beside the sum of losses, whose strength is S times ours; a sum of losses beside the penalty, with C = 1 / (S l2).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from helpers.loss_cases import expected
from scipy.sparse import csr_array
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

WEIGHTS = {"unweighted": None, "weighted": np.where(np.arange(N) % 7, random.uniform(0.2, 3.0, N), 0.0)}
del random  # tests draw from the fixture `rng`
layouts = pytest.mark.parametrize("layout", [np.asarray, csr_array], ids=["dense", "csr"])
weights = pytest.mark.parametrize("weight", WEIGHTS.values(), ids=WEIGHTS)

# Until the gradient is 1e-6 of what it was: without kinks, F is off by the order of its square.
SMOOTH = {"rule": "nesterov", "tol": 1e-6, "max_epochs": 5000}
# At an optimum with kinks subgradients do not fade: only the rate can bring the weights to rest. F grows there in
# proportion to the distance, and then rates that fall geometrically, slowly enough, come nearer by as much at each
# step. Source: Goffin, On convergence rates of subgradient optimization methods (1977). That holds for a linear
# program; beside an l2 penalty F also has directions in which it grows by the square, and rates must fall slower.
SHARP = {"learning_rate": 0.5, "schedule": "exponential:decay=0.99", "max_epochs": 2000}
KINKED = {"learning_rate": 0.5, "schedule": "exponential:decay=0.998", "max_epochs": 6000}

EXACT = {"tol": 1e-12, "max_iter": 100_000}
NEWTON = {"solver": "newton-cholesky", "tol": 1e-10}
# It solved each class for itself before scikit-learn 1.6.
JOINTLY = tuple(map(int, sklearn.__version__.split(".")[:2])) >= (1, 6)
NEWTON_OF_CLASSES = NEWTON if JOINTLY else {"solver": "newton-cg", "tol": 1e-10}


class Case(NamedTuple):
    """A fit, and the scikit-learn model of the same objective for weights of the sum S."""

    loss: str
    y: np.ndarray
    peer: Callable[[float], Any]
    l1: float = 0.0
    l2: float = ALPHA
    fit_intercept: bool = True
    how: dict[str, Any] = SMOOTH

    def fit(self, X: Any, weight: Any, **options: Any) -> fastgd.Result:
        alpha = self.l1 + self.l2
        options = {"penalty": "elasticnet", "alpha": alpha, "l1_ratio": self.l1 / alpha, **self.how, **options}
        return fastgd.fit(X, self.y, loss=self.loss, sample_weight=weight, fit_intercept=self.fit_intercept, **options)

    def objective(self, coef: np.ndarray, intercept: Any, weight: Any) -> float:
        """F with the losses of the reference; over several outputs, its sum."""
        z = X @ np.atleast_2d(coef).T + intercept
        if self.loss == "softmax":
            losses = logsumexp(z, axis=1) - z[np.arange(N), self.y.astype(int)]
        else:
            pairs = zip(self.y.reshape(N, -1).tolist(), z.tolist(), strict=True)
            losses = [sum(map(expected(self.loss).value, *pair)) for pair in pairs]
        penalty = self.l1 * np.abs(coef).sum() + self.l2 / 2 * (coef**2).sum()
        return float(np.average(losses, weights=weight) + penalty)


def total(weight: Any) -> float:
    """S."""
    return N if weight is None else float(weight.sum())


def svc(loss: str, **options: Any) -> Callable[[float], Any]:
    """Without an intercept, since LinearSVC penalises it."""
    return lambda S: svm.LinearSVC(loss=loss, C=1 / (S * ALPHA), fit_intercept=False, max_iter=1_000_000, **options)


CASES = {
    "ridge": Case("half_squared", Y, lambda S: linear_model.Ridge(alpha=S * ALPHA, tol=1e-12)),
    "ridge, squared": Case("squared", Y, lambda S: linear_model.Ridge(alpha=S * ALPHA / 2, tol=1e-12)),
    "ridge, three targets": Case("half_squared", TARGETS, lambda S: linear_model.Ridge(alpha=S * ALPHA, tol=1e-12)),
    "lasso": Case("half_squared", Y, lambda S: linear_model.Lasso(ALPHA, **EXACT), l1=ALPHA, l2=0.0),
    "elastic net": Case(
        "half_squared", Y, lambda S: linear_model.ElasticNet(ALPHA, l1_ratio=0.25, **EXACT),
        l1=0.25 * ALPHA, l2=0.75 * ALPHA,
    ),
    "logistic": Case("logistic", LABELS, lambda S: linear_model.LogisticRegression(C=1 / (S * ALPHA), **NEWTON)),
    "softmax": Case(
        "softmax", CLASSES, lambda S: linear_model.LogisticRegression(C=1 / (S * ALPHA), **NEWTON_OF_CLASSES)
    ),
    "poisson": Case("poisson", COUNTS, lambda S: linear_model.PoissonRegressor(alpha=ALPHA, **NEWTON)),
    "gamma": Case("gamma", AMOUNTS, lambda S: linear_model.GammaRegressor(alpha=ALPHA, **NEWTON)),
    "tweedie": Case(
        "tweedie:power=1.3", CLAIMS,
        lambda S: linear_model.TweedieRegressor(power=1.3, link="log", alpha=ALPHA, **NEWTON),
    ),
    "quantile": Case(
        "quantile:quantile=0.8", Y, lambda S: linear_model.QuantileRegressor(quantile=0.8, alpha=ALPHA),
        l1=ALPHA, l2=0.0, how=SHARP,
    ),
    "squared hinge": Case("squared_hinge", LABELS, svc("squared_hinge", dual=False, tol=1e-8), fit_intercept=False),
    "hinge": Case("hinge", LABELS, svc("hinge", dual=True, tol=1e-8), fit_intercept=False, how=KINKED),
}  # fmt: skip


def check_the_end(case: Case, model: Any, layout: Callable[..., Any], weight: Any) -> None:
    """F is the same, to a millionth of it, where fastgd and where the fitted model of scikit-learn have ended."""
    result = case.fit(layout(X), weight, method="gd")
    assert result.converged == (case.how is SMOOTH)
    theirs = case.objective(model.coef_, model.intercept_, weight)
    ours = case.objective(result.coef, result.intercept, weight)
    assert abs(theirs) > 0.1  # far enough from 0 for a part of it to mean something
    assert ours == pytest.approx(theirs, rel=1e-6)
    assert result.objective == pytest.approx(ours, rel=1e-12)


# On sparse rows those of which other tests need the kernels too.
@pytest.mark.parametrize(
    ("name", "layout"),
    [
        *((name, np.asarray) for name in CASES),
        *((name, csr_array) for name in CASES if name not in ("gamma", "tweedie", "squared hinge")),
    ],
)
@weights
def test_gd_ends_where_scikit_learn_does(name, layout, weight):
    case = CASES[name]
    check_the_end(case, case.peer(total(weight)).fit(layout(X), case.y, sample_weight=weight), layout, weight)


@layouts
@weights
def test_huber_ends_where_scikit_learn_does_once_its_scale_is_fixed(layout, weight):
    """HuberRegressor minimises sum s_i (sigma + sigma H(r_i / sigma)) + alpha |w|^2 over sigma as well.

    sigma H(r / sigma) is 2 / sigma times our loss with delta = epsilon sigma: at its sigma it has our optimum for
    l2 = alpha sigma / S.
    """
    model = linear_model.HuberRegressor(epsilon=1.5, alpha=ALPHA * N, tol=1e-9, max_iter=10_000)
    model.fit(layout(X), OUTLIERS, sample_weight=weight)
    delta, l2 = 1.5 * float(model.scale_), ALPHA * N * float(model.scale_) / total(weight)
    check_the_end(Case(f"huber:delta={delta!r}", OUTLIERS, lambda S: model, l2=l2), model, layout, weight)


# Batches of one size: the gradients of equal batches add up to that of all rows in each epoch, which leaves noise in
# proportion to the square of the rate, while the rows of a short last batch count more than others.
STOCHASTIC = {"sgd": {"method": "sgd"}, "minibatch": {"method": "minibatch", "batch_size": 6}}
stochastic = pytest.mark.parametrize("method", STOCHASTIC)


@weights
@stochastic
@pytest.mark.parametrize("name", ["elastic net", "logistic"])
def test_sgd_and_minibatch_end_there_as_their_rates_fall(name, method, weight):
    """A rate that falls slower than the weights come near takes the noise along with it, down to nothing."""
    case = CASES[name]
    model = case.peer(total(weight)).fit(X, case.y, sample_weight=weight)
    falling = {"rule": "sgd", "schedule": "exponential:decay=0.995", "max_epochs": 1000, "tol": 0}
    result = case.fit(X, weight, **STOCHASTIC[method], **falling)
    assert result.objective == pytest.approx(case.objective(model.coef_, model.intercept_, weight), rel=1e-6)


@weights
@stochastic
def test_sgd_and_minibatch_come_near_the_support_vector_machine(method, weight):
    """By the schedule of Pegasos, after T steps F is off by the order of log T / (alpha T) times |x|^2, its theorem 1.

    For these 120,000 rows that is 2e-3 |x|^2; all but the first steps do better than the worst case.
    """
    case = CASES["hinge"]
    model = case.peer(total(weight)).fit(X, case.y, sample_weight=weight)
    pegasos = {"schedule": f"pegasos:alpha={ALPHA}", "learning_rate": "auto", "max_epochs": 1000, "tol": 0}
    result = case.fit(X, weight, **STOCHASTIC[method], **pegasos)
    assert result.objective == pytest.approx(case.objective(model.coef_, 0.0, weight), rel=1e-3)
