"""`fastgd plot`, and the pictures of `run` and `lr-find`, as a person asks for them."""

from __future__ import annotations

import io
import sys
from contextlib import redirect_stdout

import numpy as np
import pytest
from fastgd_cli.chart import DOTS, STEPS, framed_chart, line_chart, sparkline
from fastgd_cli.pictures import AXES as CLI_AXES
from fastgd_cli.plot import CURVES as CLI_CURVES
from fastgd_cli.plot import SCALES as CLI_SCALES
from helpers.command_line import fastgd
from helpers.picture_cases import check_file

import fastgd as library
from fastgd.show.plots.loss_plot import SCALES
from fastgd.show.trace_curves import AXES, CURVES, read_trace

LESSON = (
    "run",
    "tutorial",
    "--method",
    "gd",
    "--learning-rate",
    0.01,
    "--start",
    1.0,
    "--no-intercept",
    "--epochs",
    30,
)
TOO_FAST = (*LESSON[:4], "--learning-rate", 1)
BRAILLE = {chr(0x2800 + code) for code in range(1, 256)}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_trace(path, objective):
    """As `fastgd run --trace` does."""
    lines = ["epoch,passes,seconds,objective,running_loss,learning_rate,gradient_norm,validation_loss"]
    lines += [f"{k},{k},{0.1 * k},{value},nan,0.1,1.0,nan" for k, value in enumerate(objective)]
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture
def traces(folder):
    write_trace(folder / "gd.csv", [8.0, 4.0, 2.0, 1.0])
    write_trace(folder / "sgd.csv", [8.0, 1.0, 0.1, 0.05])
    return folder


# --- What a run draws -------------------------------------------------------------------------------------------------


def test_a_run_draws_its_loss_and_its_landscape(folder):
    ran = fastgd(*LESSON, "--plot", "loss.png", "--smooth", 0.9, "--against", "seconds", "--plot-landscape", "cost.svg")
    assert ran.code == 0
    assert [line.split() for line in ran.out.splitlines()[-2:]] == [["plot", "loss.png"], ["landscape", "cost.svg"]]
    check_file(folder / "loss.png")
    check_file(folder / "cost.svg")


def test_summary_names_the_files_that_a_run_draws(folder, monkeypatch):
    seen = {}
    monkeypatch.setattr(library, "plot_loss", lambda runs, **options: seen.update(runs=runs, **options) or Blank())
    monkeypatch.setattr(library, "landscape", lambda table, **options: seen.update(options) or None)
    monkeypatch.setattr(library, "plot_landscape", lambda found, **options: seen.update(options) or Blank())
    words = ("--plot", "a.png", "--trace-steps", "--against", "step", "--smooth", 0.5, "--plot-landscape", "b.png")
    ran = fastgd(*LESSON, *words, "--plot-weights", "x", "--plot-3d", "--alpha", 0.25, "--json")
    assert (ran.json["plot"], ran.json["landscape"]) == ("a.png", "b.png")
    assert seen["title"] == "tutorial: squared loss, penalty l2 0.25, gd, learning rate 0.01"
    assert {name: seen[name] for name in ("against", "smooth", "weights", "surface", "alpha")} == {
        "against": "step", "smooth": 0.5, "weights": ["x"], "surface": True, "alpha": 0.25,
    }  # fmt: skip
    assert len(seen["runs"]["gd"].steps) == 30


class Blank:
    """In place of a figure."""

    def savefig(self, file, **options):
        file.write(b"picture")


def test_a_diverging_run_draws_the_curve_up_to_the_divergence(folder):
    ran = fastgd(*TOO_FAST, "--plot", "loss.svg", "--plot-landscape", "land.png", "--save", "model.fastgd")
    assert ran.code == 1
    assert "kept in loss.svg and land.png\nfastgd: training diverged in epoch 2: the loss grew" in ran.err
    check_file(folder / "loss.svg")
    assert "diverged in epoch 2, loss 473" in (folder / "loss.svg").read_text()
    assert not (folder / "model.fastgd").exists()


def test_the_plot_includes_the_last_epoch(folder, monkeypatch):
    seen = {}
    monkeypatch.setattr(library, "plot_loss", lambda runs, **options: seen.update(runs=runs) or Blank())
    assert fastgd(*TOO_FAST, "--plot", "a.png").code == 1
    assert isinstance(seen["runs"]["gd"], library.DivergedError)


