"""The layers of the package: imports go one way, without circles; names are unique, files are short."""

from __future__ import annotations

import ast
from collections import Counter
from graphlib import TopologicalSorter

import pytest
from helpers.source_tree import SOURCES, imported_modules, imported_names, tree

# Each layer imports from itself and from those before it. ``public`` are the modules at the root of fastgd.
LAYERS = ["base", "compile", "environment", "terms", "kernels", "data", "objective", "certificate", "model", "solvers"]
LAYERS += ["training", "show", "public", "cli"]
BASE = ("errors", "wording", "interruption", "python_threads")
MAY_IMPORT_NUMBA = {"compile", "kernels"}  # its import takes most of a second
READS_VERSIONS = {"fastgd.environment", "cli.info"}
WITHOUT_KERNELS = ("fastgd.data.readers", "fastgd.data.writers", "fastgd.data.encoding")
MOST_LINES = 400
ESTIMATORS = "fastgd.sklearn"


def layer(module: str) -> str:
    if module == "cli" or module.startswith("cli."):
        return "cli"
    name = module.removeprefix("fastgd.").partition(".")[0]
    return "base" if name in BASE else name if name in LAYERS else "public"


@pytest.mark.parametrize("module", [module for module in SOURCES if module != "fastgd"])
def test_imports_go_one_way(module):
    allowed = LAYERS[: LAYERS.index(layer(module)) + 1]
    assert {target: layer(target) for target in imported_modules(module) if layer(target) not in allowed} == {}


def test_no_circle_of_imports():
    """Imports within functions count as well."""
    TopologicalSorter({module: imported_modules(module) for module in SOURCES}).prepare()


def test_only_compile_and_kernels_import_numba():
    importers = {
        module
        for module in SOURCES
        if {name.partition(".")[0] for name in imported_names(module)} & {"numba", "llvmlite"}
    }
    assert {module for module in importers - READS_VERSIONS if layer(module) not in MAY_IMPORT_NUMBA} == set()


def test_readers_writers_and_encoding_import_no_kernels():
    for module in SOURCES:
        if module == "fastgd.data" or module.startswith(WITHOUT_KERNELS):
            assert {layer(target) for target in imported_modules(module)} <= {"base", "data"}, module


def test_kernels_name_no_loss_penalty_or_rule():
    classes = {name for module in SOURCES if layer(module) == "terms" for name in classes_of(module)}
    assert {"Squared", "ElasticNet", "Cosine", "Adam"} <= classes
    for module in SOURCES:
        if layer(module) == "kernels":
            assert not {node.id for node in ast.walk(tree(module)) if isinstance(node, ast.Name)} & classes, module


def classes_of(module: str) -> list[str]:
    return [node.name for node in tree(module).body if isinstance(node, ast.ClassDef)]


def test_no_two_files_and_no_two_classes_have_one_name():
    ours = [module for module in SOURCES if module.startswith("fastgd.")]
    files = Counter(SOURCES[module].name for module in ours if SOURCES[module].name != "__init__.py")
    # `fastgd.sklearn` has scikit-learn's names: its ElasticNet is a model, and that of `fastgd.penalties` a penalty.
    classes = Counter(name for module in ours for name in classes_of(module) if not module.startswith(ESTIMATORS))
    assert [name for name, count in (files + classes).items() if count > 1] == []


@pytest.mark.parametrize("module", SOURCES)
def test_no_file_is_too_long(module):
    assert len(SOURCES[module].read_text(encoding="utf-8").splitlines()) <= MOST_LINES


def test_only_estimators_import_scikit_learn():
    importers = {module for module in SOURCES if any(n.split(".")[0] == "sklearn" for n in imported_names(module))}
    assert {module for module in importers if not module.startswith(ESTIMATORS)} == set()
