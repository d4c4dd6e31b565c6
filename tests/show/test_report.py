"""Reports: the page, its charts and their controls, hostile names, files, and `fastgd run --report`."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import math
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from helpers.command_line import fastgd
from helpers.picture_cases import diverged, result, steps
from helpers.report_cases import IMAGE, NOISY, OBJECTIVE, SCRIPT, TEMPLATE, landscape, report

import fastgd as library
from fastgd import DataError, FastgdError, Landscape, OptionError, Report
from fastgd.show.report.landscape_chart import landscape_chart
from fastgd.show.report.loss_chart import MAX_POINTS, loss_chart
from fastgd.show.report.page import page_of
from fastgd.show.report.page_text import NOTHING, chart_text, json_in_html, shown

plotly = pytest.importorskip("plotly.graph_objects", reason="plotly is not installed: pip install 'fastgd[report]'")


class Page(HTMLParser):
    """The elements of a page, their texts by tag, and its scripts."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.tags, self.attributes, self.texts, self.scripts, self.open = [], [], {}, [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes.append(dict(attributes))
        if tag not in ("meta", "link", "input"):
            self.open.append(tag)
            self.texts.setdefault(tag, []).append("")
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, text):
        if self.open:
            self.texts[self.open[-1]][-1] += text
        if self.open[-1:] == ["script"]:
            self.scripts[-1] += text

    def all(self, tag):
        return [attributes for name, attributes in zip(self.tags, self.attributes, strict=True) if name == tag]


@pytest.fixture(scope="module")
def page():
    return Page(page_of(report()))


# --- The page --------------------------------------------------------------------------------------------------------


def test_page_is_complete_html_with_title_and_headings(page):
    assert page.open == []
    assert page.all("html") == [{"lang": "en"}]
    assert page.texts["title"] == page.texts["h1"] == [f"the lesson {SCRIPT}"]
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in page.all("meta")
    assert {"charset": "utf-8"} in page.all("meta")
    assert page.texts["code"] == [f"fastgd compare '{IMAGE}'"]
    assert page.texts["h2"] == ["Runs", "Loss", "Landscape", "Settings", "Data", "Model", "Environment", "Remarks"]


def test_table_has_rows_and_headers_with_scope(page):
    heads = [attributes.get("scope") for attributes in page.all("th")]
    assert heads[:6] == ["col"] * 3 + ["row"] * 3
    assert set(heads) == {"row", "col"}
    assert page.texts["th"][:6] == ["method", "epochs", IMAGE, "gd", IMAGE, SCRIPT]
    assert page.texts["td"][:6] == ["4", "0.5", "4", "2", "2", NOTHING]
    assert page.texts["th"][6:8] == ["seed", IMAGE]
    assert page.texts["td"][6:8] == ["7", SCRIPT]
    assert page.texts["td"][-3:] == ["1.2.3", "4.5.6", IMAGE]
    assert page.texts["td"][8:10] == [f"a, {IMAGE}, {SCRIPT}", TEMPLATE]
    assert page.texts["li"] == [IMAGE, SCRIPT]


def test_columns_of_numbers_and_long_text_have_css_classes():
    rows = [("a", 1, "text", "a text that is too long"), ("b", None, 2, "")]
    page = Page(page_of(Report("t", columns="wxyz", rows=rows, environment={})))
    assert [cell.get("class") for cell in page.all("td")] == ["number", None, "words"] * 2
    assert [cell.get("class") for cell in page.all("th")][1:4] == ["number", None, "words"]


def test_hostile_names_are_escaped(page):
    assert "img" not in page.tags
    assert page.tags.count("script") == 3
    assert not [name for attributes in page.attributes for name in attributes if name.startswith("on")]
    assert json.loads(page.scripts[0]).keys() == {"curves", "landscape"}


