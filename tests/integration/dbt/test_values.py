"""Forecasts go from the marts through the lake into the next marts, and only when they have changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from jishi import tables
from jishi.lake.query import open_lake
from jishi.marts import mart_rows
from jishi.shops import Shops
from models.lifetime.__main__ import publish_forecast
from ops import marts
from tests.integration.dbt.conftest import make_paths, make_silver
from tests.lake import newest, settings_in

pytestmark = pytest.mark.integration


def test_the_next_marts_show_what_was_forecast_from_these(tmp_path: Path) -> None:
    platform, lines = make_paths(tmp_path), list[str]()
    settings = settings_in(platform.var)
    make_silver(seed=5, visits=500, persons=60).publish(platform.var, {schema: [] for schema in tables.FORECASTS})
    marts.build(settings, lines.append)
    assert mart_rows(newest(platform.var), "from fct_customer_values") == []
    outcomes = publish_forecast(settings)
    assert outcomes.keys() == {"a", "b"}
    assert all(outcome.endswith("customers") for outcome in outcomes.values()), outcomes
    published = newest(platform.var)
    publish_forecast(settings)
    assert newest(platform.var).number == published.number
    # b sells in euros now: what was forecast in yuan says nothing about it.
    with Shops.edit(platform.shops_file) as shops:
        shops.add(shops.get("b").model_copy(update={"currency": "EUR"}))
    marts.build(settings, lines.append)
    rows = mart_rows(newest(platform.var), "select * from fct_customer_values order by person_id")
    customers = mart_rows(
        newest(platform.var), "select person_id from dim_customers where shop_id = 'a' and kept_orders > 0 order by person_id"
    )
    assert [row["person_id"] for row in rows] == [row["person_id"] for row in customers]
    with open_lake(published) as connection:
        view = tables.CUSTOMER_VALUES.name.replace("/", "_")
        stored = connection.execute(
            f"select person_id, expected_value_minor from {view} where shop_id = 'a' order by 1"
        ).fetchall()
    assert [(row["person_id"], row["expected_value_minor"]) for row in rows] == stored
    assert {row["shop_id"] for row in mart_rows(newest(platform.var), "from fct_value_calibration")} == {"a", "b"}
    purchases = mart_rows(newest(platform.var), "select sum(net_minor) as net from fct_customer_purchases where shop_id = 'a'")
    known = mart_rows(
        newest(platform.var),
        "select sum(net_minor) as net from fct_orders join (select shop_id, person_id, purchase_date as paid_date from "
        "fct_customer_purchases where net_minor is not null) using (shop_id, person_id, paid_date) where shop_id = 'a' and "
        "net_minor > 0",
    )
    assert purchases == known
