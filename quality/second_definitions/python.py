"""Rules over Python, of modules and notebooks: SQL in strings, pandas that adds up or divides what metrics are made of."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from quality.second_definitions.sql import computes, parsed
from quality.second_definitions.vocabulary import Vocabulary

_SQL = re.compile(r"\b(select|from)\b", re.IGNORECASE)
_ADDING_UP = frozenset({"sum", "mean", "nunique", "median", "agg", "aggregate", "pivot_table"})


def in_python(source: str, words: Vocabulary) -> Iterator[tuple[int, str]]:
    """Lines and what is computed there. Raises SyntaxError."""
    tree = ast.parse(source)
    docstrings = {id(text) for node in ast.walk(tree) for text in _docstring(node)}
    parts = {
        id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node) if part is not node
    }
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 0)
        text = _text(node)
        if text is not None and id(node) not in docstrings | parts and _SQL.search(text):
            for statement in parsed(text):
                yield from ((line, what) for what in computes(statement, words))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _ADDING_UP:
            columns = _columns(node, words)
            if columns:
                yield line, f"computes {node.func.attr} of {', '.join(sorted(columns))}"
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div | ast.Sub):
            above, below = _columns(node.left, words), _columns(node.right, words)
            if above and below:
                yield line, f"computes {ast.unparse(node)}"


def _docstring(node: ast.AST) -> list[ast.expr]:
    if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) or not node.body:
        return []
    first = node.body[0]
    return [first.value] if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) else []


def _text(node: ast.AST) -> str | None:
    """A string, or a formatted one with a name in the place of each value."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=values):
            return "".join(str(part.value) if isinstance(part, ast.Constant) else "formatted" for part in values)
    return None


def _columns(tree: ast.AST, words: Vocabulary) -> set[str]:
    """Measures that an expression of pandas reads: frame["gmv"], frame[["gmv"]], frame.paid_minor, agg(x=("gmv", "sum"))."""
    columns = set[str]()
    for node in ast.walk(tree):
        match node:
            case ast.Subscript(slice=ast.Constant(value=str(name))):
                columns.add(name)
            case ast.Subscript(slice=ast.List(elts=names)) | ast.Tuple(elts=names):
                columns |= {name.value for name in names if isinstance(name, ast.Constant) and isinstance(name.value, str)}
            case ast.Attribute(attr=name) if name.endswith("_minor"):
                columns.add(name)
            case ast.keyword(arg="values", value=ast.Constant(value=str(name))):
                columns.add(name)
    return columns & words.measures
