"""docs/vocabulary.md is up to date, and a fit for every cell of its last table equals the reference.

To compile all cells takes six minutes, so the last test runs this file in plain Python, with NUMBA_DISABLE_JIT=1. A
sample of the cells is compiled: each loss once, and each method on each type of X. The campaign compiles all.
"""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from itertools import product
from pathlib import Path

import numba
import numpy as np
import pytest
import reference
from conftest import targets_for
from reference import outputs as reference_outputs
from reference.losses import Softmax
from scipy.sparse import csr_array

import fastgd
from fastgd.losses import LOSSES

PLAIN_PYTHON = bool(numba.config.DISABLE_JIT)

SCRIPT = Path(__file__).parents[2] / "docs" / "make_vocabulary.py"
MADE = runpy.run_path(str(SCRIPT))
CELLS, METHODS = MADE["CELLS"], MADE["STEPPING"]

KINDS = ("loss", "method", "layout", "dtype")
CHOICES = {kind: list(dict.fromkeys(values)) for kind, values in zip(KINDS, zip(*CELLS, strict=True), strict=True)}
# Cells whose kernels other tests need too.
SAMPLE = [
    *((loss, "minibatch", "dense", "float64") for loss in CHOICES["loss"]),
    *(("huber", *rest) for rest in product(*(CHOICES[kind] for kind in KINDS[1:]))),
]

# Seven rows, so that the last batch of three is short; exact in float32.
X = np.array(
    [[1.0, 0.25, -0.5], [-0.75, 0.5, 1.0], [0.0, 0.0, 0.0], [1.5, 0.0, 0.25], [-1.0, 1.0, -0.5], [0.5, -0.25, -1.25],
     [0.0, -1.0, 0.75]]
)  # fmt: skip
Y = np.array([1.5, -0.5, 0.25, 2.75, -2.25, -0.5, 1.0])
CLASSES = np.array([1, 0, 1, 2, 0, 0, 2])
BATCH_SIZES = {"gd": 7, "sgd": 1, "minibatch": 3}
# A small rate, with which no row reaches a kink exactly, where rounding would decide the derivative.
RATE, EPOCHS, START = 0.03, 2, 0.5
L1, L2 = 0.05, 0.15


def entry(table, kind, name):
    if name not in table:
        pytest.fail(f"the tests have no {kind} {name!r} to hold the cells of the new one to: write it there")
    return table[name]


def expected_weights(loss, batch_size):
    """The target, and the reference's parameters after every update, coefficients before intercepts."""
    if not getattr(LOSSES[loss], "joint", False):
        y = targets_for(LOSSES[loss], Y)
        path = reference.minibatch(
            X, y, entry(reference.LOSSES, "loss", loss), lr=RATE, epochs=EPOCHS, batch_size=batch_size, l1=L1, l2=L2,
            start=([START] * 3, 0.0),
        )  # fmt: skip
        return y, [[*w, b] for w, b in path]
    path, rates = [([[START] * 3] * 3, [0.0] * 3)], [RATE] * len(X)
    for _ in range(EPOCHS):
        steps, _ = reference_outputs.minibatch(
            X, CLASSES, entry({"softmax": Softmax()}, "loss", loss), rates=rates, order=range(len(X)), start=path[-1],
            batch_size=batch_size, l1=L1, l2=L2,
        )  # fmt: skip
        path += steps[1:]
    return CLASSES, [[[*w, b] for w, b in zip(W, B, strict=True)] for W, B in path[1:]]


def cells():
    """All cells; those outside the sample are marked as a campaign."""
    now = CELLS if PLAIN_PYTHON else SAMPLE
    return [pytest.param(*cell, marks=() if cell in now else pytest.mark.campaign) for cell in CELLS]


@pytest.mark.parametrize(KINDS, cells())
def test_updates_of_each_cell_equal_the_reference(loss, method, layout, dtype):
    batch_size = entry(BATCH_SIZES, "method", method)
    y, expected = expected_weights(loss, batch_size)
    result = fastgd.fit(
        {"dense": np.asarray, "CSR": csr_array}[layout](X.astype(dtype)), y, loss=loss, method=method,
        penalty="elasticnet", alpha=L1 + L2, l1_ratio=L1 / (L1 + L2), learning_rate=RATE, max_epochs=EPOCHS,
        batch_size=batch_size if method == "minibatch" else "auto", start=START, shuffle=False, trace="step",
    )  # fmt: skip
    # Parameters and sums are of size 1, and no step increases an error: a few eps of X's dtype per step.
    tol = 200 * float(np.finfo(dtype).eps)
    np.testing.assert_allclose(result.steps["weights"], expected, rtol=0, atol=tol)


def test_table_covers_every_loss_method_layout_and_dtype():
    assert len(CELLS) == len(set(CELLS)) == len(LOSSES) * len(METHODS) * 4
    assert (set(CHOICES["loss"]), set(CHOICES["method"])) == (set(LOSSES), set(METHODS))
    table = MADE["page"]().rpartition("##")[2]
    assert table.count(" x ") == len(CELLS)


def test_sample_of_cells_covers_every_loss_and_method():
    assert {cell[0] for cell in SAMPLE} == set(LOSSES)
    assert {cell[1:] for cell in SAMPLE} == {cell[1:] for cell in CELLS}
    assert len(SAMPLE) < 30


def test_page_is_up_to_date(tmp_path):
    def run(script, *arguments):
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        command = [sys.executable, str(script), *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    done = run(SCRIPT, "--check")
    assert done.returncode == 0, done.stderr
    # In a folder without the page, with a current page, and with an old page.
    copy = tmp_path / SCRIPT.name
    copy.write_bytes(SCRIPT.read_bytes())
    assert run(copy, "--check").returncode == 1
    assert run(copy).returncode == 0
    page = tmp_path / "vocabulary.md"
    assert page.read_text("utf-8") == SCRIPT.with_name("vocabulary.md").read_text("utf-8")
    assert run(copy, "--check").returncode == 0
    page.write_text(page.read_text("utf-8").replace("huber", "hubris"), "utf-8")
    done = run(copy, "--check")
    assert done.returncode == 1
    assert "run python docs/make_vocabulary.py" in done.stderr
    assert "Traceback" not in done.stderr
    assert run(copy, "--chek").returncode == 1


@pytest.mark.parametrize(
    ("formula", "written"),
    [
        ("l1 |w|_1, w_j <= 1", r"l1 \|w\|\_1, w_j <= 1"),
        ("a * b < c", r"a \* b < c"),
        ("<b>, _x and x_", r"\<b>, \_x and x\_"),
        ("`a * b_` * c", r"`a * b_` \* c"),
    ],
)
def test_formulas_are_escaped_in_markdown(formula, written):
    assert MADE["escaped"](formula) == written


@pytest.mark.skipif(PLAIN_PYTHON, reason="this is that process")
def test_all_cells_in_plain_python():
    command = [sys.executable, "-m", "pytest", "-x", "-p", "no:cacheprovider", __file__, "-k", "updates_of_each_cell"]
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(CELLS)} passed" in done.stdout
