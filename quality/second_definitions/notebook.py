"""Rules over a whole notebook: what its cells read of a shop they choose, arrange and draw; nothing is added up or divided."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

_READING = frozenset({"metrics", "mart", "whole", "read", "rows", "mart_rows"})
_ADDING_UP = frozenset(
    {"sum", "mean", "median", "nunique", "count", "size", "agg", "aggregate", "groupby", "pivot_table", "value_counts"}
    | {"cumsum", "rolling", "quantile", "std", "var", "diff", "pct_change", "div", "sub"}
)


def in_notebook(cells: Sequence[tuple[int, str]]) -> Iterator[tuple[int, int, str]]:
    """Cell, line and what is computed there of what this or an earlier cell read. Raises SyntaxError."""
    read = set[str]()
    for number, source in cells:
        for statement in ast.parse(source).body:
            read |= _names_given(statement, read)
            for node in ast.walk(statement):
                what = _computes(node, read)
                if what is not None:
                    yield number, getattr(node, "lineno", 0), what


def _computes(node: ast.AST, read: set[str]) -> str | None:
    match node:
        case ast.Call(func=ast.Attribute(value=value, attr=name)) if name in _ADDING_UP and _is_read(value, read):
            return f"computes {name} of what it read"
        case ast.BinOp(left=left, right=right, op=ast.Div() | ast.Sub() | ast.Mult() | ast.Add()):
            if _is_read(left, read) and _is_read(right, read):
                return f"computes {ast.unparse(node)}"
    return None


def _names_given(statement: ast.AST, read: set[str]) -> set[str]:
    """Names that a statement gives to what was read, or to a part of it."""
    names = set[str]()
    for node in ast.walk(statement):
        targets: list[ast.expr] = []
        match node:
            case ast.Assign(targets=targets, value=value) if _is_read(value, read | names):
                pass
            case ast.For(target=target, iter=value) if _is_read(value, read | names):
                targets = [target]
            case _:
                continue
        names |= {name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)}
    return names


def _is_read(tree: ast.AST, read: set[str]) -> bool:
    """Whether an expression holds a read, or a name for one."""
    return any(
        (isinstance(node, ast.Name) and node.id in read)
        or (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _READING)
        for node in ast.walk(tree)
    )
