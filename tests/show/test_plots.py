"""Plots: the data of their lines, their labels, and their files."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
from helpers.picture_cases import NAN, axes_of, check_file, diverged, lines, result, steps

import fastgd
from fastgd import DataError, FastgdError, OptionError, RateRange
from fastgd.show.plots import PICTURE_SUFFIXES, check_picture, save
from fastgd.show.plots.style import COLOURS, style
from fastgd.show.trace_curves import as_trace

FALLING = [8.0, 4.0, 2.0, 1.0]
RUNNING = [NAN, 6.0, 3.0, 1.5]


# --- Loss curves -----------------------------------------------------------------------------------------------------


def test_stochastic_run_has_objective_and_running_loss():
    axes = axes_of(fastgd.plot_loss(result(FALLING, RUNNING)))
    drawn = lines(axes)
    assert list(drawn) == ["objective F", "running loss"]
    np.testing.assert_array_equal(drawn["objective F"], [[0, 1, 2, 3], FALLING])
    np.testing.assert_array_equal(drawn["running loss"], [[1, 2, 3], RUNNING[1:]])
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("epochs (passes over the rows)", "loss")


def test_full_batch_run_has_no_running_loss():
    drawn = lines(axes_of(fastgd.plot_loss(result(FALLING, [NAN, *FALLING[:-1]], norms=1.0))))
    assert list(drawn) == ["objective F"]


def test_objective_known_at_both_ends_is_two_points():
    figure = fastgd.plot_loss(result([8.0, NAN, NAN, 1.0], RUNNING, validation=[7.0, 5.0, 3.0, 2.0]))
    drawn = lines(axes_of(figure))
    assert list(drawn) == ["running loss", "objective F (where evaluated)", "validation loss"]
    np.testing.assert_array_equal(drawn["objective F (where evaluated)"], [[0, 3], [8.0, 1.0]])
    (points,) = [line for line in figure.axes[0].get_lines() if "evaluated" in line.get_label()]
    assert points.get_linestyle() == "None"


@pytest.mark.parametrize(
    ("against", "factor", "label"), [("passes", 1.25, "passes over the rows"), ("seconds", 0.5, "seconds of training")]
)
def test_x_axis(against, factor, label):
    axes = axes_of(fastgd.plot_loss(result(FALLING, norms=1.0), against=against))
    np.testing.assert_array_equal(lines(axes)["objective F"][0], factor * np.arange(4))
    assert axes.get_xlabel().startswith(label)


def test_several_runs_differ_in_colour_dashes_and_markers():
    runs = {"gd": result(FALLING, norms=1.0), "sgd": result([8.0, 3.0], [NAN, 5.0]), "auto": result([8.0, 0.5])}
    axes = axes_of(fastgd.plot_loss(runs, title="side by side"))
    drawn = lines(axes)
    assert {label: y.tolist() for label, (_, y) in drawn.items()} == {
        "gd": FALLING, "sgd": [8.0, 3.0], "auto": [8.0, 0.5],
    }  # fmt: skip
    for look in ("color", "linestyle", "marker"):
        assert len({getattr(line, f"get_{look}")() for line in axes.get_lines()}) == 3
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["gd", "sgd", "auto"]
    assert axes.get_title(loc="left") == "side by side"
    assert (axes.get_ylabel(), len(COLOURS)) == ("objective F", len({style(k) for k in range(len(COLOURS))}))


@pytest.mark.parametrize(
    ("values", "scale", "expected"),
    [
        ([8.0, 4.0], "auto", "linear"), ([8.0, 0.1], "auto", "log"), ([8.0, 0.0], "auto", "linear"),
        ([8.0, -0.1], "auto", "linear"), ([8.0, 4.0], "log", "log"), ([8.0, 0.1], "linear", "linear"),
    ],
)  # fmt: skip
def test_scale_is_logarithmic_if_losses_span_decades(values, scale, expected):
    axes = axes_of(fastgd.plot_loss(result(values, norms=1.0), scale=scale))
    assert axes.get_yscale() == expected
    assert (axes.get_ylim()[0] == 0) == (expected == "linear" and min(values) >= 0)


def test_long_titles_and_numbers_fit_into_the_figure():
    words = "a setting with very many options, each of them long " * 9
    axes = axes_of(fastgd.plot_loss(result([-8e-9, -4e12], norms=1.0), title=words))
    assert axes.get_title(loc="left").split() == words.split()


def test_raw_curve_is_drawn_behind_the_smoothed_one():
    axes = axes_of(fastgd.plot_loss(result(FALLING, norms=1.0), smooth=0.5))
    raw, smoothed = axes.get_lines()
    np.testing.assert_array_equal(raw.get_ydata(), FALLING)
    np.testing.assert_array_equal(smoothed.get_ydata(), fastgd.smooth(FALLING, 0.5))
    assert raw.get_alpha() < 0.5 < smoothed.get_linewidth()
    assert raw.get_color() == smoothed.get_color()
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["objective F, smoothed (beta 0.5)"]


def test_batch_losses_are_smoothed_and_the_objective_is_not():
    losses, epoch = [9.0, 7.0, 6.0, 8.0, 2.0, 4.0], [1, 1, 1, 2, 2, 2]
    run = result([8.0, 4.0, 1.0], [NAN, 7.3, 4.7], steps=steps(losses, epoch))
    drawn = lines(axes_of(fastgd.plot_loss(run, smooth=0.9)))
    np.testing.assert_allclose(drawn["batch loss, smoothed (beta 0.9)"][0], np.arange(1, 7) / 3)
    np.testing.assert_array_equal(drawn["batch loss, smoothed (beta 0.9)"][1], fastgd.smooth(losses))
    assert drawn["objective F"][1].tolist() == [8.0, 4.0, 1.0]
    axes = axes_of(fastgd.plot_loss(run, against="step"))
    np.testing.assert_array_equal(lines(axes)["batch loss"], [[1, 2, 3, 4, 5, 6], losses])
    assert axes.get_xlabel() == "updates"


# --- Divergence ------------------------------------------------------------------------------------------------------


def test_diverged_run_ends_in_a_cross():
    error = diverged([8.0, 9.0], [(1.5, 20.0), (1.75, 300.0)], running=[NAN, 8.5])
    drawn = lines(axes_of(fastgd.plot_loss(error)))
    np.testing.assert_array_equal(drawn["running loss"], [[1, 1.5, 1.75], [8.5, 20.0, 300.0]])
    np.testing.assert_array_equal(drawn["diverged in epoch 2, loss 300"], [[1.75], [300.0]])


def test_run_that_diverged_in_its_first_epoch_begins_at_the_start():
    drawn = lines(axes_of(fastgd.plot_loss(diverged([8.0], [(0.05, 11.0), (0.1, 90.0)]))))
    np.testing.assert_array_equal(drawn["running loss"], [[0, 0.05, 0.1], [8.0, 11.0, 90.0]])
    assert "objective F" not in drawn


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (1e85, "loss 1e+85 (above the plot)"),
        (math.inf, "loss not finite"),
        (math.nan, "loss not finite"),
    ],
)
def test_exploded_losses_are_cut_off(loss, message):
    axes = axes_of(fastgd.plot_loss(diverged([8.0], [(0.5, 20.0), (1.0, loss)])))
    drawn = lines(axes)
    np.testing.assert_array_equal(drawn[f"diverged in epoch 1, {message}"], [[1.0], [8000.0]])
    np.testing.assert_array_equal(drawn["running loss"][1], [8.0, 20.0, 8000.0])
    assert axes.get_ylim()[1] < 1e6


def test_diverged_runs_among_others_have_one_legend_entry():
    runs = {"good": result(FALLING, norms=1.0), "a": diverged([8.0], [(1.0, 99.0)]), "b": diverged([8.0, 30.0], [])}
    axes = axes_of(fastgd.plot_loss(runs))
    crosses = [line for line in axes.get_lines() if line.get_marker() == "X"]
    assert [line.get_xdata()[0] for line in crosses] == [1.0, 1.0]
    assert [line.get_color() for line in crosses] == [style(1).colour, style(2).colour]
    assert [text.get_text() for text in axes.get_legend().get_texts()].count("diverged") == 1


def test_trace_of_a_result_has_the_epoch_of_divergence():
    assert as_trace(diverged([8.0, 9.0], []).result).diverged == 2
    assert as_trace(result(FALLING)).diverged is None


@pytest.mark.parametrize(("method", "rate"), [("sgd", 0.6), ("gd", 1.5)])
def test_diverged_error_has_the_blocks_of_its_last_epoch(method, rate, rng):
    X = rng.standard_normal((60, 2))
    with pytest.raises(fastgd.DivergedError) as caught:
        fastgd.fit(X, X @ [1.0, 2.0], method=method, learning_rate=rate, max_epochs=40)
    under_way, trace = caught.value.under_way, caught.value.result.trace
    assert len(under_way) >= 1
    assert method == "sgd" or len(trace) > 2
    assert (np.diff(under_way["epoch"]) > 0).all()
    assert trace["epoch"][-1] < under_way["epoch"][0] <= under_way["epoch"][-1] <= caught.value.epoch
    assert (under_way["passes"] > trace["passes"][-1]).all()
    assert (under_way["seconds"] > trace["seconds"][-1]).all()
    assert not under_way["running_loss"][-1] <= 10 * trace["objective"][0]


def test_legend_names_the_kinds_of_loss_if_they_differ():
    runs = {"gd": result(FALLING, norms=1.0), "sgd": result([8.0, NAN, NAN, 1.0], RUNNING)}
    axes = axes_of(fastgd.plot_loss(runs))
    assert (list(lines(axes)), axes.get_ylabel()) == (["gd: objective F", "sgd: running loss"], "loss")


# --- Learning-rate range ---------------------------------------------------------------------------------------------


def test_plot_of_a_learning_rate_range():
    found = RateRange(
        rates=np.array([0.001, 0.01, 0.1, 1.0]), losses=np.array([9.0, 1.0, 2.0, np.inf]), suggested=0.01,
        diverges_at=1.0, start_loss=9.5, automatic=0.0123, method="gd", batch_size=3, epochs=4, settings={}, seconds={},
    )  # fmt: skip
    axes = axes_of(fastgd.plot_rate_range(found, title="houses"))
    drawn = lines(axes)
    np.testing.assert_array_equal(drawn["loss after training"][0], found.rates)
    np.testing.assert_array_equal(drawn["loss after training"][1], [9.0, 1.0, 2.0, NAN])
    assert drawn["far above the start, or diverged"][0].tolist() == [1.0]
    for label, rate in (("suggested, 0.01", 0.01), ("automatic, 0.0123", 0.0123), ("diverges from 1", 1.0)):
        assert set(drawn[label][0]) == {rate}
    assert set(drawn["loss at the start, 9.5"][1]) == {9.5}
    assert (axes.get_xscale(), axes.get_xlabel()) == ("log", "learning rate")
    assert axes.get_ylabel() == "objective F after 4 passes over the rows"
    assert axes.get_title(loc="left") == "houses"


def test_plot_of_a_learning_rate_range_without_a_suggestion():
    found = RateRange(
        rates=np.array([1.0, 10.0]), losses=np.array([np.inf, np.inf]), suggested=None, diverges_at=1.0, start_loss=9.5,
        automatic=0.0123, method="gd", batch_size=3, epochs=1, settings={}, seconds={},
    )  # fmt: skip
    drawn = lines(axes_of(fastgd.plot_rate_range(found)))
    assert drawn["far above the start, or diverged"][0].tolist() == [1.0, 10.0]
    assert not any(label.startswith("suggested") for label in drawn)


# --- Files -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [*PICTURE_SUFFIXES, ".PNG"])
def test_saved_file_is_a_complete_image(suffix, tmp_path):
    path = tmp_path / f"loss{suffix}"
    save(fastgd.plot_loss(result(FALLING, RUNNING)), path)
    check_file(path if suffix != ".PNG" else path.rename(tmp_path / "loss.png"))
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(("name", "message"), [("a.txt", "use .png, .svg or .pdf"), ("a", "no suffix"),
                                            ("b/a.png", "no folder"), ("a.png.gz", "not known")])  # fmt: skip
def test_unwritable_file_is_refused(name, message, tmp_path):
    with pytest.raises(DataError, match=message):
        check_picture(tmp_path / name)


def test_missing_matplotlib_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    for draw in (lambda: check_picture(tmp_path / "a.png"), lambda: fastgd.plot_loss(result(FALLING))):
        with pytest.raises(FastgdError, match=r"pip install 'fastgd\[plot\]'"):
            draw()


def test_matplotlib_is_imported_on_first_use_and_pyplot_never():
    script = """
