"""What the gates of silver refuse, on tables of a real lake with faults put in, and that a refusal is one shop's."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jishi.held_back import GateFinding, accept, all_held_back, held_back
from jishi.lake.query import open_lake
from jishi.paths import Paths
from jishi.tables import SILVER_EVENTS, SILVER_ORDER_LINES, SILVER_ORDERS, TableSchema
from spark_jobs.__main__ import _note_gates
from spark_jobs.audits import AuditFailed
from spark_jobs.gates.history import judged_days, unlike_history
from spark_jobs.silver import events as silver_events
from tests.lake import newest, record

pytestmark = pytest.mark.integration
DAY = date(2026, 11, 20)
BATCH = f"live-{DAY}"
KINDS = ["item_viewed"] * 12 + ["item_added"] * 5 + ["order_paid"] * 3
NOON = datetime(2026, 11, 20, 12)  # noqa: DTZ001 (the lake keeps UTC instants without a zone)
Tables = dict[TableSchema, list[dict[str, Any]]]


def made_day(tables: Tables, shop_id: str, day: date, luck: random.Random, events: int = 400) -> None:
    """A day of a shop: views, adds and orders of two lines of 40 items, each with a price of its own."""
    start = datetime(day.year, day.month, day.day)  # noqa: DTZ001 (the lake keeps UTC instants without a zone)
    for number in range(events):
        kind, at, item = luck.choice(KINDS), start + timedelta(milliseconds=luck.randrange(86_400_000)), luck.randrange(40)
        head = {"shop_id": shop_id, "batch": f"live-{day}", "event_id": f"{shop_id}-{day}-{number}"}
        act = {"type": kind, "occurred_at": at, "received_at": at, "item_id": f"i{item}", "anonymous_id": f"p{number % 97}"}
        tables[SILVER_EVENTS].append(head | act)
        if kind == "order_paid":
            order = head | {"order_id": f"o{day}-{number}", "paid_at": at, "currency": "EUR"}
            tables[SILVER_ORDERS].append(order)
            for line, sold in enumerate((item, (item + 1) % 40), start=1):
                price = (sold + 1) * 100 + luck.randrange(10)
                tables[SILVER_ORDER_LINES].append(
                    order | {"line_number": line, "item_id": f"i{sold}", "unit_price_minor": price}
                )


@pytest.fixture
def tables() -> Tables:
    """Eight weeks of a weekday, the day before and the day itself, of shop ``a``."""
    rows: Tables = {SILVER_EVENTS: [], SILVER_ORDERS: [], SILVER_ORDER_LINES: []}
    luck = random.Random(3)
    for back in (*range(56, 0, -7), 1, 0):
        made_day(rows, "a", DAY - timedelta(days=back), luck)
    return rows


def findings(folder: Path, tables: Tables, now: datetime | None = None) -> list[GateFinding]:
    record(folder, tables)
    with open_lake(newest(folder)) as lake:
        return [finding for _, finding in unlike_history(lake, judged_days({BATCH: ["a", "nobody"], "history": ["a"]}, now))]


def of_day(tables: Tables, schema: TableSchema) -> Iterator[dict[str, Any]]:
    return (row for row in tables[schema] if row["batch"] == BATCH)


def test_a_day_like_others_passes(tmp_path: Path, tables: Tables) -> None:
    assert findings(tmp_path, tables) == []


def test_a_day_that_was_sent_twice_under_new_ids_is_refused(tmp_path: Path, tables: Tables) -> None:
    tables[SILVER_EVENTS] += [row | {"event_id": f"again-{row['event_id']}"} for row in of_day(tables, SILVER_EVENTS)]
    [finding] = findings(tmp_path, tables)
    assert (finding.check, finding.table, finding.batch) == ("repeats", "silver/events", BATCH)
    assert finding.says.startswith("400 of 800 acts repeat")
    assert "again-" in finding.sample[0]
    assert f"--batch {BATCH} --shop a" in finding.repair


def test_twice_the_customers_are_a_sale(tmp_path: Path, tables: Tables) -> None:
    made_day(tables, "a", DAY, random.Random(4), 400)
    twins = list(of_day(tables, SILVER_EVENTS))
    for number, row in enumerate(twins):
        row["event_id"] = f"sale-{number}"
    assert findings(tmp_path, tables) == []


def test_amounts_of_another_currency_are_refused(tmp_path: Path, tables: Tables) -> None:
    for row in of_day(tables, SILVER_ORDER_LINES):
        row["unit_price_minor"] *= 7
    [finding] = findings(tmp_path, tables)
    assert (finding.check, finding.table) == ("prices", "silver/order_lines")
    assert ", before " in finding.sample[0]


def test_half_price_for_everything_is_a_sale(tmp_path: Path, tables: Tables) -> None:
    for row in of_day(tables, SILVER_ORDER_LINES):
        row["unit_price_minor"] //= 2
    assert findings(tmp_path, tables) == []


def test_orders_of_a_currency_that_the_shop_does_not_take_are_refused(tmp_path: Path, tables: Tables) -> None:
    for row in of_day(tables, SILVER_ORDERS):
        row["currency"] = "JPY"
    [finding] = findings(tmp_path, tables)
    assert (finding.check, "in JPY" in finding.says) == ("currency", True)


def test_a_day_without_views_is_refused_when_it_is_over(tmp_path: Path, tables: Tables) -> None:
    for row in of_day(tables, SILVER_EVENTS):
        row["type"] = "item_added" if row["type"] == "item_viewed" else row["type"]
    [finding] = findings(tmp_path, tables)
    assert (finding.check, finding.sample[0].split()[0]) == ("mix", "item_added")
    assert findings(tmp_path, tables, NOON.astimezone()) == []


def test_a_day_that_lost_nearly_all_is_refused_until_the_next_says_the_same(tmp_path: Path, tables: Tables) -> None:
    for schema in tables:
        tables[schema] = [row for row in tables[schema] if row["batch"] != BATCH]
    made_day(tables, "a", DAY, random.Random(5), 12)
    [finding] = findings(tmp_path, tables)
    assert (finding.check, "12 events, usually 400" in finding.says, "collapse" in finding.says) == ("volume", True, True)
    made_day(tables, "a", DAY + timedelta(days=1), random.Random(5), 15)
    assert findings(tmp_path, tables) == []


def test_a_shop_of_three_weeks_is_not_judged(tmp_path: Path, tables: Tables) -> None:
    for schema in tables:
        tables[schema] = [row for row in tables[schema] if row["batch"] >= f"live-{DAY - timedelta(days=21)}"]
    made_day(tables, "a", DAY, random.Random(6), 9_000)
    assert findings(tmp_path, tables) == []


# --- with Spark: what is written is judged before it is published ---


def bought(shop_id: str, number: int, at: str, price: int = 1_000) -> bytes:
    order = {"order_id": f"o{number}", "currency": "CNY"}
    order |= {"lines": [{"item_id": f"i{number % 25}", "quantity": 1, "unit_price_minor": price}]}
    payload = {"event_id": f"e{number}", "type": "order_paid", "shop_id": shop_id, "anonymous_id": f"p{number}"}
    return json.dumps(payload | {"occurred_at": at, "received_at": at, "properties": order}).encode()


def test_a_refused_shop_keeps_its_rows_is_named_and_goes_on_when_a_person_accepts_it(platform: Any) -> None:
    before = {shop: [bought(shop, n, "2026-11-10T10:00:00Z") for n in range(100)] for shop in "ab"}
    platform.land("history", before)
    platform.build("history")
    day = {
        shop: [bought(shop, n, f"{DAY}T10:00:00Z", price) for n in range(100, 125)]
        for shop, price in (("a", 7_000), ("b", 900))
    }
    platform.land(BATCH, day)
    now, paths = NOON.astimezone(), Paths.of(platform.settings)
    built = platform.try_build(BATCH, ["a", "b"], now=now)
    _note_gates(paths, built, BATCH, now)
    assert (built.shops, list(built.failures)) == (["b"], ["a"])
    held = held_back(paths, "a")
    assert held is not None
    assert [(finding.check, finding.sample[0]) for finding in held.findings] == [("prices", "i0 7000, before 1000")]
    assert [each.shop_id for each in all_held_back(paths)] == ["a"]
    assert (len(platform.rows(SILVER_ORDERS, "a")), len(platform.rows(SILVER_ORDERS, "b"))) == (100, 125)
    accept(paths, "a", BATCH, "prices", "the shop sells in sets now", now)
    built = platform.try_build(BATCH, ["a"], now=now)
    _note_gates(paths, built, BATCH, now)
    assert (len(platform.rows(SILVER_ORDERS, "a")), list(all_held_back(paths))) == (125, [])


def test_an_event_that_was_exchanged_for_another_is_missed_by_its_id(platform: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The counts agree, the ids do not."""
    platform.land("history", {shop: [bought(shop, n, "2026-11-10T10:00:00Z") for n in range(3)] for shop in "ab"})

    def exchanged(classified: DataFrame, batch: str, zones: dict[str, str]) -> DataFrame:
        is_lost = (F.col("shop_id") == "b") & (F.col("event_id") == "e1")
        return events(classified, batch, zones).withColumn("event_id", F.when(is_lost, "made").otherwise(F.col("event_id")))

    events = silver_events.events
    monkeypatch.setattr(silver_events, "events", exchanged)
    built = platform.try_build("history")
    assert (built.shops, list(built.failures)) == (["a"], ["b"])
    error = built.failures["b"]
    assert isinstance(error, AuditFailed)
    assert {(finding.check, finding.table, finding.sample) for finding in error.findings} == {
        ("ids", "silver/events", ("seq 1",)),
        ("ids", "silver/events", ("made",)),
    }


def test_orders_that_are_lost_between_events_and_orders_are_named(platform: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    platform.land("history", {"a": [bought("a", n, "2026-11-10T10:00:00Z") for n in range(3)]})
    from spark_jobs.silver import orders

    paid_orders = orders.paid_orders
    monkeypatch.setattr(orders, "paid_orders", lambda reports, known: paid_orders(reports, known).where("order_id <> 'o1'"))
    [error] = platform.try_build("history").failures.values()
    assert [(finding.table, finding.sample) for finding in error.findings] == [("silver/orders", ("o1",))]
