"""The page docs/convergence.md, from the verdicts of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from .judge import METHODS, PROMISES, Verdict
from .losses import NAMES
from .problems import FACTORS, PENALTIES

INTRODUCTION = """# Convergence

Whether fits end at the optimum, and whether they say so, on {count} generated problems: all convex losses but
perceptron, with and without penalties, and data as users have them. Each factor of difficulty is in many of the
problems. The optimum F\\* of each is known by other means (Newton steps in extended precision, interior points, HiGHS),
with a proof: {proved} have one, {without} have no minimum (such as separable classes), and {unproved} were left out
because their optimum was not proved{left_out}. Each was fitted by every method that allows its loss and penalty, with
defaults and with `tol=1e-8`.

The gap is (F - F\\*) / (F(constant) - F\\*), with F computed in extended precision from the coefficients; the constant
model has the best intercept only. Where F(constant) - F\\* is below the rounding of F in float64, this takes its place.

`make campaign PART=zoo` repeats this page; `python -m tests.zoo.show 123 --method gd` shows a single problem.
"""


def page(found: Sequence[tuple[int, list[Verdict]]]) -> str:
    """The whole page; problems without verdicts are those without a proved optimum."""
    verdicts = [verdict for _, some in found for verdict in some]
    unproved = [seed for seed, some in found if not some]
    without = sum(1 for _, some in found if some and not some[0].has_optimum)
    left_out = f" (seeds {', '.join(map(str, unproved))})" if unproved else ""
    introduction = INTRODUCTION.format(
        count=len(found), proved=len(found) - without - len(unproved), without=without, unproved=len(unproved),
        left_out=left_out,
    )  # fmt: skip
    proved = [verdict for verdict in verdicts if verdict.has_optimum]
    parts = [
        introduction, "## Promises\n", _promises(verdicts), "## By method\n", table_of_methods(verdicts),
        "## By factor\n", _by("factor", FACTORS, proved, lambda verdict: verdict.factors),
        "## By loss\n", _by("loss", NAMES, proved, lambda verdict: (verdict.loss,)),
        "## By penalty\n", _by("penalty", PENALTIES, proved, lambda verdict: (verdict.penalty,)),
    ]  # fmt: skip
    return "\n".join(parts)


def _promises(verdicts: list[Verdict]) -> str:
    rows = [["promise", "fits", "kept", "asked"]]
    for promise in PROMISES.values():
        count, broken = promise.count(verdicts), len(promise.broken(verdicts))
        rows.append([promise.words, str(count), _percent(count - broken, count), f"{100 * promise.share:g} %"])
    return _table(rows)


def table_of_methods(verdicts: Iterable[Verdict]) -> str:
    """For each method and tolerance: fits, share that say converged, and the gaps of those."""
    proved = [verdict for verdict in verdicts if verdict.has_optimum]
    rows = [
        [
            "method",
            "tol",
            "fits",
            "say converged",
            "worst gap of those",
            "of those too far",
            "near, and say so",
            "errors",
        ]
    ]
    near = PROMISES["says so"]
    for method in METHODS:
        for tol in sorted({verdict.tol for verdict in proved}, key=lambda tol: -(tol or 1)):
            some = [verdict for verdict in proved if verdict.method == method and verdict.tol == tol]
            if not some:
                continue
            said = [verdict for verdict in some if verdict.converged]
            count = near.count(some)
            rows.append([
                method, "default" if tol is None else f"{tol:g}", str(len(some)), _percent(len(said), len(some)),
                _worst(said), str(sum(verdict.false for verdict in said)),
                _percent(count - len(near.broken(some)), count), str(sum(verdict.epochs == 0 for verdict in some)),
            ])  # fmt: skip
    return _table(rows)


def _by(name: str, values: Sequence[str], proved: list[Verdict], of: Callable[[Verdict], Sequence[str]]) -> str:
    auto, near, bounds = PROMISES["auto"], PROMISES["says so"], PROMISES["useful bound"]
    rows = [[name, "problems", "auto says converged", "worst gap of auto", "of all converged too far",
             "near, and say so", "useful bounds"]]  # fmt: skip
    for value in values:
        some = [verdict for verdict in proved if value in of(verdict)]
        if not some:
            continue
        cells = [value, str(len({verdict.seed for verdict in some}))]
        cells += [_kept(auto, some), _worst([v for v in some if v.converged and v.method == "auto"])]
        cells += [str(sum(verdict.false for verdict in some)), _kept(near, some), _kept(bounds, some)]
        rows.append(cells)
    return _table(rows)


def _kept(promise, verdicts: list[Verdict]) -> str:
    count = promise.count(verdicts)
    return _percent(count - len(promise.broken(verdicts)), count)


def _worst(verdicts: Sequence[Verdict]) -> str:
    """The worst gap at the default tolerance, and at the smaller one."""
    worst = []
    for tol in sorted({verdict.tol for verdict in verdicts}, key=lambda tol: -(tol or 1)):
        worst.append(f"{max(verdict.gap for verdict in verdicts if verdict.tol == tol):.0e}")
    return ", ".join(worst) or "-"


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"


def _table(rows: list[list[str]]) -> str:
    head, *others = rows
    lines = [head, ["---"] * len(head), *others]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def broken_promises(verdicts: Sequence[Verdict], most: int = 20) -> str:
    """What is not kept, with the seeds: python -m tests.zoo.show SEED --method METHOD shows more."""
    lines = []
    for promise in PROMISES.values():
        count, broken = promise.count(verdicts), promise.broken(verdicts)
        state = "kept" if promise.is_kept(verdicts) else "BROKEN"
        lines.append(f"{state}: {promise.words}: {_percent(count - len(broken), count)} of {count}")
        if not promise.is_kept(verdicts):
            lines += [f"    {verdict}" for verdict in broken[:most]]
            lines += [f"    and {len(broken) - most} others"] * (len(broken) > most)
    return "\n".join(lines)
