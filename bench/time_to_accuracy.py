"""Seconds until the objective is within a gap of its least value, with everything left at its default: against peers.

The gap is (F - F*) / (F of the best constant - F*). A solver's time is that of its whole fit with the fewest iterations
that reach the gap; passes over X stand beside ours.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator

from finish import MOST_ITERATIONS, Finish, Fits, finish, settle
from peers import DIRECT, OPTIONAL, missing, peers_of
from problems import Race, races
from timing import print_table

import fastgd

GAPS = (1e-4, 1e-8)
# All fits of a peer until one reaches a gap may take so many times as long as our one that did, within these seconds.
# The smaller limits come first for all of them: the fastest is mostly found there, and spares the slow ones the rest.
PATIENCE = (6.0, 20.0, 60.0)
SHORTEST, LONGEST = 3.0, 20.0


def ours(race: Race, max_epochs: int, method: str = "auto", tol: float = 0) -> fastgd.Result:
    return fastgd.fit(race.X, race.y, loss=race.loss, alpha=race.alpha, method=method, max_epochs=max_epochs, tol=tol)


def worth(race: Race, result: fastgd.Result) -> float:
    return race.objective(result.coef, result.intercept)


def least(race: Race) -> float:
    """F*, from long runs of two methods."""
    first = ours(race, 300, tol=1e-12)
    again = [ours(race, 300, "lbfgs", tol=1e-12)] if first.method != "lbfgs" else []
    return min(worth(race, result) for result in (first, *again))


def fits_of_peers(race: Race) -> Iterator[Fits]:
    """Each warmed up: what it imports and compiles, it does on a few rows."""
    for name, peer in peers_of(race).items():
        with contextlib.suppress(Exception):
            peer(race.head())(1)
        yield Fits(name, peer(race), lambda weights: race.objective(*weights), 1 if name in DIRECT else MOST_ITERATIONS)


def fastest_peers(race: Race, targets: dict[float, float], us: dict[float, Finish | None]) -> dict[float, Finish]:
    """The fastest at each gap; one that does not reach a gap is not tried on the next."""
    peers = list(fits_of_peers(race))
    settle()
    reached: dict[str, dict[float, Finish]] = {fits.name: {} for fits in peers}
    for times in PATIENCE:
        for fits in peers:
            for aim, target in targets.items():
                # The slower of two to this gap may be the faster one to the next.
                to_beat = max(fastest(reached, a) for a in GAPS if a <= aim)
                done = finish(fits, target, limit(us[aim], times), to_beat)
                if done is None:
                    break
                reached[fits.name][aim] = done
    for name, finishes in reached.items():
        said = [f"{aim:g} in {done.seconds:.3f} s ({done.iterations})" for aim, done in finishes.items()]
        print(f"  {name}: {', '.join(said) or 'not reached, or not in time'}", flush=True)
    everyone = {aim: [them[aim] for them in reached.values() if aim in them] for aim in GAPS}
    return {aim: min(done, key=lambda one: one.seconds) for aim, done in everyone.items() if done}


def fastest(reached: dict[str, dict[float, Finish]], aim: float) -> float:
    return min((done[aim].seconds for done in reached.values() if aim in done), default=math.inf)


def limit(us: Finish | None, times: float = PATIENCE[-1]) -> float:
    if us is None:
        return LONGEST
    return min(LONGEST, times / PATIENCE[-1] * max(SHORTEST, PATIENCE[-1] * us.seconds))


def rows(race: Race) -> Iterator[list[str]]:
    F, constant = least(race), race.of_constant
    targets = {aim: F + aim * (constant - F) for aim in GAPS}
    settle()
    fits = Fits("fastgd", lambda k: ours(race, k), lambda result: worth(race, result))
    us = {aim: finish(fits, target, LONGEST) for aim, target in targets.items()}
    best = fastest_peers(race, targets, us)
    default = fastgd.fit(race.X, race.y, loss=race.loss, alpha=race.alpha)
    gap = f"{(worth(race, default) - F) / (constant - F):.0e}"
    for aim in GAPS:
        yield [
            race.name,
            f"{aim:g}",
            *cells(race, us[aim]),
            *against(us[aim], best.get(aim)),
            gap,
            passes(default),
        ]


def cells(race: Race, us: Finish | None) -> list[str]:
    if us is None:
        return ["-", "not reached", "-"]
    result = ours(race, us.iterations)
    return [result.method, f"{us.seconds:.3f}", passes(result)]


def passes(result: fastgd.Result) -> str:
    return f"{result.trace['passes'][-1]:.1f}"


def against(us: Finish | None, best: Finish | None) -> list[str]:
    if best is None:
        return ["none", f"over {limit(us):.0f}", "-"]
    return [best.name, f"{best.seconds:.2f}", f"{best.seconds / us.seconds:.1f}" if us else "-"]


HEADER = [
    "problem", "gap", "method", "seconds", "passes", "fastest peer", "its seconds", "times faster",
    "gap by default", "its passes",
]  # fmt: skip


def main() -> None:
    if absent := [why for package in OPTIONAL if (why := missing(package))]:
        print(f"not installed, and so not measured: {', '.join(absent)}")
    table: list[list[str]] = []
    for race in races():
        print(race.name, flush=True)
        for row in rows(race):
            table.append(row)
            print("  ".join(row), flush=True)
    print_table("Time to accuracy: whole fits, kernels compiled", HEADER, table)