def test_an_error_of_the_plot_does_not_hide_the_divergence(folder, monkeypatch):
    def fail(*_, **__):
        raise library.DataError("a.png: cannot be written (no space left on device)")

    monkeypatch.setattr("fastgd.show.plots.save", fail)
    ran = fastgd(*TOO_FAST, "--plot", "a.png", "--trace", "a.csv")
    assert ran.code == 1
    assert (
        "no space left on device)\nstopped after 1 complete epoch; kept in a.csv\nfastgd: training diverged" in ran.err
    )


def test_lr_find_plots_to_a_file(folder):
    ran = fastgd("lr-find", "tutorial", "--method", "gd", "--rates", "0.001,0.01,0.1,1", "--plot", "rates.png")
    assert ran.code == 0
    assert "\nplot      rates.png\n" in ran.out
    check_file(folder / "rates.png")
    words = ("lr-find", "tutorial", "--method", "gd", "--rates", "0.01,0.1", "--plot", "rates.pdf", "--json", "--quiet")
    assert fastgd(*words).json["plot"] == "rates.pdf"
    check_file(folder / "rates.pdf")


WRONG = {
    "suffix": (("run", "--plot", "a.txt"), "a.txt: the suffix '.txt' is not known; use .png, .svg or .pdf"),
    "folder": (("run", "--plot-landscape", "no/a.png"), "no/a.png: there is no folder"),
    "lr-find": (("lr-find", "--plot", "a.txt"), "a.txt: the suffix '.txt' is not known"),
    "smooth alone": (("run", "--smooth", 0.9), "--smooth needs a plot: add --plot FILE.png"),
    "against alone": (("run", "--against", "seconds"), "--against needs a plot"),
    "weights alone": (("run", "--plot-weights", "a"), "--plot-weights needs a landscape"),
    "3d alone": (("run", "--plot-3d", "--plot", "a.png"), "--plot-3d needs a landscape"),
    "beta": (("run", "--plot", "a.png", "--smooth", 1), "--smooth must be from 0 to less than 1"),
    "steps": (("run", "--plot", "a.png", "--against", "step"), "--against step draws single updates: add --trace-st"),
    "three": (("run", "--plot-landscape", "a.png", "--plot-weights", "a,b,c"), "--plot-weights takes one name or two"),
    "no file": (("run", "--trace-steps"), "add --trace FILE.csv or --plot FILE.png"),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_wrong_options_are_found_before_the_data_is_read(what, folder, monkeypatch):
    monkeypatch.setattr(library, "open", None)
    words, told = WRONG[what]
    ran = fastgd(*words)
    assert (ran.code, ran.out) == (2, "")
    assert told in ran.err


def test_an_unknown_weight_is_found_before_training(folder, monkeypatch):
    monkeypatch.setattr(library, "fit", None)
    ran = fastgd("run", "diabetes", "--plot-landscape", "a.png", "--plot-weights", "bmj,intercept", "--quiet")
    assert (ran.code, ran.err) == (2, "fastgd: --plot-weights: there is no weight 'bmj': did you mean 'bmi'?\n")


@pytest.mark.parametrize("words", [("run", "--plot", "a.png"), ("run", "--plot-landscape", "a.png"),
                                   ("lr-find", "--plot", "a.png"), ("plot", "gd.csv", "-o", "a.png")])  # fmt: skip
def test_error_without_matplotlib_says_what_to_install(words, traces, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    monkeypatch.setattr(library, "open", None)
    ran = fastgd(*words)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == "fastgd: plots need matplotlib, which is not installed: pip install 'fastgd[plot]'\n"


def test_the_summary_has_a_sparkline(folder):
    lines = dict(line.split(maxsplit=1) for line in fastgd(*LESSON).out.splitlines())
    drawn, _, words = lines["curve"].partition("  ")
    assert words == "objective F by epochs, log scale"
    assert len(drawn) == 31
    assert (drawn[0], drawn[-1], sorted(drawn, reverse=True)) == ("█", "▁", list(drawn))
    assert "curve" not in fastgd(*LESSON[:-1], 2).out


# --- fastgd plot ------------------------------------------------------------------------------------------------------


def test_a_chart_in_the_terminal(traces):
    ran = fastgd("plot", "gd.csv")
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert lines[0] == "gd.csv: objective F"
    assert lines[-1] == "against epochs (passes over the rows)"
    assert lines[1].startswith("8 │")
    assert lines[-3].startswith("1 │")
    assert lines[-2].split() == ["0", "3"]
    assert max(map(len, lines)) <= 80
    assert "\x1b" not in ran.out
    assert len(BRAILLE & set(ran.out)) > 3


def test_several_traces_have_the_same_axes(traces):
    ran = fastgd("plot", "gd.csv", "sgd.csv", "--against", "seconds", "--smooth", 0.2)
    heads = [line for line in ran.out.splitlines() if "csv" in line]
    assert heads == [f"{name}.csv: objective F, smoothed (beta 0.2), log scale" for name in ("gd", "sgd")]
    lines = ran.out.splitlines()
    tops = [lines[lines.index(head) + 1].split("│")[0].strip() for head in heads]
    assert tops == ["8", "8"]
    assert ran.out.splitlines()[-1] == "against seconds of training"


def test_chart_is_ascii_without_braille(traces, monkeypatch):
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "argv", ["fastgd", "plot", "gd.csv"])
    from fastgd_cli.main import main

    with redirect_stdout(out), pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    out.flush()
    assert "8 |*" in out.buffer.getvalue().decode("ascii")


def test_plot_of_traces_to_a_file(traces, monkeypatch):
    ran = fastgd("plot", "gd.csv", "sgd.csv", "-o", "both.svg", "--scale", "linear", "--title", "mine & yours")
    assert (ran.code, ran.out) == (0, "plotted to both.svg\n")
    check_file(traces / "both.svg")
    seen = {}
    monkeypatch.setattr(
        "fastgd.show.plots.plot_loss", lambda runs, **options: seen.update(options, runs=runs) or Blank()
    )
    (traces / "more").mkdir()
    (traces / "more" / "gd.csv").write_bytes((traces / "gd.csv").read_bytes())
    fastgd("plot", "gd.csv", "more/gd.csv", "-o", "a.png", "--smooth", 0.9, "--curves", "objective", "--scale", "log")
    assert list(seen.pop("runs")) == ["gd.csv", "more/gd.csv"]
    assert seen == {"against": "epoch", "smooth": 0.9, "curves": ["objective"], "scale": "log", "title": None}
    fastgd("plot", "sgd.csv", "-o", "a.png")
    assert seen["title"] == "sgd.csv"


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".csv.gz", ".parquet", ".feather", ".npy"])
def test_plot_reads_the_traces_of_run(suffix, folder):
    path = folder / f"trace{suffix}"
    assert fastgd(*LESSON, "--trace", path).code == 0
    table = library.open("tutorial")
    expected = library.fit(table, method="gd", learning_rate=0.01, start=1.0, fit_intercept=False, max_epochs=30)
    found = read_trace(path)
    assert found.default == ("objective",)
    np.testing.assert_array_equal(found.curves["objective"].values, expected.trace["objective"])
    np.testing.assert_array_equal(found.curves["running_loss"].x["passes"], expected.trace["passes"][1:])


