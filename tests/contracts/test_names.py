"""Names are the field's: no name that names nothing, and no two public classes of one name.

The source is read with ``ast``; nothing is imported, so every environment's code is checked here.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = (
    *("jishi", "collector", "imports", "simulator", "flink_jobs", "spark_jobs", "models", "feature_repo", "serving"),
    *("decision_log",),
    *("dashboard", "quality", "ops", "dags", "bench", "chaos", "tests"),
)
# What to write instead is the thing's own name: rows, payload, report, counts, the model, the error's message.
BANNED = frozenset(
    {"told", "found", "own", "made", "strongest", "verdict", "verdicts", "lesson", "lessons", "tell", "said", "of"}
)


def _files() -> list[Path]:
    return [file for folder in FOLDERS for file in sorted((ROOT / folder).rglob("*.py"))]


def _bound(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Names that a module binds, with their lines: variables, parameters, fields, functions, aliases."""
    methods = {id(item) for node in ast.walk(tree) if isinstance(node, ast.ClassDef) for item in node.body}
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name):
                yield name, node.lineno
            case ast.Attribute(attr=name, ctx=ast.Store()):
                yield name, node.end_lineno or node.lineno
            case ast.ExceptHandler(name=str(name)) | ast.alias(asname=str(name)):
                yield name, node.lineno
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                if not (name == "of" and id(node) in methods):  # a constructor, as in Paths.of(settings)
                    yield name, node.lineno


def _banned(source: str) -> list[tuple[str, int]]:
    return [(name, line) for name, line in _bound(ast.parse(source)) if name.lstrip("_").lower() in BANNED]


def test_every_name_names_something() -> None:
    wrong = [f"{file.relative_to(ROOT)}:{line} {name}" for file in _files() for name, line in _banned(file.read_text("utf-8"))]
    assert not wrong, "call these after what they hold (rows, payload, report, …):\n" + "\n".join(wrong)


def test_one_name_is_one_public_class() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for file in _files():
        for node in ast.parse(file.read_text("utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(str(file.relative_to(ROOT)))
    double = [f"{name}: {', '.join(files)}" for name, files in sorted(places.items()) if len(files) > 1]
    assert not double, "give each of these classes a precise name:\n" + "\n".join(double)


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("told = 1", ["told"]),
        ("for found in (): pass", ["found"]),
        ("def f(own, *, made=1): ...", ["own", "made"]),
        ("class A:\n    verdict: str", ["verdict"]),
        ("self._told = 1", ["_told"]),
        ("def tell(): ...", ["tell"]),
        ("[x for of, x in ()]", ["of"]),
        ("def of(): ...", ["of"]),
        ("class A:\n    @classmethod\n    def of(cls): ...", []),
        ("founder = file.tell()", []),
    ],
)
def test_the_rule_sees_every_kind_of_binding(source: str, names: list[str]) -> None:
    assert sorted(name for name, _ in _banned(source)) == sorted(names)


def test_no_shop_of_the_demo_is_named_outside_the_demo() -> None:
    demo = re.compile("lanting|shanhai|xinghe", re.IGNORECASE)
    folders = ("jishi", "collector", "imports", "flink_jobs", "spark_jobs", "models", "feature_repo", "serving", "dashboard")
    files = [
        file
        for folder in (*folders, "decision_log", "quality", "ops", "dags", "dbt")
        for file in sorted((ROOT / folder).rglob("*"))
    ]
    texts = {file: file.read_text("utf-8") for file in files if file.suffix in {".py", ".js", ".sql", ".yml", ".yaml", ".html"}}
    named = [str(file.relative_to(ROOT)) for file, text in texts.items() if demo.search(text)]
    assert [name for name in named if not name.startswith("ops/demo/")] == []
