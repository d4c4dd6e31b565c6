"""Kills, full disks and failing disks in the midst of a command: every output stays whole, the old one or the new."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from helpers.campaign_figures import record

import fastgd

OUTPUTS = ("m.fastgd", "t.csv", "r.html")
RUN = [
    "run",
    "d.csv",
    "--save",
    "m.fastgd",
    "--trace",
    "t.csv",
    "--report",
    "r.html",
    "-q",
    "--method",
    "gd",
    "--tol",
    "0",
]
# Runs the command line, in which one call of a function of the system fails.
FAILING = """
import os, sys
name, at, code = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
real, calls = getattr(os, name), []

def fail(*arguments, **options):
    calls.append(1)
    if len(calls) == at:
        raise OSError(code, os.strerror(code))
    return real(*arguments, **options)

setattr(os, name, fail)
from fastgd_cli.main import main
sys.argv[1:] = sys.argv[4:]
main()
"""


class Folder:
    """A folder with the outputs of an earlier run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        X = np.random.default_rng(0).normal(size=(2000, 3))
        np.savetxt(path / "d.csv", np.column_stack([X, X.sum(axis=1)]), delimiter=",", header="a,b,c,y", comments="")
        self.command("--epochs", "3").wait()
        for name in OUTPUTS:
            shutil.copy(path / name, path / f"old-{name}")
        begin = time.perf_counter()
        self.command("--epochs", "30").wait()
        self.seconds = time.perf_counter() - begin
        self.n_epochs, self.n_lines = (
            fastgd.load(path / "m.fastgd").n_epochs,
            (path / "t.csv").read_bytes().count(b"\n"),
        )
        self.restore()

    def command(self, *words: str, script: list[str] | None = None, **options) -> subprocess.Popen:
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        begin = ["-m", "fastgd_cli"] if script is None else ["-c", *script]
        return subprocess.Popen(
            [sys.executable, *begin, *RUN, *words], cwd=self.path, env=environment, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True, **options,
        )  # fmt: skip

    def check(self) -> int:
        """Each output is the old one, byte for byte, or a whole new one; returns how many are new."""
        n_new = 0
        for name in OUTPUTS:
            content = (self.path / name).read_bytes()
            if content != (self.path / f"old-{name}").read_bytes():
                n_new += 1
                self.check_whole(name, content)
        return n_new

    def check_whole(self, name: str, content: bytes) -> None:
        if name == "m.fastgd":
            assert fastgd.load(self.path / name).n_epochs == self.n_epochs
        elif name == "t.csv":
            assert content.count(b"\n") == self.n_lines
            assert content.endswith(b"\n")
        else:
            assert content.rstrip().endswith(b"</html>")

    def parts(self) -> list[str]:
        """Temporary files that are left."""
        known = {"d.csv", *OUTPUTS, *(f"old-{name}" for name in OUTPUTS)}
        return sorted(path.name for path in self.path.iterdir() if path.name not in known)

    def wait_for_part(self, process: subprocess.Popen, which: int) -> None:
        """Until the run has made so many temporary files, or ends: they exist for some milliseconds each."""
        before, seen = set(self.parts()), set()
        while len(seen) < which and process.poll() is None:
            seen |= set(self.parts()) - before

    def restore(self) -> None:
        for name in OUTPUTS:
            shutil.copy(self.path / f"old-{name}", self.path / name)


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


def kill_often(folder: Folder, count: int) -> dict[str, int]:
    """Kill runs at random moments: of each four, two in the course of the work, two while an output is written."""
    random, n_new, n_left = np.random.default_rng(1), 0, 0
    for k in range(count):
        left_before = set(folder.parts())
        process = folder.command("--epochs", "30")
        if k % 4 < 2:
            time.sleep(folder.seconds * random.uniform(0.4, 1.0))
        else:
            folder.wait_for_part(process, int(random.integers(1, len(OUTPUTS) + 1)))
            time.sleep(random.uniform(0.0, 0.001))
        process.send_signal(signal.SIGKILL if k % 2 else signal.SIGTERM)
        process.communicate(timeout=60)
        n_new += folder.check()
        n_left += len(set(folder.parts()) - left_before)
        folder.restore()
    folder.command("--epochs", "30").wait()
    assert folder.parts() == []  # swept by the next run
    return {"kills": count, "outputs_replaced": n_new, "temporary_files_left_and_swept": n_left}


def fail_often(folder: Folder, count: int) -> dict[str, int]:
    """Fail single calls of the system, and limit the size of files, at random places."""
    random, n_failed = np.random.default_rng(2), 0
    for k in range(count):
        code = (errno.ENOSPC, errno.EIO)[k % 2]
        if k % 3 == 2:
            limit = int(random.integers(0, 20_000))
            process = folder.command(
                "--epochs",
                "30",
                preexec_fn=lambda limit=limit: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
            )
        else:
            name, at = ("fsync", "replace")[k // 2 % 2], int(random.integers(1, 5))
            process = folder.command("--epochs", "30", script=[FAILING, name, str(at), str(code)])
        _, message = process.communicate(timeout=60)
        if process.returncode:
            n_failed += 1
            assert process.returncode in (1, 2), message
            assert len(message.strip().splitlines()) == 1, message
            assert "internal error" not in message, message
        folder.check()
        assert folder.parts() == []
        folder.restore()
    return {"failing_disks": count, "of_them_noticed": n_failed}


def test_a_few_kills(folder):
    kill_often(folder, 4)


def test_a_few_failing_disks(folder):
    assert fail_often(folder, 4)["of_them_noticed"] >= 2


@pytest.mark.campaign
def test_many_kills(folder):
    figures = kill_often(folder, 150)
    record("kills", **figures)
    assert figures["temporary_files_left_and_swept"] > 0  # otherwise no kill came while an output was written


@pytest.mark.campaign
def test_many_failing_disks(folder):
    record("kills", **fail_often(folder, 50))