def test_plot_reads_traces_of_single_updates(folder):
    assert fastgd(*LESSON, "--trace", "steps.csv", "--trace-steps").code == 0
    found = read_trace("steps.csv")
    assert (found.default, list(found.curves)) == (("loss",), ["loss"])
    np.testing.assert_array_equal(found.curves["loss"].x["step"], np.arange(1, 31))
    np.testing.assert_array_equal(found.curves["loss"].x["epoch"], np.arange(1, 31))


BAD = {
    "missing": ("gone.csv", None, "gone.csv: there is no such file"),
    "foreign": ("a.csv", "a,b\n1,2\n", "a.csv: not a trace, since it has no numeric column 'epoch', 'passes'"),
    "words": (
        "a.csv",
        "epoch,passes,seconds,objective,running_loss\n1,1,1,high,1\n",
        "no numeric column 'objective'",
    ),
    "empty": ("a.csv", "", "a.csv: is empty"),
    "no rows": ("a.csv", "epoch,passes,seconds,objective,running_loss\n", "a.csv: has a header but no rows"),
    "no losses": ("a.csv", "epoch,passes,seconds,objective,running_loss\n1,1,1,nan,nan\n", "the trace has no losses"),
    "binary": ("a.png", "\x89PNG", "a.png: is not a file of columns by its suffix"),
    "damaged": ("a.npy", "nothing", "a.npy: is not a complete .npy file"),
}


