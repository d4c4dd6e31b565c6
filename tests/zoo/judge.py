"""Fits by fastgd of problems of the zoo, each compared with the optimum; and the promises about many of them."""

from __future__ import annotations

import re
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import fastgd

from .losses import Loss
from .optimum import PROVED, Optimum, find_optimum, objective, rounding
from .problems import L1_RATIO, Problem, generate

METHODS = ("auto", "gd", "sgd", "minibatch", "newton", "lbfgs", "interior_point", "svrg", "saga", "working_set")
# The methods that must say that they have converged, once they have; auto has a promise of its own.
MUST_SAY_SO = ("gd", "newton", "lbfgs", "interior_point", "svrg", "saga", "working_set")
DEFAULT_TOL, DEFAULT_TOL_OF_NEWTON = 1e-4, 1e-6  # of fit
TOLS = (None, 1e-8)
LARGEST_GAP = {None: 1e-3, 1e-8: 1e-6}  # of a fit that says it has converged
SHARE_OF_AUTO, SHARE_SAYING_SO, SHARE_OF_BOUNDS = 0.98, 0.8, 0.9
USEFUL_BOUND, NEGLIGIBLE_BOUND = 10.0, 1e-6
NO_OPTIMUM = re.compile(r"no (finite )?(minimum|optimum)|separa|unbounded|infinit", re.IGNORECASE)


@dataclass(frozen=True)
class Verdict:
    """A fit beside the optimum. Gaps are parts of ``to_gain``, which is max(F(constant) - F*, rounding of F)."""

    seed: int
    loss: str
    penalty: str
    factors: tuple[str, ...]
    has_optimum: bool
    method: str
    tol: float | None
    converged: bool
    reason: str  # stop_reason, or the error
    gap: float  # 0 where F - F* is below the last bit, or where nothing can be gained, below the rounding of F
    bound: float | None  # gap_bound, as a part of to_gain
    rounding: float  # as a part of to_gain
    remarked: bool  # whether a remark says that there is no optimum
    epochs: int
    seconds: float

    @property
    def false(self) -> bool:
        """Whether the fit says that it has converged, and is too far from the optimum."""
        return self.has_optimum and self.converged and not self.gap <= LARGEST_GAP[self.tol]

    @property
    def used_tol(self) -> float:
        """``tol``, or the one that `fit` takes by default."""
        default = DEFAULT_TOL_OF_NEWTON if self.method == "newton" else DEFAULT_TOL
        return default if self.tol is None else self.tol

    @property
    def bound_is_wrong(self) -> bool:
        return self.has_optimum and self.bound is not None and not self.bound >= self.gap - self.rounding

    @property
    def bound_is_useful(self) -> bool:
        return self.bound is not None and self.bound <= max(USEFUL_BOUND * self.gap, NEGLIGIBLE_BOUND, self.rounding)

    def __str__(self) -> str:
        bound = "" if self.bound is None else f", bound {self.bound:.1e}"
        said = "converged" if self.converged else "not converged"
        tol = "default tol" if self.tol is None else f"tol {self.tol:g}"
        return (
            f"--method {self.method} ({tol}) of seed {self.seed}: {said} ({self.reason}), gap {self.gap:.1e}{bound}; "
            f"{self.loss}, {self.penalty}, {', '.join(self.factors)}"
        )


def allowed(method: str, loss: Loss, penalty: str) -> bool:
    """Whether the method is for this loss and penalty."""
    if method in ("newton", "lbfgs", "working_set", "interior_point") and loss.kinked != (method == "interior_point"):
        return False
    if method == "working_set" and (str(loss) == "softmax" or penalty not in ("l1", "elasticnet")):
        return False
    return not (method == "lbfgs" and penalty in ("l1", "elasticnet"))


def fit(problem: Problem, method: str, tol: float | None):
    options = {"l1_ratio": L1_RATIO} if problem.penalty == "elasticnet" else {}
    return fastgd.fit(
        problem.matrix(), problem.y, loss=str(problem.loss), method=method, penalty=problem.penalty,
        alpha=problem.alpha, fit_intercept=problem.fit_intercept, sample_weight=problem.weight, offset=problem.offset,
        tol=tol, n_threads=1, **options,
    )  # fmt: skip


