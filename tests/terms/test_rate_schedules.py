"""Every registered schedule against the reference, PyTorch's schedulers and values computed by hand."""

from __future__ import annotations

import json
import math
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import reference
from conftest import FILLED_IN
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import SGDClassifier

from fastgd.errors import OptionError
from fastgd.kernels.update_step import fill_rates
from fastgd.schedules import SCHEDULES, bind_schedule

TORCH = json.loads((Path(__file__).parents[1] / "reference" / "torch_trajectories.json").read_text())

# Settings other than the defaults; the reference has the same names.
OTHER_SETTINGS = {
    "constant": {},
    "invscaling": {"power": 0.25},
    "step": {"every": 3, "factor": 0.1},
    "exponential": {"decay": 0.8},
    "cosine": {"epochs": 7.5, "final": 0.1, "warmup": 1.5},
    "onecycle": {"epochs": 7.5, "pct_start": 0.5, "div_factor": 10.0, "final_div_factor": 100.0},
    "optimal": {"alpha": 0.5, "t0": 3.0},
    "pegasos": {"alpha": 0.5},
    "adaptive": {"factor": 0.5, "patience": 2, "tol": 0.01},
}
SET_THE_RATE = ("optimal", "pegasos")


def close(value, tol=1e-14):
    return pytest.approx(value, rel=tol, abs=tol)


def expected(name, settings):
    """The reference's schedule of that name."""
    if name not in reference.SCHEDULES:
        pytest.fail(f"tests/reference.py has no schedule {name!r} to hold the new one to: write it there")
    return partial(reference.SCHEDULES[name], **settings)


@pytest.fixture(params=SCHEDULES, scope="module")
def name(request):
    return request.param


@pytest.fixture(params=["its own settings", "others"], scope="module")
def settings(request, name):
    if name not in OTHER_SETTINGS:
        pytest.fail(f"OTHER_SETTINGS lacks the schedule {name!r}: add settings that are not its defaults")
    if request.param == "its own settings":
        term = SCHEDULES.resolve(FILLED_IN.get(name, name))
        return {field.name: getattr(term, field.name) for field in fields(term)}
    return OTHER_SETTINGS[name]


# --- Rates ------------------------------------------------------------------------------------------------------------


@given(lr=st.floats(1e-6, 10), t=st.integers(0, 10**7), epoch=st.floats(0, 300))
def test_rate_equals_the_reference(name, settings, lr, t, epoch):
    assert SCHEDULES[name](**settings).rate(lr, t, epoch) == close(expected(name, settings)(lr, t, epoch))


@given(
    lr=st.sampled_from([0.01, 0.8]),
    t=st.integers(0, 10**6),
    rows_done=st.integers(0, 10**9),
    rows_a_step=st.integers(1, 64),
    n_samples=st.integers(1, 10**6),
    n_steps=st.integers(0, 12),
)
def test_fill_rates_equals_the_reference(name, settings, lr, t, rows_done, rows_a_step, n_samples, n_steps):
    rates = np.full(n_steps, np.nan)
    fill_rates(SCHEDULES[name](**settings), lr, t, rows_done, rows_a_step, n_samples, rates)
    epochs = [(rows_done + k * rows_a_step) / n_samples for k in range(n_steps)]
    rate = expected(name, settings)
    assert rates == close([rate(lr, t + k, epoch) for k, epoch in enumerate(epochs)], tol=1e-13)


@pytest.mark.parametrize("record", TORCH["schedules"], ids=lambda r: f"{r['schedule']} {r['options']}")
def test_rate_equals_torch(record):
    term, lr = SCHEDULES[record["schedule"]](**record["options"]), TORCH["problem"]["learning_rate"]
    assert [term.rate(lr, 0, float(epoch)) for epoch in range(len(record["rates"]))] == close(record["rates"], 1e-10)
    rates = np.empty(len(record["rates"]))
    fill_rates(term, lr, 0, 0, 50, 50, rates)  # one step an epoch
    assert rates == close(record["rates"], 1e-10)


def test_torch_records_cover_every_schedule_of_torch():
    assert {record["schedule"] for record in TORCH["schedules"]} == {"step", "exponential", "cosine", "onecycle"}


