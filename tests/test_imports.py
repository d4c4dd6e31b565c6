"""The house: which module may import which, who may know numba, how long a file may be, what is installed."""

from __future__ import annotations

import ast
import sys
import tomllib
from pathlib import Path

import pytest

HOME = Path(__file__).parents[1]
MOST_LINES = 400

# From the ground up. A module imports from its own layer and from those below it, at the top of the file or
# within a function; `if TYPE_CHECKING:` does not count. A package stands for all the modules in it.
LAYERS = [
    ["errors"],
    ["term", "term_numba", "jit", "jit_cache", "prefetch", "vocabulary", "data"],
    ["losses", "penalties", "schedules", "rules", "rows"],
    ["kernels"],
    ["problem", "steps", "watch", "options", "orders", "progress"],
    ["methods"],
    ["result", "metrics", "fit"],
    ["cli"],
]
# Numba's import takes most of a second, and its other names change with its versions.
KNOW_NUMBA = {"jit", "jit_cache", "term_numba", "prefetch", "rows", "kernels"}
TERMS = ("losses", "penalties", "schedules", "rules")


def layer_of(module: str) -> int:
    """Number of the layer of ``fastgd.module`` (or of ``cli``), or a `LookupError` that says what to do."""
    package = module.partition(".")[0]
    for number, layer in enumerate(LAYERS):
        if package in layer:
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


def imports_of(module: str, path: Path) -> list[str]:
    """Full names of what a module imports when it runs, a name in a package as ``package.name``."""
    package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    found = []
    for node in running(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            origin = [node.module] if node.module else []
            if node.level:
                origin = [*own_package(module), *filter(None, package[: len(package) - node.level + 1]), *origin]
            found += [".".join([*origin, alias.name]) for alias in node.names]
    return found


def own_package(module: str) -> list[str]:
    return [] if module.partition(".")[0] == "cli" else ["fastgd"]


def running(node: ast.AST):
    """All nodes below one but those under ``if TYPE_CHECKING:``."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
            continue
        yield child
        yield from running(child)


def ours(name: str) -> str | None:
    """The module of ours that an imported name is, or is in; None for anybody else's."""
    if name.partition(".")[0] not in ("fastgd", "cli", "fastgd_cli"):
        return None
    name = name.replace("fastgd_cli", "cli", 1).removeprefix("fastgd.")
    while name and name not in SOURCES:
        name = name.rpartition(".")[0]
    return name


def edges(module: str) -> set[str]:
    """Modules of ours that a module imports; the public names of the package count as the modules they are from."""
    found = set()
    for name in imports_of(module, SOURCES[module]):
        if (target := ours(name)) is not None and target != module:
            found.add(PUBLIC_HOMES.get(name.removeprefix("fastgd."), target))
    return found - {""}


def public_homes() -> dict[str, str]:
    for node in ast.parse(SOURCES[""].read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_HOMES":
            return ast.literal_eval(node.value)
    raise AssertionError("fastgd/__init__.py has no table _HOMES of its public names")


PUBLIC_HOMES = public_homes()


# --- Who imports whom -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("module", [name for name in SOURCES if name])
def test_imports_go_one_way(module):
    own = layer_of(module)
    for target in sorted(edges(module)):
        assert layer_of(target) <= own, f"{module} imports {target}, which is above it"


def test_no_layer_names_a_module_that_is_gone():
    named = [module for layer in LAYERS for module in layer]
    assert len(named) == len(set(named))
    assert set(named) == {module.partition(".")[0] for module in SOURCES if module}


def test_no_two_modules_import_each_other_at_the_top():
    """Within a layer there is an order as well."""

    def reach(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " imports ".join((*path, module))
        for target in sorted(edges_at_the_top(module)):
            reach(target, (*path, module))

    for module in SOURCES:
        reach(module, ())


def edges_at_the_top(module: str) -> set[str]:
    tree = ast.parse(SOURCES[module].read_text(encoding="utf-8"))
    within = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef))
        for node in ast.walk(function)
    }
    top = ast.Module([node for node in running(tree) if id(node) not in within and is_import(node)], [])
    scratch = {name: path for name, path in SOURCES.items()}
    found = set()
    for name in imports_in(top, module, scratch[module]):
        if (target := ours(name)) is not None and target != module:
            found.add(target)
    return found - {""}


