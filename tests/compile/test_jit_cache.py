"""Compiled kernels on disk: nothing is compiled twice, no stale code is used, and no damage gives a wrong result."""

from __future__ import annotations

import hashlib
import os
import pickle
import shutil
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from helpers.processes import answer_of, start

import fastgd
from fastgd.compile import jit_cache
from fastgd.compile.jit import CompileClock, kernel
from fastgd.compile.term import term
from fastgd.compile.term_numba import TermType
from fastgd.losses import HalfSquared, Squared

HOME = Path(fastgd.__file__).parent
REGRESSION = "fastgd/terms/losses/regression.py"

# The mean loss of one row with residual 3, and the number of kernels that were compiled and loaded.
ASK = """
    import json
    import sys
    import numpy as np
    from fastgd.compile.jit import CompileClock
    from fastgd.kernels.batch_gradient import mean_loss
    from fastgd.kernels.row_targets import Targets
    from fastgd.losses import LOSSES

    def ask(loss):
        with CompileClock().listening() as clock:
            value = mean_loss.serial(np.ones((1, 1)), Targets(np.zeros(1)), np.ones(1), 2.0, loss, np.zeros((1, 2)))
        hits = sum(mean_loss.kernel.stats.cache_hits.values())
        print(json.dumps({"value": value, "compiled": clock.count, "loaded": hits}))
"""
ASK_FOR = "ask(LOSSES.resolve(sys.argv[1]))"
COMPILED = {"compiled": 1, "loaded": 0}
LOADED = {"compiled": 0, "loaded": 1}
ANSWERS = {"squared": 9.0, "half_squared": 4.5, "huber:delta=1": 2.5, "huber:delta=3": 4.5}


@pytest.fixture(scope="module")
def shared_cache(tmp_path_factory) -> Path:
    """A kernel cache that several tests share, in any state."""
    return tmp_path_factory.mktemp("shared")


