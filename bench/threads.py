"""Question: how fast is the batch gradient on all threads, compared with one?"""

from __future__ import annotations

from fastgd.compile.jit import thread_pool_size, threads

from .gradient import data, gradient_of
from .scale import Scale
from .table import Table
from .timing import in_turn

BYTES = 400_000_000


def measure(scale: Scale) -> Table:
    """Seconds on one thread / seconds on all threads."""
    all_threads = thread_pool_size()
    table = Table(
        f"Batch gradient, {BYTES / 1e6:.0f} MB of float64, {all_threads} threads beside 1",
        ("d", "loss", "1 thread, ms", f"{all_threads} threads, ms", "times faster", "spread"),
    )
    for width, loss in ((28, "half_squared"), (100, "half_squared"), (28, "logistic")):
        run = gradient_of(*data(BYTES // (8 * width), width, "float64", loss), loss)

        def on(count: int, run=run) -> object:
            with threads(count):
                return run()

        timings = in_turn({"one": lambda on=on: on(1), "all": lambda on=on: on(all_threads)}, scale.rounds(9))
        one, together = timings["one"], timings["all"]
        faster = together.times_faster_than(one)
        table.rows.append((width, loss, 1e3 * one.median, 1e3 * together.median, faster, together.spread))
    return table
