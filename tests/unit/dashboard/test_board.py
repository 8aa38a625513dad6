"""The board's YAML fits the marts: every data set's query and every metric runs on the columns that dbt's contracts promise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from dashboard.superset_app import board_contents
from jishi.settings import PROJECT_ROOT

BOARD = {path: yaml.safe_load(text) for path, text in board_contents(Path("/marts.duckdb")).items()}
DATASETS = {path: content for path, content in BOARD.items() if path.startswith("datasets/")}
CHARTS = {path: content for path, content in BOARD.items() if path.startswith("charts/")}


@pytest.fixture(scope="module")
def marts() -> duckdb.DuckDBPyConnection:
    """Empty tables of the contracts."""
    connection = duckdb.connect()
    models = yaml.safe_load((PROJECT_ROOT / "dbt" / "models" / "marts" / "_marts__models.yml").read_text())["models"]
    for model in models:
        columns = ", ".join(f'"{column["name"]}" {column["data_type"]}' for column in model["columns"])
        connection.execute(f"create table {model['name']} ({columns})")
    return connection


@pytest.mark.parametrize("path", sorted(DATASETS))
def test_a_data_set_reads_columns_that_the_marts_have(path: str, marts: duckdb.DuckDBPyConnection) -> None:
    dataset: dict[str, Any] = DATASETS[path]
    sql = dataset["sql"] or f"select * from {dataset['table_name']}"
    columns = ", ".join(f'"{column["column_name"]}"' for column in dataset["columns"])
    marts.execute(f"select {columns} from ({sql})")
    for metric in dataset["metrics"]:
        marts.execute(f"select {metric['expression']} from ({sql})")


@pytest.mark.parametrize("path", sorted(CHARTS))
def test_a_chart_asks_for_what_its_data_set_has(path: str) -> None:
    chart = CHARTS[path]
    dataset = next(d for d in DATASETS.values() if d["uuid"] == chart["dataset_uuid"])
    metrics, columns = {m["metric_name"] for m in dataset["metrics"]}, {c["column_name"] for c in dataset["columns"]}
    params = chart["params"]
    asked = [params.get("metric"), *params.get("metrics", [])]
    assert {m for m in asked if isinstance(m, str)} <= metrics
    assert {c for c in params.get("groupby", []) if isinstance(c, str)} <= columns
    assert any(m for m in asked) or params.get("all_columns")


def test_the_dashboard_places_every_chart_once() -> None:
    [dashboard] = [content for path, content in BOARD.items() if path.startswith("dashboards/")]
    placed = sorted(
        part["meta"]["uuid"]
        for part in dashboard["position"].values()
        if isinstance(part, dict) and part.get("type") == "CHART"
    )
    assert placed == sorted(chart["uuid"] for chart in CHARTS.values())
