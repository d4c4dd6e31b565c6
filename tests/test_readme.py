"""The commands and the code of the README and the guide run as they stand."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.command_line import fastgd

import fastgd as library

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
GUIDE = (ROOT / "docs" / "guide.md").read_text("utf-8")


def blocks(language: str, page: str = README + GUIDE) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page, flags=re.DOTALL)


def commands() -> dict[str, int]:
    """The command lines without ``fastgd``, each with its exit code: 1 where the comment beside it says so, else 0."""
    lines = [line.partition("#") for block in blocks("sh") for line in block.splitlines() if line.startswith("fastgd")]
    return {command.removeprefix("fastgd").strip(): int("exit code 1" in comment) for command, _, comment in lines}


def write_table(name: str, n_rows: int, numbers: str, **others: object) -> None:
    """Write the columns ``others``, repeated to ``n_rows`` values, then the columns ``numbers`` of random numbers."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({column: np.resize(values, n_rows) for column, values in others.items()})
    table = table.assign(**{column: rng.standard_normal(n_rows) for column in numbers.split()})
    if name.endswith(".tsv"):
        table.to_csv(name, sep="\t", index=False, header=False)
    else:
        table.to_csv(name, index=False)


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    """What each command printed, run in the order of the pages, beside tables of the names that they use."""
    out = {}
    with contextlib.chdir(tmp_path_factory.mktemp("readme")):
        cuts = ["Ideal", "Good", "Fair"]
        write_table("diamonds.csv", 200, "carat depth table price x y z", cut=cuts, color="E", clarity="SI2")
        write_table("houses.csv", 300, "area bedrooms price")
        write_table("iris.csv", 60, "a b", species=["setosa", "virginica", "versicolor"])
        write_table("new.csv", 5, "b a", id=["007", "8"])
        write_table("loans.csv", 60, "income age", repaid=["yes", "no", "yes"])
        write_table("flats.csv", 60, "a b rent heating", households=[1, 2, 3])
        write_table("claims.csv", 60, "a b log_years", count=[0, 1, 1, 3])
        write_table("higgs.tsv", 200, "a b c", label=[0, 1, 1])
        write_table("higgs-test.tsv", 100, "a b c", label=[0, 1])
        write_table("higgs-new.tsv", 5, "a b c")
        for command, code in commands().items():
            ran = fastgd(*command.split())
            assert ran.code == code, (command, ran.out, ran.err)
            out[command] = ran.out
        assert Path("predicted.csv").read_text().startswith("id,prediction,probability_setosa")
    return out


def test_make_demo_and_make_test_come_first():
    assert re.findall(r"^make (\w+)", blocks("sh", README)[0], flags=re.MULTILINE) == ["demo", "test"]
    makefile = (ROOT / "Makefile").read_text()
    assert "\ndemo:" in makefile
    assert "\ntest:" in makefile
    assert "fastgd run --method minibatch" in makefile
    assert "make test" in (ROOT / ".ci" / "run").read_text()


def test_every_command_runs(printed):
    assert len(printed) > 30


def test_the_readme_shows_every_line_of_the_summary_in_order(printed):
    def labels(text: str) -> list[str]:
        return [line.split("  ")[0] for line in text.splitlines()]

    command = next(command for command in printed if command.startswith("run diamonds.csv --target price"))
    shown, actual = labels(blocks("text", README)[0]), labels(printed[command])
    assert [label for label in shown if label in actual] == actual


@pytest.mark.parametrize("number", range(len(blocks("python"))))
def test_the_code_runs(number, tmp_path, monkeypatch, rng):
    monkeypatch.chdir(tmp_path)
    X, X_new = rng.standard_normal((100, 3)), rng.standard_normal((10, 3))
    names = {"fastgd": library, "X": X, "y": (X @ [1.0, 2.0, 3.0] > 0).astype(float), "X_new": X_new}
    exec(compile(blocks("python")[number], "README", "exec"), names)
    for result in names["models"] if "models" in names else [names["result"]]:
        assert np.isfinite(result.coef).all()


def test_the_links_lead_somewhere():
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md"), ROOT / "CONTRIBUTING.md"):
        for link, anchor in re.findall(r"\]\(([^)#:]*)(?:#([^)]*))?\)", page.read_text("utf-8")):
            target = page.parent / link if link else page
            assert target.exists(), (page.name, link)
            if anchor:
                headings = re.findall(r"^#+ (.*)$", target.read_text("utf-8"), flags=re.MULTILINE)
                assert anchor in [heading.lower().replace(" ", "-") for heading in headings], (page.name, anchor)


def test_the_files_that_the_pages_name_exist():
    for page in (ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")):
        for name in re.findall(r"`([\w./]+(?:/|\.py|\.template))`", page.read_text("utf-8")):
            assert (ROOT / name).exists() or (ROOT / "fastgd" / name).exists(), (page.name, name)


def test_the_readme_names_every_term():
    from fastgd.losses import LOSSES
    from fastgd.penalties import PENALTY_NAMES
    from fastgd.rules import RULES
    from fastgd.schedules import SCHEDULES
    from fastgd.solvers.options import METHODS

    for kind, names in {
        "methods": METHODS, "losses": LOSSES, "penalties": PENALTY_NAMES, "update rules": RULES, "schedules": SCHEDULES,
    }.items():  # fmt: skip
        assert f"| {kind} | {', '.join(names)} |" in README
