"""Damaged files of every kind: each is read, or refused with one sentence, in little memory and without a crash.

`make test` takes a few seconds for each reader. `make campaign PART=fuzz` takes FASTGD_FUZZ_SECONDS (75) for each,
from a new seed; put a file that it reports into tests/fuzz/corpus.
"""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path

import pytest
from fuzz.reading import case
from fuzz.seeds import SUFFIXES, seeds
from helpers.campaign_figures import record
from helpers.limited_process import run_limited

TESTS = Path(__file__).parents[1]
MOST_REPORTED = 5


def fuzz(suffix: str, folder: Path, seed: int, seconds: float) -> tuple[int, list[str]]:
    """The number of files read, and what went wrong; after a crash a new process goes on with the next file."""
    number, found = 0, []
    script = f"import sys; sys.path.insert(0, {str(TESTS)!r}); from fuzz.reading import main; main(*sys.argv[1:])"
    while seconds > 0 and len(found) < MOST_REPORTED:
        arguments = (suffix, str(folder), str(seed), str(number), str(seconds))
        ended = run_limited("-c", script, *arguments, seconds=seconds + 120, environment={"NUMBA_DISABLE_JIT": "1"})
        for line in ended.out.splitlines():
            number, wrong = int(line.split()[0]), line.partition(" ")[2]
            found += [kept(suffix, folder, seed, number, wrong)] if wrong else []
        number += 1
        if ended.code:
            found.append(kept(suffix, folder, seed, number, f"ended with {ended.code}: {ended.err[-300:]}"))
            number += 1
            seconds /= 2
            continue
        if ended.err:
            found.append(f"printed {ended.err[:300]}")
        break
    return number, found


def kept(suffix: str, folder: Path, seed: int, number: int, wrong: str) -> str:
    """What went wrong, with the path of the file that did it."""
    path = folder / f"found_{seed}_{number}{suffix}"
    path.write_bytes(case(suffix, seed, number, seeds(suffix)))
    return f"{path}: {wrong}"


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_damaged_files_are_read_or_refused(suffix, tmp_path):
    count, found = fuzz(suffix, tmp_path, seed=1, seconds=2.5)
    assert not found, "\n".join(found)
    assert count > len(seeds(suffix))


@pytest.mark.campaign
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_many_damaged_files_are_read_or_refused(suffix, tmp_path):
    seed, seconds = secrets.randbits(32), float(os.environ.get("FASTGD_FUZZ_SECONDS", "75"))
    count, found = fuzz(suffix, tmp_path, seed, seconds)
    sys.stdout.write(f"{suffix}: {count:,} files from seed {seed}\n")
    record("fuzz", **{suffix: count})
    assert not found, "\n".join(found)
