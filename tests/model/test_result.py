"""A model kept in a file and read again; what else may lie in such a file; predictions by name and by place."""

from __future__ import annotations

import dataclasses
import io
import json
import math
import os
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp

import fastgd
from fastgd import DataError, FastgdError, OptionError

RANDOM = np.random.default_rng(8)
X = RANDOM.normal(size=(30, 3))
Y = X @ [1.0, -2.0, 0.5] + 1.0
LABELS = np.where(Y > 1, "spam", "ham")
NAMES = ["age", "größe", "weight, kg"]
FRAME = pd.DataFrame(X, columns=NAMES)


def fit(X=X, y=Y, **options):
    return fastgd.fit(X, y, **{"method": "gd", "learning_rate": 0.1, "max_epochs": 5, **options})


@fastgd.term
class LogCosh:
    """scale^2 log cosh(r / scale), with r = z - y: a loss of one's own."""

    scale: float = 1.0

    def value(self, y: float, z: float) -> float:
        return self.scale**2 * math.log(math.cosh((z - y) / self.scale))

    def derivative(self, y: float, z: float) -> float:
        return self.scale * math.tanh((z - y) / self.scale)

    def mean(self, z: float) -> float:
        return z


def diverged():
    with pytest.raises(fastgd.DivergedError) as caught:
        fit(learning_rate=1e200)
    return caught.value.result


MODELS = {
    "regression": fit,
    "strings": lambda: fit(y=LABELS, loss="logistic"),
    "numbers": lambda: fit(y=np.where(Y > 1, 5, 2), loss="logistic"),
    "bools": lambda: fit(y=Y > 1, loss="logistic"),
    "bytes": lambda: fit(y=np.where(Y > 1, b"x", b"y"), loss="logistic"),
    "names": lambda: fit(FRAME),
    "table": lambda: fastgd.fit(fastgd.open("diabetes"), max_epochs=2),
    "steps": lambda: fit(method="minibatch", batch_size=8, trace="step"),
    "loss with settings": lambda: fit(loss="huber:delta=0.75"),
    "no intercept": lambda: fit(fit_intercept=False),
    "remarks": lambda: fit(X * [1, 1e3, 1], learning_rate="auto", n_threads=9999),
    "no path": lambda: dataclasses.replace(fit(), path=None),
    "diverged": diverged,
}


def assert_same(one, other):
    for field in dataclasses.fields(one):
        a, b = getattr(one, field.name), getattr(other, field.name)
        assert type(a) is type(b), field.name
        if isinstance(a, np.ndarray):
            assert (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes()), field.name
        else:
            assert repr(a) == repr(b), field.name  # which tells floats apart, and has NaN equal to itself


@pytest.mark.parametrize("kind", MODELS)
def test_a_model_comes_back_whole(kind, tmp_path):
    model = MODELS[kind]()
    model.save(tmp_path / "model")
    loaded = fastgd.load(str(tmp_path / "model"))
    assert_same(loaded, model)
    data = fastgd.open("diabetes").X if kind == "table" else X
    assert loaded.predict(data).tobytes() == model.predict(data).tobytes()
    if model.classes is not None:
        assert loaded.predict_proba(data).tobytes() == model.predict_proba(data).tobytes()
    loaded.save(tmp_path / "again")
    assert_same(fastgd.load(tmp_path / "again"), model)


# --- files that are no models -----------------------------------------------------------------------------------------


def zipped(**arrays):
    """The bytes of an .npz; arrays of objects are pickled."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def as_array(header):
    return np.frombuffer(json.dumps(header).encode(), np.uint8)


def contents(model, tmp_path):
    """What is in the model's file, to be tampered with."""
    model.save(tmp_path / "untouched")
    with np.load(tmp_path / "untouched") as stored:
        arrays = dict(stored)
    return json.loads(arrays.pop("header").tobytes()), arrays


class Bomb:
    """What is unpickled runs."""

    def __reduce__(self):
        return os.mkdir, ("a pickle was run",)


def objects(value):
    array = np.empty(3, dtype=object)
    array[:] = value
    return array


FILES = {
    "empty": b"",
    "text": b"coef,intercept\n1,2\n",
    "zeros": bytes(1000),
    "only a zip's name": b"PK\x03\x04",
    "pickle": pickle.dumps(Bomb()),
    "npz of something else": zipped(X=X, y=Y),
    "no arrays": zipped(),
    "header is no JSON": zipped(header=np.frombuffer(b"{", np.uint8), coef=np.zeros(3)),
    "header is a list": zipped(header=as_array([1]), coef=np.zeros(3)),
    "header is deep": zipped(header=np.frombuffer(b"[" * 100_000, np.uint8), coef=np.zeros(3)),
    "header is empty": zipped(header=as_array({}), coef=np.zeros(3)),
    "header is a pickle": zipped(header=objects(Bomb())),
}


