"""Mutation testing: do the tests notice small changes of the code that checks data, stops fits and proves optima?

`python -m tests.mutation.run` draws mutants by a fixed seed and runs each, as plain Python, against the tests of its
part in a copy of the tree. A mutant is killed when a test fails or the time limit passes. Survivors are printed; those
listed in survivors.toml have a reason. A run ends after --seconds, and says how many mutants it reached.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

from tests.helpers.campaign_figures import record
from tests.mutation.mutants import Mutant, mutants
from tests.mutation.parts import PARTS

ROOT = Path(__file__).parents[2]
KNOWN = Path(__file__).with_name("survivors.toml")
COPIED = ("fastgd", "cli", "tests", "bench", "pyproject.toml")
SEED = 25
# A mutant may take this many times as long as its tests take without it, and some seconds for a busy machine.
SLOWER, SPARE_SECONDS = 4, 20


def draw(count: int) -> list[tuple[Mutant, tuple[str, ...]]]:
    """Mutants drawn from all of PARTS, in random order, each with the tests that run against it."""
    found = []
    for sources, tests in PARTS:
        for path in sorted(path for source in sources for path in ROOT.glob(source)):
            name = str(path.relative_to(ROOT))
            found += [(mutant, tests) for mutant in mutants(name, path.read_text(encoding="utf-8"))]
    return random.Random(SEED).sample(found, min(count, len(found)))


def passes(tree: Path, tests: tuple[str, ...], limit: float) -> bool:
    """Run tests in a copy of the tree until the first failure; False when one fails or the limit passes."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-n", "0", "-p", "no:cacheprovider", *tests]
    environment = os.environ | {
        "NUMBA_DISABLE_JIT": "1",
        "PYTHONPATH": str(tree),
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_NUM_THREADS": "1",
    }
    process = subprocess.Popen(
        command,
        cwd=tree,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        return process.wait(limit) == 0
    except subprocess.TimeoutExpired:
        return False
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def survives(tree: Path, mutant: Mutant, tests: tuple[str, ...], limit: float) -> bool:
    path = tree / mutant.path
    source = path.read_text(encoding="utf-8")
    changed = mutant.apply(source)
    compile(changed, mutant.path, "exec")  # a mutant that is no Python would be killed for the wrong reason
    path.write_text(changed, encoding="utf-8")
    try:
        return passes(tree, tests, limit)
    finally:
        path.write_text(source, encoding="utf-8")


def copy_of_the_tree(folder: Path) -> Path:
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    return folder


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=300, help="mutants to draw")
    parser.add_argument("--seconds", type=float, default=1500, help="no mutant begins later than this")
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    listed = tomllib.loads(KNOWN.read_text(encoding="utf-8"))["survivor"]
    known = {(entry["file"], entry["change"]) for entry in listed}
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        trees: SimpleQueue[Path] = SimpleQueue()
        for k in range(arguments.processes):
            (Path(folder) / str(k)).mkdir()
            trees.put(copy_of_the_tree(Path(folder) / str(k)))
        drawn = draw(arguments.count)

        def seconds_without_a_mutant(tests: tuple[str, ...]) -> float | None:
            tree, start = trees.get(), time.monotonic()
            try:
                return time.monotonic() - start if passes(tree, tests, 300) else None
            finally:
                trees.put(tree)

        def judge(item: tuple[Mutant, tuple[str, ...]]) -> bool | None:
            mutant, tests = item
            if time.monotonic() - begun > arguments.seconds:
                return None
            tree = trees.get()
            try:
                alive = survives(tree, mutant, tests, SLOWER * usual[tests] + SPARE_SECONDS)
            finally:
                trees.put(tree)
            if alive:
                print(f"survived{' (known)' if (mutant.path, mutant.change) in known else ''}: {mutant}", flush=True)  # noqa: T201
            return alive

        with ThreadPoolExecutor(arguments.processes) as pool:
            groups = list(dict.fromkeys(tests for _, tests in drawn))
            usual = dict(zip(groups, pool.map(seconds_without_a_mutant, groups), strict=True))
            if failing := [tests for tests in groups if usual[tests] is None]:
                print(f"without a mutant these tests fail: {failing}")  # noqa: T201
                return 1
            verdicts = list(pool.map(judge, drawn))
    tried = [(mutant, alive) for (mutant, _), alive in zip(drawn, verdicts, strict=True) if alive is not None]
    survived = [(mutant.path, mutant.change) for mutant, alive in tried if alive]
    killed = len(tried) - len(survived)
    seconds = time.monotonic() - begun
    cut = "" if len(tried) == len(drawn) else f"; the time ended before the other {len(drawn) - len(tried)}"
    print(f"{killed} of {len(tried)} mutants killed in {seconds:.0f} s{cut}")  # noqa: T201
    record(
        "mutation",
        mutants_drawn=len(drawn),
        mutants_run=len(tried),
        mutants_killed=killed,
        survivors_with_a_reason=sum(mutant in known for mutant in survived),
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
