"""The README's commands and code run as they stand."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from helpers.command_line import fastgd

import fastgd as library

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def commands() -> list[list[str]]:
    lines = [line.partition("#")[0].split() for block in blocks("sh") for line in block.splitlines()]
    return [words[1:] for words in lines if words[:1] == ["fastgd"]]


def test_the_two_commands_come_first_and_make_knows_them():
    assert re.findall(r"^make (\w+)", blocks("sh")[0], flags=re.MULTILINE) == ["demo", "test"]
    makefile = (ROOT / "Makefile").read_text()
    assert "\ndemo:" in makefile
    assert "\ntest:" in makefile
    assert "fastgd run --method minibatch" in makefile
    assert "make test" in (ROOT / ".ci" / "run").read_text()


def write_table(path, features, **columns):
    """A .csv with the columns a and b, and these."""
    rows = zip(*features.T, *columns.values(), strict=True)
    lines = [["a", "b", *columns], *([str(value) for value in row] for row in rows)]
    Path(path).write_text("".join(",".join(line) + "\n" for line in lines))


def test_the_commands_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fastgd("generate", "linear", "houses.csv", "--rows", 300, "--features", 3)
    Path("houses.csv").write_text(Path("houses.csv").read_text().replace("y", "price", 1))
    rng = np.random.default_rng(0)
    for name in ("higgs.tsv", "higgs-test.tsv"):
        X = rng.standard_normal((200, 4))
        np.savetxt(name, np.column_stack([X[:, 0] > 0, X]), delimiter="\t", fmt="%.4f")
    features = rng.standard_normal((60, 2))
    write_table("iris.csv", features, species=["setosa", "virginica", "versicolor"] * 20)
    write_table("flats.csv", features, rent=features[:, 0], heating=features[:, 1], households=[1, 2, 3] * 20)
    write_table("claims.csv", features, count=rng.poisson(1.0, 60), log_years=rng.standard_normal(60))
    np.savetxt("new.csv", rng.standard_normal((5, 4)), delimiter=",", fmt="%.4f")
    assert len(commands()) >= 9
    for words in commands():
        ran = fastgd(*words)
        assert ran.code == 0, (words, ran.err)
    assert Path("predicted.csv").read_text().startswith("prediction")


@pytest.mark.parametrize("number", range(len(blocks("python"))))
def test_the_code_runs(number, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    X, X_new = rng.standard_normal((100, 3)), rng.standard_normal((10, 3))
    names = {"fastgd": library, "X": X, "y": (X @ [1.0, 2.0, 3.0] > 0).astype(float), "X_new": X_new}
    exec(compile(blocks("python")[number], "README", "exec"), names)
    for result in names["models"] if "models" in names else [names["result"]]:
        assert np.isfinite(result.coef).all()


def test_it_names_every_term():
    from fastgd.losses import LOSSES
    from fastgd.penalties import PENALTY_NAMES
    from fastgd.rules import RULES
    from fastgd.schedules import SCHEDULES
    from fastgd.solvers.options import METHODS

    for kind, names in {
        "methods": METHODS, "losses": LOSSES, "penalties": PENALTY_NAMES, "update rules": RULES, "schedules": SCHEDULES,
    }.items():  # fmt: skip
        assert f"| {kind} | {', '.join(names)} |" in README
