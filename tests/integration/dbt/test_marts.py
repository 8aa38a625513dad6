"""Numbers of the marts against plain Python over the same silver rows: an independent second reading of each definition."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from jishi import tables
from jishi.marts import mart_rows
from jishi.paths import Paths
from tests.integration.dbt.conftest import at_home
from tests.lake import newest

pytestmark = pytest.mark.integration
Key = tuple[str, date]


def by_day(rows: list[dict[str, Any]], column: str) -> dict[Key, list[dict[str, Any]]]:
    by_key: dict[Key, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        by_key[row["shop_id"], row[column]].append(row)
    return by_key


def added(rows: list[dict[str, Any]], name: str) -> int:
    """Σ of an amount in the home currency, over the rows that have one."""
    return sum(at_home(row, name) or 0 for row in rows)


def refunded_of_orders(silver: Any) -> Counter[tuple[str, str]]:
    """What counts of the refunds of each order, in the home currency."""
    orders = {(o["shop_id"], o["order_id"]): o for o in silver.of(tables.SILVER_ORDERS)}
    refunded: Counter[tuple[str, str]] = Counter()
    for refund in silver.of(tables.SILVER_REFUNDS):
        key = (refund["shop_id"], refund["order_id"])
        if key in orders:
            refunded[key] += at_home(refund, "counted_minor", orders[key]) or 0
    return refunded


def refund_at_home(refund: dict[str, Any], orders: dict[tuple[str, str], dict[str, Any]]) -> int:
    order = orders.get((refund["shop_id"], refund["order_id"]))
    return 0 if order is None else at_home(refund, "counted_minor", order) or 0


def test_orders_are_net_of_their_refunds_and_numbered_for_each_person(built: Paths, silver: Any) -> None:
    orders = silver.of(tables.SILVER_ORDERS)
    refunded = refunded_of_orders(silver)
    earlier = {
        (o["shop_id"], o["order_id"]): sum(
            (other["paid_at"], other["order_id"]) < (o["paid_at"], o["order_id"])
            for other in orders
            if (other["shop_id"], other["person_id"]) == (o["shop_id"], o["person_id"])
        )
        for o in orders
    }
    by_key = {(r["shop_id"], r["order_id"]): r for r in mart_rows(newest(built.var), "select * from fct_orders")}
    assert by_key.keys() == earlier.keys()
    for order in orders:
        key = (order["shop_id"], order["order_id"])
        row = by_key[key]
        paid = at_home(order, "paid_minor")
        assert (row["currency"], row["paid_in_currency_minor"]) == (order["currency"], order["paid_minor"])
        assert (row["paid_minor"], row["refunded_minor"]) == (paid, None if paid is None else refunded[key])
        assert row["net_minor"] == (None if paid is None else paid - refunded[key])
        amounts = [at_home(order, name) for name in ("gross_minor", "discount_minor", "shipping_minor")]
        assert [row[name] for name in ("gross_minor", "discount_minor", "shipping_minor")] == amounts
        assert (row["order_number"], row["is_repeat"]) == (earlier[key] + 1, earlier[key] > 0)
        back = [r for r in silver.of(tables.SILVER_REFUNDS) if (r["shop_id"], r["order_id"]) == key]
        assert row["is_wholly_refunded"] == (sum(r["counted_minor"] for r in back) == order["paid_minor"])
        assert row["refunds"] == sum(r["counted_minor"] > 0 for r in back)
    assert 0 < sum(row["is_wholly_refunded"] for row in by_key.values()) < len(by_key)
    assert any(n > 1 for n in Counter((r["shop_id"], r["order_id"]) for r in silver.of(tables.SILVER_REFUNDS)).values())


def test_the_funnel_adds_up_over_channels_devices_and_kinds_of_visitors(built: Paths, silver: Any) -> None:
    visits = [v for v in silver.of(tables.SILVER_SESSIONS) if v["events"] > v["orders"] and v["person_id"] != "bot"]
    first: dict[tuple[str, str], str] = {}
    for visit in sorted(silver.of(tables.SILVER_SESSIONS), key=lambda v: (v["started_at"], v["session_key"])):
        first.setdefault((visit["shop_id"], visit["person_id"]), visit["session_key"])
    expected: Counter[tuple[Any, ...]] = Counter()
    paying: Counter[tuple[Any, ...]] = Counter()
    for visit in visits:
        is_new = first[visit["shop_id"], visit["person_id"]] == visit["session_key"]
        cell = visit["shop_id"], visit["started_date"], visit.get("channel"), visit["device"], "new" if is_new else "returning"
        expected[cell] += 1
        paying[cell] += visit["orders"] > 0
    rows = mart_rows(newest(built.var), "select * from fct_funnel_days")
    cells = {(r["shop_id"], r["shop_date"], r["channel"], r["device"], r["visitor_type"]): r for r in rows}
    assert {cell: row["sessions"] for cell, row in cells.items()} == expected
    assert {cell: row["paying_sessions"] for cell, row in cells.items()} == dict(paying)
    for path in ("paid_sessions", "paid_without_cart_sessions", "paid_otherwise_sessions"):
        assert sum(row[path] for row in rows) > 0, path


def test_items_hold_what_was_viewed_and_sold(built: Paths, silver: Any) -> None:
    rows = mart_rows(newest(built.var), "select * from dim_items")
    order_items = mart_rows(newest(built.var), "select * from fct_order_items")
    assert len(rows) == len(silver.of(tables.SILVER_ITEMS))
    for row in rows:
        key = (row["shop_id"], row["item_id"])
        sold = [item for item in order_items if (item["shop_id"], item["item_id"]) == key]
        views = [
            e
            for e in silver.of(tables.SILVER_EVENTS)
            if e["type"] == "item_viewed" and (e["shop_id"], e.get("item_id")) == key and e["person_id"] != "bot"
        ]
        is_known = not sold or any(item["revenue_minor"] is not None for item in sold)
        assert (row["views"], row["orders"], row["units"], row["revenue_minor"], row["refunded_minor"]) == (
            len(views),
            len({item["order_id"] for item in sold}),
            sum(line["quantity"] for line in silver.of(tables.SILVER_ORDER_LINES) if (line["shop_id"], line["item_id"]) == key),
            sum(item["revenue_minor"] or 0 for item in sold) if is_known else None,
            sum(item["refunded_minor"] or 0 for item in sold) if is_known else None,
        )


def test_daily_features_know_only_what_was_known(built: Paths, silver: Any, working: Any) -> None:
    month = timedelta(days=30)
    orders, events = silver.of(tables.SILVER_ORDERS), silver.of(tables.SILVER_EVENTS)
    expected: dict[tuple[str, str, datetime], tuple[Any, ...]] = {}
    for shop_id in ("a", "b"):
        last = max(e["occurred_at"] for e in events if e["shop_id"] == shop_id)
        midnight = datetime.combine(last.date() + timedelta(days=1), datetime.min.time())
        monday = midnight - timedelta(days=1 + last.weekday())
        for at in (midnight, *(monday - timedelta(days=7 * week) for week in range(8))):
            bought, viewed = defaultdict(list), defaultdict(list)
            for o in orders:
                if o["shop_id"] == shop_id and o["paid_at"] < at and o["received_at"] < at:
                    bought[o["person_id"]].append(o)
            for e in events:
                is_known = e["shop_id"] == shop_id and at - month <= e["occurred_at"] < at and e["received_at"] < at
                if is_known and e["type"] == "item_viewed":
                    viewed[e["person_id"]].append(e)
            for person_id in bought.keys() | viewed.keys():
                recent = [o for o in bought[person_id] if o["paid_at"] >= at - month]
                paid_ms = [round(o["paid_at"].replace(tzinfo=UTC).timestamp() * 1000) for o in bought[person_id]]
                expected[shop_id, person_id, at] = (
                    len(recent),
                    sum(o["units"] for o in recent),
                    added(recent, "paid_minor"),
                    len(viewed[person_id]),
                    max(paid_ms, default=None),
                )
    rows = working.execute(
        "select shop_id, person_id, event_timestamp, orders_30d, units_30d, spent_minor_30d, views_30d, last_order_at_ms "
        "from person_daily"
    ).fetchall()
    assert {row[:3]: row[3:] for row in rows} == expected
