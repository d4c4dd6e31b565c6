"""Small valid files of every kind that fastgd reads; those under corpus/ once broke a reader."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import scipy.sparse as sp
from helpers.excel import excel_bytes
from pyarrow import feather, parquet

HERE = Path(__file__).parent
SUFFIXES = (
    ".csv", ".tsv", ".csv.gz", ".csv.zst", ".jsonl", ".xlsx",
    ".svm", ".svm.gz", ".npy", ".npz", ".arrow", ".feather", ".parquet", ".fastgd"
)  # fmt: skip

_X = np.round(np.random.default_rng(7).normal(size=(12, 4)), 2)
_Y = np.arange(12.0)
_WORDS = ["no", "yes", "maybe"] * 4
_TEXT = b'a,"b ""q""",c,y\n1,2,3,4\n5,6.5,-7e2,no\n\n8,,+9,yes\n'
_PLAIN = "\n".join(",".join(map(str, row)) for row in _X).encode()
_JSON = [
    b'{"a": 1, "w": "u", "y": 2}\n\n{"w": null, "a": 3.5, "y": 5}\n',
    b'{"a": [1], "b": {"c": true}, "y": "2020-01-01"}\n',
]
_SVM = b"1 1:2.5 3:-1 # comment\n-1 qid:1 2:1e3\n\n0 1:1 2:2 3:3 4:4\n"


def _saved(save, *arguments, **options) -> bytes:
    buffer = io.BytesIO()
    save(buffer, *arguments, **options)
    return buffer.getvalue()


def _arrow(table, new) -> bytes:
    sink = pa.BufferOutputStream()
    with new(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=7)
    return sink.getvalue().to_pybytes()


def _tables() -> list[pa.Table]:
    numbers = {f"x{j}": _X[:, j] for j in range(4)}
    words = pa.array(_WORDS)
    mixed = {
        "i": pa.array(range(12), pa.int8()), "b": pa.array([True, False] * 6), "n": pa.array([1.5, None] * 6),
        "d": pa.array(range(12), pa.decimal128(9, 2)), "c": words.dictionary_encode(),
        "k": pa.array([2.5, 3.5] * 6).dictionary_encode(), "t": pa.array(["1.5", " 2"] * 6),
        "l": pa.array([[1], []] * 6),
    }  # fmt: skip
    return [
        pa.table({**numbers, "y": _Y}), pa.table({**numbers, "y": words}), pa.table({**mixed, "y": words}),
        pa.table({"t": mixed["t"], "k": mixed["k"], "b": mixed["b"], "y": words.dictionary_encode()}),
    ]  # fmt: skip


def _npz() -> list[bytes]:
    sparse = sp.csr_array(_X * (np.abs(_X) > 1))
    parts = {"X_data": sparse.data, "X_indices": sparse.indices, "X_indptr": sparse.indptr, "X_shape": [12, 4]}
    names = np.array(list("abcd"))
    files = [_saved(np.savez, X=_X, y=_Y), _saved(np.savez_compressed, X=_X, y=np.array(_WORDS), feature_names=names)]
    files.append(_saved(np.savez, **parts, y=_Y))
    for form in ("csr", "csc", "coo", "bsr", "dia"):
        files.append(_saved(sp.save_npz, getattr(sp, f"{form}_array")(sparse), compressed=form == "csr"))
    return files


def seeds(suffix: str) -> list[bytes]:
    """Files of this suffix to begin from."""
    found = [path.read_bytes() for path in sorted((HERE / "corpus").glob(f"*{suffix}"))]
    return found + _valid(suffix)


def _valid(suffix: str) -> list[bytes]:
    texts = [_TEXT, _PLAIN, b"a,y\r\n1,2\r\n3,4\r\n", b"# x\n1,5;2\n2,5;3\n", "é y\n1  2\n3  4\n".encode("latin-1")]
    texts += ["a,y\n1,é\n3,u\n".encode("utf-16"), b'a;y\n1.234,5;2\n"2";3\n']
    others = {
        ".csv.zst": [pa.compress(text, codec="zstd", asbytes=True) for text in texts],
        ".jsonl": _JSON,
        ".xlsx": [excel_bytes([["n", "w", "y"], [1, "u", True], [None, "v", 2.5]])],
        ".svm": [_SVM],
        ".svm.gz": [gzip.compress(_SVM)],
        ".npz": _npz() if suffix == ".npz" else [],
    }
    if suffix in others:
        return others[suffix]
    if suffix in (".csv", ".csv.gz"):
        return texts if suffix == ".csv" else [gzip.compress(text) for text in texts]
    if suffix == ".tsv":
        return [text.replace(b",", b"\t") for text in texts]
    if suffix == ".npy":
        structured = np.zeros(5, [("epoch", "i8"), ("loss", "f4")])
        arrays = [_X, np.asfortranarray(_X.astype("f4")), _X.astype(">i2"), structured, _X > 0, np.array(_WORDS)]
        return [_saved(np.save, array) for array in arrays]
    if suffix == ".arrow":
        return [_arrow(table, new) for table in _tables() for new in (pa.ipc.new_file, pa.ipc.new_stream)]
    if suffix == ".feather":
        return [
            _saved(lambda file, table, kind: feather.write_feather(table, file, compression=kind), table, kind)
            for table in _tables() for kind in ("uncompressed", "lz4", "zstd")
        ]  # fmt: skip
    if suffix == ".parquet":
        return [
            _saved(lambda file, table, **options: parquet.write_table(table, file, **options), table, **options)
            for table in _tables()
            for options in ({"compression": "none"}, {"compression": "snappy"}, {"use_dictionary": False})
        ]
    return [path.read_bytes() for path in sorted((HERE.parent / "model" / "models").glob("*.fastgd"))]
