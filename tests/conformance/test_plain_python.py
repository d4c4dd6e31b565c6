"""Whole fits match the reference for every rule, penalty, schedule, loss, layout and method.

All combinations would be a million fits and thousands of kernels. As plain Python (`make test` runs this file under
NUMBA_DISABLE_JIT=1 too) the rows contain every combination of three choices; compiled rows contain every choice, and
every method with every layout; the campaign compiles rows that contain most pairs.
"""

from __future__ import annotations

from itertools import combinations, product
from math import prod

import numba
import numpy as np
import pytest
import reference
from conftest import FILLED_IN, LAYOUTS, targets_for
from helpers.covering import covering
from scipy.sparse import csr_array

import fastgd
from fastgd.kernels.row_access import CSR
from fastgd.losses import LOSSES
from fastgd.penalties import NAMED, PENALTIES, PENALTY_NAMES
from fastgd.rules import RULES
from fastgd.schedules import SCHEDULES

PLAIN_PYTHON = bool(numba.config.DISABLE_JIT)
pytestmark = [pytest.mark.plain_python] * PLAIN_PYTHON  # a few of these tests run compiled as well

CHOICES = {
    "method": ["gd", "sgd", "minibatch"],
    "rule": list(RULES),
    "penalty": list(PENALTY_NAMES),
    "schedule": list(SCHEDULES),
    "loss": [name for name, loss in LOSSES.items() if not getattr(loss, "joint", False)],
    "layout": list(LAYOUTS),
    "fit_intercept": [True, False],
}
MOST_PAIRS = 40  # pairs of two kinds, up to which the campaign compiles all


def allowed(row):
    separable = row.get("penalty") not in PENALTIES or getattr(PENALTIES[row["penalty"]], "separable", True)
    return separable or not getattr(RULES.get(row.get("rule")), "adaptive", False)


TRIPLES = list(combinations(CHOICES, 3))
COMPILED_KINDS = [kind for kind in CHOICES if kind != "schedule"]  # it is not part of a kernel
PAIRS = [kinds for kinds in combinations(COMPILED_KINDS, 2) if prod(len(CHOICES[kind]) for kind in kinds) <= MOST_PAIRS]
EACH = [("method", "layout"), *((kind,) for kind in CHOICES)]
ROWS = covering(CHOICES, TRIPLES if PLAIN_PYTHON else EACH, allowed)
OF_CAMPAIGN = [] if PLAIN_PYTHON else covering(CHOICES, PAIRS, allowed)

# Seven rows, so that batches of three leave a short one; a row of zeros, and a column of them.
X = np.array(
    [
        [1.0, 0.25, -0.5, 0.0],
        [-0.75, 0.5, 1.0, 0.0],
        [0.0, 0.0, 0.0, 0.0],
        [1.5, 0.0, 0.25, 0.0],
        [-1.0, 1.0, -0.5, 0.0],
        [0.5, -0.25, -1.25, 0.0],
        [0.0, -1.0, 0.75, 0.0],
    ]
)
Y = np.array([1.5, -0.5, 0.25, 2.75, -2.25, -0.5, 1.0])
# A small rate that brings no row exactly to a kink of a loss, where rounding would choose the side.
ALPHA, L1_RATIO, RATE, EPOCHS = 0.2, 0.25, 0.03, 2
BATCH_SIZES = {"gd": 7, "sgd": 1, "minibatch": 3}
# Settings, here and in the reference, of the penalties without l1 and l2.
SETTINGS = {
    "box": {"lower": -0.25, "upper": 0.75},
    "nonnegative": {"alpha": 0.2},
    "mcp": {"alpha": 0.2, "gamma": 1.5},
    "scad": {"alpha": 0.2, "gamma": 2.5},
    "group_lasso": {"alpha": 0.2, "groups": [0, 1, 0, 1]},
}