BY_HAND = [  # schedule, updates done, epochs done, rate from 0.8
    ("constant", 1000, 99.5, 0.8),
    ("invscaling", 0, 0.0, 0.8),
    ("invscaling", 3, 0.5, 0.4),  # 0.8 / sqrt(4)
    ("invscaling:power=1", 7, 0.0, 0.1),
    ("step", 0, 0.0, 0.8),
    ("step", 500, 9.99, 0.8),
    ("step", 501, 10.0, 0.4),
    ("step:every=5,factor=0.1", 0, 12.5, 0.008),
    ("exponential", 0, 1.0, 0.76),
    ("exponential:decay=0.25", 0, 0.5, 0.4),  # half an epoch: 0.8 x 0.5
    ("cosine:epochs=100", 0, 0.0, 0.8),
    ("cosine:epochs=100", 0, 50.0, 0.4),
    ("cosine:epochs=100", 0, 100.0, 0.0),
    ("cosine:epochs=100", 0, 250.0, 0.0),
    ("cosine:epochs=10,final=0.25", 0, 5.0, 0.5),  # halfway from 0.8 to 0.2
    ("cosine:epochs=10,final=0.25", 0, 99.0, 0.2),
    ("cosine:epochs=10,warmup=2", 0, 0.0, 0.008),
    ("cosine:epochs=10,warmup=2", 0, 1.0, 0.404),  # halfway from 0.008 to 0.8
    ("cosine:epochs=10,warmup=2", 0, 2.0, 0.8),
    ("cosine:epochs=10,warmup=2", 0, 6.0, 0.4),
    ("cosine:epochs=10,warmup=2", 0, 10.0, 0.0),
    ("onecycle:epochs=10", 0, 0.0, 0.032),  # 0.8 / 25
    ("onecycle:epochs=10", 0, 1.5, 0.416),  # halfway from there to 0.8
    ("onecycle:epochs=10", 0, 3.0, 0.8),
    ("onecycle:epochs=10", 0, 6.5, 0.4000016),  # halfway from 0.8 to 0.0000032
    ("onecycle:epochs=10", 0, 10.0, 0.0000032),
    ("onecycle:epochs=10", 0, 99.0, 0.0000032),
    ("onecycle:epochs=10,pct_start=0.5,div_factor=8,final_div_factor=10", 0, 5.0, 0.8),
    ("onecycle:epochs=10,pct_start=0.5,div_factor=8,final_div_factor=10", 0, 10.0, 0.01),
    ("optimal:alpha=0.5,t0=8", 0, 0.0, 0.25),
    ("optimal:alpha=0.5,t0=8", 12, 3.0, 0.1),
    ("pegasos:alpha=0.5", 0, 0.0, 2.0),
    ("pegasos:alpha=0.5", 3, 3.0, 0.5),
    ("adaptive", 1000, 99.5, 0.8),
]


@pytest.mark.parametrize(("text", "t", "epoch", "rate"), BY_HAND)
def test_rate_by_hand(text, t, epoch, rate):
    assert SCHEDULES.resolve(text).rate(0.8, t, epoch) == close(rate)


def test_every_schedule_has_rates_computed_by_hand(name):
    worked_out = {text.partition(":")[0] for text, *_ in BY_HAND}
    assert name in worked_out, f"add rates of {name!r} to BY_HAND, worked out by hand"


@given(lr=st.floats(1e-6, 10), t=st.integers(0, 10**6), epoch=st.floats(0, 1000))
def test_rates_stay_between_0_and_lr(name, settings, lr, t, epoch):
    term = SCHEDULES[name](**settings)
    assert getattr(term, "sets_rate", False) == (name in SET_THE_RATE)
    if name in SET_THE_RATE:
        assert 0.0 < term.rate(lr, t, epoch) == term.rate(10 * lr, t, epoch + 1.0)
        return
    assert 0.0 <= term.rate(lr, t, epoch) <= lr * (1 + 1e-15)


def rise(name, settings):
    """The epochs for which the rate rises."""
    return settings.get("warmup", 0.0) + settings.get("pct_start", 0.3) * settings["epochs"] * (name == "onecycle")


