"""Model files whose header or arrays are not what `Result.save` writes: each field is checked, and none is trusted."""

from __future__ import annotations

import io
import json
import zipfile

import numpy as np
import pytest
from helpers.limited_process import run_limited

import fastgd
from fastgd import DataError

X = np.array([[1.0, 2.0], [2.0, 1.0], [3.0, 5.0], [4.0, 4.0]])


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """Header and arrays of the file of a logistic model with names."""
    path = tmp_path_factory.mktemp("model") / "model"
    table = fastgd.Table(X, np.array(["no", "yes", "no", "yes"]), ("a", "b"), "y", "t")
    fastgd.fit(table, None, loss="logistic", max_epochs=3).save(path)
    with np.load(path) as stored:
        arrays = dict(stored)
    return json.loads(arrays.pop("header").tobytes()), arrays


def npy(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def write(path, header, arrays, more=()):
    text = header if isinstance(header, str) else json.dumps(header)
    members = {"header": np.frombuffer(text.encode(), np.uint8), **arrays}
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in [*members.items(), *more]:
            archive.writestr(f"{name}.npy", npy(array))


def assert_refused(path):
    with pytest.raises(DataError) as caught:
        fastgd.load(path)
    assert str(caught.value) == f"{path}: not a fastgd model, or damaged; write it again with fastgd run --save"


HEADERS = {
    "intercept": ["0.5", None, True, 1, float("nan"), float("inf"), [0.5], {}],
    "objective": ["1", None, True, [1.0]],
    "n_epochs": ["3", 3.0, -1, True, None, 2**63, 10**100],
    "converged": [1, "yes", None],
    "stop_reason": [1, None, ["tol"]],
    "method": [None, 1, {}],
    "loss": [None, "squared", [], {}, {"name": "logistic"}, {"name": ["logistic"], "settings": {}},
             {"name": "huber", "settings": {"delta": "1"}}, {"name": 7, "settings": None}],
    "learning_rate": ["0.1", None, True, {}],
    "rate_reason": [None, 1, {"a": 1}],
    "feature_names": [["a", "a"], ["a"], ["a", "b", "c"], ["a", 1], [["a"], ["b"]], ["a", None], "ab",
                      {"a": 1, "b": 2}, 3],
    "target_name": [1, ["a", "b"], ["y", 1], {"y": 1}, [["y"]]],
    "offset_name": [1, ["o"], {}],
    "gap_bound": ["0", [0.0], True],
    "gap_note": [None, 1],
    "n_samples": [-1, "4", 1.5, None],
    "settings": [[], "none", None],
    "passes": [[], {"training": "1"}, {"training": None}, {"training": [1]}],
    "seconds": [None, {"fit": True}, {"fit": {}}],
    "remarks": [None, "remark", [1], [["a"]], {"a": 1}],
    "best_epoch": [-1, "1", 1.5, True],
    "divergences": [-1, None, "0"],
    "stationary": [1, ["minimum"]],
    "constant_objective": ["1", [1.0], True],
    "path": [[[0.0]], "path", 1],
    "steps": [[], 1],
    "arrays": [[], ["coef"], ["coef", "coef", "trace", "path", "classes"], ["../coef"], "coef", None,
               [["coef"]], {"coef": 1}],
    "coef": [[1.0, 2.0], None],
    "an unknown field": [1],
}  # fmt: skip
CASES = [(name, value) for name, values in HEADERS.items() for value in values]


@pytest.mark.parametrize(("name", "value"), CASES)
def test_a_header_with_a_wrong_field_is_refused(name, value, parts, tmp_path):
    header, arrays = parts
    write(tmp_path / "model", {**header, name: value}, arrays)
    assert_refused(tmp_path / "model")


@pytest.mark.parametrize("name", ["n_epochs", "loss", "settings", "arrays", "format"])
def test_a_header_without_a_field_or_with_one_twice_is_refused(name, parts, tmp_path):
    header, arrays = parts
    if name not in ("settings",):  # which has a default
        write(tmp_path / "model", {key: value for key, value in header.items() if key != name}, arrays)
        assert_refused(tmp_path / "model")
    write(tmp_path / "model", f'{{"{name}": {json.dumps(header[name])}, {json.dumps(header)[1:]}', arrays)
    assert_refused(tmp_path / "model")


ARRAYS = {
    "coef": [np.zeros((2, 1)), np.zeros((1, 1, 2)), np.zeros(2, "f4"), np.zeros(2, complex), np.array(["a", "b"]),
             np.array([1.0, np.nan]), np.array([np.inf, 1.0]), np.zeros(2, int), np.array(1.0), np.zeros(0)],
    "classes": [np.array([0, 1j]), np.array(["a"]), np.array(["a", "b", "c"]), np.zeros((2, 2)), np.array("a"),
                np.zeros(2, [("a", "f8")])],
    "path": [np.zeros(3), np.zeros((2, 2)), np.zeros((4, 3), complex), np.array([["a"]])],
    "trace": [np.zeros(4), np.zeros(4, [("a", "f8")]), np.zeros((2, 2), [("epoch", "f8")]), np.array("a")],
    "steps": [np.zeros(3), np.array(["a"])],
    "intercept": [np.zeros(1), np.array(0.5), np.array("a")],
    "n_epochs": [np.array(3)],
    "feature_names": [np.array(["a", "b"])],
    "loss": [np.array("logistic")],
}  # fmt: skip


@pytest.mark.parametrize(("name", "array"), [(name, array) for name, several in ARRAYS.items() for array in several])
def test_a_wrong_array_is_refused(name, array, parts, tmp_path):
    header, arrays = parts
    listed = [*header["arrays"], *({name} - set(header["arrays"]))]
    rest = {key: value for key, value in header.items() if key != name}
    write(tmp_path / "model", {**rest, "arrays": listed}, {**arrays, name: array})
    assert_refused(tmp_path / "model")


def test_members_that_the_header_does_not_list_or_that_occur_twice_are_refused(parts, tmp_path):
    header, arrays = parts
    write(tmp_path / "model", header, {**arrays, "other": np.zeros(2)})
    assert_refused(tmp_path / "model")
    with pytest.warns(UserWarning, match="Duplicate name"):
        write(tmp_path / "model", header, arrays, more=[("coef", np.ones(2))])
    assert_refused(tmp_path / "model")


def test_what_the_cases_are_made_from_is_a_model(parts, tmp_path):
    write(tmp_path / "model", *parts)
    assert fastgd.load(tmp_path / "model").predict(X).tolist() == fastgd.load(tmp_path / "model").predict(X).tolist()


LOAD = """
import sys, fastgd
for path in sys.argv[1:]:
    try:
        fastgd.load(path)
    except fastgd.DataError as error:
        print(error)
"""


def test_models_that_declare_or_compress_far_more_than_they_hold_take_little_memory(parts, tmp_path):
    header, arrays = parts
    declared = npy(np.zeros(2)).replace(b"(2,), }            ", b"(1000000000000,), }")
    assert b"1000000000000" in declared
    with zipfile.ZipFile(tmp_path / "declared", "w") as archive:
        archive.writestr("header.npy", npy(np.frombuffer(json.dumps(header).encode(), np.uint8)))
        for name, array in arrays.items():
            archive.writestr(f"{name}.npy", declared if name == "coef" else npy(array))
    np.savez_compressed(tmp_path / "zeros.npz", header=np.zeros(100_000_000, np.uint8))
    with open(tmp_path / "sparse", "wb") as file:
        file.truncate(1 << 40)
    paths = [str(tmp_path / name) for name in ("declared", "zeros.npz", "sparse")]
    ended = run_limited("-c", LOAD, *paths, seconds=60)
    damaged = "not a fastgd model, or damaged; write it again with fastgd run --save"
    zeros = "expands from 0.097 MB to more than 67 MB, and more than 200 times"
    said = ended.out.splitlines()
    assert (said[0], said[2], len(said)) == (f"{paths[0]}: {damaged}", f"{paths[2]}: {damaged}", 3), ended.err
    assert said[1].startswith(f"{paths[1]}: {zeros}"), said[1]
