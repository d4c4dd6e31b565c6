"""Fits that are stopped after an epoch and go on from their checkpoint, here or in another process."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from fastgd.data.training_data import RowOptions
from fastgd.fitting import pose
from fastgd.solvers.options import Options
from fastgd.terms.losses import LOSSES
from fastgd.terms.penalties import resolve_penalty
from fastgd.training.checkpoint import Checkpoint
from fastgd.training.run import Run
from fastgd.training.run_result import result_of

METHODS = ("gd", "sgd", "minibatch", "newton", "lbfgs", "svrg", "saga", "working_set")
LAYOUTS = ("dense", "csr")
N_EPOCHS = 8

# What is special about a fit: its options, which of the targets it has, and how its checkpoint must look.
SPECIAL: dict[str, dict[str, Any]] = {
    "momentum": {"method": "gd", "rule": "momentum"},
    "adam, cosine": {"method": "minibatch", "rule": "adam", "schedule": "cosine"},
    "schedule_free": {"method": "minibatch", "rule": "schedule_free"},
    "averaged": {"method": "sgd", "average": 30},
    "averaged batches": {"method": "minibatch", "average": 5},
    "shards": {"method": "sgd", "shards": 3, "average": 10},
    "rate lowered at stalls": {"method": "minibatch", "schedule": "adaptive:patience=1,tol=0.5"},
    "validation": {"method": "minibatch", "validation": 0.2},
    "divergence that shrinks the rate": {"method": "sgd", "learning_rate": 0.3, "on_divergence": "shrink"},
    "single updates": {"method": "sgd", "trace": "step"},
    "gap_tol": {"method": "gd", "gap_tol": 1e-9},
    "newton with l1": {"method": "newton", "penalty": "l1", "alpha": 0.01},
    "working set with l1": {"method": "working_set", "penalty": "l1", "alpha": 0.3, "loss": "poisson"},
    "interior point": {"method": "interior_point", "loss": "quantile", "max_epochs": 40},
    "interior point, several outputs": {"method": "interior_point", "loss": "absolute", "max_epochs": 40},
    "interior point, many rows": {"method": "interior_point", "loss": "absolute", "max_epochs": 25},
    "rate that follows the curvature": {"method": "gd", "loss": "poisson"},
    "softmax": {"method": "newton", "loss": "softmax", "alpha": 1e-3},
}
CASES = [f"{method}, {outputs}" for method in METHODS for outputs in ("one output", "several outputs")] + [*SPECIAL]


def options_of(case: str) -> dict[str, Any]:
    return SPECIAL.get(case) or {"method": case.split(", ")[0]}


def data_of(case: str, layout: str) -> tuple[Any, np.ndarray]:
    rng = np.random.default_rng(17)
    n, d = 50_000 if "many rows" in case else 400, 6
    X = rng.normal(size=(n, d)) * np.linspace(0.5, 3, d) + 0.5
    noise = rng.normal(size=(n, 2))
    y = X @ rng.normal(size=d) + noise[:, 0]
    if "several" in case:
        y = np.column_stack([y, noise[:, 1] - y])
    if options_of(case).get("loss") == "poisson":
        y = np.round(np.exp(np.clip(X[:, 0], -2, 2)))
    if options_of(case).get("loss") == "softmax":
        y = np.digitize(y, [-2, 2])
    return (sp.csr_array(X * (np.abs(X) > 0.8)) if layout == "csr" else X), y


def run(
    case: str, layout: str, checkpoint: Checkpoint | None = None, after_epoch: Callable[[Run], None] = lambda _run: None
) -> Run:
    """Train, from a checkpoint if one is given."""
    given = {"tol": 0.0, "max_epochs": N_EPOCHS} | options_of(case)
    loss, penalty = LOSSES.resolve(given.pop("loss", "squared")), given.pop("penalty", None)
    alpha = given.pop("alpha", 0.0)
    term = resolve_penalty(penalty, alpha, None)
    rows = RowOptions(validation=given.pop("validation", None))
    options = Options(**given).bound_to(loss, term, alpha)
    posed = pose(*data_of(case, layout), loss, term, True, rows)
    return Run(
        posed.objective, options, None, validation=posed.validation, checkpoint=checkpoint, after_epoch=after_epoch
    )


def digest(finished: Run) -> dict[str, Any]:
    """What must be the same: bits of the model and of the trace without seconds, bound and reason."""
    result = result_of(finished, loss=None)
    trace = result.trace.copy()
    trace["seconds"] = 0.0
    parts = [result.coef, np.asarray(result.intercept), trace]
    if result.steps is not None:
        parts.append(result.steps)
    bits = hashlib.sha256(b"".join(np.ascontiguousarray(part).tobytes() for part in parts)).hexdigest()
    return {"bits": bits, "gap_bound": repr(result.gap_bound), "stop_reason": result.stop_reason}


def name_of(case: str, layout: str) -> str:
    return f"{case}, {layout}"


def resume_all(folder: Path) -> dict[str, Any]:
    """Go on from every checkpoint in the folder."""
    found = {}
    for case in CASES:
        for layout in LAYOUTS:
            content = (folder / name_of(case, layout)).read_bytes()
            found[name_of(case, layout)] = digest(run(case, layout, Checkpoint.from_bytes(content)))
    return found


if __name__ == "__main__":
    sys.stdout.write(json.dumps(resume_all(Path(sys.argv[1]))))
