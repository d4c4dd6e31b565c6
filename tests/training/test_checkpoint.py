"""A fit that is stopped and goes on from its checkpoint in another process ends with the same bits."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers import resume_cases
from helpers.resume_cases import CASES, LAYOUTS, digest, name_of, run

from fastgd import DataError
from fastgd.training.checkpoint import Checkpoint


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """What each fit comes to, uninterrupted and resumed half way: by all cases, since one process resumes them all."""
    folder = tmp_path_factory.mktemp("checkpoints")
    whole, shrunk = {}, {}
    for case in CASES:
        for layout in LAYOUTS:
            kept: list[bytes] = []
            finished = run(case, layout, after_epoch=lambda now, kept=kept: kept.append(now.checkpoint().to_bytes()))
            name = name_of(case, layout)
            whole[name], shrunk[name] = digest(finished), finished.shrinks
            (folder / name).write_bytes(kept[(len(kept) - 1) // 2])
    path = os.pathsep.join([str(Path(__file__).parents[1]), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, "-m", "helpers.resume_cases", str(folder)],
        env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return whole, json.loads(done.stdout), shrunk


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("case", CASES)
def test_resumed_in_another_process_gives_the_same_bits(case, layout, outcomes):
    whole, resumed, _ = outcomes
    assert resumed[name_of(case, layout)] == whole[name_of(case, layout)]


def test_the_case_of_divergence_did_diverge(outcomes):
    _, _, shrunk = outcomes
    assert shrunk[name_of("divergence that shrinks the rate", "dense")] > 0


def test_resuming_does_not_change_the_checkpoint():
    kept: list[Checkpoint] = []
    run("momentum", "dense", after_epoch=lambda now: kept.append(now.checkpoint()))
    before = kept[2].to_bytes()
    first, second = (digest(run("momentum", "dense", kept[2])) for _ in range(2))
    assert first == second
    assert kept[2].to_bytes() == before


def test_checkpoint_of_other_options_is_refused():
    kept: list[Checkpoint] = []
    run("momentum", "dense", after_epoch=lambda now: kept.append(now.checkpoint()))
    with pytest.raises(DataError, match="of other data or options"):
        run("adam, cosine", "dense", kept[0])
    with pytest.raises(DataError, match="of other data or options"):
        run("momentum", "csr", kept[0]._replace(fingerprint="another"))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"nothing of the kind"])
def test_damaged_checkpoint_is_refused_in_a_sentence(content):
    with pytest.raises(DataError, match="not a fastgd checkpoint, or a damaged one"):
        Checkpoint.from_bytes(content)


def test_truncated_checkpoint_is_refused_in_a_sentence():
    kept: list[bytes] = []
    run("momentum", "dense", after_epoch=lambda now: kept.append(now.checkpoint().to_bytes()))
    with pytest.raises(DataError, match="damaged"):
        Checkpoint.from_bytes(kept[0][: len(kept[0]) // 2])


def test_states_hold_arrays_and_numbers_only():
    for case in CASES:
        kept: list[Checkpoint] = []
        run(case, "dense", after_epoch=lambda now, kept=kept: kept.append(now.checkpoint()))
        assert all(isinstance(leaf, (np.ndarray, np.generic, int, float, str, type(None))) for leaf in leaves(kept[0]))


def leaves(value):
    if isinstance(value, tuple):
        for part in value:
            yield from leaves(part)
    else:
        yield value


def test_every_case_has_a_name_of_its_own():
    assert len(set(CASES)) == len(CASES) == 2 * len(resume_cases.METHODS) + len(resume_cases.SPECIAL)
