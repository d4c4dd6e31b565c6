"""The protocols of terms: which members are required, which have defaults, and how traits read them."""

from __future__ import annotations

import numpy as np
import pytest

import fastgd
from fastgd.compile.term import term
from fastgd.kernels.batch_gradient import apply_mean
from fastgd.losses import LOSSES, Huber, Loss, Softmax, Squared, Tweedie, loss_traits
from fastgd.penalties import PENALTIES, ElasticNet, GroupLasso, Penalty, check_features, penalty_traits
from fastgd.rules import RULES, AdamW, Nesterov, Rule, rule_traits
from fastgd.schedules import SCHEDULES, Adaptive, Constant, Optimal, Schedule, bind_schedule, schedule_traits


@term
class Quartic:
    """A loss with the required members only."""

    def value(self, y: float, z: float) -> float:
        return (z - y) ** 4

    def derivative(self, y: float, z: float) -> float:
        return 4.0 * (z - y) ** 3


@term
class DeclaredQuartic(Loss):
    """The same loss, declared to follow the protocol."""

    def value(self, y: float, z: float) -> float:
        return (z - y) ** 4

    def derivative(self, y: float, z: float) -> float:
        return 4.0 * (z - y) ** 3


@term
class Shrinking:
    """A penalty with the required members only: |w|^2 / 2, by its prox."""

    def value(self, w):
        return 0.5 * np.dot(w, w)

    def prox(self, v, step):
        for j in range(v.shape[0]):
            v[j] /= 1.0 + step[j]


@term
class SignDescent:
    """A rule with the required member only."""

    def step(self, g: float, lr: float, t: int, m: float, v: float, s: float) -> tuple[float, ...]:
        return -lr * np.sign(g), lr, m, v, s


@term
class Halving:
    """A schedule with the required member only."""

    def rate(self, lr: float, t: int, epoch: float) -> float:
        return lr * 0.5**epoch


MINIMAL = [(LOSSES, Quartic), (LOSSES, DeclaredQuartic), (PENALTIES, Shrinking), (RULES, SignDescent)]
REGISTRIES = [(LOSSES, Loss), (PENALTIES, Penalty), (RULES, Rule), (SCHEDULES, Schedule)]


@pytest.mark.parametrize(("registry", "protocol"), REGISTRIES, ids=lambda value: getattr(value, "role", ""))
def test_every_built_in_term_has_only_members_that_its_protocol_declares_or_helpers(registry, protocol):
    """A misspelt optional member would be ignored: each public member that no other method uses is in the protocol."""
    for cls in registry.values():
        own = {name for base in cls.__mro__[:-1] for name in vars(base) if not name.startswith("_")}
        code = "".join(str(vars(base)[name].__code__.co_names) for base in cls.__mro__[:-1] for name in own
                       if callable(vars(base).get(name)))  # fmt: skip
        unknown = {name for name in own - set(dir(protocol)) - set(cls.__dataclass_fields__) if f"'{name}'" not in code}
        assert not unknown, cls


@pytest.mark.parametrize(("registry", "cls"), MINIMAL, ids=lambda value: getattr(value, "__name__", ""))
def test_terms_with_the_required_members_only_are_accepted(registry, cls):
    assert registry.resolve(cls()) == cls()


def test_missing_and_misdeclared_methods_are_errors():
    @term
    class Misdeclared(Quartic):
        def mean(self, z: float, y: float) -> float:
            return z

    with pytest.raises(fastgd.OptionError, match=r"must be mean\(self, z\), not mean\(self, z, y\)"):
        LOSSES.resolve(Misdeclared())
    with pytest.raises(fastgd.OptionError, match=r"rule Quartic has no method step\(self, g, lr, t, m, v, s\)"):
        RULES.resolve(Quartic())


@pytest.mark.parametrize("cls", [Quartic, DeclaredQuartic])
def test_mean_is_the_identity_by_default(cls):
    loss, z = LOSSES.resolve(cls()), np.array([-1.0, 2.5])
    assert loss.mean(2.5) == 2.5
    apply_mean(loss, z)
    assert z.tolist() == [-1.0, 2.5]


@pytest.mark.parametrize("cls", [Quartic, DeclaredQuartic])
def test_traits_of_a_loss_with_the_required_members_only(cls):
    traits = loss_traits(LOSSES.resolve(cls()))
    assert traits.user_defined
    assert not any(traits._replace(user_defined=False, curvature=False))
    assert traits.curvature is None


def test_traits_of_built_in_losses():
    assert loss_traits(Squared()).curvature == 2.0
    assert loss_traits(Softmax())[:4] == (True, True, True, True)
    assert [loss_traits(Tweedie(power)).convex for power in (1.5, 3.0)] == [True, False]
    assert all(not loss_traits(cls()).user_defined for cls in LOSSES.values())
    assert loss_traits(Huber()) is loss_traits(Huber(1.35))


def test_traits_of_penalties():
    assert [penalty_traits(ElasticNet(l1)).smooth for l1 in (0.0, 0.1)] == [True, False]
    assert penalty_traits(Shrinking())[:3] == (False, True, True)
    groups = GroupLasso(0.1, np.array([0.0, 1.0]))  # an array has no hash
    assert not penalty_traits(groups).separable
    check_features(groups, 2)
    check_features(Shrinking(), 3)
    with pytest.raises(fastgd.OptionError, match="groups has 2 numbers"):
        check_features(groups, 3)


def test_traits_of_rules_and_schedules():
    assert rule_traits(SignDescent()) == (False, False, None, 1.0, 2.0, False, False)
    assert rule_traits(AdamW()).decouples
    assert (rule_traits(Nesterov(0.5)).damping, rule_traits(Nesterov(0.5)).has_model) == (0.5, True)
    assert schedule_traits(Halving()) == schedule_traits(Constant()) == (False, False)
    assert (schedule_traits(Optimal()).sets_rate, schedule_traits(Adaptive()).feedback) == (True, True)
    assert bind_schedule(Halving(), max_epochs=3.0, alpha=0.1, loss=Squared()) == Halving()


def test_a_fit_needs_no_more_than_the_required_members(rng):
    X = rng.normal(size=(40, 2))
    result = fastgd.fit(
        X, X @ [1.0, -1.0], loss=Quartic(), penalty=Shrinking(), rule=SignDescent(), schedule=Halving(), method="gd",
        learning_rate=0.1, max_epochs=4,
    )  # fmt: skip
    assert np.abs(result.coef).max() <= 0.1 * (1 + 0.5 + 0.25 + 0.125)
    np.testing.assert_allclose(result.predict(X), X @ result.coef + result.intercept, rtol=1e-12)
