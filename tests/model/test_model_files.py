"""Model files: saved and loaded, of older and newer versions, damaged or hostile, with user-defined losses."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from helpers.model_cases import FRAME, LABELS, MODELS, LogCosh, X, Y, assert_same, fit

import fastgd
from fastgd import DataError, FastgdError, OptionError
from fastgd.model.result import FORMAT_VERSION
from fastgd.wording import printable

OLD_MODELS = Path(__file__).parent / "models"  # saved by fastgd 0.1.0 before its modules moved into subpackages


@pytest.mark.parametrize("kind", MODELS)
def test_saved_model_is_loaded_unchanged(kind, tmp_path):
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


# --- Files of older and of newer versions ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["huber", "logistic_steps", "softmax"])
def test_model_of_an_older_version_is_loaded(name):
    expected = json.loads((OLD_MODELS / "predictions.json").read_text())
    model = fastgd.load(OLD_MODELS / f"{name}.fastgd")
    predicted = model.predict(expected["X"])
    if name == "huber":
        np.testing.assert_allclose(predicted, expected["predictions"][name], rtol=1e-12)
    else:
        assert predicted.tolist() == expected["predictions"][name]
    assert model.trace["epoch"].tolist() == list(range(10))
    assert model.path.shape[0] == 10
    assert (model.steps is None) == (name != "logistic_steps")
    assert model.feature_names == (("age", "größe") if name == "huber" else None)


@pytest.mark.parametrize("version", [FORMAT_VERSION + 1, 10])
def test_newer_format_is_refused_and_says_to_upgrade(version, tmp_path):
    header, arrays = contents(fit(), tmp_path)
    newer = {**header, "format": f"fastgd model {version}", "a new field": 1}
    (tmp_path / "file").write_bytes(zipped(**arrays, header=as_array(newer)))
    versions = rf"\(model format {version}; this version reads up to {FORMAT_VERSION}\)"
    message = rf"written by a newer version of fastgd {versions}; upgrade"
    assert_refused(tmp_path / "file", match=message)


@pytest.mark.parametrize(
    "text", ["fastgd model 0", "fastgd model", "fastgd model -1", "fastgd model 2.0", "model 2", 2]
)
def test_format_without_a_version_is_damage(text, tmp_path):
    header, arrays = contents(fit(), tmp_path)
    (tmp_path / "file").write_bytes(zipped(**arrays, header=as_array({**header, "format": text})))
    assert_refused(tmp_path / "file")


# --- Files that are not models ---------------------------------------------------------------------------------------


def zipped(**arrays):
    """The bytes of an .npz; arrays of objects are pickled."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def as_array(header):
    return np.frombuffer(json.dumps(header).encode(), np.uint8)


def contents(model, tmp_path):
    """Header and arrays of the model's file."""
    model.save(tmp_path / "untouched")
    with np.load(tmp_path / "untouched") as stored:
        arrays = dict(stored)
    return json.loads(arrays.pop("header").tobytes()), arrays


class Bomb:
    """Makes a directory when it is unpickled."""

    def __reduce__(self):
        return os.mkdir, ("a pickle was executed",)


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


def assert_refused(path, match="not a fastgd model, or damaged"):
    with pytest.raises(DataError, match=match) as caught:
        fastgd.load(path)
    assert str(caught.value).startswith(f"{printable(str(path), kept='')}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", FILES)
