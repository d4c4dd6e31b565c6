"""A process that compiles kernels and one that loads them compute the same bits."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numba
import numpy as np
import pytest
from helpers.processes import answer_of, start
from llvmlite.binding import Linkage
from numba import prange
from numba.core.codegen import JITCodeLibrary

from fastgd.compile import jit_cache, linkage
from fastgd.compile.jit import inlined, parallel_kernel, subroutine

pytestmark = pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="plain Python is neither compiled nor cached")

FITS = """
    import hashlib, json
    import numpy as np
    import fastgd
    from fastgd.compile.jit import CompileClock

    random = np.random.default_rng(0)
    X = random.normal(size=(3000, 11))
    y = X @ random.normal(size=11) + random.normal(size=3000)
    digests = {}
    with CompileClock().listening() as clock:
        for method in ("gd", "svrg"):
            result = fastgd.fit(X, y, method=method, max_epochs=8)
            trace = [result.trace[name] for name in ("objective", "gradient_norm")]
            bits = b"".join(part.tobytes() for part in (result.coef, *trace, result.predict(X)))
            digests[method] = hashlib.sha256(bits).hexdigest(), str(result.gap_bound)
    print(json.dumps({"digests": digests, "compiled": clock.count}))
"""


@subroutine
def polynomial(x):
    total = 0.0
    for k in range(x.shape[0]):
        total = total * 0.5 + x[k]
    return total


@inlined
def doubled(x):
    return 2.0 * x


@parallel_kernel
def polynomials(X, out):
    for i in prange(X.shape[0]):
        out[i] = doubled(polynomial(X[i]))


def test_functions_of_a_kernel_have_external_or_internal_linkage(monkeypatch, tmp_path):
    monkeypatch.setattr(jit_cache, "cache_directory", lambda: tmp_path)
    X, out = np.ones((4, 3)), np.empty(4)
    for form in (polynomials, polynomials.serial):
        form(X, out)
    assert out.tolist() == [3.5] * 4
    for dispatcher in (polynomials.parallel, polynomials.serial):
        (compiled,) = dispatcher.overloads.values()
        functions = list(compiled.library._final_module.functions)
        defined = {function.name: function.linkage for function in functions if not function.is_declaration}
        assert defined
        assert set(defined.values()) <= {Linkage.external, Linkage.internal}, defined


def test_fits_are_equal_whether_kernels_are_compiled_or_loaded(tmp_path):
    cache, no_folder = tmp_path / "cache", tmp_path / "file"
    no_folder.write_text("")

    def run(cache: Path) -> dict:
        return answer_of(start([FITS], path=tmp_path, cache=cache))

    cold, warm = run(cache), run(cache)
    deleted = list((cache / "fastgd").rglob("*batch_gradient.batch_gradient_serial-*.kernel"))
    for path in deleted:
        path.unlink()
    one_missing, uncached = run(cache), run(no_folder / "cache")
    assert [each["compiled"] for each in (warm, one_missing)] == [0, len(deleted)]
    assert deleted
    assert cold["compiled"] == uncached["compiled"] > 1
    assert cold["digests"] == warm["digests"] == one_missing["digests"] == uncached["digests"]


def test_import_error_names_the_numba_versions_that_work(monkeypatch):
    home = next(base for base in JITCodeLibrary.__mro__ if "_finalize_final_module" in vars(base))
    monkeypatch.delattr(home, "_finalize_final_module")
    spec = importlib.util.spec_from_file_location("linkage_again", linkage.__file__)
    with pytest.raises(ImportError, match=r"cannot compile kernels with numba .*_finalize_final_module.*install numba"):
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
