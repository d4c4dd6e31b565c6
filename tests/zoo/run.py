"""Many problems of the zoo: python -m tests.zoo.run --count 1000 --write docs/convergence.md."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from .convergence_page import broken_promises, page, table_of_methods
from .judge import METHODS, PROMISES, Verdict, judged


def run(seeds: Sequence[int], *, small=False, jobs=1, methods=METHODS) -> Iterator[tuple[int, list[Verdict]]]:
    """Each seed with its verdicts, in order."""
    each = partial(judged, small=small, methods=methods)
    if jobs == 1:
        yield from ((seed, each(seed)) for seed in seeds)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        yield from zip(seeds, pool.map(each, seeds, chunksize=1), strict=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--small", action="store_true", help="smaller problems, for NUMBA_DISABLE_JIT=1")
    parser.add_argument("--list", type=int, default=20, help="the most fits to list that break a promise")
    parser.add_argument("--write", type=Path, help="the page to write")
    arguments = parser.parse_args()
    seeds = range(arguments.first, arguments.first + arguments.count)
    found: list[tuple[int, list[Verdict]]] = []
    for seed, verdicts in run(seeds, small=arguments.small, jobs=arguments.jobs, methods=arguments.methods.split(",")):
        found.append((seed, verdicts))
        if sys.stderr.isatty() or seed % 50 == 49:
            print(f"{seed + 1 - arguments.first} of {arguments.count}", file=sys.stderr, flush=True)
    verdicts = [verdict for _, some in found for verdict in some]
    _record(found)
    print(broken_promises(verdicts, arguments.list))
    print(table_of_methods(verdicts))
    if arguments.write:
        arguments.write.write_text(page(found), encoding="utf-8")


def _record(found: list[tuple[int, list[Verdict]]]) -> None:
    # Here, since pytest imports this package as `zoo`, without the folder above.
    from tests.helpers.campaign_figures import record

    fits = [verdict for _, verdicts in found for verdict in verdicts]
    kept = sum(promise.is_kept(fits) for promise in PROMISES.values())
    record("zoo", problems=len(found), fits=len(fits), promises=len(PROMISES), promises_kept=kept)


if __name__ == "__main__":
    main()
