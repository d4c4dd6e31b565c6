"""Every rule with every penalty, schedule, loss, layout and method, held to the reference by a whole fit.

Compiled, that would be thousands of kernels. So a sample in which every pair of choices occurs is compiled, and all
of them run as plain Python: the last test runs this file again under NUMBA_DISABLE_JIT=1, where nothing is compiled.
"""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import combinations, product

import numba
import numpy as np
import pytest
import reference
from conftest import FILLED_IN, LAYOUTS
from scipy.sparse import csr_array

import fastgd
from fastgd.losses import LOSSES
from fastgd.penalties import NAMED
from fastgd.rows import CSR
from fastgd.rules import RULES
from fastgd.schedules import SCHEDULES

PLAIN_PYTHON = bool(numba.config.DISABLE_JIT)

CHOICES = {
    "method": ["gd", "sgd", "minibatch"],
    "rule": list(RULES),
    "penalty": list(NAMED),
    "schedule": list(SCHEDULES),
    "loss": list(LOSSES),
    "layout": list(LAYOUTS),
    "fit_intercept": [True, False],
}


def pairwise(choices: dict[str, list]) -> list[tuple]:
    """Few combinations in which every two choices of different kinds meet: the best next one, again and again."""

    def pairs(combination):
        return set(combinations(enumerate(combination), 2))

    everything = list(product(*choices.values()))
    missing = set().union(*map(pairs, everything))
    chosen = []
    while missing:
        chosen.append(max(everything, key=lambda combination: len(missing & pairs(combination))))
        missing -= pairs(chosen[-1])
    return chosen


SAMPLE = pairwise(CHOICES)
# Plain Python adds nothing to what precision does: one of them is enough there.
EVERYTHING = product(*(CHOICES | {"layout": ["dense float64", "csr float64"]}).values())

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
LABELS = np.where(Y > 0.1, 1.0, -1.0)
ALPHA, L1_RATIO, RATE, EPOCHS = 0.2, 0.25, 0.1, 2
BATCH_SIZES = {"gd": 7, "sgd": 1, "minibatch": 3}


def as_users_have_it(X):
    return csr_array((X.data, X.indices, X.indptr), (len(X.indptr) - 1, X.n_features)) if isinstance(X, CSR) else X


def of_the_reference(table, kind, name):
    if name not in table:
        pytest.fail(f"tests/reference.py has no {kind} {name!r} to hold the new one to: write it there")
    return table[name]


@pytest.mark.parametrize(tuple(CHOICES), list(EVERYTHING) if PLAIN_PYTHON else SAMPLE)
def test_every_update_is_the_references(method, rule, penalty, schedule, loss, layout, fit_intercept):
    y = LABELS if getattr(LOSSES[loss], "classifies", False) else Y
    alpha = 0.0 if penalty == "none" else ALPHA
    result = fastgd.fit(
        as_users_have_it(LAYOUTS[layout](X)), y, loss=loss, method=method, penalty=penalty, alpha=alpha,
        l1_ratio=L1_RATIO if penalty == "elasticnet" else None, rule=rule, learning_rate=RATE,
        schedule=FILLED_IN.get(schedule, schedule),
        batch_size=3 if method == "minibatch" else "auto", max_epochs=EPOCHS, fit_intercept=fit_intercept,
        start=0.5, shuffle=False, trace="step",
    )  # fmt: skip
    if penalty not in reference.PENALTIES:
        pytest.fail(f"tests/reference.py has no penalty {penalty!r} to hold the new one to: write it there")
    l1, l2 = reference.strengths(penalty, alpha, L1_RATIO)
    path = reference.minibatch(
        X, y, of_the_reference(reference.LOSSES, "loss", loss), lr=RATE, epochs=EPOCHS,
        batch_size=BATCH_SIZES[method], rule=of_the_reference(reference.RULES, "rule", rule),
        schedule=of_the_reference(reference.SCHEDULES, "schedule", schedule), l1=l1, l2=l2,
        fit_intercept=fit_intercept, start=([0.5] * 4, 0.0),
    )  # fmt: skip
    expected = np.array([[*w, b] if fit_intercept else w for w, b in path])
    # Weights and sums are of size 1, and no step here enlarges an error: a few eps of X's dtype for each.
    # Adaptive rules divide a gradient by its own size: the first steps pass its relative error on.
    eps = float(np.finfo(np.float32 if "32" in layout else np.float64).eps)
    np.testing.assert_allclose(result.steps["weights"], expected, rtol=0, atol=200 * eps)
    F = reference.objective(X, y, *path[-1], reference.LOSSES[loss], l1, l2)
    assert result.objective == pytest.approx(F, abs=200 * eps)


def test_the_sample_holds_every_pair():
    for (i, first), (j, second) in combinations(enumerate(CHOICES.values()), 2):
        assert {(row[i], row[j]) for row in SAMPLE} == set(product(first, second))
    assert len(SAMPLE) < 60


@pytest.mark.skipif(PLAIN_PYTHON, reason="this is that process")
def test_every_combination_as_plain_python():
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", __file__]
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
