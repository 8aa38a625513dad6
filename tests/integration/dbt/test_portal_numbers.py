"""The columns that the portal shows are the metrics that it names, on a real build: each day of each shop."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import pytest

from dashboard.portal.columns import COLUMNS
from dashboard.portal.shop_marts import open_shop_marts
from jishi.lake.reading import open_version
from jishi.metrics import open_metrics
from jishi.paths import Paths
from tests.integration.dbt.conftest import ZONES
from tests.lake import settings_in

pytestmark = pytest.mark.integration
DAYS = "fct_shop_days"


def day_of(value: Any) -> date:
    """MetricFlow's day, which is an instant at midnight."""
    return value.date() if isinstance(value, datetime) else value


@pytest.mark.parametrize("shop_id", ZONES)
def test_a_days_columns_equal_their_metrics(built: Paths, shop_id: str) -> None:
    settings = settings_in(built.var)
    layer = open_metrics(open_version(settings))
    with open_shop_marts(settings, shop_id) as marts:
        metrics = {c.name: c.metric for c in COLUMNS.values() if c.metric and marts.has(DAYS, c.name)}
        days = marts.select(DAYS, ["shop_date", *metrics])
    assert len(metrics) > 15
    assert len(days) > 40
    for column, metric in metrics.items():
        rows = layer.rows([metric], ["metric_time__day"], shop_id=shop_id)
        by_day = {day_of(row["metric_time__day"]): row[metric] for row in rows}
        for day in days:
            if column.startswith("repurchase_rate"):  # open until its window is known whole
                assert (day[column] is None) == (by_day.get(day["shop_date"]) is None)
            shown, asked = day[column] or 0, by_day.get(day["shop_date"]) or 0
            assert float(shown) == pytest.approx(float(asked)), (column, day["shop_date"])
