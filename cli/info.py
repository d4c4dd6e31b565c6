"""``fastgd info``: versions and hardware, for bug reports and benchmarks."""

from __future__ import annotations

import time
from typing import Any

import click

from .options import output_options


@click.command(short_help="Show versions, processor, threads and compiled kernels.")
@click.option("--warm-up", is_flag=True, help="First compile the kernels that most fits need.")
@output_options
def info(warm_up: bool, as_json: bool, quiet: bool) -> None:
    """Show versions, processor, threads, and the folder of compiled kernels."""
    from .console import print_table, remark
    from .summary import echo_json

    if warm_up:
        remark(compile_usual(quiet), quiet)
    facts = gather()
    if as_json:
        echo_json(facts)
        return
    rows = [
        ("fastgd", facts["fastgd"]),
        ("Python", facts["python"]),
        ("platform", facts["platform"]),
        *facts["packages"].items(),
        ("processor", facts["cpu"]),
        ("SIMD", ", ".join(facts["simd"]) or "none known"),
        *((f"names of {kind}", _spelled(found)) for kind, found in facts["aliases"].items()),
        ("threads", f"{facts['threads']} ({facts['threading_layer']})"),
        ("kernels", describe_cache(**facts["cache"])),
    ]
    print_table(rows)


def describe_cache(folder: str | None, kernels: int, bytes: int) -> str:  # noqa: A002  # the keys of `gather`
    if folder is None:
        return "not kept, since no folder is writable; set NUMBA_CACHE_DIR to one"
    return f"{kernels} compiled, {bytes / 1e6:.1f} MB in {folder}"


def compile_usual(quiet: bool) -> str:
    """Compile the kernels that most fits need; return a message about it."""
    from fastgd.warm_up import common_fits

    from .console import counted

    began, kinds = time.perf_counter(), list(common_fits())
    compiled = 0
    with counted("compiling", len(kinds), quiet) as begins:
        for kind in kinds:
            begins(kind.description)
            compiled += kind.compile()
    if not compiled:
        return "nothing to compile: all kernels are in the cache"
    return f"compiled {compiled} kernels in {time.perf_counter() - began:.0f} s"


def gather() -> dict[str, Any]:
    from fastgd.compile.jit_cache import cache_directory
    from fastgd.environment import environment
    from fastgd.losses import LOSSES
    from fastgd.penalties import PENALTIES
    from fastgd.rules import RULES

    folder = cache_directory()
    files = [path.stat().st_size for path in folder.glob("*.kernel")] if folder else []
    cache = {"folder": str(folder) if folder else None, "kernels": len(files), "bytes": sum(files)}
    aliases = {"losses": LOSSES.aliases, "penalties": PENALTIES.aliases, "rules": RULES.aliases}
    return {**environment(), "aliases": aliases, "cache": cache}


def _spelled(aliases: dict[str, str]) -> str:
    """``mse = squared, ridge = l2``: the names that are taken for others."""
    return ", ".join(f"{alias} = {name}" for alias, name in aliases.items())
