"""The reader of svmlight files: compared with scikit-learn's, and its error messages."""

from __future__ import annotations

import gzip
import io

import numpy as np
import pytest
from helpers.table_files import error_message
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.datasets import dump_svmlight_file, load_svmlight_file

from fastgd.data.readers.open_table import open as open_table
from fastgd.data.readers.svmlight_files import read_blocks
from fastgd.data.writers.write_table import write
from fastgd.errors import DataError


def read(tmp_path, text: str | bytes, **options):
    path = tmp_path / "data.svm"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return open_table(path, **options)


def test_labels_entries_comments_and_blank_lines(tmp_path):
    text = "# a file, caf\xe9\n+1 1:0.5 3:-2e1 # first\r\n\n  -1\t2:+7   \n0.5\n1 4:1\n"
    table = read(tmp_path, text.encode("latin-1"))
    np.testing.assert_array_equal(table.X.toarray(), [[0.5, 0, -20, 0], [0, 7, 0, 0], [0, 0, 0, 0], [0, 0, 0, 1]])
    np.testing.assert_array_equal(table.y, [1, -1, 0.5, 1])
    assert (table.X.dtype, table.X.indices.dtype, table.X.indptr.dtype) == (np.float64, np.int32, np.int32)
    assert table.feature_names == ("1", "2", "3", "4")
    assert table.target_name == "label"


def test_indices_count_from_0_if_one_is_0(tmp_path):
    table = read(tmp_path, "1 0:5 2:6\n0 1:7\n")
    assert table.feature_names == ("0", "1", "2")
    np.testing.assert_array_equal(table.X.toarray(), [[5, 0, 6], [0, 7, 0]])


def test_unsorted_indices_are_sorted(tmp_path):
    table = read(tmp_path, "1 3:3 1:1 2:2\n0 2:5 1:4\n")
    np.testing.assert_array_equal(table.X.toarray(), [[1, 2, 3], [4, 5, 0]])
    assert table.X.has_sorted_indices


def test_query_ids_are_ignored_with_a_remark(tmp_path):
    table = read(tmp_path, "1 qid:1 1:0.5\n0 qid:2 2:3\n")
    np.testing.assert_array_equal(table.X.toarray(), [[0.5, 0], [0, 3]])
    assert table.remarks == ("the query ids (qid:) are ignored",)


@pytest.mark.parametrize("block_bytes", [1, 7, 64])
def test_the_size_of_blocks_does_not_matter(tmp_path, block_bytes):
    path = tmp_path / "data.svm"
    path.write_text("\n1 1:0.5 3:-2 # one\n\n-1 2:7\n0 4:1 5:2\n# end\n1")
    large, small = list(read_blocks(path, False)), list(read_blocks(path, False, block_bytes))
    for name in ("labels", "lines", "indices", "values", "lengths"):
        expected, found = (np.concatenate([getattr(block, name) for block in blocks]) for blocks in (large, small))
        np.testing.assert_array_equal(found, expected)
    path.write_text(path.read_text() + " x")
    with pytest.raises(DataError, match="line 7: 'x' is not of the form"):
        list(read_blocks(path, False, block_bytes))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "is empty (0 bytes)"),
        ("# nothing\n\n", "has no samples, only blank lines and comments"),
        ("1\n0\n", "has labels but no features"),
        ("1 1:2\n\n1 1:2 2:x\n", "line 3: in '2:x' the value is not a number; fix it"),
        ("1 1:2\n1 a:2\n", "line 2: in 'a:2' the index is not an integer of 0 or more"),
        ("1 1:2\n1 -1:2\n", "line 2: in '-1:2' the index is not an integer of 0 or more"),
        ("1 1:2\n1 9999999999:2\n", "line 2: in '9999999999:2' the index is larger than 2,147,483,646"),
        ("1 1:2 3\n", "line 1: '3' is not of the form index:value"),
        ("1 1:2:3\n", "line 1: '1:2:3' is not of the form index:value"),
        ("1 1:\n", "line 1: in '1:' the value is not a number"),
        ("1 1:2\n1:3 2:4\n", "line 2: starts with '1:3', not with a label; put one before it"),
        ("spam 1:2\n", "line 1: the label 'spam' is not a number"),
        ("1,2 1:2\n", "line 1: the label '1,2' is not a number"),
        ("1 1:2\n# c\n1 2:1 3:1 2:5\n", "line 3 has the index 2 twice; keep one of the two"),
        ("1 1:2\n\n1 2:nan\n", "1 missing value, the first in line 3, column '2'"),
        ("1 1:2\n\n1 2:inf\n", "1 infinite value, the first in line 3, column '2'"),
        ("1 1:2\n\nnan 2:1\n", "1 missing value in the target 'label', the first in line 3"),
        (b"\x89PNG\r\n\x1a\n\x00", "line 1: the label '\ufffdPNG' is not a number"),
    ],
)
def test_error_names_the_line_and_token(tmp_path, text, expected):
    path = tmp_path / "data.svm"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    assert error_message(path).startswith(expected)


