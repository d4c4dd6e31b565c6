"""Standard streams that are closed, full or read no further, and what a terminal may be sent."""

from __future__ import annotations

import ast
import errno
import io
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import fastgd_cli
import numpy as np
import pytest
from fastgd_cli.summary import echo_json
from helpers.command_line import fastgd

import fastgd as library
from fastgd.wording import printable

CODES = "\x1b[31m", "\u202e", "\x07", "\x9b"
ESCAPES = r"\x1b[31m", r"\u202e", r"\x07", r"\x9b"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a table and a model of it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "d.csv").write_text("a,y\n1,2\n2,3\n4,9\n5,7\n")
    assert fastgd("run", "d.csv", "--save", "m.fastgd", "-q").code == 0
    return tmp_path


def in_shell(command: str, folder: Path) -> tuple[int, str, str]:
    """Exit code, output and messages of a command of bash in which ``fastgd`` is the command line."""
    words = f'fastgd() {{ "{sys.executable}" -m fastgd_cli "$@"; }}; set -o pipefail; {command}'
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(["bash", "-c", words], cwd=folder, env=environment, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("streams", "code", "message"),
    [
        (">&-", 1, "fastgd: standard output cannot be written to (Bad file descriptor)"),
        ("> /dev/full", 1, "fastgd: standard output cannot be written to (No space left on device)"),
        ("<&-", 0, None),
        ("2>&-", 0, None),
        ("2> /dev/full", 0, None),
        ("<&- 2>&- >&-", 1, ""),
    ],
)
def test_streams_that_are_closed_or_full(folder, streams, code, message):
    """The model is kept whatever becomes of the summary."""
    before = (folder / "d.csv").read_bytes()
    found, out, err = in_shell(f"fastgd run d.csv --save new.fastgd --trace t.csv {streams}", folder)
    assert found == code
    assert (folder / "new.fastgd").exists()
    assert (folder / "t.csv").read_text().startswith("epoch,")
    assert (folder / "d.csv").read_bytes() == before
    if message is None:
        assert "objective" in out
    else:
        assert err.strip().split("\n")[-1] == message


COMMANDS = ["predict m.fastgd d.csv", "run d.csv --epochs 3 --json", "run d.csv", "evaluate m.fastgd d.csv", "info"]
COMMANDS += [
    "compare d.csv --methods gd --epochs 2 --repeats 1",
    "search d.csv",
    "lr-find d.csv",
    "plot t.csv",
    "--help",
]


@pytest.mark.parametrize("command", ["predict m.fastgd long.csv", "run d.csv --epochs 3 --json"])
def test_a_reader_that_ends_is_no_failure(folder, command):
    (folder / "long.csv").write_text("a\n" + "1\n" * 100_000)
    code, out, err = in_shell(f"fastgd {command} | head -1", folder)
    assert (code, len(out.splitlines())) == (0, 1)
    assert "fastgd:" not in err


class Refusing(io.RawIOBase):
    """A stream that takes a number of bytes, and then fails."""

    def __init__(self, error: OSError, taken: int) -> None:
        self.error, self.left = error, taken

    def writable(self) -> bool:
        return True

    def write(self, content) -> int:
        self.left -= len(content)
        if self.left < 0:
            raise self.error
        return len(content)


@pytest.mark.parametrize("taken", [0, 10])
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_where_output_is_refused(folder, command, taken):
    """By a pipe whose reader has ended, which is no failure, and by a full disk."""
    fastgd("run", "d.csv", "--trace", "t.csv")
    full = OSError(errno.ENOSPC, "No space left on device")
    for error, code, message in ((BrokenPipeError(errno.EPIPE, "Broken pipe"), 0, None), (full, 1, full.strerror)):
        out = io.TextIOWrapper(Refusing(error, taken), encoding="utf-8", write_through=True)
        ran = fastgd(*command.split(), out=out)
        assert (ran.code, "internal" in ran.err) == (code, False), ran.err
        if message:
            assert f"fastgd: standard output cannot be written to ({message})" in ran.err


def test_an_error_of_another_file_is_not_blamed_on_standard_output(folder, monkeypatch):
    def fail(*_arguments, **_options):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(library, "fit", fail)
    ran = fastgd("run", "d.csv")
    assert (ran.code, "standard output" in ran.err, "internal error (OSError" in ran.err) == (1, False, True)


