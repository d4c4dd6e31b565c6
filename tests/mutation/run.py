"""Mutation testing: do the tests notice small changes of the code that checks data, stops fits and proves optima?

`python -m tests.mutation.run` draws mutants by a fixed seed and runs each, as plain Python, against the tests of its
part in a copy of the tree: first those nearby, then, if it survives them, the broader ones. A mutant is killed when a
test fails or the time limit passes. Survivors are printed; those listed in survivors.toml have a reason.

No mutant begins after --seconds. Verdicts are appended to build/mutation.jsonl as they come, and --resume takes the
killed ones from there as long as their source is the same; survivors are tried again. Ctrl-C and SIGTERM end the tests
that run, and what was reached is reported.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple

from tests.helpers.campaign_figures import record
from tests.mutation.mutants import Mutant, mutants
from tests.mutation.parts import PARTS, Tests

ROOT = Path(__file__).parents[2]
KNOWN = Path(__file__).with_name("survivors.toml")
VERDICTS = ROOT / "build" / "mutation.jsonl"
COPIED = ("fastgd", "cli", "tests", "bench", "docs", "README.md", "pyproject.toml")
SEED = 25
NICENESS = 10
# A mutant may take this many times as long as its tests take without it, and some seconds for a busy machine.
SLOWER, SPARE_SECONDS = 4, 20
# What a group of tests may take without a mutant.
SLOWEST = 120


class Drawn(NamedTuple):
    """A mutant, the tests that run against it, and a digest of the mutant with its source."""

    mutant: Mutant
    tests: Tests
    digest: str


def draw(count: int) -> list[Drawn]:
    """Mutants of all PARTS: those of the smallest hash, so that most stay when one source changes."""
    found: list[tuple[str, Drawn]] = []
    for sources, tests in PARTS:
        for path in sorted(path for source in sources for path in ROOT.glob(source)):
            name, text = str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")
            repeated: Counter[str] = Counter()
            for mutant in mutants(name, text):
                repeated[mutant.change] += 1
                number = _hash(f"{SEED} {name} {mutant.change} {repeated[mutant.change]}")
                found.append((number, Drawn(mutant, tests, _hash(f"{mutant.start} {mutant.new} {text}"))))
    return [drawn for _, drawn in sorted(found, key=lambda pair: pair[0])[:count]]


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class Interrupted(Exception):  # noqa: N818 - no error
    """The run is being ended."""


class Processes:
    """The tests that run now, so that an end of the run ends them."""

    def __init__(self) -> None:
        self.running: set[subprocess.Popen[bytes]] = set()
        self.lock, self.is_over = threading.Lock(), False

    def passes(self, tree: Path, tests: tuple[str, ...], limit: float) -> bool:
        """Run tests in a copy of the tree until the first failure; False when one fails or the limit passes."""
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-n", "0", "-p", "no:cacheprovider", *tests]
        environment = os.environ | {
            "NUMBA_DISABLE_JIT": "1",
            "PYTHONPATH": str(tree),
            "PYTHONDONTWRITEBYTECODE": "1",
            "OMP_NUM_THREADS": "1",
        }
        environment.pop("FASTGD_CAMPAIGN_FIGURES", None)
        with self.lock:
            if self.is_over:
                raise Interrupted
            process = subprocess.Popen(
                command, cwd=tree, env=environment,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, process_group=0,
            )  # fmt: skip
            self.running.add(process)
        try:
            passed = process.wait(limit) == 0
        except subprocess.TimeoutExpired:
            passed = False
        finally:
            self._kill(process)
            self.running.discard(process)
        if self.is_over:
            raise Interrupted
        return passed

    def end(self) -> None:
        with self.lock:
            self.is_over = True
            for process in list(self.running):
                self._kill(process)

    @staticmethod
    def _kill(process: subprocess.Popen[bytes]) -> None:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def copy_of_the_tree(folder: Path) -> Path:
    folder.mkdir()
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    return folder


class Campaign:
    """Runs mutants in copies of the tree, one a thread, until all are judged, the time is over or the run is ended."""

    def __init__(self, folder: Path, n_processes: int, seconds: float, known: set[tuple[str, str]]) -> None:
        self.processes, self.known, self.end = Processes(), known, time.monotonic() + seconds
        self.trees: SimpleQueue[Path] = SimpleQueue()
        for k in range(n_processes):
            self.trees.put(copy_of_the_tree(folder / str(k)))
        self.usual: dict[tuple[str, ...], float] = {}
        self.measuring = {tests: threading.Lock() for _, groups in PARTS for tests in groups}
        self.counting = threading.Lock()

    def limit(self, tree: Path, tests: tuple[str, ...]) -> float:
        """The seconds that tests may take; they run once without a mutant, which must pass."""
        with self.measuring[tests]:
            if tests not in self.usual:
                start = time.monotonic()
                if not self.processes.passes(tree, tests, SLOWEST):
                    raise SystemExit(f"without a mutant these tests fail or take more than {SLOWEST} s: {tests}")
                self.usual[tests] = time.monotonic() - start
        return SLOWER * self.usual[tests] + SPARE_SECONDS

    def judge(self, drawn: Drawn) -> None:
        """Run the tests of one mutant; nothing is counted if the run ends before."""
        if time.monotonic() > self.end:
            return
        tree = self.trees.get()
        try:
            alive = self._survives(tree, drawn)
        except Interrupted:
            return
        finally:
            self.trees.put(tree)
        with self.counting, VERDICTS.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"mutant": str(drawn.mutant), "digest": drawn.digest, "survived": alive}) + "\n")
        if alive:
            is_known = (drawn.mutant.path, drawn.mutant.change) in self.known
            print(f"survived{' (known)' if is_known else ''}: {drawn.mutant}", flush=True)  # noqa: T201

    def _survives(self, tree: Path, drawn: Drawn) -> bool:
        path = tree / drawn.mutant.path
        source = path.read_text(encoding="utf-8")
        changed = drawn.mutant.apply(source)
        compile(changed, drawn.mutant.path, "exec")  # a mutant that is no Python would be killed for the wrong reason
        for tests in drawn.tests:
            limit = self.limit(tree, tests)
            path.write_text(changed, encoding="utf-8")
            try:
                if not self.processes.passes(tree, tests, limit):
                    return False
            finally:
                path.write_text(source, encoding="utf-8")
        return True


def verdicts_before() -> dict[str, bool]:
    """Digest -> whether the mutant survived, by its last verdict."""
    if not VERDICTS.exists():
        return {}
    verdicts = map(json.loads, VERDICTS.read_text(encoding="utf-8").splitlines())
    return {verdict["digest"]: verdict["survived"] for verdict in verdicts}


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=300, help="mutants to draw")
    parser.add_argument("--seconds", type=float, default=1500, help="no mutant begins later than this")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--resume", action="store_true", help="take mutants killed before from build/mutation.jsonl")
    arguments = parser.parse_args()
    os.nice(NICENESS)
    signal.signal(signal.SIGTERM, interrupt)
    listed = tomllib.loads(KNOWN.read_text(encoding="utf-8"))["survivor"]
    known = {(entry["file"], entry["change"]) for entry in listed}
    begun, drawn = time.monotonic(), draw(arguments.count)
    if not arguments.resume:
        VERDICTS.unlink(missing_ok=True)
    VERDICTS.parent.mkdir(exist_ok=True)
    before = verdicts_before()
    left = [each for each in drawn if before.get(each.digest, True)]
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(arguments.processes) as pool:
        campaign = Campaign(Path(folder), arguments.processes, arguments.seconds, known)
        try:
            list(pool.map(campaign.judge, left))
        except KeyboardInterrupt:
            print("interrupted")  # noqa: T201
        finally:
            campaign.processes.end()
            pool.shutdown(cancel_futures=True)
    verdicts = verdicts_before()  # survivors that the time did not reach again keep their verdict
    tried = [each for each in drawn if each.digest in verdicts]
    survived = [(each.mutant.path, each.mutant.change) for each in tried if verdicts[each.digest]]
    killed, seconds = len(tried) - len(survived), time.monotonic() - begun
    cut = "" if len(tried) == len(drawn) else f"; the run ended before the other {len(drawn) - len(tried)}"
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
