"""A table of files that lie about themselves, or are of another kind: each gives one sentence that names the file.

All are read in one child process with little memory, where a crash or a file that takes too long fails the test.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import zipfile
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest
from helpers.limited_process import run_limited
from pyarrow import feather, parquet

FAR = 2_000_000_000
INCOMPLETE = "is not a complete {} file: truncated, or another format; write it again"


def header(shape, descr="'<f8'", fortran="False", version=1):
    """The header of a .npy file, with any text for its parts."""
    text = f"{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}, }}"
    size = (len(text) + 1).to_bytes(2 if version == 1 else 4, "little")
    return b"\x93NUMPY" + bytes([version, 0]) + size + text.encode() + b"\n"


def npy(array, **options):
    buffer = io.BytesIO()
    np.save(buffer, array, **options)
    return buffer.getvalue()


def npz(names=(), compression=zipfile.ZIP_STORED, **members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in [*names, *members.items()]:
            archive.writestr(f"{name}.npy", content if isinstance(content, bytes) else npy(np.asarray(content)))
    return buffer.getvalue()


def zipped_zeros():
    return npz(X=np.zeros((1 << 23, 2)), y=Y, compression=zipfile.ZIP_DEFLATED)


def csr(**parts):
    whole = {"format": np.array(b"csr"), "shape": [3, 2], "data": np.ones(3), "indices": np.int32([0, 1, 1])}
    return npz(**{**whole, "indptr": np.int32([0, 1, 2, 3]), **parts})


def arrow(table, suffix="arrow", **options):
    sink = pa.BufferOutputStream()
    if suffix == "feather":
        feather.write_feather(table, sink, **options)
    elif suffix == "parquet":
        parquet.write_table(table, sink, **options)
    else:
        with pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
    return sink.getvalue().to_pybytes()


def cut(content, share):
    return content[: int(share * len(content))]


def bomb(start, block, times):
    """A gzip file of many parts, each of which expands to 3 MB."""
    part = gzip.compress(block * (3_000_000 // len(block)))
    return lambda: gzip.compress(start) + times * part


MOST_MEMORY = 1_000_000  # kB at the peak of the process so far
X, Y = np.arange(6.0).reshape(3, 2), np.arange(3.0)
TABLE = pa.table({"x": Y, "y": Y})
NOT_NPY, NOT_NPZ = INCOMPLETE.format(".npy"), INCOMPLETE.format(".npz")
PICKLED = "holds pickled Python objects, which are never loaded"
PARTS = "is damaged: its parts do not make a sparse matrix"
RAGGED = "fix the line (a field that contains the separator needs quotes)"

# Name of the file, its content, and the sentence after its path (or the beginning of it).
FILES: list[tuple[str, bytes | Callable[[], bytes], str | None]] = [
    # .npy: the header
    ("empty.npy", b"", "is empty (0 bytes); write it again"),
    ("text.npy", b"1,2,3\n" * 50, NOT_NPY),
    ("magic.npy", b"\x93NUMPY", NOT_NPY),
    ("version.npy", header((3, 2), version=9) + bytes(48), NOT_NPY),
    ("short_header.npy", header((3, 2))[:40], NOT_NPY),
    ("long_header.npy", b"\x93NUMPY\x02\x00\xff\xff\xff\xff{", NOT_NPY),
    ("no_header.npy", b"\x93NUMPY\x01\x00\x00\x00" + bytes(48), NOT_NPY),
    ("broken_header.npy", header("(3, 2") + bytes(48), NOT_NPY),
    ("deep_header.npy", header("(" * 60_000) + bytes(48), NOT_NPY),
    ("expression.npy", header("(2**31, 2)") + bytes(48), NOT_NPY),
    ("call.npy", header("__import__('os')") + bytes(48), NOT_NPY),
    ("keys.npy", header((3, 2)).replace(b"shape", b"shade") + bytes(48), NOT_NPY),
    ("short.npy", header((10**9, 4)) + bytes(64), NOT_NPY),
    ("petabytes.npy", header((10**12, 4)) + bytes(64), NOT_NPY),
    ("digits.npy", header("(" + "9" * 3000 + ", 2)") + bytes(64), NOT_NPY),
    ("negative.npy", header((-3, 2)) + bytes(48), NOT_NPY),
    ("negative_both.npy", header((-3, -2)) + bytes(48), NOT_NPY),
    ("fraction.npy", header((3.0, 2)) + bytes(48), NOT_NPY),
    ("boolean_shape.npy", header((True, 2)) + bytes(48), NOT_NPY),
    ("list_shape.npy", header([3, 2]) + bytes(48), NOT_NPY),
    ("order.npy", header((3, 2), fortran="'no'") + bytes(48), NOT_NPY),
    ("dtype.npy", header((3, 2), "'<f9'") + bytes(48), NOT_NPY),
    ("dtype_number.npy", header((3, 2), "7") + bytes(48), NOT_NPY),
    ("dtype_empty.npy", header((3, 2), "'V0'") + bytes(48), NOT_NPY),
    ("dtype_of_arrays.npy", header((3,), "'(2,)f8'") + bytes(48), NOT_NPY),
    ("dtype_escape.npy", header((3, 2), r"'<f8\d'") + bytes(48), NOT_NPY),
    ("objects.npy", header((3, 2), "'|O'") + bytes(48), PICKLED),
    ("cut.npy", cut(npy(X), 0.9), NOT_NPY),
    ("cut_fortran.npy", cut(npy(np.asfortranarray(X)), 0.9), NOT_NPY),
    # .npy: the array
    ("complex.npy", npy(X * 1j), "holds complex numbers (complex128); keep the real part or the magnitude"),
    ("words.npy", npy(X.astype(str)), "holds values of type <U32, not numbers; save an array of float64"),
    ("bytes.npy", npy(X.astype("S3")), "holds values of type |S3, not numbers"),
    ("days.npy", npy(X.astype("M8[D]")), "holds values of type datetime64[D], not numbers"),
    ("structured.npy", npy(np.zeros(3, [("a", "f8")])), "holds values of type [('a', '<f8')], not numbers"),
    ("row.npy", npy(Y), "the array has 1 dimension, shape (3,); it needs 2, with a row per sample"),
    ("cube.npy", npy(X[None]), "the array has 3 dimensions, shape (1, 3, 2); it needs 2"),
    ("scalar.npy", npy(np.float64(1)), "the array has 0 dimensions, shape (); it needs 2"),
    ("no_rows.npy", npy(X[:0]), "has no rows; write it again"),
    ("no_columns.npy", header((10**12, 0)), "has no columns; write it again"),
    ("one_column.npy", npy(X[:, :1]), "no column is left for the features; name another target or drop fewer"),
    ("nan.npy", npy(np.where(X == 2, np.nan, X)), "1 missing value, the first in row 2 (counted from 1), column '0'"),
    ("infinite.npy", npy(np.where(X == 2, -np.inf, X)), "1 infinite value, the first in row 2 (counted from 1)"),
    ("nan_target.npy", npy(np.where(X == 3, np.nan, X)), "1 missing value in the target '1', the first in row 2"),
    # .npz
    ("empty.npz", b"", "is empty (0 bytes); write it again"),
    ("text.npz", b"hello " * 50, NOT_NPZ),
    ("npy.npz", npy(X), NOT_NPZ),
    ("only_a_name.npz", b"PK\x03\x04", NOT_NPZ),
    ("cut.npz", cut(npz(X=X, y=Y), 0.7), NOT_NPZ),
    ("end_lost.npz", npz(X=X, y=Y)[:-1], NOT_NPZ),
    ("no_members.npz", npz(), "needs the arrays X and y, but has none; rename them"),
    ("other_names.npz", npz(A=X, b=Y), "needs the arrays X and y, but has 'A' and 'b'; rename them"),
    ("no_y.npz", npz(X=X), "has no array y for the target, only 'X'; add it"),
    ("not_arrays.npz", npz(X=b"not an array", y=b"nor this"), NOT_NPZ),
    ("twice.npz", npz([("X", X), ("X", X), ("y", Y)]), NOT_NPZ),
    ("flipped.npz", npz(X=X, y=Y).replace(np.float64(5).tobytes(), np.float64(6).tobytes()), NOT_NPZ),
    ("declared.npz", npz(X=header((10**12, 2)) + bytes(48), y=Y), NOT_NPZ),
    ("declared_y.npz", npz(X=X, y=header((10**12,)) + bytes(24)), NOT_NPZ),
    ("longer.npz", npz(X=npy(X) + b"\0", y=Y), NOT_NPZ),
    ("objects.npz", npz(X=X, y=header((3,), "'|O'") + bytes(24)), PICKLED),
    ("zeros.npz", lambda: zipped_zeros(), "expands from 0.13 MB to more than 67 MB"),
    ("y_length.npz", npz(X=X, y=Y[:2]), "y has shape (2,), but X has 3 rows; give y one value per row"),
    ("y_days.npz", npz(X=X, y=Y.astype("M8[D]")), "y holds values of type datetime64[D]; save numbers, or labels"),
    ("y_characters.npz", npz(X=X, y=header((3,), "'<U1'") + b"\xff" * 12), NOT_NPZ),
    ("names_short.npz", npz(X=X, y=Y, feature_names=["a"]), "has 1 feature name for 2 columns of X; give one for each"),
    ("names_twice.npz", npz(X=X, y=Y, feature_names=["a", "a"]), "has the feature name 'a' more than once; rename"),
    ("names_numbers.npz", npz(X=X, y=Y, feature_names=[0.5, 1.5]), "feature_names has values of type float64"),
    ("names_shape.npz", npz(X=X, y=Y, feature_names=[["a", "b"]]), "feature_names has values of type <U1 and shape"),
    # sparse .npz
    ("far.npz", csr(indices=np.int32([0, 1, FAR])), f"is damaged: it has the column index {FAR}, but only 2 columns"),
    ("next.npz", csr(indices=np.int32([0, 1, 2])), "is damaged: it has the column index 2, but only 2 columns"),
    ("before.npz", csr(indices=np.int32([0, 1, -1])), "is damaged: it has the column index -1, but only 2 columns"),
    ("csc_format.npz", csr(format=np.array(b"csc")), PARTS),
    ("indptr.npz", csr(indptr=np.int32([0, FAR, 2, 3])), "is damaged: its indptr does not rise from 0 to the number"),
    ("indptr_end.npz", csr(indptr=np.int32([0, 1, 2, 4])), PARTS),
    ("indptr_start.npz", csr(indptr=np.int32([1, 1, 2, 3])), PARTS),
    ("indptr_short.npz", csr(indptr=np.int32([0, 1, 3])), PARTS),
    ("indptr_flat.npz", csr(indptr=np.int32(3)), PARTS),
    ("rows.npz", csr(shape=[10**12, 2]), PARTS),
    ("columns.npz", csr(shape=[3, 10**12]), "has 1,000,000,000,000 columns, but stores only 3 values: number the"),
    ("more_than_int64.npz", csr(shape=np.uint64([3, 2**64 - 1])), PARTS),
    ("minus.npz", csr(shape=[-3, 2]), PARTS),
    ("shape_words.npz", csr(shape=["3", "2"]), PARTS),
    ("shape_of_three.npz", csr(shape=[3, 2, 1]), PARTS),
    ("format.npz", csr(format=np.array(b"lil")), "holds a sparse matrix of an unknown format; use one of csr, csc"),
    ("format_words.npz", csr(format=np.array("cs\u20ac")), "holds a sparse matrix of an unknown format"),
    ("sparse_words.npz", csr(data=np.array(["a", "b", "c"])), "holds values of type <U1, not numbers"),
    ("sparse_complex.npz", csr(data=np.ones(3) * 1j), "holds complex numbers"),
    ("sparse_short.npz", csr(data=np.ones(2)), PARTS),
    # Arrow
    *(
        (name, content, INCOMPLETE.format("." + name.rpartition(".")[2]))
        for suffix in ("arrow", "feather", "parquet")
        for name, content in [
            (f"text.{suffix}", b"a,y\n1,2\n" * 50),
            (f"cut.{suffix}", cut(arrow(TABLE, suffix), 0.6)),
            (f"tail.{suffix}", arrow(TABLE, suffix)[300:]),
            (f"zeros.{suffix}", bytes(5000)),
        ]
    ),
    ("empty.arrow", b"", "is empty (0 bytes); write it again"),
    ("no_rows.arrow", arrow(TABLE.slice(0, 0)), "has columns but no rows; write it again"),
    ("no_rows.parquet", arrow(TABLE.slice(0, 0), "parquet"), "has columns but no rows; write it again"),
    ("twice.arrow", arrow(pa.table([Y, Y, Y], ["a", "a", "y"])), "has the column 'a' more than once; rename"),
    ("null.feather", arrow(pa.table({"a": [1.0, None], "y": [1, 2]}), "feather"), "1 missing value, the first in row"),
    # text
    ("empty.csv", b"", "is empty (0 bytes); write it again"),
    ("blank.csv", b"\n \n\n", "has only blank lines; write it again"),
    ("header.csv", b"a,b,y\n", "has a header but no rows; write it again"),
    ("twice.csv", b"a,a,y\n1,2,3\n", "the header has 'a' more than once; rename these columns"),
    ("ragged.csv", b"a,b,y\n1,2,3\n4,5\n", f"line 3 has 2 fields where the header has 3; {RAGGED}"),
    ("long.csv", b"a,b,y\n1,2,3\n4,5,6,7\n", f"line 3 has 4 fields where the header has 3; {RAGGED}"),
    ("ragged.tsv", b"a\tb\ty\n1\t2\n", f"line 2 has 2 fields where the header has 3; {RAGGED}"),
    ("escapes.csv", b"a,b,y\n1,2,3\n1,2\x1b]0;title\x07\n", f"line 3 has 2 fields where the header has 3; {RAGGED}"),
    ("latin_ragged.csv", b"a,b,y\n1,2,3\n1,2\xff\x1b]0;t\x07\n", "line 3 is not UTF-8 text (byte 0xff); save the file"),
    ("latin.csv", "a,b,y\n1,é,3\né,2\n".encode("latin-1"), "line 3 has 2 fields where the header has 3"),
    ("latin_header.csv", "é,b,é\n1,2,3\n".encode("latin-1"), "the header has 'é' more than once; rename"),
    ("utf16.csv", "a,b,a\n1,2,3\n".encode("utf-16"), "the header has 'a' more than once; rename these columns"),
    ("zeros.csv", bytes(2000), None),
    ("quote.csv", b'a,b,y\n1,2,3\n1,"2,3\n' + b"4,5,6\n" * 200_000, None),
    ("columns.csv", b",".join(b"c%d" % j for j in range(100_001)) + b"\n", "has 100,001 columns, but text may have"),
    ("wide.csv", b"1," * 2_000_000 + b"1\n", "has 2,000,001 columns, but text may have up to 100,000"),
    ("line.csv", b"a,y\n" + b"1" * 300_000_000, "line 2 has 16,777,216 characters or more; is it a table?"),
    ("word.csv", b"a,y\n1,2\nx,3\n", "line 3, column 'a': 'x' is not a number; fix the value, or leave the column out"),
    ("escape_word.csv", b"a,y\n1,2\n\x1b[31mx,3\n", r"line 3, column 'a': '\x1b[31mx' is not a number"),
    # gzip
    ("not.csv.gz", b"a,y\n1,2\n", "is not a gzip file, despite its name; rename it or compress it again"),
    ("cut.csv.gz", cut(gzip.compress(b"a,y\n" + os.urandom(5000).hex().encode()), 0.5), "is truncated; download or"),
    ("blank_lines.csv.gz", bomb(b"a,y\n", b"\n", 30), "expands from 0.088 MB to more than 67 MB"),
    ("blanks.csv.gz", bomb(b"a,b,y\n", b" \n", 30), "expands from "),
    ("one_line.csv.gz", bomb(b"a,y\n", b"1", 30), "expands from 0.088 MB to more than 67 MB"),
    ("rows.csv.gz", bomb(b"a,y\n", b"1,2\n", 30), "expands from "),
    ("header.csv.gz", bomb(b"a", b"a", 30), "line 1 has 16,777,216 characters or more; is it a table?"),
    ("rows.svm.gz", bomb(b"", b"1 1:2\n", 30), "expands from "),
    ("one_line.svm.gz", bomb(b"1 1:2", b" ", 30), "expands from 0.088 MB to more than 67 MB"),
    ("comments.svm.gz", bomb(b"1 1:2\n", b"#\n", 30), "expands from "),
    # svmlight
    ("empty.svm", b"", "is empty (0 bytes); write it again"),
    ("comments.svm", b"# a\n\n# b\n", "has no samples, only blank lines and comments; write it again"),
    ("labels.svm", b"1\n2\n", "has labels but no features; write it again"),
    ("far.svm", b"1 1:2 2147483646:1\n-1 1:1\n", "has 2,147,483,646 columns, but stores only 3 values: number the"),
    ("farther.svm", b"1 1:2 1000000000000:1\n", "line 1: in '1000000000000:1' the index is not an integer of 0 or"),
    ("minus.svm", b"1 -1:2\n", "line 1: in '-1:2' the index is not an integer of 0 or more; fix it"),
    ("word.svm", b"1 1:2\nx 1:1\n", "line 2: the label 'x' is not a number; fix it"),
    ("value.svm", b"1 1:x\n", "line 1: in '1:x' the value is not a number; fix it"),
    ("colons.svm", b"1 1:2:3\n", "line 1: '1:2:3' is not of the form index:value; fix it"),
    ("no_label.svm", b"1:2 2:3\n", "line 1: starts with '1:2', not with a label; put one before it"),
    ("twice.svm", b"1 1:2 1:3\n", "line 1 has the index 1 twice; keep one of the two"),
    ("latin.svm", b"1 1:\xff\x1b[31m\n", "line 1: in "),
    ("nan.svm", b"nan 1:2\n", "the target 'label' has only missing values; name another column as the target"),
    ("value_nan.svm", b"1 1:nan\n2 1:1\n", "1 missing value, the first in line 1, column '1'; fill them in"),
]  # fmt: skip

READ = """
import json, re, sys
open_text = open
from fastgd.data.readers.open_table import open
from fastgd.errors import DataError
def peak():  # not ru_maxrss, which has the memory of the parent at the fork
    with open_text("/proc/self/status") as status:
        return int(re.search(r"VmHWM:\\s*(\\d+)", status.read())[1])