def assert_refused(path, match="not a fastgd model, or a damaged one"):
    with pytest.raises(DataError, match=match) as caught:
        fastgd.load(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", FILES)
def test_a_file_of_something_else(kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_bytes(FILES[kind])
    assert_refused(tmp_path / "file")
    assert os.listdir(tmp_path) == ["file"], "something in it was run"


def test_an_array_file(tmp_path):
    np.save(tmp_path / "file.npy", X)
    assert_refused(tmp_path / "file.npy")


@pytest.mark.parametrize("name", ["coef", "trace", "path", "classes"])
def test_a_pickle_in_a_model_is_not_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    header, arrays = contents(fit(y=LABELS, loss="logistic"), tmp_path)
    (tmp_path / "file").write_bytes(zipped(**{**arrays, name: objects(Bomb())}, header=as_array(header)))
    assert_refused(tmp_path / "file")
    assert sorted(os.listdir(tmp_path)) == ["file", "untouched"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("intercept", "1.0"),
        ("feature_names", ["a"]),
        ("feature_names", 3),
        ("remarks", None),
        ("loss", "squared"),
        ("loss", {"name": "huber", "settings": {"delta": -1.0}}),
        ("loss", {"name": "huber", "settings": {"delta": -1.0, "x": 1}}),
        ("loss", {"name": "cauchy", "settings": {}}),
        ("unknown", 1),
    ],
)
def test_a_header_that_makes_no_sense(name, value, tmp_path):
    header, arrays = contents(fit(), tmp_path)
    (tmp_path / "file").write_bytes(zipped(**arrays, header=as_array({**header, name: value})))
    assert_refused(tmp_path / "file")


@pytest.mark.parametrize("coef", [np.zeros((3, 1)), np.zeros(3, np.float32), np.array(list("abc"))])
def test_coefficients_that_make_no_sense(coef, tmp_path):
    header, arrays = contents(fit(), tmp_path)
    (tmp_path / "file").write_bytes(zipped(**arrays | {"coef": coef}, header=as_array(header)))
    assert_refused(tmp_path / "file")


@pytest.mark.parametrize("name", ["coef", "trace", "path", "classes", "header"])
def test_an_array_that_is_gone(name, tmp_path):
    header, arrays = contents(fit(y=LABELS, loss="logistic"), tmp_path)
    arrays["header"] = as_array(header)
    arrays[f"{name}_"] = arrays.pop(name)
    (tmp_path / "file").write_bytes(zipped(**arrays))
    assert_refused(tmp_path / "file")


def test_another_version_of_the_format(tmp_path):
    header, arrays = contents(fit(), tmp_path)
    (tmp_path / "file").write_bytes(zipped(**arrays, header=as_array({**header, "format": "fastgd model 2"})))
    assert_refused(tmp_path / "file", match="a model of another version of fastgd; this one reads .*'fastgd model 1'")


@pytest.mark.parametrize("name", ["missing", "", "a\0b"])
def test_a_file_that_cannot_be_read(name, tmp_path):
    assert_refused(f"{tmp_path}/{name}", match="the model cannot be read")


def load_or_refuse(path, model):
    """Whether it is refused, with a `DataError` that names the file; if not, the model must be as it was."""
    try:
        loaded = fastgd.load(path)
    except DataError as error:
        return str(error).startswith(f"{path}: not a fastgd model") or pytest.fail(str(error))
    assert_same(loaded, model)
    return False


def test_a_truncated_file(tmp_path):
    model = fit(FRAME, LABELS, loss="logistic")
    model.save(tmp_path / "model")
    content = (tmp_path / "model").read_bytes()
    for tenth in range(10):
        (tmp_path / "part").write_bytes(content[: len(content) * tenth // 10])
        assert_refused(tmp_path / "part")
    (tmp_path / "part").write_bytes(content[:-1])
    assert_refused(tmp_path / "part")


@pytest.mark.parametrize("stride", [29, pytest.param(1, marks=pytest.mark.campaign)])
def test_flipped_bits(stride, tmp_path):
    model = fit(FRAME, LABELS, loss="logistic")
    model.save(tmp_path / "model")
    content = (tmp_path / "model").read_bytes()
    refused = 0
    for bit in range(0, 8 * len(content), stride):
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        (tmp_path / "damaged").write_bytes(damaged)
        refused += load_or_refuse(tmp_path / "damaged", model)
    assert refused > 8 * len(content) / stride / 2


def test_random_bytes(tmp_path):
    random = np.random.default_rng(0)
    model = fit()
    model.save(tmp_path / "model")
    content = (tmp_path / "model").read_bytes()
    for size in range(0, 600, 7):
        (tmp_path / "random").write_bytes(random.bytes(size))
        assert_refused(tmp_path / "random")
        start = int(random.integers(len(content)))
        (tmp_path / "patched").write_bytes(content[:start] + random.bytes(20) + content[start + 20 :])
        load_or_refuse(tmp_path / "patched", model)


# --- a loss of one's own ----------------------------------------------------------------------------------------------


def test_a_loss_of_ones_own_is_kept_by_name(tmp_path):
    model = fit(loss=LogCosh(2.0))
    model.save(tmp_path / "model")
    loaded = fastgd.load(tmp_path / "model")
    assert loaded.loss == "LogCosh"
    assert loaded.decision_function(X).tobytes() == model.decision_function(X).tobytes()
    with pytest.raises(FastgdError, match=r"saved with a loss of its own: load it with fastgd.load\(path, loss=\.\.\."):
        loaded.predict(X)
    with pytest.raises(FastgdError, match="a model with the loss 'LogCosh' has no classes"):
        loaded.predict_proba(X)
    loaded.save(tmp_path / "again")
    assert_same(fastgd.load(tmp_path / "again"), loaded)
    mended = fastgd.load(tmp_path / "again", loss=LogCosh(2.0))
    assert_same(mended, model)
    assert mended.predict(X).tobytes() == model.predict(X).tobytes()


def test_a_loss_of_ones_own_may_have_a_name_of_ours(tmp_path):
    @fastgd.term
    class Huber(LogCosh):
        __qualname__ = "huber"

    model = dataclasses.replace(fit(), loss=Huber())
    model.save(tmp_path / "model")
    assert fastgd.load(tmp_path / "model").loss == "huber"


def test_the_loss_given_to_load_is_checked(tmp_path):
    fit(loss=LogCosh()).save(tmp_path / "model")
    assert fastgd.load(tmp_path / "model", loss="half_squared").predict(X).shape == (30,)
    with pytest.raises(OptionError, match="pass an instance"):
        fastgd.load(tmp_path / "model", loss=LogCosh)
    with pytest.raises(OptionError, match="unknown loss 'hubber'"):
        fastgd.load(tmp_path / "model", loss="hubber")


# --- saving -----------------------------------------------------------------------------------------------------------


def test_a_failure_leaves_the_old_file(tmp_path, monkeypatch):
    old = fit()
    old.save(tmp_path / "model")

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(DataError, match=r"model: cannot be written \(No space left on device\); nothing"):
        fit(max_epochs=9).save(tmp_path / "model")
    monkeypatch.undo()
    assert os.listdir(tmp_path) == ["model"]
    assert_same(fastgd.load(tmp_path / "model"), old)
    new = fit(max_epochs=9)
    new.save(tmp_path / "model")
    assert_same(fastgd.load(tmp_path / "model"), new)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(DataError, match="there is no folder"):
        fit().save(tmp_path / "no" / "model")
    with pytest.raises(DataError, match="is a folder"):
        fit().save(tmp_path)


# --- predicting -------------------------------------------------------------------------------------------------------


def test_columns_are_found_by_name():
    model = fit(FRAME)
    expected = model.predict(X)
    other = FRAME[NAMES[::-1]].assign(more=1.0)
    for frame in (FRAME, FRAME[NAMES[::-1]], other, pl.from_pandas(other)):
        assert model.predict(frame).tobytes() == expected.tobytes()
    np.testing.assert_allclose(expected, X @ model.coef + model.intercept, rtol=1e-12)


def test_columns_that_are_missing_are_named():
    with pytest.raises(DataError, match=r"X lacks 2 of the model's columns: 'größe' and 'weight, kg'$"):
        fit(FRAME).predict(FRAME[["age"]].assign(more=1.0, still_more=2.0))


@pytest.mark.parametrize("model", [fit, lambda: fit(FRAME)])
@pytest.mark.parametrize("width", [2, 4])
def test_another_number_of_columns(model, width):
    other = np.ones((5, width))
    for form in (np.asarray, sp.csr_array):
        with pytest.raises(DataError, match=f"X has {width} columns, but the model was fitted on 3"):
            model().predict(form(other))


def test_what_a_model_cannot_tell():
    with pytest.raises(FastgdError, match="a model with the loss 'squared' has no classes, so no probabilities"):
        fit().predict_proba(X)
    with pytest.raises(DataError, match="X must have two dimensions"):
        fit().predict(X[0])
    with pytest.raises(DataError, match="X must hold numbers"):
        fit().predict(X.astype(str))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_sparse_and_dense_predictions_are_equal(dtype):
    holes = (X * (np.abs(X) > 0.5)).astype(dtype)
    model = fit(y=LABELS, loss="logistic")
    np.testing.assert_allclose(model.predict_proba(sp.csr_array(holes)), model.predict_proba(holes), rtol=1e-6)
    assert (model.predict(sp.csc_array(holes)) == model.predict(holes)).all()
    assert model.decision_function(holes[:0]).shape == (0,)


def test_probabilities():
    model = fit(y=LABELS, loss="logistic")
    positive = 1 / (1 + np.exp(-(X @ model.coef + model.intercept)))
    np.testing.assert_allclose(model.predict_proba(X), np.column_stack([1 - positive, positive]), rtol=1e-12)
    assert model.classes.tolist() == ["ham", "spam"]
    assert (model.predict(X) == np.where(positive > 0.5, "spam", "ham")).all()
