"""`fastgd run --test-size` and `--validation`: the quality of the model on rows that training did not see."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics as theirs
from helpers.command_line import fastgd as run_fastgd

import fastgd
from fastgd.data.table_split import split


@pytest.fixture(scope="module")
def flowers(tmp_path_factory):
    """150 rows of three kinds, 50 of each, with a weight for each row."""
    random = np.random.default_rng(31)
    kinds = np.repeat(["aster", "broom", "clover"], 50)
    X = random.normal(size=(150, 2)) + 1.5 * np.repeat([[0, 0], [2, 0], [0, 2]], 50, axis=0)
    path = tmp_path_factory.mktemp("flowers") / "flowers.csv"
    lines = [f"{a},{b},{w},{kind}" for (a, b), w, kind in zip(X, random.choice([0, 1, 3], 150), kinds, strict=True)]
    path.write_text("\n".join(["a,b,w,kind", *lines]))
    return path


def test_rows_are_held_out_by_class_and_measured(flowers):
    found = run_fastgd("run", flowers, "--drop", "w", "--test-size", 0.2, "--alpha", 1e-3, "--json").json
    assert found["n_samples"] == 120
    test = found["test"]
    assert (test["n_samples"], test["classes"]) == (30, ["aster", "broom", "clover"])
    assert np.sum(test["confusion"], axis=1).tolist() == [10, 10, 10]
    assert test["metrics"]["accuracy"] == pytest.approx(np.trace(test["confusion"]) / 30)
    train, held = split(fastgd.open(flowers, drop=["w"]), 0.2)
    result = fastgd.fit(train, alpha=1e-3)
    assert test["metrics"]["log_loss"] == theirs.log_loss(held.y, result.predict_proba(held.X))
    assert found["validation"] is None


def test_seed_decides_which_rows(flowers):
    table = fastgd.open(flowers, drop=["w"])
    first, again, other = (split(table, 0.3, seed=seed)[1].X for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_parts_are_all_rows_in_order(flowers):
    table = fastgd.open(flowers, weight="w")
    train, held = split(table, 0.25, seed=3)
    assert (held.sample_weight > 0).all()
    together = np.concatenate([train.X, held.X])
    assert sorted(map(tuple, together)) == sorted(map(tuple, table.X))
    position = {tuple(row): i for i, row in enumerate(table.X)}
    for part in (train, held):
        rows = [position[tuple(row)] for row in part.X]
        assert rows == sorted(rows)
        np.testing.assert_array_equal(part.y, table.y[rows])
        np.testing.assert_array_equal(part.sample_weight, table.sample_weight[rows])


def test_numbers_are_held_out_too():
    found = run_fastgd("run", "diabetes", "--test-size", 0.2, "--seed", 5, "--json").json
    train, held = split(fastgd.open("diabetes"), 0.2, seed=5)
    predicted = fastgd.fit(train, loss="squared", seed=5).predict(held.X)
    assert found["test"]["metrics"]["r2"] == pytest.approx(theirs.r2_score(held.y, predicted), rel=1e-12)
    assert (found["test"]["n_samples"], found["test"]["confusion"]) == (88, None)


@pytest.mark.parametrize("weight", [(), ("--sample-weight", "w")])
def test_validation_prints_the_metrics_of_its_own_rows(flowers, weight):
    """With log loss as the loss, the lowest validation loss and the metric are the same number."""
    drop = () if weight else ("--drop", "w")
    found = run_fastgd("run", flowers, *drop, *weight, "--validation", 0.3, "--json").json
    assert found["validation"]["metrics"]["log_loss"] == pytest.approx(found["validation_loss"], rel=1e-9)
    assert found["validation"]["n_samples"] == round(0.3 * (150 if not weight else found_weighted(flowers)))
    printed = run_fastgd("run", flowers, *drop, *weight, "--validation", 0.3).out
    assert "this is the model; accuracy " in printed


def found_weighted(path):
    return int((fastgd.open(path, weight="w").sample_weight > 0).sum())


def test_validation_file_is_measured(flowers, tmp_path):
    other = tmp_path / "other.csv"
    other.write_text("\n".join(flowers.read_text().splitlines()[:120]))
    found = run_fastgd("run", flowers, "--drop", "w", "--validation", other, "--json").json
    assert found["validation"]["n_samples"] == 119
    assert found["validation"]["recall"][2] is not None


def test_summary_says_how_good_the_model_is(flowers):
    out = run_fastgd("run", flowers, "--drop", "w", "--test-size", 0.2, "--alpha", 1e-3).out
    assert "held out" in out
    assert "(30 rows held out of training)" in out
    assert [line.split()[0] for line in out.splitlines()[-5:]] == ["actual", "aster", "broom", "clover", "precision"]


def test_held_out_rows_need_enough_rows(tmp_path):
    (tmp_path / "few.csv").write_text("a,y\n1,u\n2,v\n")
    ran = run_fastgd("run", tmp_path / "few.csv", "--test-size", 0.5)
    assert ran.code == 2
    assert "--test-size 0.5 of 2 rows leaves no row for training, or none to hold out; give more rows" in ran.err


@pytest.mark.parametrize("size", ["0", "1", "1.5", "nan", "half"])
def test_test_size_is_a_fraction(size):
    ran = run_fastgd("run", "diabetes", "--test-size", size)
    assert ran.code == 2
    assert f"'{size}' is not a number between 0 and 1" in ran.err
