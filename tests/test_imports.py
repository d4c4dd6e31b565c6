"""The house: which module may import which, who may know numba, how long a file may be, what is installed."""

from __future__ import annotations

import ast
import importlib
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import fastgd
from fastgd.compile import jit_cache

HOME = Path(__file__).parents[1]
MOST_LINES = 400

# From the ground up. A module imports from its own layer and from those below it, at the top of the file or
# within a function; `if TYPE_CHECKING:` does not count. A package stands for all the modules in it.
LAYERS = [
    ["errors"],
    ["term", "term_numba", "jit", "jit_cache", "elementary", "prefetch"],
    ["environment"],
    ["smooth"],
    ["vocabulary", "data"],
    ["traces"],
    ["losses", "penalties", "schedules", "rules", "rows"],
    ["blocks", "drift"],
    ["kernels"],
    ["options", "orders", "progress", "matrix", "target", "validation", "evaluations", "gram", "penalty_parts"],
    ["problem"],
    ["objectives", "constant"],
    ["certificate", "conjugates", "dual", "dual_seen", "quadratic"],
    ["rate_search", "steps", "early_stopping", "watch"],
    ["methods"],
    ["result", "start", "scores", "metrics"],
    ["divergence", "saddle"],
    ["run"],
    ["fit"],
    ["path", "warm_up"],
    ["rate_range", "landscape", "search", "compare"],
    ["plots"],
    ["report"],
    ["cli"],
]
# Numba's import takes most of a second, and its other names change with its versions.
KNOW_NUMBA = {"jit", "jit_cache", "term_numba", "elementary", "prefetch", "rows", "kernels", "environment"}
TERMS = ("losses", "penalties", "schedules", "rules")


def layer_of(module: str) -> int:
    """Number of the layer of ``fastgd.module`` (or of ``cli``), or a `LookupError` that says what to do."""
    for number, layer in enumerate(LAYERS):
        if top(module) in layer:
            return number
    raise LookupError(f"{module} is in no layer: enter it in LAYERS, as low as what it imports allows")


def sources() -> dict[str, Path]:
    """Module name, without ``fastgd.``, -> its file; ``cli`` and its modules; the package itself is ``""``."""
    found = {}
    for root, prefix in ((HOME / "fastgd", ()), (HOME / "cli", ("cli",))):
        for path in sorted(root.rglob("*.py")):
            parts = [*prefix, *path.relative_to(root).with_suffix("").parts]
            found[".".join(parts).removesuffix("__init__").removesuffix(".")] = path
    return found


SOURCES = sources()