def as_users_have_it(X):
    return csr_array((X.data, X.indices, X.indptr), (len(X.indptr) - 1, X.n_features)) if isinstance(X, CSR) else X


def entry(table, kind, name):
    if name not in table:
        pytest.fail(f"the tests have no {kind} {name!r} to hold the new one to: write it in reference.py or SETTINGS")
    return table[name]


def penalties(name):
    """The options of `fit` for a penalty, and those of the reference."""
    if name in NAMED:
        alpha = 0.0 if name == "none" else ALPHA
        l1, l2 = reference.strengths(name, alpha, L1_RATIO)
        ratio = {"l1_ratio": L1_RATIO} if name == "elasticnet" else {}
        return {"penalty": name, "alpha": alpha, **ratio}, {"l1": l1, "l2": l2}
    settings = entry(SETTINGS, "penalty", name)
    theirs = entry(reference.PENALTY_TERMS, "penalty", name)(**settings)
    return {"penalty": PENALTIES.make(name, settings)}, {"penalty": theirs}


@pytest.mark.parametrize(
    tuple(CHOICES),
    [
        *(tuple(row.values()) for row in ROWS),
        *(pytest.param(*row.values(), marks=pytest.mark.campaign) for row in OF_CAMPAIGN),
    ],
)
def test_every_update_matches_the_reference(method, rule, penalty, schedule, loss, layout, fit_intercept):
    y = targets_for(LOSSES[loss], Y)
    ours, theirs = penalties(penalty)
    rate = {} if getattr(SCHEDULES[schedule], "sets_rate", False) else {"learning_rate": RATE}
    result = fastgd.fit(
        as_users_have_it(LAYOUTS[layout](X)), y, loss=loss, method=method, rule=rule, **ours, **rate, scale=False,
        schedule=FILLED_IN.get(schedule, schedule), batch_size=3 if method == "minibatch" else "auto",
        max_epochs=EPOCHS, tol=0, fit_intercept=fit_intercept, start=0.5, shuffle=False, trace="step",
    )  # fmt: skip
    expected_loss = entry(reference.LOSSES, "loss", loss)
    path = reference.weights_and_models(
        X, y, expected_loss, lr=RATE, epochs=EPOCHS, batch_size=BATCH_SIZES[method],
        rule=entry(reference.RULES, "rule", rule), schedule=entry(reference.SCHEDULES, "schedule", schedule),
        fit_intercept=fit_intercept, start=([0.5] * 4, 0.0), **theirs,
    )  # fmt: skip
    expected = np.array([[*w, b] if fit_intercept else w for (w, b), _ in path])
    # Weights and sums are of size 1 and steps do not amplify errors: a few eps of X's dtype per step.
    # Adaptive rules divide a gradient by its size: their steps have its relative error.
    tol = 200 * float(np.finfo(np.float32 if "32" in layout else np.float64).eps)
    np.testing.assert_allclose(result.steps["weights"], expected, rtol=0, atol=tol)
    w, b = path[-1][1]
    np.testing.assert_allclose([*result.coef, result.intercept], [*w, b], rtol=0, atol=tol)
    F = reference.objective(X, y, w, b, expected_loss, **theirs)
    assert result.objective == pytest.approx(F, abs=tol)


def test_rows_hold_all_combinations_that_they_should():
    for rows, together in ((ROWS, TRIPLES if PLAIN_PYTHON else EACH), (OF_CAMPAIGN, () if PLAIN_PYTHON else PAIRS)):
        for kinds in together:
            wanted = [dict(zip(kinds, values, strict=True)) for values in product(*(CHOICES[kind] for kind in kinds))]
            there = [{kind: row[kind] for kind in kinds} for row in rows]
            assert all(some in there for some in wanted if allowed(some))
        assert all(map(allowed, rows))
    assert len(ROWS) < (2500 if PLAIN_PYTHON else 20)
    assert len(OF_CAMPAIGN) < 50
