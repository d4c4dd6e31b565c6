"""docs/tutorial.md holds the words, numbers and pictures that docs/make_tutorial.py writes, except for timings."""

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
MAKE_TUTORIAL = runpy.run_path(str(SCRIPT))
PAGE = (DOCS / "tutorial.md").read_text("utf-8")
MAX_PICTURE_BYTES = 60_000


def run(script, *arguments):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, str(script), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=600)


def copied(folder, template=None):
    """A copy of the script in ``folder``, with the tutorial's template or another one."""
    script = Path(shutil.copy(SCRIPT, folder))
    text = (DOCS / "tutorial.template").read_text("utf-8") if template is None else template
    (folder / "tutorial.template").write_text(text, "utf-8")
    return script


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A folder into which the script has just written the tutorial."""
    folder = tmp_path_factory.mktemp("docs")
    done = run(copied(folder))
    assert done.returncode == 0, done.stderr  # so every command had the exit code that the template states
    return folder


# --- The page ---------------------------------------------------------------------------------------------------------


def test_the_page_agrees_with_the_output_of_its_commands(written):
    different = MAKE_TUTORIAL["differences"](PAGE, (written / "tutorial.md").read_text("utf-8"))
    assert not different, "\n".join([*different, "run make docs"])


def test_every_picture_is_used_and_small_and_not_blank(written):
    named = re.findall(r"!\[[^\]]+\]\((pictures/[\w.]+)\)", PAGE)
    assert len(named) == len(set(named)) > 10
    for folder in (DOCS, written):
        assert sorted(named) == sorted(f"pictures/{path.name}" for path in (folder / "pictures").iterdir())
        for name in named:
            path = folder / name
            assert path.stat().st_size < MAX_PICTURE_BYTES
            with Image.open(path) as image:
                image.load()
                assert image.width == 800
                assert image.height > 400
                colours = image.convert("RGB").getcolors(1 << 24)
                assert len(colours) > 20
                assert (255, 255, 255) in [colour for _, colour in colours]


def test_every_picture_is_drawn_by_a_command_of_the_page():
    drawn = re.findall(r"(?:--plot|--plot-landscape|-o) (\w+\.png)", "\n".join(commands()))
    assert sorted(drawn) == sorted(path.name for path in (DOCS / "pictures").iterdir())


def commands():
    return re.findall(r"^```sh\n(.*?)\n```$", PAGE, flags=re.MULTILINE | re.DOTALL)


def test_every_step_has_a_command_and_the_steps_follow_the_lesson():
    steps = re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]
    assert [step.split(".")[0] for step in steps] == [str(k) for k in range(1, len(steps) + 1)]
    assert all("```sh\nfastgd " in step for step in steps)
    story = ["search", "run tutorial --method gd", "--plot-landscape", "run valleys", "run saddle --method gd",
             "compare labels", "run saddle --method sgd", "minibatch", "--smooth 0.9", "--learning-rate 0.25",
             "lr-find", "auto --epochs", "run diabetes --target progression\n"]  # fmt: skip
    text = "\n".join([*commands(), ""])
    places = [text.index(words) for words in story]
    assert places == sorted(places)


def test_the_page_holds_the_results_of_the_lesson():
    for words in (
        "4.0 before training, 7.99978 after it",
        "4,048",
        "stopped at a saddle point",
        "training diverged in epoch 8",
        "<- suggested",
        "(beta 0.9)",
    ):
        assert words in PAGE


def test_the_page_does_not_mention_compilation_or_temporary_folders():
    assert "compiling" not in PAGE
    assert "/tmp" not in PAGE


def test_the_readme_links_to_the_page_and_make_docs_writes_it():
    assert "(docs/tutorial.md)" in (ROOT / "README.md").read_text("utf-8")
    rule = re.search(r"^docs:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text("utf-8"), flags=re.MULTILINE)
    assert rule
    assert re.findall(r"docs/\w+\.py", rule[1]) == [
        f"docs/make_{page}.py" for page in ("vocabulary", "tutorial", "reliability")
    ]


# --- The script -------------------------------------------------------------------------------------------------------

SMALL = """# A page

```run {settings}
fastgd search tutorial --no-intercept --rounds 2 --plot a.png
```
"""


def test_check_reports_a_difference_and_writes_nothing(tmp_path):
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


def test_an_unexpected_exit_code_ends_the_script(tmp_path):
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
def test_differences_ignores_timings_and_rounding(before, after, alike):
    assert (not MAKE_TUTORIAL["differences"](before, after)) == alike


def test_messages_about_compilation_and_progress_are_removed():
    printed = (
        "compiling kernels, once on this machine; this takes some seconds\n1.0 of 5 epochs, loss 0.2\na 1\nin 2 s, "
    )
    printed += "compiling 1.2 s (once on this machine)\n"
    assert MAKE_TUTORIAL["DEPENDS_ON_EARLIER_RUNS"].sub("", printed) == "a 1\nin 2 s\n"