def judge(problem: Problem, optimum: Optimum, method: str, tol: float | None) -> Verdict:
    begin = time.perf_counter()
    about = partial(
        Verdict, problem.seed, problem.loss.name, problem.penalty, tuple(problem.factors), optimum.kind == "proved",
        method, tol,
    )  # fmt: skip
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = fit(problem, method, tol)
    except fastgd.FastgdError as error:
        reason = f"{type(error).__name__}: {error}"
        return about(False, reason, float("inf"), None, 0.0, bool(NO_OPTIMUM.search(reason)), 0, 0.0)
    seconds = time.perf_counter() - begin
    remarked = any(NO_OPTIMUM.search(remark) for remark in result.remarks)
    said = partial(about, bool(result.converged), result.stop_reason)
    if optimum.kind != "proved":
        return said(float("nan"), None, 0.0, remarked, result.n_epochs, seconds)
    at_fit, at_optimum = (rounding(problem, at.coef, at.intercept) for at in (result, optimum))
    # The smaller one, so that absurd parameters do not excuse themselves.
    rounded = min(at_fit.total, at_optimum.total)
    gain = max(float(optimum.to_gain), rounded) or 1.0  # 1: F is 0 for both, without rounding
    left = float(objective(problem, result.coef, result.intercept) - optimum.value)
    negligible = rounded if optimum.to_gain <= rounded else at_optimum.last_bit
    gap = 0.0 if abs(left) <= negligible else left / gain
    bound = None if result.gap_bound is None else float(result.gap_bound) / gain
    return said(gap, bound, at_fit.total / gain, remarked, result.n_epochs, seconds)


def judged(seed: int, small: bool = False, methods: Sequence[str] = METHODS, tols=TOLS) -> list[Verdict]:
    """All fits of a problem; none where its optimum is not proved."""
    problem = generate(seed, small)
    optimum = find_optimum(problem)
    if optimum.kind == "unproved":
        return []
    ways = [(method, tol) for method in methods if allowed(method, problem.loss, problem.penalty) for tol in tols]
    return [judge(problem, optimum, method, tol) for method, tol in ways]


@dataclass(frozen=True)
class Promise:
    """A share of some fits that must be kept, and those that do not."""

    words: str
    share: float
    concerns: Callable[[Verdict], bool]
    kept: Callable[[Verdict], bool]

    def broken(self, verdicts: Iterable[Verdict]) -> list[Verdict]:
        return [verdict for verdict in verdicts if self.concerns(verdict) and not self.kept(verdict)]

    def count(self, verdicts: Iterable[Verdict]) -> int:
        return sum(map(self.concerns, verdicts))

    def is_kept(self, verdicts: Sequence[Verdict]) -> bool:
        return len(self.broken(verdicts)) <= (1 - self.share) * self.count(verdicts) + 1e-9


def _near(verdict: Verdict) -> bool:
    return verdict.has_optimum and verdict.method in MUST_SAY_SO and verdict.gap < verdict.used_tol / 10


PROMISES = {
    "converged": Promise(
        "a fit that says it has converged is within 1e-3 of the optimum, within 1e-6 at tol=1e-8", 1.0,
        lambda v: v.has_optimum and v.converged, lambda v: not v.false),
    "auto": Promise(
        "auto says that it has converged", SHARE_OF_AUTO,
        lambda v: v.has_optimum and v.method == "auto" and v.tol is None, lambda v: v.converged),
    "says so": Promise(
        "within tol / 10 of the optimum a fit says so, unless by auto, sgd or minibatch", SHARE_SAYING_SO,
        _near, lambda v: v.converged),
    "useful bound": Promise(
        "with a penalty, the bound of a converged fit is within 10 times its gap, or 1e-6", SHARE_OF_BOUNDS,
        lambda v: v.has_optimum and v.converged and v.penalty != "none", lambda v: v.bound_is_useful),
    "true bound": Promise(
        "no bound is below the gap", 1.0,
        lambda v: v.has_optimum and v.bound is not None, lambda v: not v.bound_is_wrong),
    "reference": Promise(
        "no fit is below the proved optimum by more than rounding", 1.0,
        lambda v: v.has_optimum and v.epochs > 0, lambda v: not v.gap < -v.rounding - 2 * PROVED),
    "false remark": Promise(
        "where F has a minimum, no remark denies it", 1.0,
        lambda v: v.has_optimum, lambda v: not v.remarked),
    "no optimum": Promise(
        "where F has no minimum, a fit does not say that it has converged without a remark", 1.0,
        lambda v: not v.has_optimum, lambda v: v.remarked or not v.converged),
}  # fmt: skip
