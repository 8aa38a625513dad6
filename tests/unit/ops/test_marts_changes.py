"""What two versions of silver say differently, and when they cannot be compared."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from jishi import tables
from jishi.lake.reading import open_version
from jishi.shops import Shops
from ops.dbt import new_database, write_sources
from ops.marts_changes import CannotCompare, Touched, write_touched
from tests.lake import newest, record, settings_in

AT = datetime(2026, 9, 1, 12)  # noqa: DTZ001 (the lake keeps UTC instants without a zone)
REFUND = {"shop_id": "a", "refund_id": "r", "order_id": "o"}


def event(number: int, **fields: Any) -> dict[str, Any]:
    row = {"shop_id": "a", "event_id": f"e{number}", "person_id": f"p{number}", "occurred_at": AT, "occurred_date": AT.date()}
    return row | {"received_at": AT, "type": "item_viewed"} | fields


@pytest.fixture
def var(tmp_path: Path) -> Path:
    """Ten persons with an event and a visit each, an order with a refund that names no item."""
    record(
        tmp_path,
        {
            tables.SILVER_EVENTS: [event(n) for n in range(10)],
            tables.SILVER_SESSIONS: [
                {"shop_id": "a", "session_key": f"s{n}", "person_id": f"p{n}", "started_at": AT, "ended_at": AT, "views": 1}
                | {"started_date": AT.date()}
                for n in range(10)
            ],
            tables.SILVER_ORDERS: [
                {"shop_id": "a", "order_id": "o", "person_id": "p7", "paid_at": AT, "paid_date": AT.date()},
                {"shop_id": "a", "order_id": "other", "person_id": "p8", "paid_at": AT, "paid_date": AT.date()},
            ],
            tables.SILVER_REFUND_LINES: [REFUND | {"item_id": None, "amount_minor": 1}],
            tables.SILVER_ITEMS: [{"shop_id": "a", "item_id": "i", "category": "c"}],
        },
    )
    return tmp_path


def touched(var: Path, changed: dict[tables.TableSchema, list[dict[str, Any]]]) -> tuple[Touched, set[str]]:
    """What is touched when these tables become others, and which persons."""
    before, database = newest(var), var / "build.duckdb"
    new_database(before, Shops(), database)
    with duckdb.connect(str(database)) as connection:  # what a build has made, without rows
        connection.execute("create table int_shop_months_spanned (shop_id varchar, month date)")
        connection.execute("create table dim_customer_thresholds (shop_id varchar, month date)")
        connection.execute("create table int_as_of_days_chosen (shop_id varchar, event_timestamp timestamp)")
        connection.execute("create table int_customers_acquired (shop_id varchar, order_id varchar)")
        connection.execute("create table int_item_acts_in_visits (shop_id varchar, session_key varchar, item_id varchar)")
        connection.execute("create table fct_item_days (shop_id varchar, shop_date date, item_id varchar)")
        connection.execute("create table int_traffic_days_counted (shop_id varchar, shop_date date)")
        connection.execute("create table fct_order_items (shop_id varchar, order_id varchar, item_id varchar)")
    record(var, changed)
    lake = open_version(settings_in(var))
    write_sources(lake, Shops(), database)
    what = write_touched(database, before, lake, [])
    with duckdb.connect(str(database)) as connection:
        return what, {person for (person,) in connection.execute("select person_id from touched.persons").fetchall()}


def test_the_same_rows_in_other_files_touch_nobody(var: Path) -> None:
    assert touched(var, {tables.SILVER_EVENTS: [event(n) for n in reversed(range(10))]}) == (Touched(0, 0, 0, []), set())


def test_an_event_that_moves_to_another_person_touches_both(var: Path) -> None:
    events = [event(0, person_id="p-other"), *(event(n) for n in range(1, 10))]
    what, persons = touched(var, {tables.SILVER_EVENTS: events})
    assert (what.events, what.days) == (2, 1)
    assert persons == {"p0", "p-other"}


def test_a_refund_line_without_an_item_touches_the_person_of_its_order(var: Path) -> None:
    _, persons = touched(var, {tables.SILVER_REFUND_LINES: [REFUND | {"item_id": None, "amount_minor": 2}]})
    assert persons == {"p7"}


def test_a_new_rate_touches_its_shop_wholly(var: Path) -> None:
    what, persons = touched(var, {tables.BRONZE_FX_RATES: [{"shop_id": "a", "currency": "USD"}]})
    assert what.whole_shops == ["a"]
    assert persons == {f"p{n}" for n in range(10)}


def test_a_file_that_is_gone_cannot_be_compared_with(var: Path) -> None:
    before = newest(var)
    [file] = before.files("silver/events")
    new_database(before, Shops(), var / "build.duckdb")
    Path(file).rename(f"{file}.gone")
    record(var, {tables.SILVER_EVENTS: [event(11)]})
    with pytest.raises(CannotCompare, match="silver/events in version 1 is gone"):
        write_touched(var / "build.duckdb", before, newest(var), [])


def test_much_that_changed_is_a_full_build(var: Path) -> None:
    with pytest.raises(CannotCompare, match="6 of 10 events have changed"):
        touched(var, {tables.SILVER_EVENTS: [event(n, item_id="i" if n < 3 else None) for n in range(10)]})
