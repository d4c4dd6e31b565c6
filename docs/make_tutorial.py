"""Writes docs/tutorial.md and docs/pictures/ by running the commands of docs/tutorial.template.

`python docs/make_tutorial.py` writes them; with --check it writes to a temporary folder and compares.

A block of the template that begins with ```run holds one command. The page shows the command and its output, standard
error before standard output. Settings may follow on the first line of a block:

    exit=1            the exit code that the command must have, 0 unless given
    only=data,coef    show the lines of the output that begin with these words, and "..." for the others

Pictures that a command writes go to docs/pictures/. Messages about compilation and progress are removed, because they
depend on earlier runs.
"""

from __future__ import annotations

import math
import os
import re
import shlex
import sys
import tempfile
from contextlib import chdir, redirect_stderr, redirect_stdout
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path
from unittest import mock

HERE = Path(__file__).parent
TEMPLATE, PAGE, PICTURES = HERE / "tutorial.template", "tutorial.md", "pictures"
ENVIRONMENT = {"COLUMNS": "80", "NO_COLOR": "1", "NUMBA_NUM_THREADS": "2"}

BLOCK = re.compile(r"^```run([^\n]*)\n(.*?)\n```$", re.MULTILINE | re.DOTALL)
DEPENDS_ON_EARLIER_RUNS = re.compile(
    r"^(?:compiling kernels, |[\d.]+ of \d+ epochs).*\n|, compiling [\d.]+ s \(once on this machine\)", re.MULTILINE
)
# Pictures are reduced to WIDTH pixels and COLOURS + GREYS colours; a pixel whose channels differ by no more than
# COLOURFUL counts as grey.
WIDTH, COLOURS, GREYS = 800, 96, 32
COLOURFUL = 24

SPEED = r"[\d.]+(?: thousand| million| billion)?"
# Timings differ between runs and are not compared.
TIMINGS = [
    (re.compile(rf"in [\d.e-]+ s, {SPEED} rows a second; reading [\d.e-]+ s"), "in ... s"),
    (re.compile(r"([;,]) [\d.e-]+ s$", re.MULTILINE), r"\1 ... s"),
    # In a row of `compare`: two speeds and their ratio, and the seconds after the epochs.
    (re.compile(rf" +{SPEED} +{SPEED} +[\d.]+ +(\d+|-) +(?:[\d.e-]+|-) +(?=\S+ +(?:yes|no)$)", re.MULTILINE), r" \1 "),
]
NUMBER = re.compile(r"(?<![\w.])-?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?(?!\w)")
# Rounding differs between processors and versions: numbers are compared to about three digits; tiny ones count as 0.
RELATIVE, TINY = 2e-3, 1e-6
# Bars and curves drawn with characters; a difference in rounding can change a character.
DRAWN = re.compile(r"[▏▎▍▌▋▊▉█▁▂▃▄▅▆▇\u2800-\u28ff]+")


def fastgd(words: list[str]) -> tuple[str, int]:
    """Run a command; return its output, standard error first, and its exit code."""
    from fastgd_cli.main import main

    out, err = TextIOWrapper(BytesIO(), encoding="utf-8", write_through=True), StringIO()
    with mock.patch.object(sys, "argv", words), redirect_stdout(out), redirect_stderr(err):
        try:
            main()
            code = 0
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    return err.getvalue() + out.buffer.getvalue().decode(), code


def output_of(command: str) -> tuple[str, int]:
    words = shlex.split(command)
    if words[0] == "cat":
        return Path(words[1]).read_text(encoding="utf-8"), 0
    return fastgd(words)


def shortened(text: str, only: str | None) -> str:
    """The lines that begin with one of the words in ``only``, with "..." for the lines between them."""
    lines = text.splitlines()
    if only is not None:
        words = only.split(",")
        lines = [line if line.split()[:1] and line.split()[0] in words else "..." for line in lines]
        lines = [line for k, line in enumerate(lines) if line != "..." or k == 0 or lines[k - 1] != "..."]
    return "\n".join(lines)


