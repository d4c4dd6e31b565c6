"""Sparse matrices whose parts do not fit together: one sentence at every door, before native code follows an index."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from helpers.table_files import error_message

import fastgd
from fastgd import DataError
from fastgd.data.feature_matrix import as_matrix
from fastgd.data.readers.open_table import open as open_table
from fastgd.data.writers.write_table import write

N, D = 12, 6
Y = np.arange(float(N))
FORMATS = ("csr", "csc", "bsr", "coo", "dia", "lil", "dok")
INDPTR = "is damaged: its indptr does not rise from 0 to the number of values in {} + 1 entries"
OUTSIDE = "is damaged: it has the {} index {}, but only {} {}s"


@pytest.fixture(scope="module")
def X():
    rng = np.random.default_rng(2)
    return rng.integers(-8, 9, (N, D)) / 8 * (rng.random((N, D)) < 0.4)


def with_part(matrix, name, place, value):
    """The matrix with one number of a part replaced; by assignment, which SciPy does not check."""
    part = getattr(matrix, name).copy()
    part[place] = value
    setattr(matrix, name, part)
    return matrix


def with_length(matrix, name, length):
    setattr(matrix, name, np.resize(getattr(matrix, name), length))
    return matrix


def with_type(matrix, name, kind):
    setattr(matrix, name, getattr(matrix, name).astype(kind))
    return matrix


def with_lists(matrix, columns, values):
    matrix.rows[3], matrix.data[3] = columns, values
    return matrix


def with_key(matrix, key):
    matrix._dict[key] = 1.0
    return matrix


def blocks(X):
    return sp.bsr_array(X, blocksize=(3, 2))


FAR = 2_000_000_000
DAMAGES = {
    **{
        f"{form.__name__}, {name} {place} = {value}": (
            lambda X, a=form, b=(name, place, value): with_part(a(X), *b), text
        )
        for form, name, place, value, text in [
            *((sp.csr_array, "indices", 4, j, OUTSIDE.format("column", j, D, "column")) for j in (-1, D, FAR)),
            *((sp.csc_array, "indices", 4, i, OUTSIDE.format("row", i, N, "row")) for i in (-1, N, FAR)),
            *((blocks, "indices", -1, j, OUTSIDE.format("block column", j, D // 2, "block column")) for j in (-9, 3)),
            *((sp.coo_array, "row", 4, i, OUTSIDE.format("row", i, N, "row")) for i in (-1, N, 10_000_000)),
            *((sp.coo_array, "col", 4, j, OUTSIDE.format("column", j, D, "column")) for j in (-1, D, 10_000_000)),
            *((sp.csr_array, "indptr", p, q, INDPTR.format("n_samples")) for p, q in ((0, 1), (5, 0), (-1, 10_000))),
            *((sp.csr_array, "indptr", p, q, INDPTR.format("n_samples")) for p, q in ((3, 2_000_000_000), (-1, -1))),
            *((sp.csc_array, "indptr", p, q, INDPTR.format("n_columns")) for p, q in ((0, -1), (3, 0), (-1, 10_000))),
            *((blocks, "indptr", p, q, INDPTR.format("n_block_rows")) for p, q in ((0, -1), (2, 0), (-1, 10_000))),
            (sp.dia_array, "offsets", 0, -1, "is damaged: its 13 offsets are not one for each of its 13 diagonals"),
        ]
    },
    "csr, short data": (lambda X: with_length(sp.csr_array(X), "data", 5), INDPTR.format("n_samples")),
    "csr, short indices": (lambda X: with_length(sp.csr_array(X), "indices", 5), INDPTR.format("n_samples")),
    "csr, short indptr": (lambda X: with_length(sp.csr_array(X), "indptr", N), INDPTR.format("n_samples")),
    "csr, no indptr": (lambda X: with_length(sp.csr_array(X), "indptr", 0), INDPTR.format("n_samples")),
    "csr, data of two dimensions": (
        lambda X: with_length(sp.csr_array(X), "data", (40, 1)), "is damaged: its values have 2 dimensions, not one"
    ),
    "csc, long indptr": (lambda X: with_length(sp.csc_array(X), "indptr", N), INDPTR.format("n_columns")),
    "bsr, short data": (lambda X: with_length(blocks(X), "data", (1, 3, 2)), INDPTR.format("n_block_rows")),
    "bsr, blocks that do not fill it": (
        lambda X: with_length(blocks(X), "data", (12, 5, 2)),
        f"is damaged: blocks of shape (5, 2) do not fill a matrix of shape {(N, D)}",
    ),
    "dia, offsets missing": (
        lambda X: with_length(sp.dia_array(X), "offsets", 4),
        "is damaged: its 4 offsets are not one for each of its 13 diagonals",
    ),
    **{
        f"{form.__name__}, {name} as {kind}": (
            lambda X, a=form, b=(name, kind): with_type(a(X), *b),
            f"is damaged: its {name} is not an array of 32-bit or 64-bit integers in one dimension",
        )
        for form, name in [(sp.csr_array, "indices"), (sp.csc_array, "indptr"), (sp.dia_array, "offsets")]
        for kind in ("f8", ">i4", "u4")
    },
    "lil, more values than columns": (
        lambda X: with_lists(sp.lil_array(X), [1], [1.0] * 100_000), "is damaged: row 4 does not have as many columns"
    ),
    "lil, no list": (lambda X: with_lists(sp.lil_array(X), None, None), "is damaged: row 4 does not have as many"),
    "lil, words": (lambda X: with_lists(sp.lil_array(X), [1], ["a"]), "is damaged: its parts do not make a matrix"),
    **{
        f"lil, column {j}": (
            lambda X, j=j: with_lists(sp.lil_array(X), [j], [1.0]), OUTSIDE.format("column", j, D, "column")
        )
        for j in (-1, D, 10_000_000)
    },
    **{
        f"dok, key {key}": (lambda X, key=key: with_key(sp.dok_array(X), key), "is damaged: its parts do not make a")
        for key in [(-1, 0), (N, 0), (0, D), (0, 10_000_000)]
    },
}  # fmt: skip


@pytest.mark.parametrize("what", DAMAGES)
def test_error_about_a_damaged_matrix_at_every_door(what, X, tmp_path):
    make, text = DAMAGES[what]
    model = fastgd.fit(X, Y, max_epochs=1)
    doors = {
        "fit": lambda: fastgd.fit(make(X), Y, max_epochs=1),
        "predict": lambda: model.predict(make(X)),
        "validation": lambda: fastgd.fit(X, Y, validation=(make(X), Y), max_epochs=1),
        "write": lambda: write(tmp_path / "table.svm", make(X), Y),
    }
    for door, call in doors.items():
        with pytest.raises(DataError) as caught:
            call()
        subject = "the validation set: X " if door == "validation" else "X "
        assert str(caught.value).startswith(subject + text), door
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["array", "matrix"])
@pytest.mark.parametrize("form", FORMATS)
def test_every_format_becomes_the_same_rows(form, kind, X):
    matrix, _ = as_matrix(getattr(sp, f"{form}_{kind}")(X))
    rows = sp.csr_array((matrix.data, matrix.indices, matrix.indptr), (N, D))
    np.testing.assert_array_equal(rows.toarray(), X)


def test_a_diagonal_outside_the_matrix_is_left_out():
    matrix = sp.dia_array((np.arange(1.0, 7.0).reshape(2, 3), [0, 1]), (3, 3))
    matrix.offsets = np.array([0, 100_000_000], np.int32)
    np.testing.assert_array_equal(as_matrix(matrix)[0].data, [1.0, 2.0, 3.0])


def test_a_matrix_far_wider_than_its_values_is_refused_by_fit_and_takes_no_memory_elsewhere():
    wide = sp.csr_array(([1.0, 2.0], ([0, 1], [0, 10**12 - 1])), (2, 10**12))
    with pytest.raises(DataError, match=r"^X has 1,000,000,000,000 columns, but stores only 2 values: number the"):
        fastgd.fit(wide, [1.0, 2.0])
    with pytest.raises(DataError, match=r"^X has 1000000000000 columns, but the model was fitted on 1"):
        fastgd.fit([[1.0], [2.0]], [1.0, 2.0], max_epochs=1).predict(wide)


# --- Files ------------------------------------------------------------------------------------------------------------


def save(path, **parts):
    np.savez(path, **parts)
    return path


def saved(path, matrix, **changed):
    """What `scipy.sparse.save_npz` writes, with some of the parts replaced."""
    sp.save_npz(path, matrix)
    with np.load(path) as archive:
        parts = {name: archive[name] for name in archive.files}
    return save(path, **{**parts, **changed})


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
@pytest.mark.parametrize(
    ("form", "name", "size"),
    [
        (sp.csr_array, "indices", D),
        (sp.csc_array, "indices", N),
        (blocks, "indices", D // 2),
        (sp.coo_array, "row", N),
        (sp.coo_array, "col", D),
    ],
)
def test_error_about_an_index_outside_a_saved_matrix(form, name, size, dtype, X, tmp_path):
    matrix = form(X)
    for index in (-1, size, 2_000_000_000):
        part = getattr(matrix, name).astype(dtype)
        part[2] = index
        assert error_message(saved(tmp_path / "x.npz", matrix, **{name: part})).startswith("is damaged: ")


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"shape": np.array([N, 10**12])}, "has 1,000,000,000,000 columns, but stores only"),
        ({"shape": np.array([10**12, D])}, "is damaged: its parts do not make a sparse matrix"),
        ({"shape": np.array([-N, D])}, "is damaged: its parts do not make a sparse matrix"),
        ({"shape": np.array([N])}, "is damaged: its parts do not make a sparse matrix"),
        ({"shape": np.array(["a", "b"])}, "is damaged: its parts do not make a sparse matrix"),
        ({"indptr": np.array(0)}, "is damaged: its parts do not make a sparse matrix"),
        ({"indptr": np.zeros((2, 2), int)}, "is damaged: its parts do not make a sparse matrix"),
        ({"data": np.array(["a"])}, "holds values of type <U1, not numbers"),
        ({"data": np.array([1j])}, "holds complex numbers"),
        ({"format": np.array(b"xyz")}, "holds a sparse matrix of an unknown format; use one of csr, csc, bsr, coo"),
        ({"format": np.array(7)}, "holds a sparse matrix of an unknown format"),
        ({"format": np.array([b"csr"])}, "holds a sparse matrix of an unknown format"),
    ],
)
def test_error_about_parts_of_a_saved_matrix(changed, expected, X, tmp_path):
    assert error_message(saved(tmp_path / "x.npz", sp.csr_array(X), **changed)).startswith(expected)


@pytest.mark.parametrize("form", ["csr", "csc", "bsr", "coo", "dia"])
@pytest.mark.parametrize("kind", ["array", "matrix"])
def test_saved_matrices_of_every_format_are_read(form, kind, X, tmp_path):
    path = tmp_path / "x.npz"
    sp.save_npz(path, getattr(sp, f"{form}_{kind}")(X))
    table = open_table(path, target=0)
    np.testing.assert_array_equal(table.X.toarray(), X[:, 1:])
    np.testing.assert_array_equal(table.y, X[:, 0])


@pytest.mark.parametrize(("place", "index"), [(3, D), (3, -1), (0, 2_000_000_000)])
def test_error_about_an_index_outside_a_csr_in_npz(place, index, X, tmp_path):
    csr = sp.csr_array(X)
    csr.indices[place] = index
    parts = {"X_data": csr.data, "X_indices": csr.indices, "X_indptr": csr.indptr, "X_shape": np.array(csr.shape)}
    expected = OUTSIDE.format("column", index, D, "column")
    assert error_message(save(tmp_path / "x.npz", **parts, y=Y)).startswith(expected)


@pytest.mark.parametrize("part", ["row", "col", "data"])
def test_coordinates_of_unequal_number_are_refused(part):
    matrix = sp.coo_array((np.ones(3), (np.array([0, 1, 2]), np.array([0, 1, 2]))), shape=(N, D))
    values = np.ones(3) if part == "data" else np.array([0, 1, 2], dtype=np.int32)
    setattr(matrix, part, values[:2])
    counts = {"row": 3, "col": 3, "data": 3} | {part: 2}
    message = f"it has {counts['row']} row and {counts['col']} column indices for {counts['data']} values"
    with pytest.raises(DataError, match=message):
        as_matrix(matrix)
