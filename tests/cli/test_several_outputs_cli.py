"""Several targets, several classes, weights and offsets, as a person types them."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest
from helpers.command_line import fastgd

import fastgd as library
from fastgd.model.metrics import evaluate


def noisy_columns(rng):
    """Features a and b, an offset, weights, two numeric targets and one of three classes."""
    a, b, offset = rng.normal(size=(3, 80))
    weights = rng.choice([0, 1, 2, 3], 80)
    price, rent = 2 * a - b + offset + 0.1 * rng.normal(size=80), a + 3 * b + offset + 0.1 * rng.normal(size=80)
    pet = np.array(["ant", "bee", "cat"])[np.digitize(a + 0.3 * rng.normal(size=80), [-0.5, 0.5])]
    return a, b, offset, weights, price, rent, pet


A, B, OFFSET, W, PRICE, RENT, PET = noisy_columns(np.random.default_rng(7))
BIG, OLD = np.where(B > 0, "yes", "no"), np.where(A + B > 0, 7, 3)
COLUMNS = {"a": A, "b": B, "w": W, "o": OFFSET, "price": PRICE, "rent": RENT, "pet": PET, "big": BIG, "old": OLD}
GD = ("--method", "gd", "--epochs", 50, "--quiet")


@pytest.fixture
def table(tmp_path):
    """A file with these columns."""

    def write(*names):
        path = tmp_path / "data.csv"
        rows = zip(*(COLUMNS[name].tolist() for name in names), strict=True)
        path.write_text("\n".join([",".join(names), *(",".join(map(str, row)) for row in rows)]) + "\n")
        return path

    return write


@pytest.fixture
def trained(table, tmp_path):
    """Train on a file with these columns; the file and the model's file."""

    def train(names, *words):
        data, model = table(*names), tmp_path / "model.fastgd"
        ran = fastgd("run", data, *words, *GD, "--save", model)
        assert ran.code == 0, ran.err
        return data, model

    return train


def columns_of(ran):
    rows = list(csv.DictReader(io.StringIO(ran.out)))
    return {name: [row[name] for row in rows] for name in rows[0]}


def floats(column):
    return np.array(column, dtype=np.float64)


# --- what reaches the fit ---------------------------------------------------------------------------------------------


def test_weights_and_offsets_reach_the_fit(table):
    path = table("a", "b", "w", "o", "price")
    words = ("--sample-weight", "w", "--offset", "o", "--penalty-weights", "1,0", "--alpha", 0.3, "--clip-norm", 5)
    found = fastgd("run", path, *words, *GD, "--json").json
    X = np.column_stack([A, B])
    options = {"method": "gd", "max_epochs": 50, "penalty_weights": [1.0, 0.0], "alpha": 0.3, "clip_norm": 5.0}
    result = library.fit(X, PRICE, sample_weight=W, offset=OFFSET, **options)
    assert found["coef"] == result.coef.tolist()
    assert (found["intercept"], found["n_features"]) == (result.intercept, 2)
    plain = library.fit(X, PRICE, **options)
    assert found["coef"] != plain.coef.tolist()
    expected = evaluate(result, X, PRICE, sample_weight=W, offset=OFFSET)
    assert found["metrics"] == expected


@pytest.mark.parametrize(
    ("words", "class_weight"), [("balanced", "balanced"), ("ant=2,cat=0.5", {"ant": 2.0, "cat": 0.5})]
)
def test_class_weights_reach_the_fit(words, class_weight, table):
    found = fastgd("run", table("a", "b", "pet"), "--loss", "logistic", "--class-weight", words, *GD, "--json").json
    X = np.column_stack([A, B])
    result = library.fit(X, PET, loss="logistic", class_weight=class_weight, method="gd", max_epochs=50)
    assert found["coef"] == result.coef.tolist()


def test_labels_of_numbers_have_weights_too(table):
    words = ("--loss", "logistic", "--class-weight", "3=5,7=1", *GD, "--json")
    found = fastgd("run", table("a", "old"), *words).json
    options = {"loss": "logistic", "method": "gd", "max_epochs": 50}
    result = library.fit(A[:, np.newaxis], OLD, class_weight={3: 5.0}, **options)
    assert found["coef"] == result.coef.tolist()
    assert found["classes"] == [3, 7]


def test_a_penalty_with_settings_reaches_the_fit(table):
    words = ("--penalty", "mcp:gamma=4", "--alpha", 0.1, *GD, "--json")
    assert fastgd("run", table("a", "price"), *words).json["penalty"].startswith("mcp:")


# --- what it says -----------------------------------------------------------------------------------------------------


def test_several_targets_in_json(table):
    found = fastgd("run", table("a", "b", "price", "rent"), "--target", "price,rent", *GD, "--json").json
    result = library.fit(np.column_stack([A, B]), np.column_stack([PRICE, RENT]), method="gd", max_epochs=50)
    assert (found["target"], found["n_outputs"], found["classes"]) == (["price", "rent"], 2, None)
    assert found["coef"] == result.coef.tolist()
    assert found["intercept"] == result.intercept.tolist()


