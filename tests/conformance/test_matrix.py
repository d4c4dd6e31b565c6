"""Conformance: every method on every loss, penalty and layout ends at the reference's optimum, or says why it cannot.

The optimum is that of `helpers.small_problem`, from the plain-Python losses and penalties and SciPy. A gap is a part of
what there is to gain: (F - F*) / (F(start) - F*). Where F is not convex, F* is the minimum that the reference reaches
from the model itself: the model must be a local minimum.
"""

from __future__ import annotations

from functools import cache
from itertools import product
from typing import NamedTuple

import numpy as np
import pytest
import reference
from helpers.covering import covering
from helpers.optimum import KINKED
from helpers.small_problem import SmallProblem
from scipy.sparse import csr_array

import fastgd
from fastgd.losses import LOSSES
from fastgd.penalties import NAMED, PENALTIES, PENALTY_NAMES

N, D = 24, 3
LAYOUTS = {"dense": np.asarray, "csr": csr_array}
FALLING = {"schedule": "exponential:decay=0.985", "max_epochs": 350, "tol": 0}
# Piecewise-linear losses beside a penalty that no longer grows leave directions that are nearly flat.
FALLING_SLOWLY = {"schedule": "exponential:decay=0.9992", "max_epochs": 5000, "tol": 0}
METHODS = {
    "gd": {"rule": "nesterov", "max_epochs": 1000, "tol": 1e-9},
    "sgd": FALLING,
    "minibatch": {**FALLING, "batch_size": 4},
    "newton": {"max_epochs": 60, "tol": 1e-10},
    "lbfgs": {"max_epochs": 100, "tol": 1e-10},
    "svrg": {"max_epochs": 1000, "tol": 1e-9},
    "saga": {"max_epochs": 1000, "tol": 1e-9},
    "working_set": {"max_epochs": 100, "tol": 1e-9},
    "interior_point": {"max_epochs": 100, "tol": 1e-9},
}
KINKED_OPTIONS = {"gd": FALLING, "svrg": {"max_epochs": 300}, "saga": {"max_epochs": 300}}
# With exact gradients, with noise that fades as rates fall, and with subgradients, which do not vanish at an optimum.
EXACT, NOISY, SUBGRADIENTS = 1e-6, 0.02, 0.05

ALPHA = 0.1
SETTINGS = {
    "box": {"lower": -0.25, "upper": 0.75},
    "nonnegative": {"alpha": 0.05},
    "mcp": {"alpha": 0.1, "gamma": 3.0},
    "scad": {"alpha": 0.1, "gamma": 3.7},
    "group_lasso": {"alpha": 0.1, "groups": [0, 1, 0]},
}
NOT_CONVEX = ("mcp", "scad", "phase_retrieval")


class Cell(NamedTuple):
    method: str
    layout: str
    loss: str
    penalty: str

    @property
    def refusal(self) -> str | None:
        """The sentence that says why this method does not minimise this F; None where it does."""
        if self.method == "interior_point":
            if self.loss not in KINKED:
                return "for piecewise-linear losses"
            return None if self.penalty in NAMED else "with the penalties l1, l2 and elasticnet"
        if self.method not in ("newton", "lbfgs", "working_set"):
            return None
        if self.loss in KINKED:
            return "needs second derivatives, and the loss has kinks"
        if self.method == "working_set":
            return "the loss takes all outputs at once" if self.loss == "softmax" else None
        if self.penalty in ("mcp", "scad", "group_lasso"):
            return "needs a convex penalty on single features"
        if self.method == "lbfgs" and self.penalty not in ("none", "l2"):
            return "needs a penalty without kinks"
        return None

    @property
    def tolerance(self) -> float:
        if self.loss in KINKED and self.method != "interior_point":
            return SUBGRADIENTS
        return NOISY if self.method in ("sgd", "minibatch") else EXACT


CHOICES = {"method": list(METHODS), "layout": list(LAYOUTS), "loss": list(LOSSES), "penalty": list(PENALTY_NAMES)}
TOGETHER = [("method", "layout", "penalty"), ("method", "loss"), ("layout", "loss"), ("loss", "penalty")]
CELLS = [Cell(**row) for row in covering(CHOICES, TOGETHER)]
OTHERS = [cell for cell in map(Cell._make, product(*CHOICES.values())) if cell not in set(CELLS)]
COMPILED = [Cell(method, layout, "logistic", "l2") for method, layout in product(METHODS, LAYOUTS)]


@cache
def data() -> tuple[np.ndarray, dict[str, np.ndarray]]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N, D)) * (rng.random((N, D)) < 0.8) + [0.5, 0.0, 0.0]
    z = X @ [1.0, -0.8, 0.0] + 0.4
    classes = np.digitize(z, [-0.3, 1.0])
    counts = rng.poisson(np.exp(np.clip(z, -2, 2))).astype(float)
    return X, {
        "numbers": z + 0.5 * rng.normal(size=N),
        "labels": np.where(z + rng.logistic(size=N) > 0.4, 1.0, -1.0),
        "classes": np.where(rng.random(N) < 0.7, rng.integers(0, 3, N), classes).astype(float),
        "amounts": counts + 0.5 * (counts == 0),
        "squares": z**2,
    }


