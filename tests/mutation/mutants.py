"""Mutants of a source file: copies that differ from it by one small change.

The operators are the standard ones: a comparison replaced, an arithmetic operator replaced, a number changed, a
condition negated, `and` and `or` exchanged, a returned value dropped, and a statement deleted. A change is written into
the source text where the node stands, so that all other text stays as it is.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import NamedTuple


class Mutant(NamedTuple):
    """One change of one file: the characters from `start` to `stop` of its bytes become `new`."""

    path: str
    line: int
    operator: str
    old: str
    new: str
    start: int
    stop: int

    @property
    def change(self) -> str:
        """The change on one line, without its place: lines move."""
        return f"{self.operator}: {' '.join(self.old.split())} -> {' '.join(self.new.split())}"

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.change}"

    def apply(self, source: str) -> str:
        data = source.encode()
        return (data[: self.start] + self.new.encode() + data[self.stop :]).decode()


COMPARISONS = {
    ast.Lt: ["<=", ">="],
    ast.LtE: ["<", ">"],
    ast.Gt: [">=", "<="],
    ast.GtE: [">", "<"],
    ast.Eq: ["!="],
    ast.NotEq: ["=="],
    ast.Is: ["is not"],
    ast.IsNot: ["is"],
    ast.In: ["not in"],
    ast.NotIn: ["in"],
}
ARITHMETIC = {
    ast.Add: "-",
    ast.Sub: "+",
    ast.Mult: "/",
    ast.Div: "*",
    ast.FloorDiv: "*",
    ast.Mod: "*",
    ast.Pow: "*",
    ast.BitAnd: "|",
    ast.BitOr: "&",
}
DELETED = (ast.Assign, ast.AugAssign, ast.Expr, ast.Raise, ast.Continue, ast.Break)


def mutants(path: str, source: str) -> Iterator[Mutant]:
    """Every mutant of one file; type annotations, docstrings and message texts stay as they are."""
    lines = source.encode().splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))

    def span(node: ast.AST) -> tuple[int, int]:
        return starts[node.lineno - 1] + node.col_offset, starts[node.end_lineno - 1] + node.end_col_offset

    data = source.encode()
    tree = ast.parse(source)
    for node in _mutable_nodes(tree):
        if not hasattr(node, "lineno"):
            continue
        if isinstance(node, ast.If | ast.While | ast.IfExp):
            start, stop = span(node.test)
            changes = [("condition negated", f"(not ({ast.unparse(node.test)}))")]
        else:
            start, stop = span(node)
            changes = list(_changes(node))
        old = data[start:stop].decode()
        for operator, new in changes:
            yield Mutant(path, node.lineno, operator, old, new, start, stop)


def _mutable_nodes(node: ast.AST) -> Iterator[ast.AST]:
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not isinstance(child, ast.JoinedStr | ast.Import | ast.ImportFrom):
                yield child
                yield from _mutable_nodes(child)


def _changes(node: ast.AST) -> Iterator[tuple[str, str]]:  # noqa: C901 - one case an operator
    """The changes of one node: the name of the operator and the new text."""
    match node:
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            for symbol in COMPARISONS[type(op)]:
                yield "comparison", f"(({ast.unparse(left)}) {symbol} ({ast.unparse(right)}))"
        case ast.BinOp(left=left, op=op, right=right) if type(op) in ARITHMETIC and not (
            _is_text(left) or _is_text(right)
        ):
            yield "arithmetic", f"(({ast.unparse(left)}) {ARITHMETIC[type(op)]} ({ast.unparse(right)}))"
        case ast.BoolOp(op=op, values=values):
            word = " or " if isinstance(op, ast.And) else " and "
            yield "and/or", "(" + word.join(f"({ast.unparse(value)})" for value in values) + ")"
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield "not removed", f"({ast.unparse(operand)})"
        case ast.Constant(value=bool(value)):
            yield "constant", str(not value)
        case ast.Constant(value=int(value)):
            yield "constant", str(value + 1)
        case ast.Constant(value=float(value)):
            yield "constant", repr(value * 2 if value else 1.0)
        case ast.Return(value=value) if value is not None and not _is_none(value):
            yield "return value dropped", "return None"
        case ast.Expr(value=ast.Constant()):
            pass  # a docstring, or the body of a protocol
        case _ if isinstance(node, DELETED):
            yield "statement deleted", "pass"


def _is_none(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _is_text(*nodes: ast.AST) -> bool:
    return any(
        isinstance(n, ast.JoinedStr) or (isinstance(n, ast.Constant) and isinstance(n.value, str)) for n in nodes
    )
