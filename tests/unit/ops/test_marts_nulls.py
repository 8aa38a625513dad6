"""The ``not_null`` tests of a project in one query a model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from ops.marts_nulls import SettingNotHonoured, failing_null_tests
from tests.lake import settings_in


def manifest(folder: Path, **config: Any) -> Path:
    """Of a model of two columns, each with a test."""
    nodes: dict[str, Any] = {"model.m": {"resource_type": "model", "relation_name": '"marts"."main"."m"'}}
    for column in ("a", "b"):
        nodes[f"test.{column}"] = {"resource_type": "test", "test_metadata": {"name": "not_null"}, "attached_node": "model.m"}
        nodes[f"test.{column}"] |= {"column_name": column, "config": {"severity": "ERROR", "where": None} | config}
    nodes["test.other"] = {"resource_type": "test", "test_metadata": {"name": "unique_key"}, "attached_node": "model.m"}
    file = folder / "manifest.json"
    file.write_text(json.dumps({"nodes": nodes}))
    return file


@pytest.fixture
def database(tmp_path: Path) -> Path:
    file = tmp_path / "marts.duckdb"
    with duckdb.connect(str(file)) as connection:
        connection.execute("create table m as select * from (values (1, 'x'), (2, null)) as rows_of(a, b)")
    return file


def test_a_column_with_a_null_is_named(tmp_path: Path, database: Path) -> None:
    assert failing_null_tests(settings_in(tmp_path), database, manifest(tmp_path)) == (["test.b"], 2)


def test_no_row_is_no_null(tmp_path: Path, database: Path) -> None:
    with duckdb.connect(str(database)) as connection:
        connection.execute("delete from m")
    assert failing_null_tests(settings_in(tmp_path), database, manifest(tmp_path)) == ([], 2)


@pytest.mark.parametrize("config", [{"where": "a > 1"}, {"severity": "warn"}, {"error_if": "> 3"}])
def test_a_setting_that_would_not_be_honoured_is_refused(tmp_path: Path, database: Path, config: dict[str, str]) -> None:
    with pytest.raises(SettingNotHonoured, match=next(iter(config))):
        failing_null_tests(settings_in(tmp_path), database, manifest(tmp_path, **config))
