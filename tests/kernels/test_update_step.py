"""The kernel `update` around a rule: strength and weights of the penalty, clipping, and the model."""

from __future__ import annotations

import math

import numpy as np
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st

from fastgd.compile.jit import kernel
from fastgd.compile.term import term
from fastgd.kernels.minibatch_epoch import Workspace, minibatch_epoch
from fastgd.kernels.row_targets import Targets
from fastgd.kernels.update_step import Preconditioner, Stepper, clip_factor, model_of, sum_of_squares, update
from fastgd.losses import LOSSES
from fastgd.objective.penalty_terms import prox_mapping_norm, value_of
from fastgd.penalties import ElasticNet
from fastgd.rules import RULES, SGD, rule_traits

D = 3
PRECONDITIONER = Preconditioner(np.array([0.5, -2.0, 1.0]), np.array([0.25, 1.0, 4.0]))
L1, L2, STRENGTH, WEIGHTS = 0.2, 0.3, 0.5, np.array([1.0, 0.0, 3.0])


@term
class ScaledPenalty:
    """The elastic net with strength x weight for each feature, in plain Python."""

    scales: np.ndarray

    def value(self, w):
        total = 0.0
        for j in range(w.shape[0]):
            total += self.scales[j] * (L1 * abs(w[j]) + 0.5 * L2 * w[j] ** 2)
        return total

    def derivative(self, w_j):
        return 0.0  # the tests add the derivative to the gradient

    def prox(self, v, step):
        for j in range(v.shape[0]):
            threshold = self.scales[j] * L1 * step[j]
            v[j] -= min(max(v[j], -threshold), threshold)


def gradients(seed=0, n=D + 1, count=8):
    return np.random.default_rng(seed).normal(size=(count, n))


def path(rule, penalty, options=None, preconditioner=PRECONDITIONER, also=None, seed=0, lr=0.1):
    """The parameters after every step; ``also(params)`` is added to the gradient."""
    stepper, params = (
        Stepper.make(rule, penalty, preconditioner, D + 1, **(options or {})),
        np.array([1.0, -0.5, 0.75, 0.25]),
    )
    weights = []
    for t, gradient in enumerate(gradients(seed), 1):
        update(params, gradient + (0.0 if also is None else also(params)), lr, t, stepper)
        weights.append(params.copy())
    return np.array(weights)


# --- Strength and weights of the penalty ------------------------------------------------------------------------------


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["alike", "weighted"])
@pytest.mark.parametrize("name", ["sgd", "nesterov", "adam"])
def test_strength_and_weights_multiply_the_whole_penalty(name, weights):
    scales = STRENGTH * (np.ones(D) if weights is None else weights)

    def smooth(params):
        return np.append(scales * L2 * params[:D], 0.0)

    expected = path(RULES[name](), ScaledPenalty(scales), also=smooth)
    ours = path(RULES[name](), ElasticNet(L1, L2), {"strength": STRENGTH, "weights": weights})
    assert ours == pytest.approx(expected, rel=1e-12)
    assert ours != pytest.approx(path(RULES[name](), ElasticNet(L1, L2)), rel=1e-3)


@pytest.mark.parametrize("options", [{"strength": 0.0}, {"weights": np.zeros(D)}])
@pytest.mark.parametrize("name", RULES)
def test_penalty_with_factor_zero_has_no_effect(name, options):
    assert (path(RULES[name](), ElasticNet(L1, L2), options) == path(RULES[name](), ElasticNet())).all()


@given(w=st.lists(st.floats(-8, 8), min_size=D, max_size=D).map(np.array))
def test_penalty_value(w):
    whole = reference.penalty_value(w, L1, L2)
    each = [reference.penalty_value([w_j], L1, L2) for w_j in w]
    penalty = ElasticNet(L1, L2)
    assert value_of(penalty, w, STRENGTH, np.zeros(0)) == pytest.approx(STRENGTH * whole)
    assert value_of(penalty, w, STRENGTH, WEIGHTS) == pytest.approx(STRENGTH * (each[0] + 3.0 * each[2]))