def block(settings: str, command: str) -> str:
    """A command and its output, in Markdown."""
    options = dict(part.split("=") for part in settings.split())
    printed, code = output_of(command)
    if code != int(options.get("exit", 0)):
        sys.exit(f"{command}\nended with exit code {code}:\n{printed}")
    text = shortened(DEPENDS_ON_EARLIER_RUNS.sub("", printed), options.get("only"))
    return f"```sh\n{command}\n```\n\n```text\n{text}\n```"


def page() -> str:
    """The text of the page; its commands run in the current folder."""
    text = BLOCK.sub(lambda found: block(*found.groups()), TEMPLATE.read_text(encoding="utf-8"))
    note = f"<!-- Written by python docs/{Path(__file__).name} from {TEMPLATE.name}; edit the template. -->\n\n"
    return note + text


def make_small(path: Path, to: Path) -> None:
    """Save a picture with fewer pixels and colours, so that its file is small and the same each time."""
    import numpy as np
    from PIL import Image

    with Image.open(path) as image:
        size = (WIDTH, round(image.height * WIDTH / image.width))
        small = image.convert("RGB").resize(size, Image.Resampling.LANCZOS)
    pixels = np.asarray(small)
    colourful = pixels[np.ptp(pixels.astype(int), axis=2) > COLOURFUL]
    chosen = Image.fromarray(colourful[None]).quantize(COLOURS, method=Image.Quantize.MAXCOVERAGE)
    greys = np.linspace(0, 255, GREYS).round().astype(int).repeat(3)
    palette = Image.new("P", (1, 1))
    palette.putpalette([*(chosen.getpalette() or [])[: 3 * COLOURS], *greys.tolist()])
    small.quantize(palette=palette, dither=Image.Dither.NONE).save(to, optimize=True)


def masked(text: str) -> str:
    """The text without timings, with runs of blanks and drawings reduced to one character."""
    for pattern, instead in TIMINGS:
        text = pattern.sub(instead, text)
    return re.sub(r"[^\S\n]+", " ", DRAWN.sub("#", text))


def differences(old: str, new: str) -> list[str]:
    """The lines that differ, old and new."""
    before, after = masked(old).splitlines(), masked(new).splitlines()
    if len(before) != len(after):
        return [f"{len(before)} lines before, {len(after)} now"]
    return [f"- {a}\n+ {b}" for a, b in zip(before, after, strict=True) if not same(a, b)]


def same(before: str, after: str) -> bool:
    """Whether the words of two lines are equal and the numbers about equal."""
    if NUMBER.sub("0", before) != NUMBER.sub("0", after):
        return False
    numbers = ([float(text.replace(",", "")) for text in NUMBER.findall(line)] for line in (before, after))
    return all(math.isclose(a, b, rel_tol=RELATIVE, abs_tol=TINY) for a, b in zip(*numbers, strict=True))


def write(folder: Path) -> None:
    """Write the page and its pictures into ``folder``; other files that the commands write are discarded."""
    with tempfile.TemporaryDirectory() as scratch, chdir(scratch):
        text = page()
        (folder / PICTURES).mkdir(parents=True, exist_ok=True)
        for path in (folder / PICTURES).glob("*.png"):
            path.unlink()
        for path in Path().glob("*.png"):
            make_small(path, folder / PICTURES / path.name)
        (folder / PAGE).write_text(text, encoding="utf-8")


def main(arguments: list[str]) -> None:
    os.environ.update(ENVIRONMENT)
    if arguments and arguments != ["--check"]:
        sys.exit(f"python docs/{Path(__file__).name} takes --check or nothing, not {' '.join(arguments)}")
    if not arguments:
        write(HERE)
        return
    if not (HERE / PAGE).exists():
        sys.exit(f"there is no {HERE / PAGE} yet: run python docs/{Path(__file__).name}")
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder))
        new = (Path(folder) / PAGE).read_text(encoding="utf-8")
    old = (HERE / PAGE).read_text(encoding="utf-8")
    if told := differences(old, new):
        sys.exit("\n".join([*told, f"{HERE / PAGE} is old: run python docs/{Path(__file__).name}"]))


if __name__ == "__main__":
    main(sys.argv[1:])
