"""The modules of fastgd and cli, and what each imports, read from their source."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from importlib.util import resolve_name
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for folder in ("fastgd", "cli")
    for path in sorted((ROOT / folder).rglob("*.py"))
}


@cache
def tree(module: str) -> ast.Module:
    return ast.parse(SOURCES[module].read_text(encoding="utf-8"))


# Public name -> the module that it is from, as `fastgd.__getattr__` loads it.
PUBLIC_HOMES: dict[str, str] = next(
    {name: module for module, names in ast.literal_eval(node.value).items() for name in names.split()}
    for node in tree("fastgd").body
    if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_NAMES"
)


def executed(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes below ``node``, those in functions too, but none under ``if TYPE_CHECKING:``."""
    for child in ast.iter_child_nodes(node):
        if not (isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)):
            yield child
            yield from executed(child)


@cache
def imported_names(module: str) -> frozenset[str]:
    """Full names of what ``module`` imports: ``numba``, ``fastgd.errors.OptionError``."""
    package = module if SOURCES[module].name == "__init__.py" else module.rpartition(".")[0]
    found: set[str] = set()
    for node in executed(tree(module)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            origin = resolve_name("." * node.level + (node.module or ""), package)
            found |= {f"{origin}.{alias.name}" for alias in node.names}
    return frozenset(found)


@cache
def imported_modules(module: str) -> frozenset[str]:
    """Modules of fastgd and cli that ``module`` imports; a public name counts as the module that it is from."""
    found = set()
    for name in imported_names(module):
        target = name.replace("fastgd_cli", "cli", 1)
        target = f"fastgd.{PUBLIC_HOMES.get(target.removeprefix('fastgd.'), target.removeprefix('fastgd.'))}"
        target = name.replace("fastgd_cli", "cli", 1) if name.startswith(("cli", "fastgd_cli")) else target
        while target and target not in SOURCES:
            target = target.rpartition(".")[0]
        if name.partition(".")[0] in ("fastgd", "cli", "fastgd_cli"):
            found.add(target)
    return frozenset(found - {"", "fastgd", module})