def test_prox_mapping_norm_uses_strength_and_weights():
    params, scales = np.array([1.0, -0.5, 0.0, 0.25]), STRENGTH * WEIGHTS
    gradient = gradients()[0]
    smooth = np.append(scales * L2 * params[:D], 0.0)
    expected = Stepper.make(SGD(), ScaledPenalty(scales), PRECONDITIONER, D + 1)
    ours = Stepper.make(SGD(), ElasticNet(L1, L2), PRECONDITIONER, D + 1, strength=STRENGTH, weights=WEIGHTS)
    norm = prox_mapping_norm(params, gradient, 0.1, ours, 0)
    assert norm == pytest.approx(prox_mapping_norm(params, gradient + smooth, 0.1, expected, 0), rel=1e-12)
    unweighted = Stepper.make(SGD(), ElasticNet(L1, L2), PRECONDITIONER, D + 1)
    assert norm != pytest.approx(prox_mapping_norm(params, gradient, 0.1, unweighted, 0), rel=1e-3)


@pytest.mark.parametrize("name", [name for name, rule in RULES.items() if rule_traits(rule()).decouples])
def test_decoupled_penalty_decays_the_coefficients(name):
    """w <- w - lr strength weight l2 w for any preconditioner and gradient; the rest of the step is as without it."""
    params, gradient, lr = np.array([1.0, -0.5, 0.75, 0.25]), gradients()[0], 0.1
    with_it, without = params.copy(), params.copy()
    options = {"strength": STRENGTH, "weights": WEIGHTS}
    update(with_it, gradient, lr, 1, Stepper.make(RULES[name](), ElasticNet(0.0, L2), PRECONDITIONER, D + 1, **options))
    update(without, gradient, lr, 1, Stepper.make(RULES[name](), ElasticNet(), PRECONDITIONER, D + 1))
    shrunk = lr * STRENGTH * WEIGHTS * L2 * params[:D]
    assert with_it[:D] == pytest.approx(without[:D] - shrunk, rel=1e-12)
    # The intercept of centred columns does not change.
    assert with_it[D] == pytest.approx(without[D] + PRECONDITIONER.shift @ shrunk, rel=1e-12)


# --- Clipping ---------------------------------------------------------------------------------------------------------


def test_clip_factor_by_hand():
    gradient = np.array([3.0, 0.0, 4.0])

    @kernel
    def factor(gradient, clip):
        return clip_factor(sum_of_squares(gradient), clip)

    assert factor(gradient, math.inf) == 1.0
    assert factor(gradient, 5.1) == 1.0
    assert factor(gradient, 2.5) == pytest.approx(2.5 / (5.0 + 1e-6), rel=1e-15)
    assert factor(gradient, 5.0) == pytest.approx(5.0 / (5.0 + 1e-6), rel=1e-15)  # with PyTorch's 1e-6
    assert factor(np.zeros(3), 1e-9) == pytest.approx(1e-3)  # here too, and 0 stays 0


def test_clipping_keeps_nan():
    params = np.zeros(D + 1)
    gradient = np.array([1.0, math.nan, 0.0, 0.0])
    update(params, gradient, 0.1, 1, Stepper.make(SGD(), ElasticNet(), Preconditioner.identity(D), D + 1, clip=0.1))
    assert np.isnan(params[1])


@pytest.mark.parametrize("preconditioner", [Preconditioner.identity(D), PRECONDITIONER], ids=["user's units", "scaled"])
@pytest.mark.parametrize("name", RULES)
def test_clipping_is_in_user_units_before_the_penalty(name, preconditioner):
    penalty, clip = ElasticNet(L1, L2), 1.5
    raw = gradients()
    norms = np.sqrt((raw**2).sum(axis=1))
    assert 0 < (norms > clip).sum() < len(raw)
    stepper, params = Stepper.make(RULES[name](), penalty, preconditioner, D + 1), np.array([1.0, -0.5, 0.75, 0.25])
    for t, (gradient, norm) in enumerate(zip(raw, norms, strict=True), 1):
        update(params, gradient * min(1.0, clip / (norm + 1e-6)), 0.1, t, stepper)
    assert path(RULES[name](), penalty, {"clip": clip}, preconditioner)[-1] == pytest.approx(
        params, rel=1e-10, abs=1e-12
    )


