"""SQL of metrics with the days pushed down answers what MetricFlow's own text answers, in the same types."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import duckdb
import pytest
import yaml

from jishi.metrics.pruning import pruned
from jishi.settings import PROJECT_ROOT

OF_DAYS = """
WITH sma_1_cte AS (
  SELECT DATE_TRUNC('day', sales.sold_date) AS metric_time__day, shop_id AS shop, units AS __units, orders AS __orders
  FROM sales
)
SELECT COALESCE(a.shop, b.shop) AS shop, COALESCE(a.metric_time__day, b.metric_time__day) AS metric_time__day,
  MAX(a.units) AS units, MAX(b.orders) AS orders
FROM (SELECT shop, metric_time__day, SUM(__units) AS units FROM sma_1_cte
  WHERE metric_time__day BETWEEN '2026-02-01' AND '2026-02-03' GROUP BY shop, metric_time__day) a
FULL OUTER JOIN (SELECT shop, metric_time__day, SUM(__orders) AS orders FROM sma_1_cte
  WHERE metric_time__day BETWEEN '2026-02-01' AND '2026-02-03' GROUP BY shop, metric_time__day) b
ON a.shop = b.shop AND a.metric_time__day = b.metric_time__day
GROUP BY COALESCE(a.shop, b.shop), COALESCE(a.metric_time__day, b.metric_time__day)
"""


@pytest.fixture
def sales() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute(
        "create table sales as select 's' as shop_id, date '2026-01-01' + (n % 60)::int as sold_date, "
        "n % 7 as units, n % 3 as orders from range(600) as numbers(n)"
    )
    return connection


def test_the_answer_and_its_types_stay(sales: duckdb.DuckDBPyConnection) -> None:
    before = sales.execute(OF_DAYS + " order by all").fetchall()
    after = sales.execute(f"from ({pruned(OF_DAYS, {'sold_date'})}) order by all").fetchall()
    first = datetime.fromisoformat("2026-02-01")
    assert [row[1] for row in after] == [first + timedelta(days=n) for n in range(3)]
    assert after == before
    assert {type(row[1]) for row in after} == {datetime}


def test_only_the_days_asked_for_are_read(sales: duckdb.DuckDBPyConnection) -> None:
    plan = sales.execute("explain " + pruned(OF_DAYS, {"sold_date"})).fetchall()[0][1]
    compact = plan.replace(" ", "").replace("\n", "").replace("│", "")
    assert "date_trunc" not in compact
    assert "CTE" not in plan


def test_columns_with_a_time_of_day_are_truncated_still() -> None:
    assert "DATE_TRUNC('day', sales.sold_date)" in pruned(OF_DAYS, {"another_date"})


def test_time_dimensions_of_the_models_are_dates(semantic_manifest: dict[str, Any]) -> None:
    types = {
        (model["name"], column["name"]): column.get("data_type")
        for file in (PROJECT_ROOT / "dbt" / "models").rglob("*.yml")
        for model in yaml.safe_load(file.read_text()).get("models") or ()
        for column in model.get("columns") or ()
    }
    dimensions = {
        (model["node_relation"]["alias"], dimension["expr"] or dimension["name"])
        for model in semantic_manifest["semantic_models"]
        for dimension in model["dimensions"]
        if dimension["type"] == "time"
    }
    assert len(dimensions) > 5
    assert {key: types.get(key) for key in dimensions} == dict.fromkeys(dimensions, "date")