@pytest.mark.parametrize("what", BAD)
def test_error_for_a_file_that_is_no_trace(what, folder):
    name, content, told = BAD[what]
    if content is not None:
        (folder / name).write_text(content)
    ran = fastgd("plot", name)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert told in ran.err


def test_error_for_an_array_without_names(folder):
    np.save("a.npy", np.ones((3, 2)))
    assert "not a trace" in fastgd("plot", "a.npy").err
    np.save("b.npy", np.array([("x", 1.0)], [("epoch", "U3"), ("objective", "f8")]))
    assert "the column 'epoch' is not numeric" in fastgd("plot", "b.npy").err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--against", "step"), "gd.csv: the objective F is recorded by epoch, passes, seconds, not by step"),
        (("--curves", "loss"), "gd.csv: has no loss, only objective"),
        (("--curves", "los"), "unknown curve 'los'"),
        (("--smooth", 2), "--smooth must be from 0 to less than 1"),
        (("-o", "a.txt"), "a.txt: the suffix '.txt' is not known"),
        (("--scale", "cubic"), "'cubic' is not one of"),
    ],
)
def test_wrong_usage_of_plot(words, told, traces):
    ran = fastgd("plot", "gd.csv", *words)
    assert (ran.code, ran.out) == (2, "")
    assert told in ran.err


def test_losses_that_are_not_finite(folder):
    write_trace(folder / "inf.csv", [np.inf, np.inf])
    assert fastgd("plot", "inf.csv").out == "there is no finite loss to draw\n"
    write_trace(folder / "negative.csv", [-1.0, -2.0])
    assert fastgd("plot", "negative.csv", "--scale", "log").out == "there is no finite loss above 0 to draw\n"


def test_choices_are_those_of_the_library():
    assert (tuple(AXES), tuple(CURVES), SCALES) == (CLI_AXES, CLI_CURVES, CLI_SCALES)


# --- Charts -----------------------------------------------------------------------------------------------------------


def test_a_line_of_braille_dots():
    x, y = np.array([0.0, 1.0]), np.array([0.0, 1.0])
    (line,) = line_chart(x, y, (0.0, 1.0), (0.0, 1.0), (2, 1), braille=True)
    # Four dots across and four down: the diagonal, and nothing else.
    assert [ord(character) - 0x2800 for character in line] == [DOTS[3][0] | DOTS[2][1], DOTS[1][0] | DOTS[0][1]]
    assert line_chart(x, y, (0.0, 1.0), (0.0, 1.0), (3, 3), braille=False) == ["  *", " * ", "*  "]


def test_a_peak_is_drawn_and_the_line_is_connected():
    y = np.zeros(1000)
    y[500] = 1.0
    lines = line_chart(np.arange(1000.0), y, (0.0, 999.0), (0.0, 1.0), (10, 5), braille=False)
    assert [line.count("*") for line in lines] == [1, 1, 1, 1, 10]


def test_a_steep_line_is_connected_between_two_columns():
    lines = line_chart(np.array([0.0, 1.0]), np.array([0.0, 1.0]), (0.0, 1.0), (0.0, 1.0), (2, 40), braille=False)
    assert [line.count("*") for line in lines] == [1] * 40


def test_a_chart_shows_the_limits_of_its_axes():
    lines = framed_chart(np.array([0.0, 9.0]), np.array([1.0, 100.0]), (1e-6, 9.0), (1.0, 100.0), (40, 3), True, False)
    assert [line.split("|")[0] for line in lines[:3]] == ["100 ", "    ", "  1 "]
    assert lines[3].split() == ["0", "9"]
    assert max(map(len, lines)) <= 40
    # Half of the way in logarithms is in the middle of the three rows.
    assert framed_chart(np.array([0.0]), np.array([10.0]), (0.0, 9.0), (1.0, 100.0), (40, 3), True, False)[1][5:] == "*"


def test_a_sparkline():
    assert sparkline([0.0, 1.0, 3.5, 7.0], 10) == "▁▂▅█"
    assert sparkline([5.0, 5.0], 10) == "▁▁"
    assert sparkline(np.repeat([0.0, 7.0], 50), 4) == "▁▁██"
    assert len(STEPS) == 8
