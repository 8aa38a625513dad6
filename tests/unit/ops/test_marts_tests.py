"""The generic tests of a project, asked without dbt: each of them can fail, and what would not be honoured is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from ops.marts_tests import SettingNotHonoured, failing_rows, failing_tests
from tests.lake import settings_in

MODELS = {
    f"model.{name}": {"resource_type": "model", "name": name, "relation_name": f'"marts"."main"."{name}"'} for name in "mp"
}
GENERIC: dict[str, tuple[str, dict[str, Any]]] = {
    "null": ("not_null", {"column_name": "word"}),
    "value": ("accepted_values", {"column_name": "word", "values": ["x", "it's"]}),
    "number": ("accepted_values", {"column_name": "part", "values": [1, 2], "quote": False}),
    "parent": ("relationships", {"column_name": "part", "to": "ref('p')", "field": "id"}),
    "key": ("unique_key", {"columns": ["part", "word"]}),
}


def node(kind: str, kwargs: dict[str, Any], **config: Any) -> dict[str, Any]:
    metadata = {"name": kind, "kwargs": {"model": "m"} | kwargs, "namespace": None}
    test = {"resource_type": "test", "name": kind, "attached_node": "model.m", "test_metadata": metadata}
    return test | {"config": {"severity": "ERROR", "where": None} | config}


def manifest(folder: Path, *others: dict[str, Any]) -> Path:
    """Of a model with a test of each kind, its parent, and a test of a query of its own, which dbt runs."""
    tests = {name: node(kind, kwargs) | {"name": name} for name, (kind, kwargs) in GENERIC.items()}
    singular = {"resource_type": "test", "name": "singular"}
    file = folder / "manifest.json"
    nodes = {**MODELS, **tests, "singular": singular, **{f"other{n}": other for n, other in enumerate(others)}}
    file.write_text(json.dumps({"nodes": nodes}))
    return file


def database(folder: Path, rows: str) -> Path:
    """The parent knows 1, 2 and 3, and something without a number."""
    file = folder / "marts.duckdb"
    with duckdb.connect(str(file)) as connection:
        connection.execute("create table m (part integer, word varchar)")
        connection.execute(f"insert into m values {rows}")
        connection.execute("create table p as select * from (values (1), (2), (3), (null)) as rows_of(id)")
    return file


@pytest.mark.parametrize(
    ("rows", "failing"),
    [
        ("(1, 'x'), (2, 'x'), (1, 'it''s')", []),
        ("(1, 'x'), (1, null)", ["null"]),
        ("(1, 'y')", ["value"]),
        ("(3, 'x')", ["number"]),
        ("(4, 'x')", ["number", "parent"]),
        ("(1, 'x'), (1, 'x')", ["key"]),
        ("(1, null), (1, null)", ["key", "null"]),
        ("(null, 'x'), (null, 'x')", ["key"]),
    ],
)
def test_the_tests_that_rows_fail_are_named(tmp_path: Path, rows: str, failing: list[str]) -> None:
    file = database(tmp_path, rows)
    named, count = failing_tests(settings_in(tmp_path), file, manifest(tmp_path))
    assert (list(named), count) == (failing, len(GENERIC))
    assert failing_tests(settings_in(tmp_path), file, manifest(tmp_path), {"model.m"}) == ({}, len(GENERIC))
    with duckdb.connect(str(file), read_only=True) as connection:
        queries = {name: failing_rows(node(kind, kwargs), MODELS) for name, (kind, kwargs) in GENERIC.items()}
        assert sorted(name for name, query in queries.items() if connection.execute(query).fetchall()) == failing
        assert all(connection.execute(query).fetchall() for query in named.values())


def test_no_row_fails_nothing(tmp_path: Path) -> None:
    file = database(tmp_path, "(1, 'x')")
    with duckdb.connect(str(file)) as connection:
        connection.execute("delete from m")
    assert failing_tests(settings_in(tmp_path), file, manifest(tmp_path)) == ({}, len(GENERIC))


@pytest.mark.parametrize(
    ("rows", "written", "failing"),
    [
        ("(1, 'x'), (1, 'x')", "(2, 'x')", []),
        ("(1, 'x'), (1, 'x')", "(1, 'x'), (1, 'x')", ["key"]),
        ("(1, 'newer'), (1, 'x')", "(1, 'newer')", ["key", "value"]),
        ("(1, 'newer'), (2, null)", "(2, 'x')", []),
        ("(1, 'newer'), (2, null)", "(2, null)", ["null"]),
        ("(3, 'x')", "(3, 'x')", ["number"]),
        ("(4, 'x'), (1, 'x')", "(1, 'x')", ["parent"]),
    ],
    ids=[
        *("others passed before", "both written anew", "one written anew beside one that stayed"),
        *(
            "values that stayed passed before",
            "a null written anew",
            "a number written anew",
            "a parent of a row that stayed is gone",
        ),
    ],
)
def test_after_a_continued_build_what_was_not_written_anew_is_not_asked_again_but_for_its_parents(
    tmp_path: Path, rows: str, written: str, failing: list[str]
) -> None:
    file = database(tmp_path, rows)
    with duckdb.connect(str(file)) as connection:
        connection.execute("create schema touched; create table touched.written_m as from m limit 0")
        connection.execute(f"insert into touched.written_m values {written}")
    keyed = node("unique_key", {"columns": ["part"]}) | {"name": "key"}
    nodes = json.loads(manifest(tmp_path).read_text())["nodes"] | {"key": keyed}
    (tmp_path / "manifest.json").write_text(json.dumps({"nodes": nodes}))
    assert list(failing_tests(settings_in(tmp_path), file, tmp_path / "manifest.json")[0]) == failing


@pytest.mark.parametrize(
    "test",
    [
        *(node("not_null", {"column_name": "word"}, **{setting: value}) for setting, value in (
            ("where", "part > 1"), ("severity", "warn"), ("error_if", "> 3"), ("limit", 1), ("fail_calc", "max(part)"),
        )),
        node("not_null", {"column_name": "word", "at_least": 3}),
        node("at_least_one", {"column_name": "word"}),
        node("not_null", {"column_name": "word"}) | {"test_metadata": {"name": "not_null", "kwargs": {}, "namespace": "other"}},
        node("relationships", {"column_name": "part", "to": "source('lake', 'p')", "field": "id"}),
    ],
)  # fmt: skip
def test_what_would_not_be_honoured_is_refused(tmp_path: Path, test: dict[str, Any]) -> None:
    with pytest.raises(SettingNotHonoured, match=r"which ops\.marts_tests does not know"):
        failing_tests(settings_in(tmp_path), database(tmp_path, "(1, 'x')"), manifest(tmp_path, test))