@given(t=st.integers(0, 10**6), epoch=st.floats(0, 1000), later=st.integers(0, 1000))
def test_rates_fall_after_the_warmup(name, settings, t, epoch, later):
    term, start = SCHEDULES[name](**settings), 0.0
    if name in ("cosine", "onecycle"):
        start = rise(name, settings)
        rates = [term.rate(1.0, t, start * k / 10) for k in range(11)]
        assert rates == sorted(rates)
    if name not in SET_THE_RATE:
        assert term.rate(1.0, 0, start) == close(1.0)
    assert term.rate(1.0, t + later, start + epoch + later) <= term.rate(1.0, t, start + epoch) + 1e-15


# --- What the fit fills in --------------------------------------------------------------------------------------------

HINGE = SimpleNamespace(derivative=lambda y, z: -y if y * z < 1 else 0.0)
STEEP = SimpleNamespace(derivative=lambda y, z: 50.0)


def bind(text, max_epochs=40, alpha=0.0, loss=HINGE):
    return bind_schedule(SCHEDULES.resolve(text), max_epochs=max_epochs, alpha=alpha, loss=loss)


def test_bind_sets_open_fields_from_the_fit():
    assert bind("cosine:final=0.1,warmup=2") == SCHEDULES["cosine"](epochs=40.0, final=0.1, warmup=2.0)
    rest = {"pct_start": 0.4, "div_factor": 8.0, "final_div_factor": 10.0}
    text = "onecycle:pct_start=0.4,div_factor=8,final_div_factor=10"
    assert bind(text) == SCHEDULES["onecycle"](epochs=40.0, **rest)
    assert bind("pegasos", alpha=0.25) == SCHEDULES["pegasos"](alpha=0.25)
    assert bind("optimal:t0=7", alpha=0.25) == SCHEDULES["optimal"](alpha=0.25, t0=7.0)
    # The first rate is (1 / sqrt(0.0625))^(1/2) = 2, divided by 50 if the derivative of the loss is 50.
    assert bind("optimal", alpha=0.0625) == SCHEDULES["optimal"](alpha=0.0625, t0=8.0)
    assert bind("optimal", alpha=0.0625, loss=STEEP) == SCHEDULES["optimal"](alpha=0.0625, t0=400.0)


def test_bind_keeps_fields_that_are_set(name):
    term = SCHEDULES[name](**OTHER_SETTINGS[name])
    assert bind_schedule(term, max_epochs=40, alpha=0.9, loss=STEEP) == term


def test_bind_schedule_returns_a_schedule_without_bind():
    term = SCHEDULES["constant"]()
    assert bind_schedule(term, max_epochs=40, alpha=0.9, loss=HINGE) is term


@pytest.mark.parametrize("name", SET_THE_RATE)
def test_schedules_that_divide_by_alpha_need_a_penalty(name):
    with pytest.raises(OptionError) as caught:
        bind(name)
    told = f"schedule '{name}' divides by the strength of the penalty, which is 0: give alpha, or write '{name}:alpha="
    assert str(caught.value).startswith(told)
    assert bind(f"{name}:alpha=0.5").alpha == 0.5


def test_error_for_a_warmup_as_long_as_the_fit():
    with pytest.raises(OptionError, match="cosine: warmup must be shorter than all 40 epochs, not 40"):
        bind("cosine:warmup=40")


@pytest.mark.parametrize("loss", ["hinge", "log_loss"])
@pytest.mark.parametrize("alpha", [1e-6, 1e-3, 0.5])
def test_optimal_equals_sklearn(loss, alpha):
    """With a row so small that dloss_dz is constant, the coefficient changes by a constant times the rate."""
    x, slope = 1e-6, {"hinge": -1.0, "log_loss": -0.5}[loss]
    slopes = SimpleNamespace(derivative=lambda y, z: {"log_loss": -1 / (1 + math.exp(z))}.get(loss, -1.0))
    term = bind("optimal", alpha=alpha, loss=slopes)
    model = SGDClassifier(loss=loss, alpha=alpha, penalty=None, fit_intercept=False)
    before = 0.0
    for t in range(30):
        model.partial_fit([[x]], [1], classes=[-1, 1])
        assert model.t_ == t + 2
        rate = (model.coef_[0, 0] - before) / (-slope * x)
        assert term.rate(1.0, t, 0.0) == pytest.approx(rate, rel=1e-4 if loss == "log_loss" else 1e-9)
        before = model.coef_[0, 0]