def test_content_security_policy_allows_only_the_scripts_of_the_page(page):
    assert page.all("script") == [{"type": "application/json", "id": "charts"}, {}, {}]
    policy = next(meta["content"] for meta in page.all("meta") if meta.get("http-equiv") == "Content-Security-Policy")
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    hashes = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in page.scripts[1:]]
    assert rules.pop("script-src").split() == [f"'sha256-{code}'" for code in hashes]
    assert rules == {
        "default-src": "'none'", "style-src": "'unsafe-inline'", "img-src": "data: blob:",
        "base-uri": "'none'", "form-action": "'none'",
    }  # fmt: skip
    for attributes in page.attributes:
        assert "src" not in attributes
        assert attributes.get("href", "data:,") == "data:,"


def test_failures_come_before_the_table(page):
    at = page.tags.index("table")
    before = dict(zip(page.tags[:at], page.attributes[:at], strict=True))
    assert before["p"] == {"class": "failure", "role": "alert"}
    assert page.texts["strong"] == [f"{SCRIPT}:"]
    assert " too large a rate" in page.texts["p"]


def test_empty_sections_are_omitted():
    page = Page(page_of(Report("nothing", environment={})))
    assert (page.texts["h1"], "h2" in page.texts, page.tags.count("script")) == (["nothing"], False, 1)
    assert "script-src 'none'" in page_of(Report("nothing"))
    told = Page(page_of(Report("nothing", environment={}, no_landscape="<too large>")))
    assert (told.texts["h2"], "Not drawn: <too large>" in told.texts["p"]) == (["Landscape"], True)


def test_environment_of_this_process_is_the_default():
    facts = library.environment.environment()
    assert facts["fastgd"] == library.__version__
    page = Page(page_of(Report("nothing")))
    assert [facts["packages"]["numba"], facts["packages"]["numpy"]] == page.texts["td"][3:6:2]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, NOTHING), (math.nan, NOTHING), (True, "yes"), (np.bool_(False), "no"), (1234567, "1,234,567"),
        (1e-5, "1e-05"), (123456.7, "123,457"), (np.float64(0.1234567), "0.123457"), (math.inf, "inf"),
        ([1, "a"], "1, a"), ([], "none"), ({"a": 1}, "a 1"),
    ],
)  # fmt: skip
def test_values_as_text(value, text):
    assert shown(value) == text


# --- Charts ----------------------------------------------------------------------------------------------------------


def lines(chart):
    return [(line["name"], line["mode"], line.get("visible", True)) for line in chart["data"]]


def chosen(chart, name):
    """The choices of a control by label."""
    choices = next(control["choices"] for control in chart["controls"] if control["name"] == name)
    return {choice["label"]: choice for choice in choices}


def test_plotly_accepts_the_charts():
    for chart in (loss_chart(report().runs, 0.9), landscape_chart(landscape())):
        plotly.Figure(data=chart["data"], layout=chart["layout"])  # raises for what it does not know


def test_chart_has_the_curves_of_the_runs():
    chart = loss_chart({"gd": result(OBJECTIVE), "sgd": result(NOISY)}, 0.5)
    both = "lines+markers"
    assert lines(chart) == [("gd", both, True), ("gd", both, False), ("sgd", both, True), ("sgd", both, False)]
    assert chart["data"][2]["y"] == NOISY
    assert chart["data"][2]["x"] == [0, 1, 2, 3, 4]
    np.testing.assert_allclose(chart["data"][3]["y"], library.smooth(NOISY, 0.5), rtol=1e-6)
    assert {line["line"]["dash"] for line in chart["data"]} == {"solid", "dash"}
    assert chart["layout"]["yaxis"]["title"]["text"] == "objective F"