import sys, fastgd, fastgd.show.plots, fastgd.surface, fastgd.show.trace_curves
assert "matplotlib" not in sys.modules
import numpy as np
from fastgd.show.trace_curves import Curve, Trace
curve = Curve("loss", {"epoch": np.arange(3.0)}, np.arange(3.0), "loss")
figure = fastgd.plot_loss(Trace("a", {"loss": curve}, ("loss",)))
import io
figure.savefig(io.BytesIO(), format="png")
assert "matplotlib" in sys.modules and "matplotlib.pyplot" not in sys.modules
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"against": "days"}, "unknown axis 'days' .known: epoch, passes, seconds, step"),
        ({"against": "step"}, "not by step; train with trace=.step. to record"),
        ({"curves": ["objectiv"]}, "unknown curve 'objectiv'"),
        ({"curves": ["validation_loss", "loss"]}, "has no validation_loss or loss, only objective and running_loss"),
        ({"scale": "cubic"}, "scale must be auto, log, linear"),
        ({"smooth": 1.0}, "the smoothing factor"),
        ({"runs": []}, "no runs to draw"),
        ({"runs": 3}, "not int"),
        ({"runs": fastgd.DivergedError("no result")}, "not DivergedError"),
    ],
)
def test_invalid_options_are_refused(options, message):
    with pytest.raises(OptionError, match=message):
        fastgd.plot_loss(**{"runs": result(FALLING, RUNNING)} | options)
