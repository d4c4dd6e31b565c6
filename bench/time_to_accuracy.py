"""Question: how many seconds to the optimum, with default options, compared with all peers?

The gap is (F - F*) / (F of the best constant model - F*). The time of a solver is that of its complete fit with the
fewest iterations that reach the gap. For fastgd, the passes over X are reported too.
"""

from __future__ import annotations

import contextlib
import math
import sys
from collections.abc import Iterator

import fastgd

from .finish import MAX_ITERATIONS, Finish, Fits, finish, settle
from .peers import DIRECT, OPTIONAL, missing, other_peers, solvers_of_scikit_learn
from .problems import Peer, Race, races
from .scale import Scale
from .table import Table, print_last_row
from .timing import Timing, in_turn

GAPS = (1e-4, 1e-8)
# All fits of a peer until one reaches a gap may take this many times the seconds of fastgd, from SHORTEST to LONGEST.
# All peers are tried with the smaller limits first: they usually find the fastest, which then limits the others.
PATIENCE = (6.0, 20.0, 60.0)
SHORTEST, LONGEST = 3.0, 20.0
# Finally the fastest are timed in turn: about this many seconds in all, and the minimum and maximum number of rounds.
TURN_SECONDS, MIN_TURNS, MAX_TURNS = 8.0, 3, 7


def ours(race: Race, max_epochs: int, method: str = "auto", tol: float = 0) -> fastgd.Result:
    return fastgd.fit(race.X, race.y, loss=race.loss, alpha=race.alpha, method=method, max_epochs=max_epochs, tol=tol)


def objective(race: Race, result: fastgd.Result) -> float:
    return race.objective(result.coef, result.intercept)


def minimum(race: Race) -> float:
    """F*, the minimum of long runs of two methods."""
    first = ours(race, 300, tol=1e-12)
    again = [ours(race, 300, "lbfgs", tol=1e-12)] if first.method != "lbfgs" else []
    return min(objective(race, result) for result in (first, *again))


def fits_of(peers: dict[str, Peer], race: Race) -> Iterator[Fits]:
    """The fits of each peer, after a fit of a few rows, in which it imports and compiles."""
    for name, peer in peers.items():
        with contextlib.suppress(Exception):
            peer(race.head())(1)
        yield Fits(name, peer(race), lambda weights: race.objective(*weights), 1 if name in DIRECT else MAX_ITERATIONS)


def fastest_of(peers: list[Fits], targets: dict[float, float], us: dict[float, Finish | None]) -> dict[float, Finish]:
    """The fastest peer at each gap."""
    settle()
    reached: dict[str, dict[float, Finish]] = {fits.name: {} for fits in peers}
    for times in PATIENCE:
        for fits in peers:
            for gap, target in targets.items():
                # The peer that is slower to this gap may be faster to the next.
                to_beat = max(fastest(reached, a) for a in GAPS if a <= gap)
                done = finish(fits, target, limit(us[gap], times), to_beat)
                if done is not None:
                    # A fit that reached a smaller gap has reached the larger gaps at which the peer was abandoned.
                    reached[fits.name] |= {
                        a: done for a in GAPS if a == gap or (a > gap and a not in reached[fits.name])
                    }
    for name, finishes in reached.items():
        parts = [f"{gap:g} in {done.seconds:.3f} s ({done.iterations})" for gap, done in finishes.items()]
        print(f"  {name}: {', '.join(parts) or 'not reached, or not in time'}", file=sys.stderr)
    by_gap = {gap: [them[gap] for them in reached.values() if gap in them] for gap in GAPS}
    return {gap: min(done, key=lambda finish_: finish_.seconds) for gap, done in by_gap.items() if done}


def fastest(reached: dict[str, dict[float, Finish]], gap: float) -> float:
    return min((done[gap].seconds for done in reached.values() if gap in done), default=math.inf)


def limit(us: Finish | None, times: float = PATIENCE[-1]) -> float:
    if us is None:
        return LONGEST
    return min(LONGEST, times / PATIENCE[-1] * max(SHORTEST, PATIENCE[-1] * us.seconds))


def rows(race: Race) -> Iterator[tuple[object, ...]]:
    F, constant = minimum(race), race.of_constant
    targets = {gap: F + gap * (constant - F) for gap in GAPS}
    settle()
    fits = Fits("fastgd", lambda k: ours(race, k), lambda result: objective(race, result))
    us = {gap: finish(fits, target, LONGEST) for gap, target in targets.items()}
    known = fastest_of(list(fits_of(solvers_of_scikit_learn(race), race)), targets, us)
    others = fastest_of(list(fits_of(other_peers(race), race)), targets, us)
    default = fastgd.fit(race.X, race.y, loss=race.loss, alpha=race.alpha)
    default_gap = f"{(objective(race, default) - F) / (constant - F):.0e}"
    for gap in GAPS:
        contenders = {"us": us[gap], "known": known.get(gap), "other": others.get(gap)}
        timings = turns({who: done for who, done in contenders.items() if done})
        beside = [cell for who in ("known", "other") for cell in against(contenders, timings, who)]
        yield race.name, f"{gap:g}", *cells(race, us[gap], timings), *beside, default_gap, passes(default)


def turns(contenders: dict[str, Finish]) -> dict[str, Timing]:
    """Time their fits again, in turn."""
    together = sum(done.seconds for done in contenders.values())
    rounds = min(max(int(TURN_SECONDS / together), MIN_TURNS), MAX_TURNS) if contenders else 0
    return in_turn({who: done.again for who, done in contenders.items()}, rounds)


def cells(race: Race, us: Finish | None, timings: dict[str, Timing]) -> tuple[object, ...]:
    if us is None:
        return "not reached", None, None
    result = ours(race, us.iterations)
    return result.method, timings["us"].median, passes(result)


def passes(result: fastgd.Result) -> float:
    return float(result.trace["passes"][-1])


def against(contenders: dict[str, Finish | None], timings: dict[str, Timing], who: str) -> tuple[object, ...]:
    """The name of a peer, its seconds, and the speed ratio of fastgd to it."""
    peer, us = contenders[who], contenders["us"]
    if peer is None:
        return f"none in {limit(us):.0f} s", None, None
    timing = timings[who]
    return peer.fits.name, timing.median, timings["us"].times_faster_than(timing) if us else None


COLUMNS = (
    "problem", "gap", "method", "seconds", "passes", "fastest of scikit-learn", "its seconds", "times faster than it",
    "fastest other", "seconds of that", "times faster than that", "gap by default", "its passes",
)  # fmt: skip


def measure(scale: Scale) -> Table:
    """Complete fits with compiled kernels; each row is printed to standard error when it is done."""
    table = Table("Time to accuracy", COLUMNS)
    if absent := [why for package in OPTIONAL if (why := missing(package))]:
        print(f"not measured, since they cannot be imported: {', '.join(absent)}", file=sys.stderr)
    for race in races(50_000 if scale.quick else 500_000):
        for row in rows(race):
            table.rows.append(row)
            print_last_row(table)
    return table