def test_controls_change_scale_smoothing_and_x_axis():
    chart = loss_chart({"gd": result(OBJECTIVE), "sgd": result(NOISY)}, 0.5)
    assert [control["name"] for control in chart["controls"]] == ["Scale", "Smoothing", "x axis"]
    assert list(chosen(chart, "Scale")) == ["linear", "logarithmic"]  # the chart's own scale comes first
    assert chart["layout"]["yaxis"]["type"] == "linear"
    assert chosen(chart, "Scale")["logarithmic"]["layout"]["yaxis.type"] == "log"
    smoothing = chosen(chart, "Smoothing")
    assert smoothing["off"]["traces"]["visible"] == [True, False, True, False]
    assert smoothing["on (beta 0.5)"]["traces"]["visible"] == [True] * 4
    assert smoothing["on (beta 0.5)"]["traces"]["showlegend"] == [False, True, False, True]
    against = chosen(chart, "x axis")
    assert against["seconds"]["traces"]["x"][2] == [0, 0.5, 1, 1.5, 2]
    assert against["epochs"]["traces"]["x"][2] == [0, 1, 2, 3, 4]


def test_scale_is_logarithmic_for_decades_and_absent_for_negative_losses():
    assert loss_chart({"gd": result([1.0, 1e-3])}, 0.9)["layout"]["yaxis"]["type"] == "log"
    assert [control["name"] for control in loss_chart({"gd": result([-1.0, -2.0])}, 0.9)["controls"]] == [
        "Smoothing", "x axis",
    ]  # fmt: skip


def test_diverged_run_ends_in_a_cross_within_the_chart():
    run = diverged([8.0, 16.0], [(1.5, float("inf"))], running=[np.nan, 16.0])
    chart = loss_chart({"fast": run}, 0.9)
    cross = chart["data"][-1]
    assert (cross["marker"]["symbol"], cross["x"], cross["y"]) == ("x", [1.5], [16000.0])
    assert cross["name"] == "fast diverged in epoch 2, loss not finite"
    assert all(value is not None for line in chart["data"] for value in line["y"])


def test_batch_losses_are_thinned_and_have_no_seconds(rng):
    losses = rng.random(3 * MAX_POINTS)
    run = result([1.0, 0.5], steps=steps(losses, np.ones(len(losses))))
    chart = loss_chart({"sgd": run}, 0.9)
    assert lines(chart)[:2] == [("batch loss", "lines+markers", v) for v in (True, False)]
    assert [len(line["y"]) for line in chart["data"]] == [MAX_POINTS, MAX_POINTS, 2]
    assert (chart["data"][0]["y"][0], chart["data"][0]["y"][-1]) == pytest.approx((losses[0], losses[-1]), rel=1e-6)
    assert [len(x) for x in chosen(chart, "x axis")["seconds"]["traces"]["x"]] == [0, 0, 2]


def test_landscape_chart_has_contours_and_paths():
    chart = landscape_chart(landscape())
    contours, *paths = chart["data"]
    z = np.array(contours["z"])
    assert z.shape == (len(contours["y"]), len(contours["x"])) == (33, 33)
    assert np.unravel_index(z.argmin(), z.shape) == (16, 16)
    assert (contours["customdata"][32][0], z.max()) == (pytest.approx(8.0), 13)
    assert contours["colorbar"]["ticktext"][0] == "0"
    assert chart["layout"]["xaxis"]["range"] == [-2, 2]
    assert [path["y"] for path in paths[:3]] == [[1, 0.5, 0.25, 0.125, 0], [1, 0.5, 0.25, 0.125, 0], [0]]
    assert [(path["label"], path["walked"], path["head"]) for path in chart["paths"]] == [("gd", 2, 3), (IMAGE, 5, 6)]
    assert chart["paths"][0]["heights"] == ["8", "2", "0.5", "0.125", "0"]


def test_landscape_chart_of_one_parameter_is_a_curve():
    x = np.linspace(-1, 1, 5)
    found = Landscape(("w",), (x,), x**2, {"gd": np.array([[1.0], [0.5]])}, {"gd": np.array([1.0, 0.25])})
    chart = landscape_chart(found)
    assert chart["data"][0]["y"] == [1, 0.25, 0, 0.25, 1]
    assert (chart["paths"][0]["x"], chart["paths"][0]["y"]) == ([1, 0.5], [1, 0.25])
    assert "backgrounds" not in chart
    assert Page(page_of(Report("one weight", landscape=found))).open == []