def test_predictions_to_a_file_need_no_standard_output(folder):
    assert in_shell("fastgd predict m.fastgd d.csv -o p.csv >&-", folder)[0] == 0
    assert (folder / "p.csv").read_text().count("\n") == 5


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_on_a_terminal_shows_names_of_files_as_they_are(folder, monkeypatch):
    """Markup of rich, and codes that a terminal obeys."""
    monkeypatch.setenv("TERM", "xterm")
    (folder / "a[").mkdir()
    for name in ("a[/x].csv", f"[bold]{''.join(CODES)}.csv"):
        (folder / name).write_text((folder / "d.csv").read_text())
        err = Terminal()
        ran = fastgd("run", name, err=err)
        assert ran.code == 0, ran.err
        assert f"reading {printable(name)}" in ran.err
        assert not {"\u202e", "\x07", "\x9b"} & set(ran.err)


def test_a_label_of_several_lines_is_one_row(folder):
    rows = "".join(f'{k},"{label}"\n' for k, label in enumerate(["a\nmodel  b", "c", "d"] * 3))
    (folder / "l.csv").write_text(f"x,y\n{rows}")
    out = fastgd("run", "l.csv", "--loss", "softmax", "--alpha", 0.1).out
    assert "coef of a\\nmodel  b" in out
    assert not any(line.startswith("model") for line in out.splitlines())


def test_control_characters_of_data_are_shown_as_escapes(folder):
    """In names of columns, labels and files, on standard output and in messages."""
    name, label = "".join(CODES), "b" + "".join(CODES)
    (folder / "e.csv").write_text(f"{name},y\n1,{label}\n2,c\n4,{label}\n3,c\n", encoding="utf-8")
    summary = fastgd("run", "e.csv", "--loss", "logistic", "--epochs", 3, "--save", "e.fastgd")
    texts = [summary.out, fastgd("run", f"{name}.csv").err, fastgd("run", "e.csv", "--target", label).err]
    texts += [fastgd(f"run{name}").err, fastgd("run", "e.csv", f"--{name}").err, fastgd("run", "e.csv").err]
    for text in texts:
        assert not any(code in text for code in CODES), text
    assert "".join(ESCAPES) in summary.out
    assert ESCAPES[1] in texts[1]


def test_every_command_prints_through_one_function():
    """`click.echo` and `print` would send a terminal what data holds."""
    for path in Path(fastgd_cli.__file__).parent.glob("*.py"):
        calls = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        names = {ast.unparse(call) for call in calls}
        assert path.name == "console.py" or not names & {"click.echo", "click.secho", "print"}, path.name


def test_formulas_are_made_harmless(folder):
    words = ["=1+1", "+x", "-y", "@z", "-5", "safe"]
    rows = "".join(f"{k},{word}\n" for k, word in enumerate(words * 2))
    (folder / "f.csv").write_text(f"a,y\n{rows}")
    assert fastgd("run", "f.csv", "--loss", "softmax", "--alpha", "1e-9", "--save", "f.fastgd", "-q").code == 0
    for out in ("p.csv", "p.tsv", None):
        ran = fastgd("predict", "f.fastgd", "f.csv", *(["-o", out] if out else []))
        text = (folder / out).read_text() if out else ran.out
        cells = {line.replace("\t", ",").split(",")[0].strip('"') for line in text.splitlines()[1:]}
        assert not cells & {"=1+1", "+x", "-y", "@z"}
        assert cells & {"'=1+1", "'+x", "'-y", "'@z"}
        assert "'-5" not in cells
    fastgd("predict", "f.fastgd", "f.csv", "-o", "p.parquet")
    assert b"'=1+1" not in (folder / "p.parquet").read_bytes()


@pytest.mark.parametrize(("shell", "words", "shown"), [("source", "", "_fastgd_completion"), ("complete", "ru", "run")])
def test_completion_of_words_in_a_shell(folder, monkeypatch, shell, words, shown):
    for name, value in (("_FASTGD_COMPLETE", f"bash_{shell}"), ("COMP_WORDS", f"fastgd {words}"), ("COMP_CWORD", "1")):
        monkeypatch.setenv(name, value)
    ran = fastgd()
    assert (ran.code, ran.err) == (0, "")
    assert shown in ran.out


def test_json_has_null_for_what_is_not_finite(capsys):
    """Python would write NaN and Infinity, which are no JSON."""
    content = {"a": (math.nan, {"b": [math.inf]}), "c": np.array([[1.0, -math.inf]]), "d": {"e": (1, "x")}}
    echo_json(content)
    assert json.loads(capsys.readouterr().out, parse_constant=pytest.fail) == {
        "a": [None, {"b": [None]}], "c": [[1.0, None]], "d": {"e": [1, "x"]}
    }  # fmt: skip