def test_update_does_not_change_the_gradient():
    gradient = gradients()[0]
    before = gradient.copy()
    stepper = Stepper.make(SGD(), ElasticNet(), PRECONDITIONER, D + 1, clip=0.1)
    update(np.zeros(D + 1), gradient, 0.1, 1, stepper)
    assert (gradient == before).all()


# --- The model --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("penalty", "apart"),
    [(ElasticNet(l2=L2), {"asgd", "schedule_free"}), (ElasticNet(l1=L1), {"asgd", "schedule_free", "nesterov"})],
    ids=["l2", "l1"],
)
def test_model_of_returns_params_unless_the_rule_has_a_model(penalty, apart):
    params = np.ones(D + 1)
    models = {
        name: model_of(params, Stepper.make(rule(), penalty, PRECONDITIONER, D + 1)) for name, rule in RULES.items()
    }
    assert {name for name, model in models.items() if model is not params} == apart


@pytest.mark.parametrize("p", [D, D + 1], ids=["no intercept", "intercept"])
def test_mean_does_not_depend_on_the_preconditioner(p):
    """The model of asgd is the mean of the parameters from step 2 on, in the user's units."""
    preconditioner = PRECONDITIONER if p > D else PRECONDITIONER._replace(shift=np.zeros(D))
    stepper, params = Stepper.make(RULES["asgd"](), ElasticNet(L1, L2), preconditioner, p), np.ones(p)
    weights = []
    for t, gradient in enumerate(gradients(n=p), 1):
        update(params, gradient, 0.1, t, stepper)
        weights.append(params.copy())
        kept = params.copy()
        assert model_of(params, stepper) == pytest.approx(np.mean(weights[1:] or weights, axis=0), rel=1e-12)
        assert (params == kept).all()


# --- Bits -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["sgd", "nadam"])  # the simplest rule and the most complex
def test_parallel_and_serial_steps_have_the_same_bits(name):
    """With clipping and centring: the compiler must add in the same order in both."""
    random = np.random.default_rng(2)
    n, d = 4001, 13
    X = random.normal(size=(n, d))
    targets, rates = Targets(X @ random.normal(size=d)), np.full(63, 1e-2)
    preconditioner = Preconditioner(np.linspace(0, 1, d), 2.0 ** random.integers(-2, 3, d))

    def run(launch):
        options = {"clip": 3.0, "strength": 0.7, "weights": np.linspace(0, 2, d)}
        stepper = Stepper.make(RULES[name](), ElasticNet(0.01, 0.01), preconditioner, d + 1, **options)
        work, params = Workspace.make(X.dtype, d, d + 1, 7), np.zeros(d + 1)
        for t in (1, 64, 127):
            launch(X, targets, np.arange(n), 64, rates, t, LOSSES["huber"](2.0), stepper, params, work)
        return params.tobytes() + stepper.m.tobytes() + stepper.v.tobytes() + stepper.s.tobytes()

    assert run(minibatch_epoch) == run(minibatch_epoch.serial)


# --- Arguments --------------------------------------------------------------------------------------------------------


def test_stepper_has_one_numba_type_for_all_inputs():
    weights = np.ones(D, np.float32)
    weights.flags.writeable = False
    first = Stepper.make(SGD(), ElasticNet(), PRECONDITIONER, D)
    second = Stepper.make(SGD(), ElasticNet(), PRECONDITIONER, D, strength=1, weights=weights, clip=2)
    for a, b in zip(first, second, strict=True):
        assert type(a) is type(b)
        if isinstance(a, np.ndarray):
            assert a.dtype == b.dtype == np.float64
            assert a.flags.writeable
            assert b.flags.writeable
