"""Columns of words, dates and gaps as features, against scikit-learn's transformers."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import fastgd
from fastgd import Columns, DataError, OptionError
from fastgd.data.encoding.column_values import levels_of
from fastgd.data.encoding.encoder import Encoder
from fastgd.data.encoding.level_hash import murmur3
from fastgd.data.feature_matrix import encoded

TABLES = Path(__file__).parent / "tables"
TITANIC, DIAMONDS = str(TABLES / "titanic.csv"), str(TABLES / "diamonds.csv")


def dense(X):
    return X if isinstance(X, np.ndarray) else X.toarray()


def words(rng, n, n_levels):
    return np.array([f"level {j}" for j in range(n_levels)])[rng.integers(0, n_levels, n)]


def features_of(columns=None, **values):
    return encoded(pa.table(values), columns)


@pytest.mark.parametrize("n_levels", [2, 5, 300])
def test_words_are_one_hot_as_in_scikit_learn(rng, n_levels):
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    a, b, x = words(rng, 2000, n_levels), words(rng, 2000, 3), rng.normal(size=2000)
    table = features_of(a=a, x=x, b=b)
    one_hot = preprocessing.OneHotEncoder(sparse_output=False, dtype=float)
    expected = [one_hot.fit_transform(column[:, None]) for column in (a, b)]
    names = [f"a={level}" for level in sorted(set(a))] + ["x"] + [f"b={level}" for level in sorted(set(b))]
    assert table.feature_names == tuple(names)
    np.testing.assert_array_equal(dense(table.X), np.hstack([expected[0], x[:, None], expected[1]]))
    assert isinstance(table.X, np.ndarray) == (n_levels < 300)


def test_sparse_features_are_canonical(rng):
    X = features_of(a=words(rng, 500, 200), b=words(rng, 500, 9), x=rng.normal(size=500)).X
    ends, indices = X.indptr, X.indices
    assert all((np.diff(indices[i:j]) > 0).all() for i, j in pairwise(ends))


@pytest.mark.parametrize("policy", ["mean", "median", "zero", "indicator"])
def test_gaps_are_filled_as_by_simple_imputer(rng, policy):
    impute = pytest.importorskip("sklearn.impute")
    x = np.where(rng.random(200) < 0.2, np.nan, rng.normal(3.0, size=200))
    X = features_of(Columns(missing=policy), x=x).X
    strategy = {"zero": "constant", "indicator": "constant"}.get(policy, policy)
    imputer = impute.SimpleImputer(strategy=strategy, fill_value=0.0, add_indicator=policy == "indicator")
    np.testing.assert_allclose(X, imputer.fit_transform(x[:, None]), rtol=1e-15)


def test_gaps_of_words_take_the_most_frequent_level_or_one_of_their_own():
    a = ["u", None, "v", "v", "", "NA"]
    filled = features_of(Columns(missing="median"), a=a)
    np.testing.assert_array_equal(filled.X, [[1, 0], [0, 1], [0, 1], [0, 1], [0, 1], [0, 1]])
    marked = features_of(Columns(missing={"a": "indicator"}), a=a)
    assert marked.feature_names == ("a=u", "a=v", "a=(missing)")
    np.testing.assert_array_equal(marked.X[:, 2], [0, 1, 0, 0, 1, 1])


def test_rare_levels_are_pooled_as_in_scikit_learn(rng):
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    a = np.repeat(["p", "q", "r", "s"], [10, 3, 2, 30])
    rng.shuffle(a)
    expected = preprocessing.OneHotEncoder(min_frequency=5, sparse_output=False).fit_transform(a[:, None])
    for least in (5, 5 / 45):
        table = features_of(Columns(min_frequency=least), a=a)
        assert table.feature_names == ("a=p", "a=s", "a=(rare)")
        np.testing.assert_array_equal(table.X, expected)


def test_hashes_are_those_of_feature_hasher(rng):
    extraction = pytest.importorskip("sklearn.feature_extraction")
    a = np.array(["a", "ab", "abc", "abcd", "déjà vu", "a longer one of 25 bytes", *words(rng, 200, 90)])
    hasher = extraction.FeatureHasher(n_features=64, input_type="string", alternate_sign=True)
    expected = hasher.transform([[word] for word in a]).toarray()
    table = features_of(Columns(hash_bits={"a": 6}), a=a)
    np.testing.assert_array_equal(dense(table.X), expected)
    assert table.feature_names[5] == "a=#5"


def test_murmur3_of_published_values():
    """Values of the reference implementation, SMHasher, with seed 0."""
    texts = ["", "test", "Hello, world!", "The quick brown fox jumps over the lazy dog"]
    hashes = murmur3(pa.array(texts, pa.large_string())).view(np.uint32)
    assert hashes.tolist() == [0, 0xBA6BD213, 0xC0363E43, 0x2E4FF723]


def test_columns_of_more_levels_than_hash_bits_allow_are_hashed(rng):
    table = features_of(Columns(hash_bits=4), few=words(rng, 400, 16), many=words(rng, 400, 17))
    assert table.n_features == 16 + 16
    assert any("many: 17 levels, hashed into 16 features" in remark for remark in table.remarks)


def test_interactions_are_products_of_features(rng):
    a, b, x, u = words(rng, 50, 3), words(rng, 50, 2), rng.normal(size=50), rng.normal(size=50)
    table = features_of(Columns(interactions=["a:b", "x:a", "x:u"]), a=a, b=b, x=x, u=u)
    by_name = dict(zip(table.feature_names, dense(table.X).T, strict=True))
    np.testing.assert_array_equal(by_name["a:b=level 1:level 0"], (a == "level 1") * (b == "level 0"))
    np.testing.assert_array_equal(by_name["x:a=level 2"], x * (a == "level 2"))
    np.testing.assert_array_equal(by_name["x:u"], x * u)


def test_a_reference_level_has_no_feature():
    a = ["q", "p", "q", "r"]
    assert features_of(Columns(reference="first"), a=a).feature_names == ("a=q", "a=r")
    assert features_of(Columns(reference="most_frequent"), a=a).feature_names == ("a=p", "a=r")
    table = features_of(Columns(reference={"a": "r"}), a=a)
    np.testing.assert_array_equal(table.X, [[0, 1], [1, 0], [0, 1], [0, 0]])
    with pytest.raises(DataError, match="column 'a' has no level 's' to be the reference"):
        features_of(Columns(reference={"a": "s"}), a=a)


def test_ordered_categories_keep_their_order_and_codes_are_categories_where_asked():
    pandas = pytest.importorskip("pandas")
    size = pandas.Categorical(["big", "small", "big"], categories=["small", "medium", "big"], ordered=True)
    assert encoded(pandas.DataFrame({"size": size, "zip": [7, 10, 7]}), Columns(categorical=["zip"])).feature_names == (
        "size=small", "size=big", "zip=7", "zip=10",
    )  # fmt: skip


def test_dates_are_days_and_by_option_their_parts():
    when = pa.array(np.array(["1970-01-02T12:00", "2024-02-29T23:00"], "M8[s]"))
    assert features_of(when=when, x=[0.0, 1.0]).X[:, 0].tolist() == [1.5, 19782 + 23 / 24]
    names = features_of(Columns(dates="parts"), when=when).feature_names
    assert names == (
        "when",
        "when.month=1",
        "when.month=2",
        "when.weekday=4",
        "when.weekday=5",
        "when.hour=12",
        "when.hour=23",
    )


def test_error_counts_the_gaps_of_each_column_and_offers_policies():
    with pytest.raises(DataError) as caught:
        fastgd.open(TITANIC, target="survived", drop=["alive"])
    text = str(caught.value)
    assert re.search(r"the first in line 2, column 'deck' \('age' \d+, .*'deck' \d+.*; of 300 rows\)", text)
    assert "fill them in with columns=Columns(missing=...) (mean, median, zero or indicator" in text


def test_rows_with_gaps_are_dropped_with_their_target(rng):
    x = np.array([1.0, np.nan, 3.0, 4.0])
    table = fastgd.open(pa.table({"x": x, "w": [1.0, 2.0, 3.0, 4.0], "y": [10.0, 20.0, 30.0, 40.0]}),
                        weight="w", columns=Columns(missing="drop"))  # fmt: skip
    np.testing.assert_array_equal(table.y, [10.0, 30.0, 40.0])
    np.testing.assert_array_equal(table.sample_weight, [1.0, 3.0, 4.0])
    assert "1 row with missing values left out, of 4" in table.remarks


def test_row_numbers_are_left_out_and_ids_are_said(tmp_path):
    path = tmp_path / "rows.csv"
    lines = [f"{i},{100 + i},{i * i % 7},{i % 3}" for i in range(20)]
    path.write_text("\n".join([",id,x,y", *lines]) + "\n")
    table = fastgd.open(path)
    assert table.feature_names == ("id", "x")
    assert any("counts the rows; it is left out" in remark for remark in table.remarks)
    assert any("column 'id' counts up" in remark for remark in table.remarks)


def test_the_index_in_a_parquet_file_is_left_out(tmp_path):
    pandas = pytest.importorskip("pandas")
    path = tmp_path / "shuffled.parquet"
    pandas.DataFrame({"x": [1.0, 2.0, 4.0], "y": [1.0, 2.0, 3.0]}, index=[5, 3, 9]).to_parquet(path)
    table = fastgd.open(path)
    assert table.feature_names == ("x",)
    assert any("__index_level_0__" in remark for remark in table.remarks)


def test_constant_and_equal_columns_are_said():
    table = fastgd.open(
        pa.table({"a": [1.0, 1.0, 1.0], "b": [1.0, 2.0, 9.0], "c": [1.0, 2.0, 9.0], "y": [1.0, 0.0, 2.0]})
    )
    assert "the feature 'a' has one value only and adds nothing" in table.remarks
    assert any("'c' and 'b'" in remark for remark in table.remarks)


@pytest.fixture(scope="module")
def titanic():
    columns = Columns(missing="indicator", interactions=["sex:class"], min_frequency=3, hash_bits={"deck": 3})
    table = fastgd.open(TITANIC, target="survived", drop=["alive"], columns=columns)
    return table, fastgd.fit(table, loss="logistic", alpha=1e-3)


def test_a_saved_model_encodes_files_and_frames_as_training_did(titanic, tmp_path):
    pandas = pytest.importorskip("pandas")
    table, result = titanic
    result.save(tmp_path / "model.fastgd")
    loaded = fastgd.load(tmp_path / "model.fastgd")
    assert loaded == result
    expected = result.predict_proba(table)
    again = fastgd.open(TITANIC, target="survived", columns=loaded.encoder)
    np.testing.assert_array_equal(loaded.predict_proba(again), expected)
    frame = pandas.read_csv(TITANIC).iloc[:, ::-1]
    np.testing.assert_array_equal(loaded.predict_proba(frame), expected)


def test_unknown_levels_are_counted_or_an_error():
    y = np.array([1.0, 2.0, 3.0])
    seen, new = pa.table({"a": ["p", "q", "p"], "x": [1.0, 2.0, 4.0]}), pa.table({"a": ["z", "p"], "x": [0.0, 0.0]})
    result = fastgd.fit(seen, y)
    with pytest.warns(
        UserWarning, match="column 'a': 1 value is a level that training did not see, such as 'z' in row 1"
    ):
        assert result.predict(new)[0] == pytest.approx(result.intercept)
    strict = fastgd.fit(seen, y, columns=Columns(unknown="error"))
    with pytest.raises(DataError, match="that training did not see, such as 'z'"):
        strict.predict(new)


def test_a_validation_frame_is_encoded_as_the_training_frame(rng):
    a, y = words(rng, 300, 4), rng.normal(size=300)
    part = pa.table({"a": np.array(["level 1", "level 3"])})
    result = fastgd.fit(pa.table({"a": a}), y, validation=(part, [0.0, 1.0]))
    assert result.best_epoch is not None


def test_coef_table_has_feature_level_and_coefficient(titanic):
    pandas = pytest.importorskip("pandas")
    _, result = titanic
    rows = result.coef_table()
    assert isinstance(rows, pandas.DataFrame)
    assert list(rows.columns) == ["feature", "level", "coefficient"]
    chosen = rows[(rows.feature == "sex") & (rows.level == "female")]
    assert chosen.coefficient.item() == result.coef[result.feature_names.index("sex=female")]
    assert rows.iloc[-1].feature == "intercept"


def test_least_squares_on_categories_agrees_with_a_scikit_learn_pipeline():
    pandas, linear = pytest.importorskip("pandas"), pytest.importorskip("sklearn.linear_model")
    frame = pandas.read_csv(DIAMONDS)
    y = frame.pop("price").to_numpy(float)
    X = pandas.get_dummies(frame).to_numpy(float)
    expected = linear.LinearRegression().fit(X, y).score(X, y)
    z = fastgd.fit(frame, y, tol=1e-8).predict(frame)
    assert 1 - ((y - z) ** 2).sum() / ((y - y.mean()) ** 2).sum() == pytest.approx(expected, abs=1e-5)


def test_an_encoder_survives_json(titanic):
    encoder = titanic[0].encoder
    assert Encoder.from_dict(json.loads(json.dumps(encoder.to_dict()))) == encoder


HOSTILE = [
    lambda d: d.pop("unknown"),
    lambda d: d.update(extra=1),
    lambda d: d.update(unknown="eval"),
    lambda d: d.update(encodings=[]),
    lambda d: d.update(interactions=[["sex", "nobody"]]),
    lambda d: d["encodings"][0].update(kind="pickle"),
    lambda d: d["encodings"][0].update(fill=float("nan")),
    lambda d: d["encodings"][0].update(name=3),
    lambda d: d["encodings"][1].update(levels=["female", "female"]),
    lambda d: d["encodings"][1].update(levels="female"),
    lambda d: d["encodings"][1].update(fill="unheard"),
    lambda d: d["encodings"].append(d["encodings"][0]),
    lambda d: [e.update(bits=200) for e in d["encodings"] if e["kind"] == "hashed"],
]


@pytest.mark.parametrize("damage", HOSTILE)
def test_a_damaged_encoder_is_refused(titanic, damage):
    stored = json.loads(json.dumps(titanic[0].encoder.to_dict()))
    damage(stored)
    with pytest.raises((ValueError, KeyError, TypeError, AttributeError)):
        Encoder.from_dict(stored)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"missing": "guess"}, "missing has no 'guess'"),
        ({"missing": {"a": "guess"}}, "missing has no 'guess'"),
        ({"reference": "frist"}, "did you mean 'first'"),
        ({"min_frequency": -1}, "min_frequency is a number of rows"),
        ({"hash_bits": 0}, "hash_bits is a whole number from 1 to 30"),
        ({"hash_bits": True}, "hash_bits is a whole number"),
        ({"interactions": ["a"]}, "pairs of two columns"),
        ({"interactions": ["a:a"]}, "pairs of two columns"),
        ({"categorical": "zip"}, "takes a list of names"),
        ({"unknown": "guess"}, "unknown has no 'guess'"),
        ({"dates": "guess"}, "dates has no 'guess'"),
    ],
)
def test_wrong_options_are_refused(options, message):
    with pytest.raises(OptionError, match=message):
        Columns(**options)


def test_an_option_that_names_no_feature_is_refused():
    with pytest.raises(OptionError, match="missing names the column 'ages', which is no feature; did you mean 'age'"):
        features_of(Columns(missing={"ages": "mean"}), age=[1.0, 2.0])


def test_a_dictionary_that_repeats_a_level_has_it_once():
    """As a damaged file may have."""
    column = pa.DictionaryArray.from_arrays(pa.array([0, 1, 2, 1]), pa.array(["a", "b", "a"]))
    levels = levels_of(pa.chunked_array([column]))
    assert sorted(levels.names.to_pylist()) == ["a", "b"]
    assert [levels.names[int(code)].as_py() for code in levels.codes] == ["a", "b", "a", "b"]