def test_only_a_few_modules_know_numba():
    for module, path in SOURCES.items():
        if any(name.partition(".")[0] in ("numba", "llvmlite") for name in imports_of(module, path)):
            assert module.partition(".")[0] in KNOW_NUMBA | {"cli"}, f"{module} imports numba"


def test_data_knows_nothing_of_fastgd_but_the_errors():
    for module in SOURCES:
        if module.partition(".")[0] == "data":
            outside = {target for target in edges(module) if target.partition(".")[0] != "data"}
            assert outside <= {"errors"}, f"{module} imports {outside}"


def test_the_library_never_imports_the_commands():
    for module, path in SOURCES.items():
        if module.partition(".")[0] != "cli":
            names = {name.partition(".")[0] for name in imports_of(module, path)}
            assert not names & {"cli", "fastgd_cli", "click", "rich"}, f"{module} imports {names}"


def test_kernels_name_no_term():
    """They are compiled for whatever loss, penalty, schedule or rule they are given."""
    classes = {
        node.name
        for module in TERMS
        for node in ast.parse(SOURCES[module].read_text()).body
        if isinstance(node, ast.ClassDef)
    }
    assert {"Squared", "ElasticNet", "Cosine", "Adam"} <= classes
    kernels = {name: path for name, path in SOURCES.items() if name.partition(".")[0] == "kernels"}
    assert len(kernels) > 3
    for module, path in kernels.items():
        assert not {target.partition(".")[0] for target in edges(module)} & {*TERMS}
        words = {node.id for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Name)}
        assert not words & classes, f"{module} names {words & classes}"


def test_whatever_kernels_import_makes_a_new_generation_of_them():
    """Machine code on disk is found by these files' content, so none that goes into it may be left out."""
    from fastgd.jit_cache import PACKAGE, SOURCES as HASHED

    hashed = {path.resolve() for pattern in HASHED for path in PACKAGE.glob(pattern)}
    waiting = [module for module in SOURCES if module.partition(".")[0] == "kernels"]
    seen = set()
    while waiting:
        module = waiting.pop()
        if module not in seen and module != "errors":
            seen.add(module)
            waiting += edges(module)
    assert {"rows", "jit", "term_numba" if "term_numba" in seen else "jit"} <= seen
    assert {str(SOURCES[module].relative_to(HOME)) for module in seen} <= {
        str(path.relative_to(HOME)) for path in hashed if path.is_relative_to(HOME)
    }


# --- The rest of the house ------------------------------------------------------------------------------------------


def test_no_file_is_too_long_to_see_at_a_glance():
    files = [*SOURCES.values(), *sorted((HOME / "tests").glob("*.py")), *sorted((HOME / "bench").glob("*.py"))]
    long = {path.name: lines for path in files if (lines := len(path.read_text().splitlines())) > MOST_LINES}
    assert not long


def test_what_is_installed():
    """`cli` must not be a top-level package of that name, and no package may be forgotten."""
    setup = tomllib.loads((HOME / "pyproject.toml").read_text())
    tools = setup["tool"]["setuptools"]
    assert tools["package-dir"] == {"fastgd": "fastgd", "fastgd_cli": "cli"}
    packages = {
        ".".join(path.parent.relative_to(HOME).parts).replace("cli", "fastgd_cli", 1)
        for path in SOURCES.values()
        if path.name == "__init__.py"
    }
    assert sorted(tools["packages"]) == sorted(packages)
    assert setup["project"]["scripts"] == {"fastgd": "fastgd_cli.main:main"}


def test_every_public_name_is_where_the_package_says():
    import fastgd

    for name, home in PUBLIC_HOMES.items():
        assert home in SOURCES
        assert getattr(fastgd, name) is getattr(sys.modules[f"fastgd.{home}"], name)