@pytest.fixture
def package(tmp_path) -> Path:
    """A folder with a copy of the package that a test may edit."""
    shutil.copytree(HOME, tmp_path / "source" / "fastgd", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "source"


@pytest.fixture
def ask(package, tmp_path):
    """Run `ASK` for the loss of that name in a process with the copy of the package."""

    def ask(loss: str) -> dict:
        answer = answer_of(start([ASK, ASK_FOR], loss, path=package, cache=tmp_path / "cache"))
        assert answer.pop("complaints") == ""
        return answer

    return ask


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def generations(cache: Path) -> set[str]:
    return {path.name for path in (cache / "fastgd").glob("kernels-*")}


# --- Found again, or compiled anew ----------------------------------------------------------------------------------


def test_second_process_compiles_nothing(tmp_path, shared_cache):
    script = """
        import json
        import numpy as np
        import fastgd
        from fastgd.compile.jit import CompileClock

        X = np.random.default_rng(0).standard_normal((40, 3))
        with CompileClock().listening() as clock:
            fit = fastgd.fit(X, X @ [1.0, 2.0, 3.0], method="minibatch", max_epochs=2)
        print(json.dumps({"bits": fit.coef.tobytes().hex(), "compiled": clock.count}))
    """
    first, second = (answer_of(start([script], path=tmp_path, cache=shared_cache)) for _ in range(2))
    assert first["compiled"] > 0
    assert second["compiled"] == 0
    assert first["bits"] == second["bits"]
    assert first["complaints"] == second["complaints"] == ""


def test_editing_a_loss_recompiles_only_that_loss(ask, package):
    for loss in ("squared", "half_squared"):
        assert ask(loss) == {"value": ANSWERS[loss], **COMPILED}
    edit(
        package / "fastgd/terms/losses/regression.py",
        "return 0.5 * (z - y) * (z - y)",
        "return 10.0 * (z - y) * (z - y)",
    )
    assert ask("half_squared") == {"value": 90.0, **COMPILED}
    assert ask("squared") == {"value": 9.0, **LOADED}
    edit(
        package / "fastgd/terms/losses/regression.py",
        "return 10.0 * (z - y) * (z - y)",
        "return 0.5 * (z - y) * (z - y)",
    )
    assert ask("half_squared") == {"value": 4.5, **LOADED}


def test_editing_a_kernel_recompiles_all_and_other_files_nothing(ask, package, tmp_path):
    assert ask("squared") == {"value": 9.0, **COMPILED}
    before = generations(tmp_path / "cache")
    for file in ("fitting.py", "terms/registry.py", "objective/objective.py", "data/table.py"):
        with (package / "fastgd" / file).open("a") as stream:
            stream.write("\nADDED = 1\n")
    edit(package / REGRESSION, "class Squared:\n", "class Squared:\n    # One more line.\n\n")
    assert ask("squared") == {"value": 9.0, **LOADED}
    assert generations(tmp_path / "cache") == before
    edit(
        package / "fastgd" / "kernels" / "batch_gradient.py",
        "sums[c, 0] = summed_loss(",
        "sums[c, 0] = 7.0 + summed_loss(",
    )
    assert ask("squared") == {"value": 16.0, **COMPILED}
    assert generations(tmp_path / "cache") > before


@pytest.mark.parametrize(
    "source", [path for pattern in jit_cache.SOURCES for path in sorted(HOME.glob(pattern))], ids=str
)
def test_editing_any_source_makes_a_new_generation(source, monkeypatch, package):
    monkeypatch.setattr(jit_cache, "PACKAGE", package / "fastgd")
    before = jit_cache._generation()
    with (package / "fastgd" / source.relative_to(HOME)).open("a") as stream:
        stream.write("# a comment\n")
    assert jit_cache._generation() != before


def test_editing_a_helper_in_another_file_recompiles_its_callers(tmp_path, shared_cache):
    (tmp_path / "helpers.py").write_text("from numba import njit\n@njit\ndef weigh(r):\n    return 2.0 * r\n")
    (tmp_path / "mine.py").write_text(
        "import helpers\nfrom fastgd.compile.term import term\nfrom fastgd.losses import HalfSquared\n\n@term\n"
        "class Mine(HalfSquared):\n    def value(self, y, z):\n        return helpers.weigh(z - y)\n"
    )
    script = [ASK, "from mine import Mine", "ask(Mine())"]

    def answer() -> tuple[float, int]:
        told = answer_of(start(script, path=tmp_path, cache=shared_cache, PYTHONDONTWRITEBYTECODE="1"))
        return told["value"], told["compiled"]

    assert [answer(), answer()] == [(6.0, 1), (6.0, 0)]
    edit(tmp_path / "helpers.py", "2.0 * r", "5.0 * r")
    assert [answer(), answer()] == [(15.0, 1), (15.0, 0)]


# --- The folder -----------------------------------------------------------------------------------------------------


@pytest.fixture
def find_folder(monkeypatch, tmp_path):
    """`cache_directory` as in a new process, with the cache in ``tmp_path``."""
    monkeypatch.setattr(jit_cache, "_roots", lambda: [tmp_path / "root"])
    return jit_cache.cache_directory.__wrapped__


def test_old_generations_are_pruned(find_folder, tmp_path):
    current = find_folder()
    for age in range(1, 8):
        folder = tmp_path / "root" / f"kernels-old{age}"
        folder.mkdir()
        (folder / "x.kernel").write_bytes(b"")
        os.utime(folder, (time.time() - 1000 * age,) * 2)
    os.utime(current, (0, 0))  # the oldest, until it is used again
    (tmp_path / "root" / "another-programs").mkdir()
    assert find_folder() == current
    kept = {path.name for path in (tmp_path / "root").iterdir()}
    newest = {f"kernels-old{age}" for age in range(1, jit_cache.GENERATIONS_KEPT)}
    assert kept == {current.name, "another-programs", *newest}


def test_first_writable_root_or_a_warning(monkeypatch, find_folder, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(jit_cache, "_roots", lambda: [tmp_path / "file" / "root", tmp_path / "second"])
    assert find_folder().parent == tmp_path / "second"
    monkeypatch.setattr(jit_cache, "_roots", lambda: [tmp_path / "file" / "root"])
    with pytest.warns(RuntimeWarning, match="set NUMBA_CACHE_DIR to a writable folder"):
        assert find_folder() is None


@pytest.mark.skipif(sys.platform == "win32", reason="there the user's cache folder is found otherwise")
def test_folder_is_numbas_or_the_users(package, tmp_path):
    """``NUMBA_CACHE_DIR`` if it is set; then nothing is written anywhere else."""
    home = tmp_path / "home"
    home.mkdir()
    places = {"HOME": str(home), "XDG_CACHE_HOME": str(home / "xdg"), "PYTHONDONTWRITEBYTECODE": "1"}
    before = sorted(package.rglob("*"))
    answer_of(start([ASK, ASK_FOR], "squared", path=package, cache=tmp_path / "numbas", **places))
    assert list((tmp_path / "numbas" / "fastgd").rglob("*.kernel"))
    assert not list(home.rglob("*"))
    answer_of(start([ASK, ASK_FOR], "squared", path=package, cache=None, **places))
    assert list(home.rglob("fastgd/kernels-*/*.kernel"))
    assert sorted(package.rglob("*")) == before


def test_no_writable_folder_gives_one_warning(tmp_path):
    (tmp_path / "file").write_text("")
    another = """
        X = np.ones((1, 1), np.float32)
        mean_loss.serial(X, Targets(np.ones(1)), X[0], 0.0, LOSSES.resolve("squared"), np.zeros((1, 2)))
    """
    answer = answer_of(start([ASK, ASK_FOR, another], "squared", path=tmp_path, cache=tmp_path / "file" / "cache"))
    assert answer["value"] == 9.0
    assert answer["complaints"].count("RuntimeWarning: no folder for compiled kernels is writable") == 1


# --- Accidents ------------------------------------------------------------------------------------------------------


def risk(loss, y, z):
    return loss.value(y, z)


@pytest.fixture
def folder(monkeypatch, tmp_path) -> Path:
    """An empty folder for the kernels of this process."""
    monkeypatch.setattr(jit_cache, "cache_directory", lambda: tmp_path)
    return tmp_path


def ask_again(loss, y=0.0, z=3.0) -> tuple[float, int]:
    """The loss by a new dispatcher, as in a new process, and the number of compilations."""
    fresh = kernel(risk)
    with CompileClock().listening() as clock:
        return fresh(loss, y, z), clock.count


def test_each_kernel_is_one_file_and_is_loaded(folder):
    assert [ask_again(Squared()), ask_again(Squared())] == [(9.0, 1), (9.0, 0)]
    assert [ask_again(HalfSquared()), ask_again(HalfSquared())] == [(4.5, 1), (4.5, 0)]
    assert [ask_again(Squared(), 0, 3), ask_again(Squared(), 0, 3)] == [(9.0, 1), (9.0, 0)]
    assert len(list(folder.iterdir())) == len(list(folder.glob("*.kernel"))) == 3


def test_flush_deletes_the_files_of_one_kernel(folder):
    (folder / "other.kernel").write_bytes(b"")
    ask_again(Squared())
    kernel(risk)._cache.flush()
    assert [path.name for path in folder.iterdir()] == ["other.kernel"]


def sealed(content: bytes) -> bytes:
    return hashlib.sha256(content).digest() + content


DAMAGES = {
    "empty": lambda stored: b"",
    "cut after the checksum": lambda stored: stored[:32],
    "cut in half": lambda stored: stored[: len(stored) // 2],
    "longer": lambda stored: stored + b"\0",
    "no pickle": lambda stored: sealed(b"nonsense"),
    "another pickle": lambda stored: sealed(pickle.dumps(["neither", "key", "nor kernel"])),
    "a class that is gone": lambda stored: sealed(b"cfastgd.terms.losses\nGone\n."),
    **{f"a bit flipped {k} % in": lambda stored, k=k: flipped(stored, k) for k in range(0, 100, 9)},
}


def flipped(stored: bytes, percent: int) -> bytes:
    position = percent * len(stored) // 100
    return stored[:position] + bytes([stored[position] ^ 1]) + stored[position + 1 :]


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_damaged_file_is_compiled_again_and_replaced(damage, folder):
    ask_again(Squared())
    (path,) = folder.iterdir()
    path.write_bytes(damage(path.read_bytes()))
    assert [ask_again(Squared()), ask_again(Squared())] == [(9.0, 1), (9.0, 0)]


def test_swapped_files_are_not_used(folder):
    ask_again(Squared())
    (first,) = folder.iterdir()
    ask_again(HalfSquared())
    (second,) = set(folder.iterdir()) - {first}
    contents = first.read_bytes(), second.read_bytes()
    second.write_bytes(contents[0])
    first.write_bytes(contents[1])
    assert [ask_again(Squared()), ask_again(HalfSquared())] == [(9.0, 1), (4.5, 1)]
    assert [ask_again(Squared()), ask_again(HalfSquared())] == [(9.0, 0), (4.5, 0)]


def test_folder_in_place_of_a_file_is_ignored(folder):
    ask_again(Squared())
    (path,) = folder.iterdir()
    path.unlink()
    path.mkdir()
    with pytest.warns(RuntimeWarning, match="a compiled kernel could not be saved"):
        assert ask_again(Squared()) == (9.0, 1)
    assert list(folder.iterdir()) == [path]  # no half-written file is left


def test_deleted_folder_is_created_again(folder, monkeypatch):
    monkeypatch.setattr(jit_cache, "cache_directory", lambda: folder / "gone")
    assert [ask_again(Squared()), ask_again(Squared())] == [(9.0, 1), (9.0, 0)]


TABLE = np.arange(200_000.0)


@term
class Large:
    factor: float

    def value(self, y, z):
        return TABLE[int(z)] * self.factor


def test_term_with_a_large_array_is_not_cached(folder):
    """Machine code has the address of a large global array, which is not valid in another process."""
    assert [ask_again(Large(4.0)), ask_again(Large(5.0))] == [(12.0, 1), (15.0, 1)]
    assert not list(folder.iterdir())


def test_file_of_an_unknown_term_can_be_read(folder, monkeypatch):
    """The folder has files of terms of other scripts."""
    ask_again(Squared())
    (path,) = folder.iterdir()
    monkeypatch.setattr(TermType, "registry", {})
    key, _ = pickle.loads(path.read_bytes()[32:])
    assert "fastgd.terms.losses.regression.Squared#" in key


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGKILL")
def test_kill_while_a_kernel_is_written(ask, package, tmp_path):
    """Killed just before the file is renamed, or just after; numba's own cache returned old code then."""
    killed = """
        import os, signal
        rename = os.replace
        def die(*paths):
            if sys.argv[2] == "after":
                rename(*paths)
            os.kill(os.getpid(), signal.SIGKILL)
        os.replace = die
    """
    assert ask("squared") == {"value": 9.0, **COMPILED}
    for loss, moment, found in (("half_squared", "before", COMPILED), ("huber:delta=1", "after", LOADED)):
        process = start([ASK, killed, ASK_FOR], loss, moment, path=package, cache=tmp_path / "cache")
        process.communicate(timeout=300)
        assert process.returncode == -9
        assert ask(loss) == {"value": ANSWERS[loss], **found}
    assert ask("squared") == {"value": 9.0, **LOADED}


def test_processes_that_compile_at_the_same_time(tmp_path, shared_cache):
    """Two terms, one of them twice; numba's own cache wrote both to one numbered file."""
    meet = """
        import os, time
        os.replace_really = os.replace
        def meet(*paths):
            '''Wait until all processes have written their file, before the rename.'''
            open(f"here-{sys.argv[2]}", "w").close()
            while sum(name.startswith("here-") for name in os.listdir()) < 3:
                time.sleep(0.01)
            os.replace_really(*paths)
        if sys.argv[2:]:
            os.replace = meet
    """
    script = [ASK, meet, ASK_FOR]
    losses = ["huber:delta=1", "squared", "squared"]
    cache = tmp_path / "cache"
    together = [start(script, loss, str(k), path=tmp_path, cache=cache) for k, loss in enumerate(losses)]
    for loss, process in zip(losses, together, strict=True):
        assert answer_of(process) == {"value": ANSWERS[loss], **COMPILED, "complaints": ""}
    for loss in ("huber:delta=1", "squared", "huber:delta=3"):
        later = answer_of(start(script, loss, path=tmp_path, cache=cache))
        assert later == {"value": ANSWERS[loss], **LOADED, "complaints": ""}
