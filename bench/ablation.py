"""Question: what does each special case of newton, auto and working_set gain? Passes and seconds without it.

Each special case is switched off in turn, by values that make it do nothing. One that gains less than a tenth on its
best problem, and is not needed for a right answer, is to be deleted.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np

import fastgd

from .problems import autoregressive, races
from .scale import Scale
from .table import Table, print_last_row
from .wide_problems import dense as wide_dense
from .wide_problems import sparse as wide_sparse

GAP = 1e-6
ROWS = 100_000
HUGE = 1 << 62


class SpecialCase(NamedTuple):
    """A heuristic, and what switches it off: values of attributes, each "subpackage.module:attribute"."""

    name: str
    off: dict[str, Any]
    by_time: bool = False  # a pass costs more or less without it

    @contextmanager
    def switched_off(self) -> Iterator[None]:
        patches = []
        for place, value in self.off.items():
            module, _, path = place.partition(":")
            target: Any = importlib.import_module(f"fastgd.{module}")
            *owners, attribute = path.split(".")
            for owner in owners:
                target = getattr(target, owner)
            patches.append(patch.object(target, attribute, value))
        for one in patches:
            one.start()
        try:
            yield
        finally:
            for one in patches:
                one.stop()


def _unchanged(model: Any, *_: Any) -> Any:
    return model


def _no_descent(sample: Any, params: Any, *_: Any) -> Any:
    from fastgd.solvers.sample_optimum import SampleOptimum, model_at

    first = sample.scaled.evaluate(params)
    return SampleOptimum(params, model_at(sample, params, sample.whole.objective.n_samples), first.at.gradient)


# Every special case whose name or constant is in the code; those of correctness alone have tests instead.
CASES = (
    SpecialCase("newton: a sample of the rows for the Hessian", {
        "objective.column_statistics:SAMPLE_ROWS": HUGE, "objective.column_statistics:SAMPLE_ROWS_FOR_SQUARED": HUGE,
        "objective.column_statistics:MAX_PRODUCTS_PER_VALUE": HUGE,
        "objective.column_statistics:MAX_PRODUCTS_PER_SPARSE_VALUE": HUGE,
    }, by_time=True),
    SpecialCase("newton: more rows in the sample for least squares",
                {"objective.column_statistics:SAMPLE_ROWS_FOR_SQUARED": 16_384}, by_time=True),
    SpecialCase("newton: begins at the optimum of the sample", {"solvers.newton:optimum_of_sample": _no_descent}),
    SpecialCase("newton: the descent on the sample begins with the Hessian of a part",
                {"solvers.sample_optimum:MAX_PARTS": 1}, by_time=True),
    SpecialCase("newton: the Hessian at the start, scaled, as that at the optimum",
                {"solvers.sample_optimum:MAX_DIFFERENCE": 0.0}, by_time=True),
    SpecialCase("newton: Hessians of samples made smaller by the theory of random matrices",
                {"solvers.sample_optimum:hessian_factor": lambda *_: 1.0}),
    SpecialCase("newton: quasi-Newton updates of the sample's Hessian", {
        "solvers.curvature_models:LimitedMemory.updated": _unchanged,
        "solvers.curvature_models:DenseCurvature.updated": _unchanged,
    }),
    SpecialCase("newton: a larger sample after a failed step", {"solvers.newton:GROWTH": 1}),
    SpecialCase("newton: columns that are rare in the sample corrected", {
        "objective.sampled_hessian:MIN_EFFECTIVE_ROWS": 0,
    }),
    SpecialCase("newton: Hessians of dense columns in float32",
                {"objective.sampled_hessian:MIN_FLOAT32_PRODUCTS": HUGE}, by_time=True),
    SpecialCase("newton: second derivatives over wider steps where losses are flat",
                {"objective.sampled_hessian:MAX_WIDTH": 1.0}),
    SpecialCase("newton: softmax's Hessian of all classes together",
                {"objective.sampled_hessian:MAX_COUPLED_PARAMETERS": 0}, by_time=True),
    SpecialCase("scales of rare sparse columns from all rows", {"objective.column_statistics:MIN_COLUMN_VALUES": 0}),
    SpecialCase("columns scaled and centred", {"objective.preconditioner:SCALE_TOLERANCE": np.inf}),
    SpecialCase("auto: newton with more columns than rows", {"solvers.method_choice:MAX_SQUARE_PARAMETERS": 0},
                by_time=True),
    SpecialCase("auto: working_set on small data with l1", {"solvers.method_choice:MAX_SMALL_VALUES": 0}, by_time=True),
    SpecialCase("working_set: Newton's method after coordinate descent", {
        "solvers.penalised_quadratic:PenalisedQuadratic._newton": lambda *_: False,
    }, by_time=True),
    SpecialCase("working_set: the Hessian of columns, where they are few", {
        "solvers.working_set:has_hessian": lambda *_: False, "solvers.restricted_problem:has_hessian": lambda *_: False,
    }, by_time=True),
    SpecialCase("working_set: Hessians of samples, and kept while steps converge", {
        "objective.gathered_columns:MIN_SAMPLE": HUGE, "solvers.restricted_problem:FAST_DECREASE": 0.0,
    }, by_time=True),
    SpecialCase("working_set: damping after a step that was cut", {"solvers.restricted_problem:FIRST_DAMPING": 0.0}),
    SpecialCase("working_set: quadratics to a part of their own gain", {"solvers.restricted_problem:MODEL_PART": 1.0}),
    SpecialCase("interior_point: a sample and the pieces near its fit first", {
        "solvers.interior_point:SampleLimits.n_rows": lambda *_: HUGE,
    }, by_time=True),
    SpecialCase("interior_point: starts on the central path", {"solvers.predictor_corrector:START_CENTRE": 1e-3}),
)  # fmt: skip


class Problem(NamedTuple):
    """A problem by name, and a fit of it; ``fit`` takes tol."""

    name: str
    fit: Callable[[float], fastgd.Result]


def problems(n: int) -> Iterator[Problem]:
    """Problems of the other questions, and the tables of the folder FASTGD_DATA where it is given."""

    def problem(name: str, X: Any, y: Any, **options: Any) -> Problem:
        return Problem(name, lambda tol: fastgd.fit(X, y, tol=tol, **options))

    for race in races(n):
        yield problem(race.name, race.X, race.y, loss=race.loss, alpha=race.alpha)
    random = np.random.default_rng(0)
    race = autoregressive(n, 54, 0.6, "logistic", 1e-2)
    yield problem("logistic, l1, AR 0.6", race.X, race.y, loss="logistic", penalty="l1", alpha=1e-2)
    small = autoregressive(2_000, 30, 0.6, "logistic", 1e-2)
    yield problem("logistic, l1, 2,000 x 30", small.X, small.y, loss="logistic", penalty="l1", alpha=1e-2)
    X = random.standard_normal((n, 20))
    z = X @ random.standard_normal(20) / 3
    yield problem("poisson", X, random.poisson(np.exp(z)), loss="poisson")
    yield problem("poisson, rare", X, random.poisson(np.exp(2 * z - 6)), loss="poisson")
    yield problem("gamma", X, random.gamma(2.0, np.exp(z)), loss="gamma")
    classes = (X @ random.standard_normal((20, 10)) + random.gumbel(size=(n, 10))).argmax(1)
    yield problem("softmax, 10 classes", X, classes, loss="softmax")
    y = z + random.standard_t(2, n) * 1000
    yield problem("huber, far out", X, y, loss="huber")
    yield problem("quantile 0.9", X, z + random.standard_t(3, n), loss="quantile:quantile=0.9")
    one_hot = np.zeros((n, 60))
    one_hot[np.arange(n), (60 * random.random(n) ** 4).astype(int)] = 1.0
    yield problem("logistic, one-hot", one_hot, random.random(n) < 0.1 + 0.5 * one_hot[:, 30:].sum(1), loss="logistic",
                  alpha=1e-6)  # fmt: skip
    square = random.standard_normal((300, 400))
    yield problem("logistic, 300 x 400", square, square[:, 0] > 0, loss="logistic", alpha=1e-4)
    X, y, largest = wide_dense(500, 5_000)
    for part in (0.1, 0.02):
        yield problem(f"lasso, 500 x 5,000, {part:g}", X, y, loss="half_squared", penalty="l1", alpha=part * largest)
    X, y, largest = wide_sparse(n // 5, 10_000, 40)
    yield problem("logistic, l1, CSR", X, y, loss="logistic", penalty="l1", alpha=0.05 * largest, fit_intercept=False)
    yield from tables()


def tables() -> Iterator[Problem]:
    """Numbers of real tables, as they are."""
    import pyarrow.csv

    for file, target, losses in (
        ("diamonds.csv", "price", ("squared", "gamma")),
        ("taxis.csv", "fare", ("squared", "gamma")),
    ):
        path = Path(os.environ.get("FASTGD_DATA", ""), file)
        if not path.is_file():
            continue
        table = pyarrow.csv.read_csv(path).drop_null()
        names = [c.name for c in table.schema if c.name != target and str(c.type) in ("int64", "double")]
        X = np.column_stack([table[name].to_numpy() for name in names]).astype(float)
        for loss in losses:
            y = table[target].to_numpy().astype(float)
            yield Problem(f"{file}, {loss}", lambda tol, y=y, X=X, loss=loss: fastgd.fit(X, y, loss=loss, tol=tol))


class Run(NamedTuple):
    """Objective, passes and seconds of each epoch; none where the fit failed."""

    objective: np.ndarray
    passes: np.ndarray
    seconds: np.ndarray
    constant: float

    @classmethod
    def of(cls, problem: Problem) -> Run:
        try:
            result = problem.fit(1e-10)
        except fastgd.FastgdError:
            return cls(np.full(1, np.inf), np.full(1, np.inf), np.full(1, np.inf), np.inf)
        trace = result.trace
        return cls(trace["objective"], trace["passes"], trace["seconds"], float(result.constant_objective))

    def best(self) -> float:
        return float(np.nanmin(self.objective))

    def to(self, target: float) -> tuple[float, float]:
        """Passes and seconds until F is at most ``target``; infinite where it never is."""
        there = np.flatnonzero(self.objective <= target)
        return (float(self.passes[there[0]]), float(self.seconds[there[0]])) if len(there) else (np.inf, np.inf)


def compared(case: SpecialCase, problem: Problem, rounds: int) -> tuple[float, float]:
    """How many times the passes and the seconds the fit takes without the special case; 1 where nothing changes."""
    pairs, cost = [], []
    problem.fit(1e-2)
    for _ in range(rounds if case.by_time else 1):
        with_it = Run.of(problem)
        with case.switched_off():
            without = Run.of(problem)
        same = np.array_equal(with_it.passes, without.passes) and np.array_equal(
            with_it.objective, without.objective, equal_nan=True
        )
        if same:  # the fit does not use the special case
            return 1.0, 1.0
        pairs.append((with_it, without))
    best = min(run.best() for pair in pairs for run in pair)
    target = best + GAP * (pairs[0][0].constant - best)
    for with_it, without in pairs:
        before, after = with_it.to(target), without.to(target)
        cost.append([_ratio(a, b) for a, b in zip(after, before, strict=True)])
    passes, seconds = np.median(np.array(cost), axis=0).tolist()
    return passes, seconds


def _ratio(after: float, before: float) -> float:
    if np.isinf(after) and np.isinf(before):
        return 1.0
    return float(np.inf if np.isinf(after) else after / before if before else 1.0)


def measure(scale: Scale) -> Table:
    """The best problem of each special case."""
    n = ROWS // 5 if scale.quick else ROWS
    columns = ("special case", "judged by", "times as much without it", "on", "problems worse by a tenth", "better")
    table = Table(f"Cost to a gap of {GAP:g} without each special case", columns)
    all_problems = list(problems(n))
    for case in CASES:
        ratios = {}
        for problem in all_problems:
            passes, seconds = compared(case, problem, scale.rounds(5))
            ratios[problem.name] = seconds if case.by_time and passes < np.inf else passes
        worst = max(ratios, key=lambda name: ratios[name])
        worse, better = (sum(test(r) for r in ratios.values()) for test in (lambda r: r > 1.1, lambda r: r < 0.9))
        table.rows.append(
            (case.name, "seconds" if case.by_time else "passes", ratios[worst], worst, float(worse), float(better))
        )
        print_last_row(table)
    return table
