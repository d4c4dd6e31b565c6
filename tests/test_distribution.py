"""What a wheel and a source distribution hold, and what the package imports."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from importlib.metadata import packages_distributions

import pytest
from helpers.source_tree import ROOT

PACKAGES = {"fastgd": ROOT / "fastgd", "fastgd_cli": ROOT / "cli", "fastgd_bench": ROOT / "bench"}
SETUP = tomllib.loads((ROOT / "pyproject.toml").read_text())
# Optional imports of `fastgd bench`, for peers that users may have installed.
PEERS = {"torch", "vowpalwabbit", "snapml", "glum", "celer", "skglm", "sklearn", "cyanure"}


def built(kind: str, tmp_path, name: str):
    """The distribution as setuptools builds it from a copy of the source, without the network."""
    source = tmp_path / f"source-{name}"
    source.mkdir()
    for path in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / path, source)
    for folder in ("fastgd", "cli", "bench", "tests"):
        shutil.copytree(ROOT / folder, source / folder, ignore=shutil.ignore_patterns("__pycache__"))
    call = f"import setuptools.build_meta as b; b.build_{kind}('out')"
    done = subprocess.run(
        [sys.executable, "-c", call], cwd=source, env=os.environ | {"SOURCE_DATE_EPOCH": "1700000000"},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return next((source / "out").iterdir())


@pytest.fixture(scope="module", autouse=True)
def setuptools():
    module = pytest.importorskip("setuptools")
    if int(module.__version__.split(".")[0]) < 77:
        pytest.skip("the build needs setuptools 77 or later")


def sources() -> set[str]:
    """The files of the package, by their installed names."""
    return {
        f"{name}/{path.relative_to(folder)}"
        for name, folder in PACKAGES.items()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix not in (".pyc", ".nbc", ".nbi")
    }


def test_wheel_has_the_package_and_nothing_else(tmp_path):
    wheels = [built("wheel", tmp_path, name) for name in "ab"]
    names = set(zipfile.ZipFile(wheels[0]).namelist())
    metadata = {name for name in names if name.startswith("fastgd-0") and ".dist-info/" in name}
    assert names - metadata == sources()
    assert {os.path.basename(name) for name in metadata} == {
        "LICENSE", "METADATA", "RECORD", "WHEEL", "entry_points.txt", "top_level.txt",
    }  # fmt: skip
    assert wheels[0].read_bytes() == wheels[1].read_bytes()  # reproducible


def test_source_distribution_has_the_package_and_nothing_else(tmp_path):
    with tarfile.open(built("sdist", tmp_path, "a")) as archive:
        names = {name.partition("/")[2] for name in archive.getnames() if not archive.getmember(name).isdir()}
    folders = {"fastgd_cli": "cli", "fastgd_bench": "bench"}
    wanted = {"/".join([folders.get(top, top), rest]) for top, _, rest in (name.partition("/") for name in sources())}
    about = {"LICENSE", "README.md", "pyproject.toml", "PKG-INFO", "setup.cfg"}
    others = {name for name in names - wanted - about if not name.startswith("fastgd.egg-info/")}
    assert {name for name in others if not re.fullmatch(r"tests/test_\w+\.py", name)} == set()  # setuptools adds these
    assert wanted <= names


def test_every_import_is_declared_and_every_dependency_is_used():
    project = SETUP["project"]
    optional = [name for extra in ("plot", "report", "excel") for name in project["optional-dependencies"][extra]]
    declared = {re.split(r"[<>=]", entry)[0] for entry in [*project["dependencies"], *optional]}
    assert all(re.search(r">=\d", entry) for entry in [*project["dependencies"], *optional])  # lower bounds
    homes = packages_distributions()
    used = set()
    for folder in PACKAGES.values():
        for path in folder.rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    used |= {alias.name.split(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                    used.add(node.module.split(".")[0])
    used -= {
        *sys.stdlib_module_names,
        *PACKAGES,
        *PEERS,
        "llvmlite",
        "_typeshed",
    }  # numba brings llvmlite, mypy _typeshed
    found = {name for module in used for name in homes.get(module, [module])[:1]}
    assert found == declared | (found & {"pandas", "polars"})