def public_homes() -> dict[str, str]:
    """Public name -> the module it is from, as the package's own table has it."""
    for node in ast.parse(SOURCES[""].read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_HOMES":
            return ast.literal_eval(node.value)
    raise AssertionError("fastgd/__init__.py has no table _HOMES of its public names")


PUBLIC_HOMES = public_homes()


def running(node: ast.AST, functions: bool) -> Iterator[ast.AST]:
    """All nodes below one but those under ``if TYPE_CHECKING:``, and if so asked, but those in functions."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        if isinstance(child, ast.FunctionDef) and not functions:
            continue
        yield child
        yield from running(child, functions)


@cache
def imported(module: str, functions: bool = True) -> set[str]:
    """Full names of what a module imports, a name in a package or a module as ``package.module.name``."""
    path = SOURCES[module]
    where = ["fastgd", *filter(None, module.split("."))] if path.is_relative_to(HOME / "fastgd") else module.split(".")
    package = where if path.name == "__init__.py" else where[:-1]
    found = set()
    for node in running(ast.parse(path.read_text(encoding="utf-8")), functions):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else []
            origin = [*start, *filter(None, [node.module])]
            found |= {".".join([*origin, alias.name]) for alias in node.names}
    return found


def top(name: str) -> str:
    return name.partition(".")[0]


@cache
def edges(module: str, functions: bool = True) -> set[str]:
    """Modules of ours that a module imports; a public name of the package counts as the module it is from."""
    found = set()
    for name in imported(module, functions):
        if top(name) in ("fastgd", "cli", "fastgd_cli"):
            target = name.replace("fastgd_cli", "cli", 1).removeprefix("fastgd.")
            target = PUBLIC_HOMES.get(target, target)
            while target and target not in SOURCES:
                target = target.rpartition(".")[0]
            found.add(target)
    return found - {"", module}


# --- Who imports whom -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("module", [name for name in SOURCES if name])
def test_imports_go_one_way(module):
    own = layer_of(module)
    for target in sorted(edges(module)):
        assert layer_of(target) <= own, f"{module} imports {target}, which is above it"


def test_no_layer_names_a_module_that_is_gone():
    named = [module for layer in LAYERS for module in layer]
    assert len(named) == len(set(named))
    assert set(named) == {top(module) for module in SOURCES if module}


def test_no_modules_import_each_other():
    """Within a layer there is an order as well, but for what a function imports when it runs."""

    graph = {module: edges(module, functions=False) for module in SOURCES}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" is imported by ".join(error.args[1]))


def test_only_a_few_modules_know_numba():
    knowing = {top(module) for module in SOURCES if {"numba", "llvmlite"} & set(map(top, imported(module)))}
    assert knowing - {"cli"} <= KNOW_NUMBA  # `fastgd info` tells llvmlite's view of the processor


def test_data_knows_nothing_of_fastgd_but_the_errors():
    for module in SOURCES:
        if top(module) == "data":
            outside = {target for target in edges(module) if top(target) != "data"}
            assert outside <= {"errors"}, f"{module} imports {outside}"


def test_the_library_knows_nothing_of_the_commands():
    for module in SOURCES:
        if top(module) != "cli":
            unwanted = {"cli", "fastgd_cli", "click", "rich"} & set(map(top, imported(module)))
            assert not unwanted, f"{module} imports {unwanted}"


def test_kernels_name_no_term():
    """They are compiled for whatever loss, penalty, schedule or rule they are given."""
    trees = {module: ast.parse(path.read_text(encoding="utf-8")) for module, path in SOURCES.items()}
    vocabulary = [module for module in SOURCES if top(module) in TERMS]
    classes = {node.name for module in vocabulary for node in trees[module].body if isinstance(node, ast.ClassDef)}
    assert {"Squared", "Tweedie", "ElasticNet", "Cosine", "Adam"} <= classes
    kernels = [module for module in SOURCES if top(module) == "kernels"]
    assert len(kernels) > 3
    for module in kernels:
        words = {node.id for node in ast.walk(trees[module]) if isinstance(node, ast.Name)}
        assert not (words & classes) | (set(map(top, edges(module))) & {*TERMS}), module


def test_whatever_kernels_import_makes_a_new_generation_of_them():
    """Machine code on disk is found by the content of these files: none that goes into it may be left out."""
    hashed = {path for pattern in jit_cache.SOURCES for path in (HOME / "fastgd").glob(pattern)}
    waiting, seen = {module for module in SOURCES if top(module) == "kernels"}, {"errors"}
    while waiting:
        module = waiting.pop()
        seen.add(module)
        waiting |= edges(module) - seen
    assert {"kernels.gradient", "jit", "rows"} <= seen
    assert {str(SOURCES[module]) for module in seen - {"errors"}} <= set(map(str, hashed))


# --- The rest of the house ------------------------------------------------------------------------------------------


def test_no_file_is_too_long_to_see_at_a_glance():
    files = [*SOURCES.values(), *sorted((HOME / "tests").glob("*.py")), *sorted((HOME / "bench").glob("*.py"))]
    long = {path.name: lines for path in files if (lines := len(path.read_text().splitlines())) > MOST_LINES}
    assert not long


def test_what_is_installed():
    """`cli` must not be a top-level package of that name, and no package may be forgotten."""
    setup = tomllib.loads((HOME / "pyproject.toml").read_text())
    tools = setup["tool"]["setuptools"]
    assert tools["package-dir"] == {"fastgd": "fastgd", "fastgd_cli": "cli", "fastgd_bench": "bench"}
    packages = {
        ".".join(path.parent.relative_to(HOME).parts).replace("cli", "fastgd_cli", 1)
        for path in SOURCES.values()
        if path.name == "__init__.py"
    } | {"fastgd_bench"}
    assert sorted(tools["packages"]) == sorted(packages)
    assert setup["project"]["scripts"] == {"fastgd": "fastgd_cli.main:main"}


def test_every_public_name_is_where_the_package_says():
    assert sorted(fastgd.__all__) == sorted([*PUBLIC_HOMES, "__version__"])
    for name, home in PUBLIC_HOMES.items():
        assert home in SOURCES
        assert callable(getattr(importlib.import_module(f"fastgd.{home}"), name))


@pytest.mark.parametrize("first", ["import fastgd.losses", "import fastgd.fit", "fastgd.fit"])
def test_public_names_do_not_depend_on_what_was_imported_before(first):
    """`fastgd.term` and `fastgd.fit` are functions, though there are modules of these names."""
    script = f"import fastgd\n{first}\nassert all(callable(getattr(fastgd, name)) for name in fastgd.__all__[:-1])"
    path = os.pathsep.join(filter(None, sys.path))
    done = subprocess.run([sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": path}, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