def test_values_that_are_not_finite_are_gaps_in_the_contours():
    found = landscape()
    values = np.array(found.values)
    values[0, 0] = np.inf
    contours = landscape_chart(dataclasses.replace(found, values=values))["data"][0]
    assert (contours["z"][0][0], contours["customdata"][0][0]) == (None, None)


def test_names_in_charts_are_escaped():
    """plotly interprets <b>, &lt; and %{...}."""
    assert chart_text(IMAGE) == "&lt;img src=x onerror=alert(1)&gt;"
    assert chart_text(TEMPLATE) == "&#37;{y} &amp;lt;b&amp;gt; $x$"
    assert chart_text("word " * 20).count("<br>") == 2
    chart = loss_chart({IMAGE: result(OBJECTIVE), "b": result(NOISY)}, 0.9)
    assert chart["data"][0]["name"] == chart_text(IMAGE)
    chart = landscape_chart(landscape())
    assert chart["layout"]["xaxis"]["title"]["text"] == chart_text(f"weight of {IMAGE}")
    assert chart["layout"]["yaxis"]["title"]["text"] == chart_text(TEMPLATE)
    assert {line["name"] for line in chart["data"][4:]} == {chart_text(IMAGE)}


def test_json_cannot_end_its_script_element():
    content = {SCRIPT: ["<!--", "&lt;"]}
    assert not {"<", ">", "&"} & set(json_in_html(content))
    assert json.loads(json_in_html(content)) == content


# --- Files -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_report_is_written_completely_or_not_at_all(folder, monkeypatch):
    library.write_report("a.html", report())
    assert Path("a.html").read_text(encoding="utf-8") == page_of(report())
    with pytest.raises(OptionError, match="a run is a Result"):
        library.write_report("b.html", report(runs={"a": 3}))
    with pytest.raises(OptionError, match="smoothing factor"):
        library.write_report("b.html", report(smooth=1.0))
    with pytest.raises(DataError, match="is not known; use"):
        library.write_report("b.pdf", report())
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(DataError, match="No space left"):
        library.write_report("b.html", report())
    assert [path.name for path in folder.iterdir()] == ["a.html"]


def test_invalid_unicode_is_escaped(folder):
    library.write_report("a.html", Report("\udcff", settings={"a\0b": "\udcff"}))
    assert r"<h1>\udcff</h1>" in Path("a.html").read_text(encoding="utf-8")


@pytest.fixture
def without_plotly(monkeypatch):
    for name in [*sys.modules]:
        if name.partition(".")[0] == "plotly":
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "plotly", None)


def test_missing_plotly_says_what_to_install(folder, without_plotly):
    with pytest.raises(FastgdError, match=re.escape("plotly, which is not installed: pip install 'fastgd[report]'")):
        library.write_report("a.html", report())
    ran = fastgd("run", "tutorial", "--report", "a.html")
    assert (ran.code, ran.err) == (2, "fastgd: reports need plotly, which is not installed: "
                                      "pip install 'fastgd[report]'\n")  # fmt: skip
    assert not list(folder.iterdir())


# --- fastgd run ------------------------------------------------------------------------------------------------------


LESSON = ("run", "tutorial", "--method", "gd", "--learning-rate", 0.01, "--start", 1.0, "--epochs", 30)