def test_error_about_a_truncated_gzip(tmp_path):
    path = tmp_path / "data.svm.gz"
    path.write_bytes(gzip.compress(b"1 1:2\n" * 1000)[:-20])
    assert error_message(path) == "is truncated; download or write it again"


@pytest.mark.parametrize(
    ("features", "text", "expected"),
    [
        ("1234", "1 1:5 2:6\n", [5, 6, 0, 0]),
        ("012", "1 1:5 2:6\n", [0, 5, 6]),
        ("12", "1 0:5 1:6\n", "line 1 has the index 0, but the model's features count from 1"),
        ("12", "1 1:5 3:6\n", "has 3 features, but the model was fitted with 2"),
        (["age", "height", "price"], "1 1:5 2:6\n", [5, 6, 0]),
        ("134", "1 1:5 2:6\n", [5, 0, 0]),
        ("134", "1 1:5 2:6 4:7 9:9\n", [5, 0, 7]),
    ],
)
def test_the_table_has_the_columns_of_the_model(tmp_path, features, text, expected):
    options = {"features": list(features), "target": "label", "need_target": False}
    if isinstance(expected, str):
        with pytest.raises(DataError, match=expected):
            read(tmp_path, text, **options)
        return
    table = read(tmp_path, text, **options)
    np.testing.assert_array_equal(table.X.toarray(), [expected])
    assert table.feature_names == tuple(features)


def test_columns_can_be_dropped_but_not_be_targets(tmp_path):
    assert read(tmp_path, "1 1:5 2:6 3:7\n", drop=["2"]).feature_names == ("1", "3")
    with pytest.raises(DataError, match="has a separate target, 'label'; '1' cannot be the target"):
        read(tmp_path, "1 1:5\n", target=1)


rows = st.lists(
    st.tuples(
        st.floats(allow_nan=False, allow_infinity=False),
        st.dictionaries(st.integers(0, 40), st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=False)),
    ),
    min_size=1,
    max_size=12,
).filter(lambda rows: any(entries for _, entries in rows))


@settings(max_examples=60, deadline=None)
@given(rows)
def test_reads_what_scikit_learn_reads(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("svm") / "data.svm"
    lines = (" ".join([repr(y), *(f"{j + 1}:{value!r}" for j, value in sorted(x.items()))]) for y, x in rows)
    path.write_text("\n".join(lines) + "\n")
    X, y = load_svmlight_file(str(path))
    table = open_table(path)
    np.testing.assert_array_equal(table.y, y)
    np.testing.assert_array_equal(table.X.indptr, X.indptr)
    np.testing.assert_array_equal(table.X.indices, X.indices)
    np.testing.assert_array_equal(table.X.data, X.data)


def test_exchange_of_files_with_scikit_learn(tmp_path, rng):
    X = sparse.random(50, 30, density=0.3, random_state=0, format="csr")
    y = rng.normal(size=50)
    write(tmp_path / "ours.svm.gz", X, y)
    X_theirs, y_theirs = load_svmlight_file(str(tmp_path / "ours.svm.gz"), n_features=30)
    np.testing.assert_array_equal(X_theirs.toarray(), X.toarray())
    np.testing.assert_array_equal(y_theirs, y)
    buffer = io.BytesIO()
    dump_svmlight_file(X, y, buffer, zero_based=False, comment="theirs")
    theirs = read(tmp_path, buffer.getvalue())
    np.testing.assert_allclose(theirs.X.toarray(), X.toarray(), rtol=1e-14)
