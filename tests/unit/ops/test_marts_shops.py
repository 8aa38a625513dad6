"""Failing rows are laid on the shops that they name; where they cannot be, no shop is held and the whole build is refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from jishi.held_back import MARTS, GateFinding, all_held_back, held_back, hold, release
from jishi.paths import Paths
from jishi.shops import Shop, Shops
from jishi.tables import SILVER_EVENTS, SILVER_ITEMS
from ops.dbt import new_database
from ops.marts_shops import HeldShopsUnknown, failing_shops, keep_rows, note_shops, without_registration
from tests.lake import newest, record, settings_in

NOW = datetime(2026, 12, 1, 3, tzinfo=UTC)
FINDING = GateFinding("days_equal_orders", MARTS, None, "3 rows fail", (), "mend it")


@pytest.fixture
def database(tmp_path: Path) -> Path:
    file = tmp_path / "build.duckdb"
    with duckdb.connect(str(file)) as connection:
        connection.execute("create table dim_shops as select unnest(['a', 'b', 'c']) as shop_id")
        connection.execute(
            "create table m as select * from (values ('a', 'o1', 'u:ada', 1), ('a', 'o2', 'u:ada', 2), ('b', 'o3', 'u:b', 3), "
            "('c', 'o4', 'u:c', 4), (null, 'o5', 'u:d', 5)) as rows_of(shop_id, order_id, person_id, amount)"
        )
    return file


def test_each_shop_has_a_finding_for_each_test_that_names_orders_and_nobody(database: Path, tmp_path: Path) -> None:
    failing = {"small": "select * from m where amount < 3", "odd": "select shop_id from m where amount in (1, 3)"}
    held = failing_shops(settings_in(tmp_path), database, failing)
    assert {shop: [(each.check, each.says) for each in findings] for shop, findings in held.items()} == {
        "a": [("small", "2 rows fail"), ("odd", "1 rows fail")],
        "b": [("odd", "1 rows fail")],
    }
    assert held["a"][0].sample == ("order_id o1", "order_id o2")
    assert "ada" not in str(held)


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("select * from m where amount > 3", "name no shop"),
        ("select amount from m where amount = 1", "name no shop"),
        ("select * from m where shop_id is not null", "every shop fails"),
        ("select * from m where false", "name no shop"),
    ],
)
def test_rows_that_cannot_be_laid_on_some_shops_hold_none(database: Path, tmp_path: Path, sql: str, why: str) -> None:
    with pytest.raises(HeldShopsUnknown, match=why):
        failing_shops(settings_in(tmp_path), database, {"a_test": sql})


def test_shops_of_the_lake_that_nobody_registered_are_named_with_the_fix(tmp_path: Path) -> None:
    record(tmp_path, {SILVER_EVENTS: [{"shop_id": "a", "event_id": "e"}], SILVER_ITEMS: [{"shop_id": "it's", "item_id": "i"}]})
    a, its = (Shop.model_construct(shop_id=shop_id, name=shop_id) for shop_id in ("a", "it's"))
    assert without_registration(newest(tmp_path), Shops.model_construct(shops={"a": a, "it's": its})) == {}
    [(shop_id, [finding])] = without_registration(newest(tmp_path), Shops(shops={"a": a})).items()
    assert (shop_id, finding.check, finding.table) == ("it's", "registered", MARTS)
    assert "jishi shops create it's" in finding.repair
    with pytest.raises(HeldShopsUnknown, match="knows no shop of the lake"):
        without_registration(newest(tmp_path), Shops())


def test_sources_are_without_the_shops_that_are_left_out(tmp_path: Path) -> None:
    record(tmp_path, {SILVER_ITEMS: [{"shop_id": shop_id, "item_id": "i"} for shop_id in ("a", "b", "it's")]})
    new_database(newest(tmp_path), Shops(), tmp_path / "build.duckdb", {"it's": (), "b": ()})
    with duckdb.connect(str(tmp_path / "build.duckdb"), read_only=True) as connection:
        assert connection.execute("select shop_id from silver.items").fetchall() == [("a",)]


def test_a_held_shop_keeps_its_rows_and_a_table_with_other_columns_is_refused(tmp_path: Path) -> None:
    earlier = tmp_path / "earlier.duckdb"
    with duckdb.connect(str(earlier)) as connection:
        connection.execute("create table m as select * from (values (1, 'a'), (2, 'b'), (3, 'b')) as rows_of(amount, shop_id)")
        connection.execute("create table n as select 'a' as shop_id")
        connection.execute("create table days as select 1 as day")
    with duckdb.connect() as connection:
        connection.execute(f"attach '{tmp_path / 'published.duckdb'}' as published")
        connection.execute("create table published.main.m as select 'a' as shop_id, 10 as amount union all select 'b', 20")
        connection.execute("create table published.main.n as select 'a' as shop_id, 1 as newer")
        connection.execute("create table published.main.days as select 2 as day")
        keep_rows(connection, ["m", "days"], {"b"}, earlier)
        assert connection.execute("from published.main.m order by all").fetchall() == [("a", 10), ("b", 2), ("b", 3)]
        assert connection.execute("from published.main.days").fetchall() == [(2,)]
        with pytest.raises(HeldShopsUnknown, match="n has other columns"):
            keep_rows(connection, ["n"], {"b"}, earlier)


def test_what_holds_silver_back_and_what_holds_marts_back_go_apart(tmp_path: Path) -> None:
    paths = Paths.of(settings_in(tmp_path))
    of_silver = replace(FINDING, check="volume", table="silver/events", batch="live-2026-11-30")
    hold(paths, "a", [of_silver], NOW)
    note_shops(paths, {"a": [FINDING], "b": [FINDING]}, NOW.replace(hour=4))
    held = held_back(paths, "a")
    assert held is not None
    assert (held.since, held.findings) == (NOW, (of_silver, FINDING))
    release(paths, "a")  # its silver has passed
    note_shops(paths, {"a": [FINDING]}, NOW.replace(hour=5))
    assert [(each.shop_id, each.findings) for each in all_held_back(paths)] == [("a", (FINDING,))]
    hold(paths, "a", [of_silver], NOW)
    note_shops(paths, {}, NOW)
    assert [(each.shop_id, each.findings) for each in all_held_back(paths)] == [("a", (of_silver,))]
    release(paths, "a")
    assert list(all_held_back(paths)) == []