for path in json.loads(sys.stdin.read()):
    try:
        said = repr(open(path))
    except DataError as error:
        said = "refused: " + str(error)
    print(json.dumps([path, said, peak()]), flush=True)
"""


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """What `open` says about each file; after a crash a new process goes on with the next file."""
    folder = tmp_path_factory.mktemp("bad")
    for name, content, _ in FILES:
        (folder / name).write_bytes(content if isinstance(content, bytes) else content())
    said = {}
    while left := [str(folder / name) for name, _, _ in FILES if name not in said]:
        ended = run_limited("-c", READ, given=json.dumps(left), seconds=120)
        lines = ended.out.splitlines()
        for path, answer, peak in map(json.loads, lines):
            said[os.path.basename(path)] = answer.replace(path, "PATH"), peak
        if ended.code or ended.err:
            said[os.path.basename(left[len(lines)] if ended.code else path)] = f"{ended.code}: {ended.err[-500:]}", 0
    return said


@pytest.mark.parametrize(("name", "expected"), [(name, expected) for name, _, expected in FILES])
def test_sentence_about_a_bad_file(name, expected, answers):
    answer, peak = answers[name]
    assert answer.startswith(f"refused: PATH: {expected or ''}"), answer
    assert "\n" not in answer
    assert answer.isprintable()
    assert peak < MOST_MEMORY
