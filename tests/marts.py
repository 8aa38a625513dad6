"""Empty marts, with the columns that dbt's contracts promise, and the metrics over them."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import yaml

from jishi.metrics import MetricSql
from jishi.settings import PROJECT_ROOT

if TYPE_CHECKING:
    import duckdb


def create_marts(connection: duckdb.DuckDBPyConnection, semantic_manifest: dict[str, Any]) -> None:
    """Make the table of each mart and of each saved query, and the table of the build with the definitions of metrics."""
    written = json.dumps(semantic_manifest)
    for statement in _tables(written):
        connection.execute(statement)
    connection.execute("create table build as select $1 as semantic_manifest", [written])


@lru_cache(maxsize=1)
def _tables(semantic_manifest: str) -> list[str]:
    """Statements that make them: YAML and MetricFlow take seconds, and many modules have marts of their own."""
    files = (PROJECT_ROOT / "dbt" / "models" / "marts").rglob("*__models.yml")
    tables = []
    for model in [model for file in files for model in yaml.safe_load(file.read_text())["models"]]:
        columns = ", ".join(f'"{column["name"]}" {column["data_type"]}' for column in model["columns"])
        tables.append(f"create table {model['name']} ({columns})")
    generator = MetricSql(json.loads(semantic_manifest))
    return tables + [f"create table {table} as {generator.saved(query)}" for table, query in generator.exports.items()]
