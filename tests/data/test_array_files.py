"""Reading .npy and .npz: values as NumPy reads them, in any version, order and type; files cut short."""

from __future__ import annotations

import io
import os

import numpy as np
import pytest

import fastgd
from fastgd.data.array_files import ArrayArchive, ArrayFile, DamagedArrayError
from fastgd.data.readers.open_table import open as open_table
from fastgd.data.readers.read_columns import read_columns
from fastgd.errors import DataError

ARRAYS = {
    "float64": np.arange(6.0).reshape(2, 3),
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "big endian": np.arange(6, dtype=">i4").reshape(3, 2),
    "cube": np.arange(24.0).reshape(2, 3, 4),
    "scalar": np.float32(2.5),
    "no rows": np.zeros((0, 3)),
    "words": np.array(["a", "größe", ""]),
    "bytes": np.array([b"csr", b""]),
    "booleans": np.array([True, False]),
    "structured": np.array([(1, 2.5), (3, 4.5)], [("epoch", "i8"), ("größe", "f4")]),
    "days": np.array(["2020-01-01"], "M8[D]"),
}


@pytest.mark.parametrize("version", [None, (1, 0), (2, 0), (3, 0)])
@pytest.mark.parametrize("kind", ARRAYS)
def test_arrays_are_read_as_numpy_reads_them(kind, version, tmp_path):
    array = np.asarray(ARRAYS[kind])
    if kind == "structured" and version == (1, 0):
        version = (3, 0)  # its names need UTF-8
    with open(tmp_path / "a.npy", "wb") as file:
        np.lib.format.write_array(file, array, version)
    found = ArrayFile.open(str(tmp_path / "a.npy")).read()
    assert (found.dtype, found.shape) == (array.dtype, array.shape)
    np.testing.assert_array_equal(found, array)
    np.savez(tmp_path / "a.npz", a=array)
    with ArrayArchive(str(tmp_path / "a.npz")) as archive:
        np.testing.assert_array_equal(archive["a"], array)


def test_a_header_of_python_2_is_read(tmp_path):
    buffer = io.BytesIO()
    np.save(buffer, np.arange(6.0).reshape(2, 3))
    (tmp_path / "a.npy").write_bytes(buffer.getvalue().replace(b"(2, 3), }  ", b"(2L, 3L), }"))
    np.testing.assert_array_equal(ArrayFile.open(str(tmp_path / "a.npy")).read(), np.arange(6.0).reshape(2, 3))


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("chosen", [slice(0, 4), slice(1, 3), [3, 0], [2]])
def test_chosen_columns_of_a_file_of_several_blocks(chosen, order, rng, tmp_path):
    array = rng.normal(size=(300_000, 4)).astype(np.float32, order=order)
    np.save(tmp_path / "a.npy", array)
    found = ArrayFile.open(str(tmp_path / "a.npy")).columns(chosen, np.dtype(np.float64))
    assert found.flags.c_contiguous
    np.testing.assert_array_equal(found, array[:, chosen])


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_file_cut_short_after_it_was_opened_is_damaged(order, tmp_path):
    """Mapped into memory, such a file ends the process by SIGBUS."""
    path = tmp_path / "a.npy"
    np.save(path, np.ones((100_000, 3), order=order))
    array = ArrayFile.open(str(path))
    os.truncate(path, 100_000)
    with pytest.raises(DamagedArrayError):
        array.columns(slice(0, 3), np.dtype(np.float64))


def test_no_part_of_a_table_is_mapped_from_its_file(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, np.arange(300_000.0).reshape(-1, 3))
    table = open_table(path)
    os.truncate(path, 0)
    assert table.X.sum() + table.y.sum() == 299_999 * 150_000.0


@pytest.mark.parametrize(
    "array", [np.zeros(0), np.zeros((2, 0)), np.zeros((2, 2, 2)), np.array(["a"]), np.ones(2) * 1j]
)
def test_error_about_columns_that_are_no_table(array, tmp_path):
    np.save(tmp_path / "trace.npy", array)
    with pytest.raises(DataError, match=f"^{tmp_path}/trace.npy: is no table of numbers"):
        read_columns(tmp_path / "trace.npy")


def test_a_model_of_many_zeros_is_saved_so_that_it_can_be_read(tmp_path):
    """Compressed, its zeros would expand more than a reader lets them."""
    model = fastgd.fit([[1.0], [2.0]], [1.0, 2.0], max_epochs=1)
    model.coef, model.path = np.zeros(9_000_000), None
    model.save(tmp_path / "model")
    assert len(fastgd.load(tmp_path / "model").coef) == 9_000_000
