"""Outputs at the command line: no input and no other output is written over."""

from __future__ import annotations

import os

import pytest

from tests.helpers.command_line import fastgd

TABLE = "a,b,y\n1,2,3\n2,1,4\n3,5,1\n4,4,2\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "d.csv").write_text(TABLE)
    (tmp_path / "link.csv").symlink_to("d.csv")
    os.link(tmp_path / "d.csv", tmp_path / "hard.csv")
    return tmp_path


@pytest.mark.parametrize("trace", ["d.csv", "./d.csv", "../{}/d.csv", "link.csv", "hard.csv"])
def test_an_output_never_replaces_the_data(folder, trace):
    ran = fastgd("run", "d.csv", "--trace", trace.format(folder.name))
    assert ran.code == 2
    assert "--trace would write over the input d.csv" in ran.err
    assert (folder / "d.csv").read_text() == TABLE


@pytest.mark.parametrize(("first", "second"), [("z.csv", "z.csv"), ("z.csv", "./z.csv")])
def test_two_outputs_need_two_files(folder, first, second):
    ran = fastgd("run", "d.csv", "--save", first, "--trace", second)
    assert ran.code == 2
    assert "--trace and --save name the same file" in ran.err
    assert not (folder / "z.csv").exists()


def test_predictions_never_replace_the_model(folder):
    assert fastgd("run", "d.csv", "--save", "m.csv").code == 0
    model = (folder / "m.csv").read_bytes()
    ran = fastgd("predict", "m.csv", "d.csv", "-o", "m.csv")
    assert ran.code == 2
    assert "would write over the input m.csv" in ran.err
    assert (folder / "m.csv").read_bytes() == model


def test_outputs_to_a_device_are_allowed_twice(folder):
    assert fastgd("run", "d.csv", "--save", "/dev/null", "--trace", "/dev/null").code == 0


def test_an_output_that_fails_loses_no_other_and_no_result(folder):
    """A full device fails when it is written to, after training."""
    (folder / "full.png").symlink_to("/dev/full")
    ran = fastgd("run", "d.csv", "--save", "/dev/full", "--trace", "t.csv", "--plot", "full.png", "--report", "r.html")
    assert ran.code == 2
    (told,) = (line for line in ran.err.splitlines() if line.startswith("fastgd: "))
    for path in ("/dev/full", "full.png"):
        assert f"{path}: cannot be written (No space left on device)" in told
    shown = [line.split()[0] for line in ran.out.splitlines()]
    assert {"objective", "coef", "trace", "report"} <= set(shown)
    assert not {"model", "plot"} & set(shown)
    assert (folder / "t.csv").read_text().startswith("epoch,")
    assert (folder / "r.html").stat().st_size > 1e6


@pytest.mark.parametrize("command", ["search", "lr-find", "compare"])
def test_a_picture_that_fails_loses_no_result(folder, command):
    (folder / "full.svg").symlink_to("/dev/full")
    options = ("--methods", "gd", "--epochs", 2, "--repeats", 1) if command == "compare" else ()
    ran = fastgd(command, "d.csv", *options, "--plot", "full.svg")
    assert ran.code == 2
    assert ran.out.startswith("data ")
    assert "plot" not in ran.out
    assert "full.svg: cannot be written (No space left on device)" in ran.err


def test_an_output_that_fails_does_not_hide_how_training_ended(folder):
    ran = fastgd("run", "d.csv", "--method", "gd", "--learning-rate", 9, "--trace", "/dev/full", "--plot", "p.png")
    assert ran.code == 1
    told = ran.err.splitlines()
    assert "/dev/full: cannot be written (No space left on device)" in told
    assert any(line.endswith("; kept in p.png") for line in told)
    assert "diverged" in told[-1]
