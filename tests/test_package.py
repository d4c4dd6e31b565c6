"""What is installed, and where the public names are from."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import tomllib

import pytest
from helpers.source_tree import PUBLIC_HOMES, ROOT, SOURCES, imported_modules

import fastgd
from fastgd.compile import jit_cache

MOST_LINES = 400


def test_installed_packages():
    """`cli` is not installed as a top-level package of that name, and no package is left out."""
    setup = tomllib.loads((ROOT / "pyproject.toml").read_text())
    tools = setup["tool"]["setuptools"]
    assert tools["package-dir"] == {"fastgd": "fastgd", "fastgd_cli": "cli", "fastgd_bench": "bench"}
    packages = [module.replace("cli", "fastgd_cli", 1) for module in SOURCES if SOURCES[module].name == "__init__.py"]
    assert sorted(tools["packages"]) == sorted([*packages, "fastgd_bench"])
    assert setup["project"]["scripts"] == {"fastgd": "fastgd_cli.main:main"}


def test_public_names_are_in_the_modules_that_the_package_names():
    assert sorted(fastgd.__all__) == sorted([*PUBLIC_HOMES, "__version__"])
    for name, home in PUBLIC_HOMES.items():
        assert callable(getattr(importlib.import_module(f"fastgd.{home}"), name))


def test_the_package_is_a_plain_module():
    assert type(fastgd) is type(sys)


@pytest.mark.parametrize("first", ["import fastgd.losses", "import fastgd.fitting", "fastgd.fit"])
def test_public_names_do_not_depend_on_earlier_imports(first):
    script = f"import fastgd\n{first}\nassert all(callable(getattr(fastgd, name)) for name in fastgd.__all__[:-1])"
    path = os.pathsep.join(filter(None, sys.path))
    done = subprocess.run([sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": path}, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()


def test_the_kernel_cache_depends_on_every_file_that_kernels_import():
    """But for terms: each has a numba type whose name has a digest of its code."""
    hashed = {path for pattern in jit_cache.SOURCES for path in (ROOT / "fastgd").glob(pattern)}
    waiting = {module for module in SOURCES if module.startswith("fastgd.kernels.")}
    not_hashed = {"fastgd.errors", "fastgd.python_threads"}  # no machine code depends on them
    seen = set(not_hashed)
    while waiting:
        seen |= waiting
        targets = {target for module in waiting for target in imported_modules(module)} - seen
        waiting = {target for target in targets if not target.startswith("fastgd.terms")}
    assert {"fastgd.kernels.batch_gradient", "fastgd.compile.jit"} <= seen
    assert {SOURCES[module] for module in seen - not_hashed} <= hashed


def test_no_test_or_benchmark_file_is_too_long():
    files = [*(ROOT / "tests").rglob("*.py"), *(ROOT / "bench").rglob("*.py")]
    assert [str(path) for path in files if len(path.read_text(encoding="utf-8").splitlines()) > MOST_LINES] == []
