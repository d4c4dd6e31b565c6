"""Writes docs/tutorial.md and docs/pictures/ by running the commands of docs/tutorial.template.

`python docs/make_tutorial.py` writes them; with --check it only compares, in a temporary folder.

A block of the template that begins with ```run holds one command. In the page the command stands in its place, and
below it what it printed, standard error before standard output, as into a pipe. On the first line of a block may stand

    exit=1            the exit code that it must have, 0 unless given
    only=data,coef    the lines of its answer that begin so; "..." stands for the others

Pictures that a command writes go to docs/pictures/. Left out is what depends on the run before: that kernels were
compiled and how long it took, and how far a run had got.
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
DEPENDS_ON_THE_RUN_BEFORE = re.compile(
    r"^(?:compiling kernels, |[\d.]+ of \d+ epochs).*\n|, compiling [\d.]+ s \(once on this machine\)", re.MULTILINE
)
# The pictures are small: so many pixels wide, in so many colours and greys; all that is less colourful is grey.
WIDTH, COLOURS, GREYS = 800, 96, 32
COLOURFUL = 24

SPEED = r"[\d.]+(?: thousand| million| billion)?"
# What differs from one run to the next, and is no more compared.
TIMINGS = [
    (re.compile(rf"in [\d.e-]+ s, {SPEED} rows a second; reading [\d.e-]+ s"), "in ... s"),
    (re.compile(r"([;,]) [\d.e-]+ s$", re.MULTILINE), r"\1 ... s"),
    # Of a row of compare: two speeds and their ratio; and after the epochs, the seconds.
    (re.compile(rf" +{SPEED} +{SPEED} +[\d.]+ +(\d+|-) +(?:[\d.e-]+|-) +(?=\S+ +(?:yes|no)$)", re.MULTILINE), r" \1 "),
]
NUMBER = re.compile(r"(?<![\w.])-?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?(?!\w)")
# Rounding differs between processors and versions: numbers are equal to about three digits, and tiny ones are all 0.
RELATIVE, TINY = 2e-3, 1e-6
# Drawn from numbers, and next to the border between two characters as sensitive as they are.
DRAWN = re.compile(r"[▏▎▍▌▋▊▉█▁▂▃▄▅▆▇\u2800-\u28ff]+")


def fastgd(words: list[str]) -> tuple[str, int]:
    """What a command prints, standard error first, and its exit code."""
    from fastgd_cli.main import main

    out, err = TextIOWrapper(BytesIO(), encoding="utf-8", write_through=True), StringIO()
    with mock.patch.object(sys, "argv", words), redirect_stdout(out), redirect_stderr(err):
        try:
            main()
            code = 0
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    return err.getvalue() + out.buffer.getvalue().decode(), code


def answer(command: str) -> tuple[str, int]:
    words = shlex.split(command)
    if words[0] == "cat":
        return Path(words[1]).read_text(encoding="utf-8"), 0
    return fastgd(words)


def shortened(text: str, only: str | None) -> str:
    """The lines that begin with one of these words; for those between, three dots."""
    lines = text.splitlines()
    if only is not None:
        words = only.split(",")
        lines = [line if line.split()[:1] and line.split()[0] in words else "..." for line in lines]
        lines = [line for k, line in enumerate(lines) if line != "..." or k == 0 or lines[k - 1] != "..."]
    return "\n".join(lines)


def block(settings: str, command: str) -> str:
    """A command and its answer, as they stand in the page."""
    options = dict(part.split("=") for part in settings.split())
    printed, code = answer(command)
    if code != int(options.get("exit", 0)):
        sys.exit(f"{command}\nended with exit code {code}:\n{printed}")
    text = shortened(DEPENDS_ON_THE_RUN_BEFORE.sub("", printed), options.get("only"))
    return f"```sh\n{command}\n```\n\n```text\n{text}\n```"


def page() -> str:
    """The page, from commands that run in the current folder."""
    text = BLOCK.sub(lambda found: block(*found.groups()), TEMPLATE.read_text(encoding="utf-8"))
    note = f"<!-- Written by python docs/{Path(__file__).name} from {TEMPLATE.name}: change that one. -->\n\n"
    return note + text


def make_small(path: Path, to: Path) -> None:
    """A picture without what would make its file large or different each time."""
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
    """Without timings; blanks, whose number depends on them, and what is drawn by characters are one."""
    for pattern, instead in TIMINGS:
        text = pattern.sub(instead, text)
    return re.sub(r"[^\S\n]+", " ", DRAWN.sub("#", text))


def differences(old: str, new: str) -> list[str]:
    """Lines that say something else than before."""
    before, after = masked(old).splitlines(), masked(new).splitlines()
    if len(before) != len(after):
        return [f"{len(before)} lines before, {len(after)} now"]
    return [f"- {a}\n+ {b}" for a, b in zip(before, after, strict=True) if not same(a, b)]


def same(before: str, after: str) -> bool:
    """Two lines in which the words are equal and the numbers about so."""
    if NUMBER.sub("0", before) != NUMBER.sub("0", after):
        return False
    numbers = ([float(text.replace(",", "")) for text in NUMBER.findall(line)] for line in (before, after))
    return all(math.isclose(a, b, rel_tol=RELATIVE, abs_tol=TINY) for a, b in zip(*numbers, strict=True))


def write(folder: Path) -> None:
    """The page and its pictures; what the commands write beside them is thrown away."""
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
