"""Names of files and columns in pictures and reports are shown as they are, whatever characters they hold."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np
import pytest
from helpers.command_line import fastgd
from helpers.picture_cases import axes_of, check_file, diverged, result

from fastgd import Landscape, Report, plot_landscape, plot_loss, write_report
from fastgd.show.plots import save

FORMULA = r"$\no_formula$ a$b$c"  # matplotlib would read the first as mathematics, and fail
CODES = "\x1b[31m \x01 \u202e \ud800"
ESCAPES = r"\x1b[31m \x01 \u202e \ud800"


def landscape(name: str, n_parameters: int) -> Landscape:
    grid = tuple(np.linspace(-1.0, 1.0, 5) for _ in range(n_parameters))
    values = sum(np.meshgrid(*(part**2 for part in grid), indexing="ij"))
    return Landscape((name,) * n_parameters, grid, values, {name: np.zeros((2, n_parameters))}, {name: np.zeros(2)})


@pytest.mark.parametrize("suffix", [".svg", ".png", ".pdf"])
@pytest.mark.parametrize("name", [FORMULA, CODES])
def test_pictures(tmp_path, name, suffix):
    figures = [plot_loss({name: result([1000.0, 1.0]), "b": diverged([9.0], [(1, 1e9)])}, title=name, scale="log")]
    figures += [plot_landscape(landscape(name, n), title=name, surface=n == 2) for n in (1, 2)]
    for figure in figures:
        save(figure, tmp_path / f"a{suffix}")
        check_file(tmp_path / f"a{suffix}")
    shown = ESCAPES if name == CODES else FORMULA
    axes = figures[0].axes[0]
    assert axes.get_title("left") == shown
    assert axes.get_legend().get_texts()[0].get_text().startswith(shown)
    assert figures[1].axes[0].get_xlabel() == shown


def test_names_that_begin_with_an_underscore_are_in_the_legend():
    runs = {"_a": result([4.0, 1.0], norms=1.0), "b": result([4.0, 2.0], norms=1.0)}
    for figure in (plot_loss(runs), plot_landscape(landscape("_a", 2))):
        legend = figure.axes[0].get_legend()
        assert " _a" in [text.get_text() for text in legend.get_texts()]


def test_labels_of_ticks_stay_formulas():
    """On a logarithmic axis matplotlib writes powers of ten this way."""
    axes = axes_of(plot_loss(result([1e6, 1.0]), scale="log"))
    assert any(tick.get_text().startswith("$") and tick.get_parse_math() for tick in axes.get_yticklabels())


def test_reports(tmp_path):
    facts = {CODES: CODES}
    run = result([2.0, 1.0], method=CODES)
    report = Report(
        CODES, command=CODES, settings=facts, data=facts, columns=[CODES], rows=[[CODES]], runs={CODES: run},
        model=facts, landscape=landscape(CODES, 2), remarks=[CODES],
    )  # fmt: skip
    write_report(tmp_path / "r.html", report)
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert not any(code in page for code in ("\x1b[31m", r"\u001b[31m", "\u202e"))
    assert page.count(ESCAPES) >= 10  # in text
    assert page.count(ESCAPES.replace("\\", "\\\\")) >= 3  # in the data of charts


def test_commands_draw_files_and_columns_of_any_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / f"{FORMULA}.csv").write_text(f"{FORMULA},y\n1,2\n2,3\n4,9\n5,7\n")
    commands = (
        ("run", "--trace", "t$\\no$.csv", "--plot", "a.svg", "--plot-landscape", "b.svg", "--report", "c.html"),
        ("search", "--plot", "d.svg"),
        ("lr-find", "--plot", "e.svg"),
        ("compare", "--methods", "gd", "--epochs", 2, "--repeats", 1, "--plot", "f.svg"),
    )
    for command, *options in commands:
        ran = fastgd(command, f"{FORMULA}.csv", *options)
        assert ran.code == 0, ran.err
    assert fastgd("plot", "t$\\no$.csv", "-o", "g.svg").code == 0
    for letter in "abdefg":
        ET.parse(tmp_path / f"{letter}.svg")
