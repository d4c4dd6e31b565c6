"""Question: how fast is a fit to a certified optimum, compared with the fastest peer, on problems of the hard kinds?"""

from __future__ import annotations

from itertools import chain

from .kinked_problems import kinked_contests
from .scale import Scale
from .softmax_problem import softmax_contests
from .table import Table, print_last_row
from .timing import in_turn
from .wide_problems import contests

COLUMNS = ("problem", "gap", "fastgd, s", "fastest peer", "its seconds", "times faster", "to reach", "spread")


def measure(scale: Scale) -> Table:
    """Complete fits with compiled kernels, each with the largest tolerance that reaches the gap."""
    table = Table("Seconds to the optimum", COLUMNS)
    for contest in chain(kinked_contests(), contests(), softmax_contests()):
        timings = in_turn({"fastgd": contest.ours, **contest.peers}, scale.rounds(7))
        ours = timings.pop("fastgd")
        name, peer = min(timings.items(), key=lambda one: one[1].median, default=("none reached it", None))
        times = None if peer is None else ours.times_faster_than(peer)
        seconds = None if peer is None else peer.median
        table.rows.append(
            (contest.problem, f"{contest.gap:g}", ours.median, name, seconds, times, contest.to_reach, ours.spread)
        )
        print_last_row(table)
    return table
