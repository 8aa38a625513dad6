"""One shop whose numbers do not add up keeps its last marts, named with the test; the other shop gets its new ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from jishi import tables
from jishi.held_back import HeldBack, all_held_back, held_back
from jishi.lake.query import open_lake
from jishi.marts import mart_rows
from jishi.paths import Paths
from jishi.shops import Shops
from ops import marts
from ops.marts_file import PUBLISHED, published_inputs
from quality import watch
from tests.integration.dbt.conftest import Silver, make_paths
from tests.lake import newest, record, settings_in

pytestmark = pytest.mark.integration


@dataclass(frozen=True)
class HeldPlatform:
    """A platform with marts of both shops, built after those that were built while shop b was not registered: their rows by
    shop, and the shops that were held back.
    """

    paths: Paths
    rows_before: dict[str, dict[str, Any]]
    held_before: list[HeldBack]


@pytest.fixture(scope="module")
def platform(silver: Silver, tmp_path_factory: pytest.TempPathFactory) -> HeldPlatform:
    paths = make_paths(tmp_path_factory.mktemp("held"))
    record(paths.var, silver.rows)
    registered = unregister_b(paths)
    marts.build(settings_in(paths.var), lambda line: None)  # of a platform without marts
    rows, held = {shop_id: rows_of(paths, shop_id) for shop_id in ("a", "b")}, list(all_held_back(paths))
    registered.save(paths.shops_file)
    marts.build(settings_in(paths.var), lambda line: None)
    return HeldPlatform(paths, rows, held)


def unregister_b(paths: Paths) -> Shops:
    """Take shop b out of the registry; returns the registry as it was."""
    registered = Shops.load(paths.shops_file)
    Shops(shops={shop_id: shop for shop_id, shop in registered.shops.items() if shop_id != "b"}).save(paths.shops_file)
    return registered


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


def test_a_shop_that_is_not_registered_has_no_marts_and_has_them_once_it_is(platform: HeldPlatform) -> None:
    assert platform.rows_before["a"]["fct_orders"]
    assert not any(platform.rows_before["b"].values())
    [held] = platform.held_before
    assert (held.shop_id, held.findings[0].check) == ("b", "registered")
    assert "jishi shops create b" in held.findings[0].repair
    assert list(all_held_back(platform.paths)) == []
    assert rows_of(platform.paths, "b")["fct_orders"]


def test_one_shop_is_refused_and_the_others_are_built(platform: HeldPlatform, silver: Silver) -> None:
    paths, settings = platform.paths, settings_in(platform.paths.var)
    items, orders = silver.of(tables.SILVER_ITEMS), silver.of(tables.SILVER_ORDERS)
    before = {shop_id: rows_of(paths, shop_id) for shop_id in ("a", "b")}
    assert len(before["a"]) > 30
    assert all(before[shop_id][table] for shop_id in "ab" for table in ("fct_orders", "features_person_daily"))

    renamed = [item | {"title": f"new {item['item_id']}"} for item in items]
    broken = [order | ({"paid_minor": order["paid_minor"] * 100} if order["shop_id"] == "b" else {}) for order in orders]
    record(paths.var, silver.rows | {tables.SILVER_ITEMS: renamed, tables.SILVER_ORDERS: broken})
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
    record(paths.var, silver.rows | {tables.SILVER_ITEMS: again, tables.SILVER_ORDERS: broken})
    lines.clear()
    marts.build(settings, lines.append)
    assert lines[0].startswith("continues version"), "one shop that is held back costs the others no full build"
    assert any(line.startswith("shop b is held back") for line in lines)
    assert rows_of(paths, "b") == before["b"]
    assert titles_of(paths, "a") == {item["title"] for item in again}

    record(paths.var, silver.rows | {tables.SILVER_ITEMS: renamed})
    lines.clear()
    marts.build(settings, lines.append)
    assert any(line.startswith("full build: tests refuse b no longer") for line in lines)
    assert list(all_held_back(paths)) == []
    assert titles_of(paths, "b") == {item["title"] for item in renamed}
    assert rows_of(paths, "a") == after["a"]


def titles_of(paths: Paths, shop_id: str) -> set[str]:
    return {row["title"] for row in rows_of(paths, shop_id)["dim_items"] if row["title"]}


def test_a_shop_that_leaves_the_registry_keeps_its_marts_and_the_other_gets_new_ones(
    platform: HeldPlatform, silver: Silver
) -> None:
    paths = platform.paths
    before = rows_of(paths, "b")
    assert before["fct_orders"]
    unregister_b(paths)
    renamed = [item | {"title": f"last {item['item_id']}"} for item in silver.of(tables.SILVER_ITEMS)]
    record(paths.var, silver.rows | {tables.SILVER_ITEMS: renamed})
    lines: list[str] = []
    marts.build(settings_in(paths.var), lines.append)
    assert lines[0].startswith("full build: shops have left the registry or come back to it: b")
    assert titles_of(paths, "a") == {item["title"] for item in renamed}
    assert rows_of(paths, "b") == before
    assert [held.shop_id for held in all_held_back(paths)] == ["b"]