def target_of(loss: str) -> np.ndarray:
    term = LOSSES[loss]
    kind = "labels" if getattr(term, "classifies", False) else "amounts" if hasattr(term, "allows") else "numbers"
    return data()[1][{"softmax": "classes", "phase_retrieval": "squares"}.get(loss, kind)]


def penalty_of(name: str):
    """The options of `fit`, the reference's penalty, and what `SmallProblem.minimum` has to know of it."""
    if name in NAMED:
        alpha = 0.0 if name == "none" else ALPHA
        l1, l2 = reference.strengths(name, alpha, 0.5)
        ratio = {"l1_ratio": 0.5} if name == "elasticnet" else {}
        return {"penalty": name, "alpha": alpha, **ratio}, reference.elasticnet(l1, l2), {"l1": l1, "l2": l2}
    if name not in SETTINGS:
        pytest.fail(f"write settings for the new penalty {name!r} in SETTINGS, and the penalty itself in reference")
    settings = SETTINGS[name]
    known = {"box": {"bounds": (-0.25, 0.75)}, "nonnegative": {"bounds": (0.0, None), "l1": settings.get("alpha", 0.0)}}
    term = reference.PENALTY_TERMS[name](**settings)
    return {"penalty": PENALTIES.make(name, settings)}, term, known.get(name, {"linear": False})


@cache
def problem_of(loss: str, penalty: str) -> SmallProblem:
    return SmallProblem(data()[0], target_of(loss), loss, penalty_of(penalty)[1])


@cache
def optimum(loss: str, penalty: str) -> float:
    problem = problem_of(loss, penalty)
    return problem.minimum(problem.zeros(), **penalty_of(penalty)[2])


def check(cell: Cell) -> None:
    X, y = LAYOUTS[cell.layout](data()[0]), target_of(cell.loss)
    how = METHODS[cell.method] if cell.loss not in KINKED else KINKED_OPTIONS.get(cell.method, METHODS[cell.method])
    if cell.loss in KINKED and cell.penalty in NOT_CONVEX and cell.method in ("sgd", "minibatch"):
        how = how | FALLING_SLOWLY
    start = 0.25 if cell.loss == "phase_retrieval" else None  # zero is a stationary point
    options = {"loss": cell.loss, "method": cell.method, "start": start, **penalty_of(cell.penalty)[0], **how}
    if cell.refusal:
        with pytest.raises(fastgd.OptionError, match=cell.refusal):
            fastgd.fit(X, y, **options)
        return
    result = fastgd.fit(X, y, **options)
    problem = problem_of(cell.loss, cell.penalty)
    params = np.column_stack([np.atleast_2d(result.coef), np.atleast_1d(result.intercept)])
    F, F_start = problem(params), result.trace["objective"][0]
    assert result.objective == pytest.approx(F, rel=1e-12, abs=1e-14)
    if cell.loss in NOT_CONVEX or cell.penalty in NOT_CONVEX:
        least = problem.minimum(params, **penalty_of(cell.penalty)[2])
        assert F_start + 1e-8 > F
    else:
        least = optimum(cell.loss, cell.penalty)
        if cell.loss in KINKED and cell.penalty == "group_lasso":  # the simplex of the reference may stall
            least = min(least, problem.minimum(params, linear=False))
    to_gain = max(F_start - least, 1e-3)
    assert -1e-7 <= (F - least) / to_gain <= cell.tolerance


def named(cells):
    """Cells as parameters; one pair is known not to get there."""
    failing = pytest.mark.xfail(reason="the rate that saga finds by trial is too large for a curvature without a bound")
    pair = ("saga", "phase_retrieval")
    return [
        pytest.param(cell, id="-".join(cell), marks=failing if (cell.method, cell.loss) == pair else ())
        for cell in cells
    ]


@pytest.mark.plain_python
@pytest.mark.parametrize("cell", named(CELLS))
def test_method_reaches_the_optimum_or_says_why_not(cell):
    check(cell)


@pytest.mark.campaign
@pytest.mark.parametrize("cell", named(OTHERS))
def test_every_other_combination_reaches_the_optimum_or_says_why_not(cell):
    check(cell)


@pytest.mark.parametrize("cell", named(COMPILED))
def test_compiled_method_reaches_the_optimum(cell):
    check(cell)


def test_cells_hold_all_combinations_that_they_should():
    for kinds in TOGETHER:
        wanted = set(product(*(CHOICES[kind] for kind in kinds)))
        assert wanted == {tuple(getattr(cell, kind) for kind in kinds) for cell in CELLS}
    assert len(CELLS) < 300
