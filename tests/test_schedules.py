"""Every registered schedule, against the reference, PyTorch's schedulers and arithmetic done by hand."""

from __future__ import annotations

import json
import math
from dataclasses import fields, replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st

from fastgd.errors import OptionError
from fastgd.kernels.update import fill_rates
from fastgd.schedules import SCHEDULES

TORCH = json.loads(Path(__file__).with_name("torch_trajectories.json").read_text())

# Settings other than a schedule's own; the reference calls them by the same names.
OTHER_SETTINGS = {
    "constant": {},
    "invscaling": {"power": 0.25},
    "step": {"every": 3, "factor": 0.1},
    "exponential": {"decay": 0.8},
    "cosine": {"epochs": 7.5, "final": 0.1},
}


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
    return {} if request.param == "its own settings" else OTHER_SETTINGS[name]


# --- Rates ------------------------------------------------------------------------------------------------------------


@given(lr=st.floats(1e-6, 10), t=st.integers(0, 10**7), epoch=st.floats(0, 300))
def test_it_is_the_references(name, settings, lr, t, epoch):
    assert SCHEDULES[name](**settings).rate(lr, t, epoch) == close(expected(name, settings)(lr, t, epoch))


@given(
    lr=st.sampled_from([0.01, 0.8]),
    t=st.integers(0, 10**6),
    rows_done=st.integers(0, 10**9),
    rows_a_step=st.integers(1, 64),
    n_samples=st.integers(1, 10**6),
    n_steps=st.integers(0, 12),
)
def test_fill_rates_is_the_reference(name, settings, lr, t, rows_done, rows_a_step, n_samples, n_steps):
    rates = np.full(n_steps, np.nan)
    fill_rates(SCHEDULES[name](**settings), lr, t, rows_done, rows_a_step, n_samples, rates)
    epochs = [(rows_done + k * rows_a_step) / n_samples for k in range(n_steps)]
    rate = expected(name, settings)
    assert rates == close([rate(lr, t + k, epoch) for k, epoch in enumerate(epochs)], tol=1e-13)


@pytest.mark.parametrize("record", TORCH["schedules"], ids=lambda r: f"{r['schedule']} {r['options']}")
def test_it_is_torchs(record):
    term, lr = SCHEDULES[record["schedule"]](**record["options"]), TORCH["problem"]["learning_rate"]
    assert [term.rate(lr, 0, float(epoch)) for epoch in range(len(record["rates"]))] == close(record["rates"], 1e-10)
    rates = np.empty(len(record["rates"]))
    fill_rates(term, lr, 0, 0, 50, 50, rates)  # one step an epoch
    assert rates == close(record["rates"], 1e-10)


def test_torch_was_asked_about_every_schedule_it_has():
    assert {record["schedule"] for record in TORCH["schedules"]} == {"step", "exponential", "cosine"}


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
    ("cosine", 0, 0.0, 0.8),
    ("cosine", 0, 50.0, 0.4),
    ("cosine", 0, 100.0, 0.0),
    ("cosine", 0, 250.0, 0.0),
    ("cosine:epochs=10,final=0.25", 0, 5.0, 0.5),  # halfway from 0.8 to 0.2
    ("cosine:epochs=10,final=0.25", 0, 99.0, 0.2),
]


@pytest.mark.parametrize(("text", "t", "epoch", "rate"), BY_HAND)
def test_by_hand(text, t, epoch, rate):
    assert SCHEDULES.resolve(text).rate(0.8, t, epoch) == close(rate)


def test_every_schedule_is_worked_out_by_hand(name):
    worked_out = {text.partition(":")[0] for text, *_ in BY_HAND}
    assert name in worked_out, f"add rates of {name!r} to BY_HAND, worked out by hand"


@given(lr=st.floats(1e-6, 10), t=st.integers(0, 10**6), epoch=st.floats(0, 1000))
def test_rates_begin_at_lr_and_stay_between_0_and_lr(name, settings, lr, t, epoch):
    term = SCHEDULES[name](**settings)
    assert term.rate(lr, 0, 0.0) == close(lr)
    assert 0.0 <= term.rate(lr, t, epoch) <= lr * (1 + 1e-15)


@given(t=st.integers(0, 10**6), epoch=st.floats(0, 1000), later=st.integers(0, 1000))
def test_rates_never_rise(name, settings, t, epoch, later):
    term = SCHEDULES[name](**settings)
    assert term.rate(1.0, t + later, epoch + later) <= term.rate(1.0, t, epoch) + 1e-15


# --- Settings, errors, documentation ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cosin", "unknown schedule 'cosin'; did you mean 'cosine'? (known: constant, invscaling, step"),
        ("step:each=3", "schedule 'step' has no setting 'each'"),
        ("step:every=2.5", "schedule 'step': every='2.5' is not a"),
        ("step:every=0", "step: every must be 1 epoch or more, not 0"),
        ("cosine:epochs=0", "cosine: epochs must be above 0, not 0.0"),
        ("cosine:epochs=nan", "Cosine: epochs is a number, not nan"),
        (SCHEDULES["cosine"], "schedule: pass an instance, Cosine(), not the class itself"),
        (0.1, "schedule: 0.1 is neither a name (constant, invscaling"),
    ],
)
def test_what_is_wrong_is_said(text, message):
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
def test_settings_that_give_no_usable_rate_are_an_error(text):
    setting = text.partition(":")[2].partition("=")[0]
    with pytest.raises(OptionError, match=setting):
        SCHEDULES.resolve(text)


def test_settings_are_numbers(name):
    for field in fields(SCHEDULES[name]):
        for wrong in (math.nan, "2", None, True):
            with pytest.raises(OptionError, match=field.name):
                replace(SCHEDULES[name](), **{field.name: wrong})


def test_a_name_with_settings():
    assert SCHEDULES.resolve("step:every=5,factor=0.1") == SCHEDULES["step"](every=5, factor=0.1)
    assert SCHEDULES.resolve("cosine:") == SCHEDULES["cosine"](epochs=100.0, final=0.0)


def test_the_docstring_has_a_formula_its_settings_and_a_source(name):
    doc = SCHEDULES[name].__doc__
    assert "lr" in doc.partition("Source")[0]
    for field in fields(SCHEDULES[name]):
        assert field.name in doc
    assert "Source: " in doc
