"""One shop whose numbers do not add up keeps its last marts, named with the test; the other shop gets its new ones."""

from __future__ import annotations

from typing import Any

import pytest

from jishi import tables
from jishi.held_back import all_held_back, held_back
from jishi.lake.query import open_lake
from jishi.marts import mart_rows
from jishi.paths import Paths
from jishi.shops import Shops
from ops import marts
from ops.marts_file import PUBLISHED, published_inputs
from quality import watch
from tests.lake import newest, settings_in

pytestmark = pytest.mark.integration


def rows_of(paths: Paths, shop_id: str) -> dict[str, Any]:
    """Every published row of a shop, by table, features among them."""
    lake = newest(paths.var)
    rows: dict[str, Any] = {}
    for table in PUBLISHED:
        columns = mart_rows(lake, f"select column_name from duckdb_columns() where table_name = '{table}'")
        if {"column_name": "shop_id"} in columns:
            rows[table] = sorted(mart_rows(lake, f"select * from {table} where shop_id = ?", shop_id), key=str)
    with open_lake(lake) as connection:
        for table in ("features_person_daily", "features_item_daily", "customers_thresholds"):
            if lake.has(table.replace("_", "/", 1)):
                of_shop = f"select * from {table} where shop_id = '{shop_id}' order by all"
                rows[table] = connection.execute(of_shop).fetchall()
    return rows


def test_one_shop_is_refused_and_the_others_are_built(paths: Paths, silver: Any) -> None:
    settings = settings_in(paths.var)
    items, orders = silver.of(tables.SILVER_ITEMS), silver.of(tables.SILVER_ORDERS)
    silver.publish(paths.var)
    marts.build(settings, lambda line: None)
    before = {shop_id: rows_of(paths, shop_id) for shop_id in ("a", "b")}
    assert len(before["a"]) > 30
    assert all(before[shop_id][table] for shop_id in "ab" for table in ("fct_orders", "features_person_daily"))

    renamed = [item | {"title": f"new {item['item_id']}"} for item in items]
    broken = [order | ({"paid_minor": order["paid_minor"] * 100} if order["shop_id"] == "b" else {}) for order in orders]
    silver.publish(paths.var, {tables.SILVER_ITEMS: renamed, tables.SILVER_ORDERS: broken})
    lines: list[str] = []
    marts.build(settings, lines.append)
    assert any(line.startswith("shop b is held back") for line in lines)
    after = {shop_id: rows_of(paths, shop_id) for shop_id in ("a", "b")}
    assert after["b"] == before["b"]
    assert {row["title"] for row in after["a"]["dim_items"] if row["title"]} == {item["title"] for item in renamed}
    held = held_back(paths, "b")
    assert held is not None
    assert "orders_as_they_came_equal_their_lines" in {finding.check for finding in held.findings}
    assert any("order_id o" in sample for finding in held.findings for sample in finding.sample)
    assert [each.shop_id for each in all_held_back(paths)] == ["b"]
    assert "held.b" in {problem.name for problem in watch._held_back(settings, held.since)}

    assert published_inputs(newest(paths.var)) == "", "the next build tries the shop again although nothing has changed"

    again = [item | {"title": f"newer {item['item_id']}"} for item in items]
    silver.publish(paths.var, {tables.SILVER_ITEMS: again, tables.SILVER_ORDERS: broken})
    lines.clear()
    marts.build(settings, lines.append)
    assert lines[0].startswith("continues version"), "one shop that is held back costs the others no full build"
    assert any(line.startswith("shop b is held back") for line in lines)
    assert rows_of(paths, "b") == before["b"]
    assert titles_of(paths, "a") == {item["title"] for item in again}

    silver.publish(paths.var, {tables.SILVER_ITEMS: renamed})
    lines.clear()
    marts.build(settings, lines.append)
    assert any(line.startswith("full build: tests refuse b no longer") for line in lines)
    assert list(all_held_back(paths)) == []
    assert titles_of(paths, "b") == {item["title"] for item in renamed}
    assert rows_of(paths, "a") == after["a"]


def titles_of(paths: Paths, shop_id: str) -> set[str]:
    return {row["title"] for row in rows_of(paths, shop_id)["dim_items"] if row["title"]}


def test_a_shop_that_is_not_registered_concerns_itself_alone(paths: Paths, silver: Any) -> None:
    settings = settings_in(paths.var)
    items = silver.of(tables.SILVER_ITEMS)
    silver.publish(paths.var)
    registered = Shops.load(paths.shops_file)
    without = Shops(shops={shop_id: shop for shop_id, shop in registered.shops.items() if shop_id != "b"})
    without.save(paths.shops_file)
    marts.build(settings, lambda line: None)  # of a platform without marts, too
    assert rows_of(paths, "a")["fct_orders"]
    assert not any(rows_of(paths, "b").values())
    [held] = all_held_back(paths)
    assert (held.shop_id, held.findings[0].check) == ("b", "registered")
    assert "jishi shops create b" in held.findings[0].repair

    registered.save(paths.shops_file)
    marts.build(settings, lambda line: None)
    assert list(all_held_back(paths)) == []
    before = rows_of(paths, "b")
    assert before["fct_orders"]

    without.save(paths.shops_file)
    renamed = [item | {"title": f"new {item['item_id']}"} for item in items]
    silver.publish(paths.var, {tables.SILVER_ITEMS: renamed})
    lines: list[str] = []
    marts.build(settings, lines.append)
    assert lines[0].startswith("full build: shops have left the registry or come back to it: b")
    assert titles_of(paths, "a") == {item["title"] for item in renamed}
    assert rows_of(paths, "b") == before
    assert [held.shop_id for held in all_held_back(paths)] == ["b"]
