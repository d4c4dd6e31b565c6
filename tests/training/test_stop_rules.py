"""Each stop rule by itself, with stand-ins for what it asks: when and why it stops, and whether that is converged."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from fastgd.training.stop_rules import (
    Callbacks,
    Converged,
    GapTolerance,
    LossStalls,
    RunningLossSettles,
    SolverIsExhausted,
    TimeLimit,
    ValidationPatience,
)

TOL = ("tol", True)
FOUND = SimpleNamespace(
    objectives=np.ones(1), params=np.zeros(2), gradient=np.zeros(2)
)  # an evaluation, whatever its values


class Answers:
    """A test of convergence that answers as it is told, and counts how often it is asked what takes a pass."""

    def __init__(
        self, is_convex=True, tol=1e-4, due=False, better=False, small=False, confirmed=False, converged=False
    ):
        self.is_convex, self.tol, self.answer, self.asked, self.evaluated = is_convex, tol, converged, [], 0
        self.is_due = lambda values: due
        self.is_better_than_constant = lambda values: better
        self.is_small = lambda values, remaining: small
        self.is_confirmed = lambda at, remaining: confirmed
        self.objective = SimpleNamespace(n_values=10, dtype=np.float64)

    def has_converged(self, at, norms=None, reference=None, tol=None):
        self.asked.append(tol)
        return self.answer

    def evaluate(self, params):
        self.evaluated += 1
        return FOUND


def end(at=None, is_start=False, remaining=None, **more):
    report = {
        "norms": None,
        "reference_norms": None,
        "running_loss": 1.0,
        "running_losses": np.ones(1),
        "stop_reason": "",
    }
    report |= {"evaluation": at, "remaining": remaining, "is_epoch": True} | more
    return SimpleNamespace(report=SimpleNamespace(**report), row=None, params=np.zeros(2), is_start=is_start)


def left(kind):
    return SimpleNamespace(kind=kind)


# --- Converged --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answers", "given", "stops", "n_asked"),
    [
        ({"due": True, "converged": True}, {"at": None}, None, 0),
        ({"due": False, "converged": True}, {}, None, 0),
        ({"due": True, "converged": True}, {}, TOL, 1),
        ({"due": True, "converged": False}, {}, None, 1),
        ({"better": True, "converged": True}, {}, None, 0),
        ({"better": True, "converged": True}, {"is_start": True}, TOL, 1),
        ({"better": False, "converged": True}, {"is_start": True}, None, 0),
        ({"is_convex": False, "converged": True}, {}, TOL, 1),
        ({"is_convex": False, "converged": False}, {}, None, 1),
        # What the solver says is left decides, unless it is a guess, which is confirmed or tested.
        ({"small": False, "due": True, "converged": True}, {"remaining": left("bound")}, None, 0),
        ({"small": True, "converged": False}, {"remaining": left("bound")}, TOL, 0),
        ({"small": True, "converged": False}, {"remaining": left("estimate")}, TOL, 0),
        ({"small": True, "confirmed": True, "converged": False}, {"remaining": left("guess")}, TOL, 0),
        ({"small": True, "confirmed": False, "converged": True}, {"remaining": left("guess")}, TOL, 1),
        ({"small": True, "confirmed": False, "converged": False}, {"remaining": left("guess")}, None, 1),
        ({"small": False, "confirmed": True, "converged": True}, {"remaining": left("guess")}, None, 0),
    ],
)
def test_converged(answers, given, stops, n_asked):
    test = Answers(**answers)
    assert Converged(test).check(end(**{"at": FOUND, **given})) == stops
    assert len(test.asked) == n_asked


# --- A gap, and a solver that finds nothing left ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("estimate", "gap", "given", "needs_gradient", "stops", "n_proofs"),
    [
        (0.1, 0.1, {"at": FOUND}, True, ("gap_tol", True), 1),
        (0.1, 0.2, {"at": FOUND}, True, None, 1),
        (0.2, 0.1, {"at": FOUND}, True, None, 0),
        (np.nan, 0.1, {"at": FOUND}, False, None, 0),
        (0.1, np.nan, {"at": FOUND}, False, None, 1),
        (0.2, 0.1, {}, False, ("gap_tol", True), 1),
        (0.2, 0.1, {}, True, None, 0),
        (0.2, 0.1, {"is_start": True}, False, None, 0),
        (0.1, 0.1, {"at": FOUND, "is_start": True}, False, ("gap_tol", True), 1),
    ],
)
def test_gap_tolerance(estimate, gap, given, needs_gradient, stops, n_proofs):
    proofs = []
    certificate = SimpleNamespace(
        estimate=lambda params, gradient: estimate, gap=lambda params: proofs.append(params) or gap
    )
    assert GapTolerance(0.1, certificate, needs_gradient).check(end(**given)) == stops
    assert len(proofs) == n_proofs


@pytest.mark.parametrize("default", [True, False])
@pytest.mark.parametrize("converged", [True, False])
def test_an_exhausted_solver_stops_converged_or_stalled(converged, default):
    """Its tolerance is that of other methods by default, and else at least 3e-7, which float32 can attain."""
    test = Answers(tol=1e-12, converged=converged)
    rule = SolverIsExhausted(test, SimpleNamespace(has_default_tol=default))
    assert rule.check(end(FOUND)) is None
    expected = ("precision", True) if converged else ("stalled", False)
    assert rule.check(end(FOUND, stop_reason="precision")) == expected
    assert test.asked == [pytest.approx(1e-4 if default else 3e-7)]
    assert rule.check(end(None, stop_reason="precision")) == ("precision", True)
    assert SolverIsExhausted(Answers(is_convex=False), rule_options()).check(end(FOUND, stop_reason="x")) == ("x", True)


def rule_options():
    return SimpleNamespace(has_default_tol=True)


def test_an_exhausted_solver_in_float32_is_judged_in_float64_in_a_counted_pass():
    passes, test = [], Answers(tol=1e-12, converged=True)
    wide = SimpleNamespace(evaluate=lambda params: FOUND)
    test.objective = SimpleNamespace(
        n_values=10, dtype=np.float32, count_pass=lambda: passes.append(1), on=lambda rows: wide,
        rows=SimpleNamespace(in_float64=lambda: "rows"),
    )  # fmt: skip
    rule = SolverIsExhausted(test, SimpleNamespace(has_default_tol=False))
    assert rule.check(end(FOUND, stop_reason="precision")) == ("precision", True)
    assert passes == [1]


# --- Stalls of the running loss ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answers", "by_schedule", "rate", "lowers", "stops"),
    [
        ({"converged": True}, False, "auto", True, TOL),
        ({"converged": False}, False, "auto", True, None),
        ({"converged": False}, False, "auto", False, ("stalled", False)),
        ({"converged": False}, False, 0.1, True, ("stalled", False)),
        ({"converged": False}, True, 0.1, True, None),
        ({"converged": False}, True, 0.1, False, ("stalled", False)),
        ({"converged": True, "tol": 0.0}, False, 0.1, True, ("stalled", False)),
        ({"is_convex": False}, False, "auto", True, TOL),
        ({"is_convex": False, "converged": True}, True, "auto", True, None),
        ({"is_convex": False}, True, "auto", False, TOL),
    ],
)
def test_a_stalled_running_loss(answers, by_schedule, rate, lowers, stops):
    counts = iter([1, 2])
    schedule = SimpleNamespace(tol=1e-3, patience=2)
    step_size = SimpleNamespace(
        lowers_at_stalls=by_schedule,
        schedule=schedule,
        lower=lambda: lowers,
        count_stalled=lambda loss, tol: next(counts),
    )
    rule = LossStalls(step_size, Answers(**answers), SimpleNamespace(patience=2, learning_rate=rate))
    assert rule.check(end(is_start=True)) is None
    assert rule.check(end()) is None  # stalled for one epoch of two
    assert rule.check(end()) == stops


@pytest.mark.parametrize(
    ("answers", "given", "stops", "n_evaluated"),
    [
        ({"due": True, "converged": True}, {}, TOL, 1),
        ({"due": True, "converged": False}, {}, None, 1),
        ({"due": False, "converged": True}, {}, None, 0),
        ({"due": True, "converged": True}, {"is_start": True}, None, 0),
        ({"due": True, "converged": True}, {"at": FOUND}, None, 0),
    ],
)
def test_a_settled_running_loss(answers, given, stops, n_evaluated):
    test = Answers(**answers)
    assert RunningLossSettles(test).check(end(**given)) == stops
    assert test.evaluated == n_evaluated


# --- Validation, callbacks and time -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("stalled", "is_start", "stops"), [(3, False, True), (2, False, False), (3, True, False)])
def test_validation_patience(stalled, is_start, stops):
    monitor = SimpleNamespace(state=SimpleNamespace(stalled=stalled))
    assert ValidationPatience(monitor, 3).check(end(is_start=is_start)) == (("validation", False) if stops else None)


@pytest.mark.parametrize(
    ("seconds", "limit", "is_start", "stops"),
    [(2.0, 2.0, False, True), (1.9, 2.0, False, False), (2.0, 2.0, True, False), (9.0, None, False, False)],
)
def test_time_limit(seconds, limit, is_start, stops):
    rule = TimeLimit(limit, lambda: seconds)
    assert rule.check(end(is_start=is_start)) == (("max_seconds", False) if stops else None)


@pytest.mark.parametrize(
    ("answer", "stops"), [(True, True), (np.True_, True), (False, False), (1, False), (None, False)]
)
def test_callbacks(answer, stops):
    row = SimpleNamespace(
        epoch=1, passes=1.0, seconds=0.5, objective=2.0, running_loss=2.5, learning_rate=0.1, gradient_norm=1.0,
        validation_loss=None,
    )  # fmt: skip
    objective, seen = SimpleNamespace(split=lambda params: (params[:1], params[1]), several=False), []
    rule = Callbacks(objective, [seen.append, lambda state: answer])
    assert rule.check(with_row(end(), row)) == (("callback", False) if stops else None)
    assert [state.epoch for state in seen] == [1]
    assert rule.check(with_row(end(is_start=True), row)) is None
    assert rule.check(with_row(end(is_epoch=False), row)) is None
    assert len(seen) == 1


def with_row(at_end, row):
    at_end.row = row
    return at_end