def test_run_writes_a_report(folder):
    ran = fastgd(*LESSON, "--report", "a.html", "--smooth", 0.5, "--alpha", 0.25, "--json")
    assert ran.json["report"] == "a.html"
    page = Page(Path("a.html").read_text(encoding="utf-8"))
    command = f"fastgd {' '.join(map(str, LESSON))} --report a.html --smooth 0.5 --alpha 0.25 --json"
    assert page.texts["code"] == [command]
    assert page.texts["h1"] == ["tutorial: squared loss, penalty l2 0.25, gd, learning rate 0.01"]
    facts = dict(zip(page.texts["th"][9:], page.texts["td"][7:], strict=True))  # after the cells of the table
    assert page.texts["td"][:2] == ["0.01", "30"]
    assert {name: facts[name] for name in ("max_epochs", "seed", "rows", "names", "target", "target maximum")} == {
        "max_epochs": "30", "seed": "0", "rows": "3", "names": "x", "target": "y", "target maximum": "6",
    }  # fmt: skip
    assert facts["intercept"] == f"{ran.json['intercept']:.6g}"
    assert facts["R2 on the training data"] == f"{ran.json['metrics']['r2']:.6g}"
    charts = json.loads(page.scripts[0])
    assert len(charts["curves"]["data"][0]["y"]) == len(charts["landscape"]["paths"][0]["x"]) == 31
    assert list(chosen(charts["curves"], "Smoothing")) == ["off", "on (beta 0.5)"]
    assert charts["landscape"]["layout"]["xaxis"]["title"]["text"] == "weight of x"
    assert charts["curves"]["data"][0]["y"][-1] == pytest.approx(ran.json["objective"], rel=1e-6)
    assert float(charts["landscape"]["paths"][0]["heights"][-1]) == pytest.approx(ran.json["objective"], rel=1e-5)


def test_diverged_run_is_reported(folder):
    ran = fastgd("run", "tutorial", "--method", "gd", "--learning-rate", 1, "--report", "a.html")
    assert ran.code == 1
    assert "kept in a.html\nfastgd: training diverged in epoch 2" in ran.err
    page = Page(Path("a.html").read_text(encoding="utf-8"))
    assert any("training diverged in epoch 2: the loss grew" in text for text in page.texts["p"])
    assert "diverged in epoch 2" in page.texts["td"]
    assert json.loads(page.scripts[0])["curves"]["data"][-1]["marker"]["symbol"] == "x"


def test_interrupted_run_is_reported(folder, monkeypatch):
    """At Ctrl-C `fit` raises an error with the result so far."""
    whole = library.fit

    def interrupted(table, **options):
        raise library.Interrupted(dataclasses.replace(whole(table, **options), stop_reason="interrupted"))

    monkeypatch.setattr(library, "fit", interrupted)
    ran = fastgd(*LESSON, "--report", "a.html")
    assert (ran.code, "kept in a.html" in ran.err) == (130, True)
    assert "interrupted" in Page(Path("a.html").read_text(encoding="utf-8")).texts["td"]


def test_landscape_of_large_data_is_omitted_with_a_reason(folder, monkeypatch):
    monkeypatch.setattr("fastgd_cli.report.MOST_NUMBERS", 5)
    assert fastgd(*LESSON, "--report", "a.html").code == 0
    page = Page(Path("a.html").read_text(encoding="utf-8"))
    assert list(json.loads(page.scripts[0])) == ["curves"]
    assert any(text.startswith("Not drawn: the data is large") for text in page.texts["p"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--report", "a.txt"), "a.txt: the suffix '.txt' is not known; use .html"),
        (("--report", "no/a.html"), "no/a.html: there is no folder"),
        (("--smooth", 0.9), "--smooth needs a plot: add --plot FILE.png or --report FILE.html"),
        (("--report", "a.html", "--smooth", 2), "--smooth must be from 0"),
    ],
)  # fmt: skip
def test_invalid_options_are_found_before_training(folder, monkeypatch, words, message):
    monkeypatch.setattr(library, "fit", lambda *_, **__: pytest.fail("trained first"))
    ran = fastgd(*LESSON, *words)
    assert ran.code == 2
    assert message in ran.err
    assert not list(folder.iterdir())
