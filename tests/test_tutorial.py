"""docs/tutorial.md is what its script writes: the same words and numbers, timings aside, and real pictures."""

from __future__ import annotations

import os
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
SCRIPT = DOCS / "make_tutorial.py"
MADE = runpy.run_path(str(SCRIPT))
PAGE = (DOCS / "tutorial.md").read_text("utf-8")
MOST_BYTES = 60_000


def run(script, *arguments):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, str(script), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=600)


def copied(folder, template=None):
    """The script in a folder of its own, with the template of the tutorial or another."""
    script = Path(shutil.copy(SCRIPT, folder))
    text = (DOCS / "tutorial.template").read_text("utf-8") if template is None else template
    (folder / "tutorial.template").write_text(text, "utf-8")
    return script


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The folder of a tutorial that was written just now."""
    folder = tmp_path_factory.mktemp("docs")
    done = run(copied(folder))
    assert done.returncode == 0, done.stderr  # so every command has ended as the template claims
    return folder


# --- The page ---------------------------------------------------------------------------------------------------------


def test_the_page_is_what_the_commands_say(written):
    told = MADE["differences"](PAGE, (written / "tutorial.md").read_text("utf-8"))
    assert not told, "\n".join([*told, "run make docs"])


def test_every_picture_is_named_and_real_and_small(written):
    named = re.findall(r"!\[[^\]]+\]\((pictures/[\w.]+)\)", PAGE)
    assert len(named) == len(set(named)) > 10
    for folder in (DOCS, written):
        assert sorted(named) == sorted(f"pictures/{path.name}" for path in (folder / "pictures").iterdir())
        for name in named:
            path = folder / name
            assert path.stat().st_size < MOST_BYTES
            with Image.open(path) as image:
                image.load()
                assert image.width == 800
                assert image.height > 400
                colours = image.convert("RGB").getcolors(1 << 24)
                assert len(colours) > 20
                assert (255, 255, 255) in [colour for _, colour in colours]


def test_a_picture_of_the_page_is_drawn_by_a_command_of_the_page():
    drawn = re.findall(r"(?:--plot|--plot-landscape|-o) (\w+\.png)", "\n".join(commands()))
    assert sorted(drawn) == sorted(path.name for path in (DOCS / "pictures").iterdir())


def commands():
    return re.findall(r"^```sh\n(.*?)\n```$", PAGE, flags=re.MULTILINE | re.DOTALL)


def test_every_step_has_a_command_in_the_order_of_the_story():
    steps = re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]
    assert [step.split(".")[0] for step in steps] == [str(k) for k in range(1, len(steps) + 1)]
    assert all("```sh\nfastgd " in step for step in steps)
    story = ["search", "run tutorial --method gd", "--plot-landscape", "run valleys", "run saddle --method gd",
             "compare labels", "run saddle --method sgd", "minibatch", "--smooth 0.9", "--learning-rate 0.25",
             "lr-find", "auto --epochs", "run diabetes --target progression\n"]  # fmt: skip
    text = "\n".join([*commands(), ""])
    places = [text.index(words) for words in story]
    assert places == sorted(places)


def test_it_says_what_the_lesson_says():
    for words in (
        "predicts 4.0 before training, 7.99978 after it; the truth is 8",
        "so 4,048 are saved",
        "warning      stopped at a saddle point",
        "fastgd: training diverged in epoch 8: the loss grew instead of falling",
        "<- suggested",
        "(beta 0.9)",
    ):
        assert words in PAGE


def test_what_depends_on_the_run_before_is_not_in_it():
    assert "compiling" not in PAGE
    assert "/tmp" not in PAGE


def test_it_is_found_and_made_with_the_other_page():
    assert "(docs/tutorial.md)" in (ROOT / "README.md").read_text("utf-8")
    rule = re.search(r"^docs:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text("utf-8"), flags=re.MULTILINE)
    assert rule
    assert re.findall(r"docs/\w+\.py", rule[1]) == ["docs/make_vocabulary.py", "docs/make_tutorial.py"]


# --- The script -------------------------------------------------------------------------------------------------------

SMALL = """# A page

```run {settings}
fastgd search tutorial --no-intercept --rounds 2 --plot a.png
```
"""


def test_check_compares_and_changes_nothing(tmp_path):
    script = copied(tmp_path, SMALL.format(settings="only=objective,plot"))
    page = tmp_path / "tutorial.md"
    assert run(script, "--check").returncode == 1
    assert not page.exists()
    assert run(script).returncode == 0
    text = page.read_text("utf-8")
    assert text.endswith("```text\n...\nobjective    0.29166667\n...\nplot         a.png\n...\n```\n")
    assert [path.name for path in (tmp_path / "pictures").iterdir()] == ["a.png"]
    assert run(script, "--check").returncode == 0
    page.write_text(text.replace("0.2916", "0.2816"), "utf-8")
    done = run(script, "--check")
    assert done.returncode == 1
    assert "run python docs/make_tutorial.py" in done.stderr
    assert "0.2816" in page.read_text("utf-8")
    assert "takes --check or nothing, not --chek" in run(script, "--chek").stderr


def test_a_command_that_ends_otherwise_than_it_should_ends_the_script(tmp_path):
    done = run(copied(tmp_path, SMALL.format(settings="exit=1")))
    assert done.returncode == 1
    assert "ended with exit code 0" in done.stderr
    assert not (tmp_path / "tutorial.md").exists()


RUN = "training     100 epochs in 0.052 s, 17.2 thousand rows a second; reading 0.00015 s"
ROW = "sgd             18.1 million  20.9 million   1.15               -                -   0.329711                yes"
FAST_ROW = "sgd  950  1.2 billion   1.5  -  0.012   0.329711  yes"


@pytest.mark.parametrize(
    ("before", "after", "alike"),
    [
        (RUN, "training     100 epochs in 1.4 s, 900 rows a second; reading 2e-05 s", True),
        (RUN, RUN.replace("100", "101"), False),
        (ROW, FAST_ROW, True),
        (ROW, FAST_ROW.replace("yes", "no"), False),
        (ROW, FAST_ROW.replace("0.3297", "0.3397"), False),
        (ROW, FAST_ROW.replace("  -  ", "  3  "), False),
        ("3 rounds of 4 cells; 0.6 s", "3 rounds of 4 cells; 0.003 s", True),
        ("24 rates in 50 passes over the data, 0.3 s", "24 rates in 49 passes over the data, 0.3 s", False),
        ("objective    1.4405776e-08", "objective    1.4405901e-08", True),
        ("objective    1.3425609e-12", "objective    8.1123981e-13", True),
        ("objective    2859.6963", "objective    2859.6971", True),
        ("objective    2859.6963", "objective    2879.6963", False),
        ("coef         x 1.99994", "coef         x -1.99994", False),
        ("so 4,048 are saved", "so 4,148 are saved", False),
        ("0.01  5375.37  ███▊", "0.01  5375.37  ███▌", True),
        ("a line", "a line\nand another", False),
        ("stopped      converged", "stopped      time is up", False),
    ],
)
def test_what_is_the_same_page(before, after, alike):
    assert (not MADE["differences"](before, after)) == alike


def test_what_depends_on_the_run_before_is_left_out():
    printed = (
        "compiling kernels, once on this machine; this takes some seconds\n1.0 of 5 epochs, loss 0.2\na 1\nin 2 s, "
    )
    printed += "compiling 1.2 s (once on this machine)\n"
    assert MADE["DEPENDS_ON_THE_RUN_BEFORE"].sub("", printed) == "a 1\nin 2 s\n"