def test_only_adaptive_has_feedback(name):
    assert getattr(SCHEDULES[name], "feedback", False) == (name == "adaptive")


# --- Settings, errors, documentation ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cosin", "unknown schedule 'cosin'; did you mean 'cosine'? (known: constant, invscaling, step"),
        ("step:each=3", "schedule 'step' has no setting 'each'"),
        ("step:every=2.5", "schedule 'step': every='2.5' is not a"),
        ("step:every=0", "step: every must be 1 epoch or more, not 0"),
        ("cosine:epochs=-1", "cosine: epochs must be a finite number, 0 or more, not -1.0"),
        ("cosine:warmup=-1", "cosine: warmup must be a finite number, 0 or more, not -1.0"),
        ("cosine:epochs=5,warmup=5", "cosine: warmup must be shorter than all 5 epochs, not 5"),
        ("onecycle:epochs=-1", "onecycle: epochs must be a finite number, 0 or more, not -1.0"),
        ("onecycle:pct_start=0", "onecycle: pct_start must lie strictly between 0 and 1, not 0.0"),
        ("onecycle:pct_start=1", "onecycle: pct_start must lie strictly between 0 and 1, not 1.0"),
        ("onecycle:div_factor=0.5", "onecycle: div_factor must be a finite number, 1 or more, not 0.5"),
        ("onecycle:final_div_factor=0", "onecycle: final_div_factor must be a finite number, 1 or more, not 0.0"),
        ("optimal:alpha=-1", "optimal: alpha must be a finite number, 0 or more, not -1.0"),
        ("optimal:t0=inf", "optimal: t0 must be a finite number, 0 or more, not inf"),
        ("pegasos:alpha=-1", "pegasos: alpha must be a finite number, 0 or more, not -1.0"),
        ("adaptive:factor=1", "adaptive: factor must lie strictly between 0 and 1, not 1.0"),
        ("adaptive:patience=0", "adaptive: patience must be 1 epoch or more, not 0"),
        ("adaptive:tol=-1", "adaptive: tol must be a finite number, 0 or more, not -1.0"),
        ("cosine:epochs=nan", "Cosine: epochs must be a number, not nan"),
        (SCHEDULES["cosine"], "schedule: pass an instance, Cosine(), not the class itself"),
        (0.1, "schedule: 0.1 is neither a name (constant, invscaling"),
    ],
)
def test_error_names_the_schedule_and_setting(text, message):
    with pytest.raises(OptionError) as caught:
        SCHEDULES.resolve(text)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    "text",
    [
        "exponential:decay=-0.5",  # (-0.5)^0.5 is not a real number
        "exponential:decay=inf",
        "step:factor=-0.5",  # a negative rate climbs
        "step:factor=inf",
        "cosine:final=-1",
        "cosine:final=inf",
    ],
)
def test_error_for_settings_without_a_usable_rate(text):
    setting = text.partition(":")[2].partition("=")[0]
    with pytest.raises(OptionError, match=setting):
        SCHEDULES.resolve(text)


def test_settings_must_be_numbers(name):
    for field in fields(SCHEDULES[name]):
        for wrong in (math.nan, "2", None, True):
            with pytest.raises(OptionError, match=field.name):
                replace(SCHEDULES[name](), **{field.name: wrong})


def test_resolve_reads_a_name_with_settings():
    assert SCHEDULES.resolve("step:every=5,factor=0.1") == SCHEDULES["step"](every=5, factor=0.1)
    assert SCHEDULES.resolve("cosine:") == SCHEDULES["cosine"](epochs=0.0, final=0.0, warmup=0.0)


def test_docstring_has_a_formula_the_settings_and_a_source(name):
    doc = SCHEDULES[name].__doc__
    assert "lr" in doc.partition("Source")[0]
    for field in fields(SCHEDULES[name]):
        assert field.name in doc
    assert "Source: " in doc