def test_other_file_is_refused(kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_bytes(FILES[kind])
    assert_refused(tmp_path / "file")
    assert os.listdir(tmp_path) == ["file"], "something in the file was executed"


def test_npy_file_is_refused(tmp_path):
    np.save(tmp_path / "file.npy", X)
    assert_refused(tmp_path / "file.npy")


@pytest.mark.parametrize("name", ["coef", "trace", "path", "classes"])
def test_pickle_in_a_model_file_is_not_executed(name, tmp_path, monkeypatch):
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
def test_invalid_header_is_refused(name, value, tmp_path):
    header, arrays = contents(fit(), tmp_path)
    (tmp_path / "file").write_bytes(zipped(**arrays, header=as_array({**header, name: value})))
    assert_refused(tmp_path / "file")


@pytest.mark.parametrize("coef", [np.zeros((3, 1)), np.zeros(3, np.float32), np.array(list("abc"))])
def test_invalid_coefficients_are_refused(coef, tmp_path):
    header, arrays = contents(fit(), tmp_path)
    (tmp_path / "file").write_bytes(zipped(**arrays | {"coef": coef}, header=as_array(header)))
    assert_refused(tmp_path / "file")


@pytest.mark.parametrize("name", ["coef", "trace", "path", "classes", "header"])
def test_missing_array_is_refused(name, tmp_path):
    header, arrays = contents(fit(y=LABELS, loss="logistic"), tmp_path)
    arrays["header"] = as_array(header)
    arrays[f"{name}_"] = arrays.pop(name)
    (tmp_path / "file").write_bytes(zipped(**arrays))
    assert_refused(tmp_path / "file")


@pytest.mark.parametrize("name", ["missing", "", "a\0b"])
def test_unreadable_file_is_refused(name, tmp_path):
    assert_refused(f"{tmp_path}/{name}", match="the model cannot be read")


def load_or_refuse(path, model):
    """Whether the file is refused, with a `DataError` that names it; if not, the model must be unchanged."""
    try:
        loaded = fastgd.load(path)
    except DataError as error:
        return str(error).startswith(f"{path}: not a fastgd model") or pytest.fail(str(error))
    assert_same(loaded, model)
    return False


def test_truncated_file_is_refused(tmp_path):
    model = fit(FRAME, LABELS, loss="logistic")
    model.save(tmp_path / "model")
    content = (tmp_path / "model").read_bytes()
    for tenth in range(10):
        (tmp_path / "part").write_bytes(content[: len(content) * tenth // 10])
        assert_refused(tmp_path / "part")
    (tmp_path / "part").write_bytes(content[:-1])
    assert_refused(tmp_path / "part")


@pytest.mark.parametrize("stride", [29, pytest.param(1, marks=pytest.mark.campaign)])
def test_flipped_bits_are_detected(stride, tmp_path):
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


def test_random_bytes_are_refused(tmp_path):
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


# --- User-defined losses ---------------------------------------------------------------------------------------------


def test_user_defined_loss_is_saved_by_name(tmp_path):
    model = dataclasses.replace(fit(), loss=LogCosh(2.0))
    model.save(tmp_path / "model")
    loaded = fastgd.load(tmp_path / "model")
    assert loaded.loss == "LogCosh"
    assert loaded.decision_function(X).tobytes() == model.decision_function(X).tobytes()
    with pytest.raises(FastgdError, match=r"loss, LogCosh: pass the loss to fastgd.load\(path, loss=\.\.\."):
        loaded.predict(X)
    with pytest.raises(FastgdError, match="a model with the loss 'LogCosh' is no classification"):
        loaded.predict_proba(X)
    loaded.save(tmp_path / "again")
    assert_same(fastgd.load(tmp_path / "again"), loaded)
    restored = fastgd.load(tmp_path / "again", loss=LogCosh(2.0))
    assert_same(restored, model)
    assert restored.predict(X).tobytes() == model.predict(X).tobytes()


def test_user_defined_loss_with_the_name_of_a_built_in_loss(tmp_path):
    @fastgd.term
    class Huber(LogCosh):
        __qualname__ = "huber"

    model = dataclasses.replace(fit(), loss=Huber())
    model.save(tmp_path / "model")
    assert fastgd.load(tmp_path / "model").loss == "huber"


def test_load_checks_the_given_loss(tmp_path):
    dataclasses.replace(fit(), loss=LogCosh()).save(tmp_path / "model")
    assert fastgd.load(tmp_path / "model", loss="half_squared").predict(X).shape == (30,)
    with pytest.raises(OptionError, match="pass an instance"):
        fastgd.load(tmp_path / "model", loss=LogCosh)
    with pytest.raises(OptionError, match="unknown loss 'hubber'"):
        fastgd.load(tmp_path / "model", loss="hubber")


# --- Saving ----------------------------------------------------------------------------------------------------------


def test_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
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


def test_save_into_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(DataError, match="there is no folder"):
        fit().save(tmp_path / "no" / "model")
    with pytest.raises(DataError, match="is a folder"):
        fit().save(tmp_path)


@pytest.mark.skipif(not hasattr(np.dtypes, "StringDType"), reason="needs NumPy 2")
def test_labels_of_numpys_strings_of_any_length(tmp_path):
    X, labels = np.array([[1.0], [2.0], [3.0], [4.0]]), ["word", "a longer word"] * 2
    fitted = fastgd.fit(X, np.array(labels, np.dtypes.StringDType()), loss="logistic", alpha=0.1)
    fitted.save(tmp_path / "m.fastgd")
    assert fastgd.load(tmp_path / "m.fastgd").classes.tolist() == sorted(set(labels))
