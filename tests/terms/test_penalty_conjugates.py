"""What penalties state about their convex conjugates R*(u) = sup_w w.u - R(w), against its definition."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

import fastgd
from fastgd.compile.term import term
from fastgd.penalties import PENALTIES, Box, ElasticNet, GroupLasso, NonNegative, penalty_traits

GROUPS = np.array([0.0, 1.0, 0.0])
WITH_CONJUGATE = [
    ElasticNet(l2=0.4),
    ElasticNet(l1=0.3),
    ElasticNet(l1=0.3, l2=0.4),
    GroupLasso(0.5, GROUPS),
    Box(-0.5, 0.75),
    NonNegative(0.3),
]
KINKED = {"l1": ElasticNet(l1=0.3), "groups": GroupLasso(0.5, GROUPS), "nonnegative": NonNegative(0.3)}


def value(penalty, w, factors):
    """The penalty with a factor for each coefficient; the factors of a group are equal."""
    if isinstance(penalty, GroupLasso):
        return factors[0] * penalty.value(w)
    return sum(penalty.value(w[j : j + 1]) * factors[j] for j in range(len(w)))


def supremum(penalty, u, factors):
    """R*(u), by numerical maximisation from several starts, or at a start: the kink at 0 or a corner of the box."""
    bounds = [(getattr(penalty, "lower", -9.0), getattr(penalty, "upper", 9.0))] * len(u)
    if isinstance(penalty, NonNegative):
        bounds = [(0.0, 9.0)] * len(u)

    def negated(w):
        return value(penalty, w, factors) - w @ u

    starts = np.clip([np.zeros(3), np.ones(3), -np.ones(3), u, 9.0 * np.sign(u)], *np.transpose(bounds))
    found = [minimize(negated, start, method="Powell", bounds=bounds, tol=1e-12).fun for start in starts]
    return -min(*found, *map(negated, starts))


@pytest.mark.parametrize("penalty", WITH_CONJUGATE, ids=PENALTIES.describe)
@pytest.mark.parametrize("factors", [np.ones(3), np.array([0.5, 2.0, 1.0])], ids=["equal factors", "own factors"])
def test_fenchel_gap_is_its_definition(penalty, factors, rng):
    if isinstance(penalty, GroupLasso):
        factors = np.full(3, factors[1])
    for _ in range(5):
        w, u = rng.uniform(-0.5, 0.5, (2, 3))
        w = abs(w) if isinstance(penalty, NonNegative) else w
        u *= 0.98 * penalty.dual_scale(u, factors)
        expected = value(penalty, w, factors) + supremum(penalty, u, factors) - w @ u
        assert penalty.fenchel_gap(w, u, factors) == pytest.approx(expected, abs=1e-5)
        assert penalty.fenchel_gap(w, u, factors) >= 0.0


@pytest.mark.parametrize("penalty", KINKED.values(), ids=KINKED)
def test_dual_scale_is_the_largest_with_a_finite_conjugate(penalty):
    u, factors = np.array([3.0, 0.25, 1.0]), np.full(3, 1.5)
    scale = penalty.dual_scale(u, factors)
    assert 0.0 < scale < 1.0
    assert supremum(penalty, 0.999 * scale * u, factors) == pytest.approx(0.0, abs=1e-8)
    assert supremum(penalty, 1.01 * scale * u, factors) > 1e-3
    assert penalty.dual_scale(0.1 * scale * u, factors) == 1.0


def test_leaves_free_tells_whether_a_coefficient_has_no_penalty():
    some, all_of_them = np.array([1.0, 0.0, 1.0]), np.ones(3)
    for penalty in (ElasticNet(l1=0.3), GroupLasso(0.5, GROUPS), NonNegative(0.3)):
        assert penalty.leaves_free(some)
        assert not penalty.leaves_free(all_of_them)
    assert ElasticNet().leaves_free(all_of_them)
    assert not Box(0.0, 1.0).leaves_free(some)


@pytest.mark.parametrize(
    ("penalty", "reason"),
    [
        ("mcp:alpha=0.1", "not convex"),
        ("scad:alpha=0.1", "not convex"),
        ("box:lower=0", "not bounded on both sides"),
        ("nonnegative", "can grow for ever"),
    ],
)
def test_a_penalty_without_a_usable_conjugate_says_why(penalty, reason):
    assert reason in penalty_traits(PENALTIES.resolve(penalty)).no_conjugate


@term
class Ridge:
    """A user's penalty, which acts through its prox."""

    strength: float = 0.1

    def value(self, w):
        total = 0.0
        for j in range(w.shape[0]):
            total += 0.5 * self.strength * w[j] * w[j]
        return total

    def prox(self, v, step):
        for j in range(v.shape[0]):
            v[j] /= 1.0 + self.strength * step[j]


@term
class RidgeWithConjugate(Ridge):
    def fenchel_gap(self, w, u, factors):
        return float(np.sum((u - self.strength * factors * w) ** 2 / (2.0 * self.strength * factors)))

    def finite_conjugate(self):
        return True


def test_a_users_penalty_has_a_gap_bound_where_it_states_its_conjugate(rng):
    X, y = rng.normal(size=(60, 3)), np.sign(rng.normal(size=60))
    options = {"loss": "logistic", "method": "gd", "max_epochs": 2000, "gap_tol": 1e-7, "fit_intercept": False}
    found = fastgd.fit(X, y, penalty=RidgeWithConjugate(), **options)
    best = minimize(lambda w: np.logaddexp(0.0, -y * (X @ w)).mean() + 0.05 * w @ w, np.zeros(3), tol=1e-12)
    assert found.converged
    assert 0.0 <= found.objective - best.fun + 1e-12 <= found.gap_bound + 2e-12 <= 1e-7 + 2e-12
    with pytest.raises(fastgd.OptionError, match="fenchel_gap"):
        fastgd.fit(X, y, penalty=Ridge(), **options)