def test_json_of_one_output_has_plain_lists(table):
    found = fastgd("run", table("a", "b", "price"), *GD, "--json").json
    assert (found["target"], found["n_outputs"], found["classes"]) == ("price", 1, None)
    assert np.shape(found["coef"]) == (2,)
    assert isinstance(found["intercept"], float)


def test_classes_in_json(table):
    found = fastgd("run", table("a", "b", "pet"), "--loss", "logistic", *GD, "--json").json
    assert (found["classes"], found["n_outputs"], np.shape(found["coef"])) == (["ant", "bee", "cat"], 3, (3, 2))
    words = ("--target", "big,old", "--loss", "logistic", *GD, "--json")
    assert fastgd("run", table("a", "b", "big", "old"), *words).json["classes"] == [["no", "yes"], ["3", "7"]]


@pytest.mark.parametrize(("n_targets", "n_features", "shown"), [(2, 64, True), (2, 65, False), (20, 60, False)])
def test_json_has_coefficients_up_to_a_limit(n_targets, n_features, shown, tmp_path, rng):
    np.save(tmp_path / "wide.npy", rng.normal(size=(90, n_features + n_targets)))
    target = ",".join(str(n_features + k) for k in range(n_targets))
    found = fastgd("run", tmp_path / "wide.npy", "--target", target, "--epochs", 2, "--quiet", "--json").json
    assert (found["coef"] is not None) == shown
    assert found["n_features"] == n_features


def test_summary_has_a_line_for_each_output(table):
    out = fastgd("run", table("a", "b", "price", "rent"), "--target", "price,rent", *GD).out
    assert "targets price, rent" in out
    for name in ("price", "rent"):
        (line,) = [line for line in out.splitlines() if line.startswith(f"coef of {name} ")]
        assert " a " in line
        assert "; intercept " in line
    out = fastgd("run", table("a", "b", "pet"), "--loss", "logistic", "--no-intercept", *GD).out
    assert "coef of bee" in out
    assert "intercept" not in out


def test_summary_shows_the_first_few_of_many_outputs(tmp_path, rng):
    np.save(tmp_path / "many.npy", rng.normal(size=(90, 10)))
    out = fastgd("run", tmp_path / "many.npy", "--target", "3,4,5,6,7,8,9", "--epochs", 2).out
    assert out.count("coef of ") == 5
    assert "and the coefficients of 2 more outputs" in out


def test_a_trace_of_several_outputs(table, tmp_path):
    path = tmp_path / "trace.csv"
    data = table("a", "b", "price", "rent")
    found = fastgd("run", data, "--target", "price,rent", *GD, "--trace", path, "--json").json
    with path.open() as file:
        rows = list(csv.DictReader(file))
    for k, output in enumerate(("price", "rent")):
        last = [float(rows[-1][f"weights[{output}:{name}]"]) for name in ("a", "b", "intercept")]
        assert last == [*found["coef"][k], found["intercept"][k]]
    words = ("--trace-steps", "--method", "sgd", "--epochs", 1, "--no-intercept", "--trace", path)
    assert fastgd("run", data, "--target", "price,rent", *words).code == 0
    with path.open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 80
    assert {"gradient[price:a]", "gradient[rent:b]", "weights[rent:a]"} <= set(rows[0])
    assert "weights[rent:intercept]" not in rows[0]


# --- predict and evaluate ---------------------------------------------------------------------------------------------


def test_predictions_of_several_targets(trained):
    data, model = trained(["b", "price", "a", "rent"], "--target", "rent,price")
    found = columns_of(fastgd("predict", model, data))
    assert list(found) == ["prediction_rent", "prediction_price"]
    expected = library.load(model).predict(np.column_stack([B, A]))
    np.testing.assert_allclose(floats(found["prediction_rent"]), expected[:, 0], rtol=1e-15)
    np.testing.assert_allclose(floats(found["prediction_price"]), expected[:, 1], rtol=1e-15)


def test_predictions_of_several_classes(trained):
    data, model = trained(["a", "b", "pet"], "--loss", "logistic")
    found = columns_of(fastgd("predict", model, data))
    assert list(found) == ["prediction", "probability_ant", "probability_bee", "probability_cat"]
    probability = np.column_stack([floats(found[f"probability_{pet}"]) for pet in ("ant", "bee", "cat")])
    np.testing.assert_allclose(probability.sum(axis=1), 1.0)
    assert found["prediction"] == np.array(["ant", "bee", "cat"])[probability.argmax(axis=1)].tolist()
    assert np.mean(np.array(found["prediction"]) == PET) > 0.6


def test_softmax_of_two_classes_has_the_probability_of_both(trained):
    data, model = trained(["a", "b", "big"], "--loss", "softmax")
    found = columns_of(fastgd("predict", model, data))
    assert list(found) == ["prediction", "probability_no", "probability_yes"]
    assert found["prediction"] == np.where(floats(found["probability_yes"]) > 0.5, "yes", "no").tolist()
    out = fastgd("run", data, "--loss", "softmax", *GD).out
    assert "coef of no" in out
    assert "coef of yes" in out


