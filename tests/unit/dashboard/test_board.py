"""The boards' YAML fits the marts: every data set's query and every metric runs on the columns that dbt's contracts promise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from dashboard.superset_boards import board_contents, boards
from tests.marts import create_marts

BOARD = {path: yaml.safe_load(text) for path, text in board_contents(Path("/marts.duckdb")).items()}
DATASETS = {path: content for path, content in BOARD.items() if path.startswith("datasets/")}
CHARTS = {path: content for path, content in BOARD.items() if path.startswith("charts/")}
DASHBOARDS = {content["uuid"]: content for path, content in BOARD.items() if path.startswith("dashboards/")}
# What names a person, which a role without the right to persons may not see either.
OF_PERSONS = {"person_id", "user_id", "anonymous_id", "customer_id", "name", "email", "phone"}


@pytest.fixture(scope="module")
def marts(semantic_manifest: dict[str, Any]) -> duckdb.DuckDBPyConnection:
    """Empty tables of the contracts and of the saved queries."""
    connection = duckdb.connect()
    create_marts(connection, semantic_manifest)
    return connection


@pytest.mark.parametrize("path", sorted(DATASETS))
def test_a_data_set_reads_columns_that_the_marts_have(path: str, marts: duckdb.DuckDBPyConnection) -> None:
    dataset: dict[str, Any] = DATASETS[path]
    sql = dataset["sql"] or f"select * from {dataset['table_name']}"
    columns = ", ".join(f'"{column["column_name"]}"' for column in dataset["columns"])
    marts.execute(f"select {columns} from ({sql})")
    for metric in dataset["metrics"]:
        marts.execute(f"select {metric['expression']} from ({sql})")


def test_a_shop_without_views_has_no_funnel_and_one_that_sold_nothing_has_its_zeros(marts: duckdb.DuckDBPyConnection) -> None:
    columns = "shop, metric_time__day, viewed_sessions, cart_sessions, checkout_sessions, paid_sessions"
    with marts.cursor() as funnels:
        funnels.execute("begin")
        funnels.execute(
            f"insert into board_funnel ({columns}) values "
            "('no_views', '2026-11-01', 0, 0, 0, 0), ('no_sales', '2026-11-01', 8, 2, 0, 0)"
        )
        sql = DATASETS["datasets/jishi_marts/funnel_steps.yaml"]["sql"]
        steps = funnels.execute(f"select shop_id, step, sessions from ({sql}) order by step").fetchall()
        funnels.execute("rollback")
    assert steps == [
        ("no_sales", "1 viewed 浏览", 8),
        ("no_sales", "2 cart 加购", 2),
        ("no_sales", "3 checkout 结算", 0),
        ("no_sales", "4 paid 支付", 0),
    ]


@pytest.mark.parametrize("path", sorted(CHARTS))
def test_a_chart_asks_for_what_its_data_set_has(path: str) -> None:
    chart = CHARTS[path]
    dataset = next(d for d in DATASETS.values() if d["uuid"] == chart["dataset_uuid"])
    metrics, columns = {m["metric_name"] for m in dataset["metrics"]}, {c["column_name"] for c in dataset["columns"]}
    params = chart["params"]
    asked = [params.get("metric"), *params.get("metrics", [])]
    assert {m for m in asked if isinstance(m, str)} <= metrics
    groups = params.get("groupby", [])
    assert ({groups} if isinstance(groups, str) else set(groups)) <= columns
    assert any(m for m in asked) or params.get("all_columns")


def test_every_row_of_a_data_set_is_of_a_shop_and_of_no_person() -> None:
    assert DATASETS
    for path, dataset in DATASETS.items():
        columns = {column["column_name"]: column["type"] for column in dataset["columns"]}
        assert columns.get("shop_id") == "VARCHAR", (
            f"{path}: the guests' rule is on shop_id; without it the data set shows all shops"
        )
        assert not columns.keys() & OF_PERSONS, path
        assert all(not column.get("expression") for column in dataset["columns"]), path


def test_each_layout_places_its_boards_charts_once_and_no_chart_is_left_over() -> None:
    shown = set()
    for board in boards().values():
        named = [name for row in board.content["rows"] for name in row["charts"]]
        wanted = sorted(CHARTS[f"charts/{name}.yaml"]["uuid"] for name in named)
        shown |= set(named)
        for layout in ("analyst", "merchant", "phone"):
            assert sorted(chart["uuid"] for chart in _charts(board.uuid(layout))) == wanted, (board.name, layout)
        assert all(sum(row["charts"].values()) == 12 for row in board.content["rows"]), f"{board.name}: a row has 12 columns"
        assert {chart["width"] for chart in _charts(board.uuid("phone"))} == {12}, "on a phone, charts stand below each other"
    assert {f"charts/{name}.yaml" for name in shown} == CHARTS.keys()


def test_a_merchant_chooses_no_shop_and_an_analyst_one() -> None:
    for board in boards().values():
        filters = {
            layout: [each["name"] for each in DASHBOARDS[board.uuid(layout)]["metadata"]["native_filter_configuration"]]
            for layout in ("analyst", "merchant", "phone")
        }
        days = ["Days 日期"] if board.content["has_days"] else []
        assert filters == {"analyst": ["Shop 店铺", *days], "merchant": days, "phone": days}


def _charts(dashboard: str) -> list[dict[str, Any]]:
    """What a dashboard says of each chart that it places."""
    parts = DASHBOARDS[dashboard]["position"].values()
    return [part["meta"] for part in parts if isinstance(part, dict) and part.get("type") == "CHART"]


def test_a_till_has_no_visitors_and_no_conversion_and_a_day_without_orders_is_there(marts: duckdb.DuckDBPyConnection) -> None:
    dataset = DATASETS["datasets/jishi_marts/shop_days.yaml"]
    metrics = {metric["metric_name"]: metric["expression"] for metric in dataset["metrics"]}
    days = [("till", "2026-01-01", None, None, 3), ("till", "2026-01-02", None, None, 0), ("live", "2026-01-01", 8, 2, 4)]
    with marts.cursor() as cursor:
        cursor.begin()
        for day in days:
            cursor.execute(
                "insert into fct_shop_days by name select ? as shop_id, ?::date as shop_date, ? as sessions, "
                "? as paying_sessions, ? as orders",
                day,
            )
        for shop in ("till", "live"):
            cursor.execute("insert into dim_shops by name select ? as shop_id, 'CNY' as currency, 2 as minor_digits", [shop])
        numbers = ", ".join(metrics[name] for name in ("visitors", "orders", "conversion"))
        shown = cursor.execute(
            f"select shop_id, {numbers} from ({dataset['sql']}) group by shop_id, day order by all"
        ).fetchall()
        cursor.rollback()
    assert shown == [("live", None, 4, 0.25), ("till", None, 0, None), ("till", None, 3, None)]
