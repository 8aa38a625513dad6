"""Empty marts, with the columns that dbt's contracts promise, and the metrics over them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import yaml

from jishi.metrics import MetricSql
from jishi.settings import PROJECT_ROOT

if TYPE_CHECKING:
    import duckdb


def create_marts(connection: duckdb.DuckDBPyConnection, semantic_manifest: dict[str, Any]) -> None:
    """Make the table of each mart and of each saved query, and the table of the build with the definitions of metrics."""
    files = (PROJECT_ROOT / "dbt" / "models" / "marts").rglob("*__models.yml")
    for model in [model for file in files for model in yaml.safe_load(file.read_text())["models"]]:
        columns = ", ".join(f'"{column["name"]}" {column["data_type"]}' for column in model["columns"])
        connection.execute(f"create table {model['name']} ({columns})")
    generator = MetricSql(semantic_manifest)
    for table, query in generator.exports.items():
        connection.execute(f"create table {table} as {generator.saved(query)}")
    connection.execute("create table build as select $1 as semantic_manifest", [json.dumps(semantic_manifest)])