def test_predictions_of_several_labels(trained):
    data, model = trained(["a", "b", "big", "old"], "--loss", "logistic", "--target", "big,old")
    found = columns_of(fastgd("predict", model, data))
    assert list(found) == ["prediction_big", "prediction_old", "probability_big", "probability_old"]
    assert found["prediction_big"] == np.where(floats(found["probability_big"]) > 0.5, "yes", "no").tolist()
    assert found["prediction_old"] == np.where(floats(found["probability_old"]) > 0.5, "7", "3").tolist()


def test_losses_without_probabilities(trained):
    data, model = trained(["a", "b", "pet"], "--loss", "squared_hinge")
    assert list(columns_of(fastgd("predict", model, data))) == ["prediction"]
    assert list(fastgd("evaluate", model, data, "--json").json["metrics"]) == ["accuracy", "auc"]


def test_numeric_labels_in_column_names(trained):
    COLUMNS["kind"] = np.digitize(A, [-0.5, 0.5])
    data, model = trained(["a", "b", "kind"], "--loss", "logistic")
    found = columns_of(fastgd("predict", model, data))
    assert list(found) == ["prediction", "probability_0", "probability_1", "probability_2"]


@pytest.mark.parametrize("suffix", [".npy", ".parquet"])
def test_columns_of_predictions_in_other_files(suffix, trained, tmp_path):
    data, model = trained(["a", "b", "price", "rent"], "--target", "price,rent")
    out = tmp_path / f"predicted{suffix}"
    assert fastgd("predict", model, data, "-o", out).code == 0
    if suffix == ".npy":
        assert np.load(out).dtype.names == ("prediction_price", "prediction_rent")


def test_an_offset_at_predict(trained):
    data, model = trained(["a", "b", "o", "price"], "--offset", "o")
    without = library.load(model).predict(np.column_stack([A, B]))
    for words in ((), ("--offset", "o")):  # the model knows which column it was
        predicted = floats(columns_of(fastgd("predict", model, data, *words))["prediction"])
        np.testing.assert_allclose(predicted, without + OFFSET, atol=1e-12)
    assert fastgd("predict", model, data, "--offset", "oo").code == 2


def test_evaluate_with_weights_and_an_offset(trained):
    data, model = trained(
        ["w", "a", "b", "o", "price", "rent"], "--offset", "o", "--target", "price,rent", "--drop", "w"
    )
    words = ("--offset", "o", "--sample-weight", "w")
    found = fastgd("evaluate", model, data, *words, "--json").json
    X, y = np.column_stack([A, B]), np.column_stack([PRICE, RENT])
    assert found["metrics"] == evaluate(library.load(model), X, y, sample_weight=W, offset=OFFSET)
    assert found["target"] == ["price", "rent"]
    assert found["metrics"] != fastgd("evaluate", model, data, "--offset", "o", "--json").json["metrics"]
    text = fastgd("evaluate", model, data, *words).out
    assert f"{found['metrics']['r2']:.6g}" in text
    assert "targets price, rent" in text


def test_evaluate_on_another_target(trained):
    data, model = trained(["a", "b", "price", "rent"], "--target", "price", "--drop", "rent")
    found = fastgd("evaluate", model, data, "--target", "rent", "--json").json
    assert found["metrics"] == evaluate(library.load(model), np.column_stack([A, B]), RENT)
    assert found["target"] == "rent"


def test_every_metric_has_a_display_name(trained, rng):
    COLUMNS["many"] = rng.poisson(np.exp(0.3 * A))
    rate = ("--learning-rate", 0.05)
    for names, words in (
        (["a", "many"], ("--loss", "poisson", *rate)),
        (["a", "price"], ("--loss", "quantile:quantile=0.9", *rate)),
        (["a", "big", "old"], ("--loss", "logistic", "--target", "big,old")),
    ):
        data, model = trained(names, *words)
        metrics = fastgd("evaluate", model, data, "--json").json["metrics"]
        lines = fastgd("evaluate", model, data).out.splitlines()[1:]
        assert len(lines) == len(metrics)
        for line, (name, value) in zip(lines, metrics.items(), strict=True):
            assert line.endswith(f"{value:.6g}")
            assert "_" not in line, name


def test_a_column_name_may_contain_a_comma(tmp_path):
    data, model = tmp_path / "data.csv", tmp_path / "model.fastgd"
    rows = [f"{a:.3f},{b:.3f},{2 * a - b:.3f}" for a, b in zip(A, B, strict=True)]
    data.write_text("\n".join(['a,b,"a,b"', *rows]) + "\n")
    assert fastgd("run", data, "--target", "a,b", *GD, "--save", model).code == 0
    assert fastgd("evaluate", model, data, "--json").json["target"] == "a,b"
    data.write_text("\n".join(["a,b,c", *rows]) + "\n")
    assert list(columns_of(fastgd("predict", model, data))) == ["prediction"]
