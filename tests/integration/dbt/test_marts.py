"""Numbers of the marts against plain Python over the same silver rows: an independent second reading of each definition."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from jishi import tables
from jishi.marts import mart_rows
from jishi.paths import Paths
from tests.lake import newest

pytestmark = pytest.mark.integration
Key = tuple[str, date]


def by_day(rows: list[dict[str, Any]], column: str) -> dict[Key, list[dict[str, Any]]]:
    by_key: dict[Key, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        by_key[row["shop_id"], row[column]].append(row)
    return by_key


def test_days_of_the_shops(built: Paths, silver: Any) -> None:
    events = by_day([e for e in silver.of(tables.SILVER_EVENTS) if e["type"] != "order_refunded"], "occurred_date")
    visits = by_day(silver.of(tables.SILVER_SESSIONS), "started_date")
    orders = by_day(silver.of(tables.SILVER_ORDERS), "paid_date")
    refunds = by_day(silver.of(tables.SILVER_REFUNDS), "refunded_date")
    expected = {}
    for shop_id, day in events.keys() | visits.keys() | orders.keys() | refunds.keys():
        key = (shop_id, day)
        paid = sum(o["paid_minor"] for o in orders[key])
        back = sum(r["amount_minor"] for r in refunds[key])
        window = [
            o["person_id"]
            for (other, paid_date), of_day in orders.items()
            for o in of_day
            if other == shop_id and 0 <= (day - paid_date).days < 30
        ]
        repeated = [person for person, n in Counter(window).items() if n >= 2]
        paying = sum(v["orders"] > 0 for v in visits[key])
        expected[key] = {
            "visitors": len({e["person_id"] for e in events[key]}),
            "page_views": sum(e["type"] == "item_viewed" for e in events[key]),
            "sessions": len(visits[key]),
            "paying_sessions": paying,
            "orders": len(orders[key]),
            "paying_customers": len({o["person_id"] for o in orders[key]}),
            "gross_minor": sum(o["gross_minor"] for o in orders[key]),
            "discount_minor": sum(o["discount_minor"] for o in orders[key]),
            "gmv_minor": paid,
            "refunds_minor": back,
            "net_gmv_minor": paid - back,
            "aov_minor": paid / len(orders[key]) if orders[key] else None,
            "conversion": paying / len(visits[key]) if visits[key] else None,
            "customers_30d": len(set(window)),
            "repeat_customers_30d": len(repeated),
            "repurchase_rate_30d": len(repeated) / len(set(window)) if window else None,
        }
    rows = mart_rows(newest(built.var), "select * from fct_shop_days")
    by_key = {(row.pop("shop_id"), row.pop("shop_date")): row for row in rows}
    assert by_key == expected
    assert len(rows) == len(by_key)
    # The data holds what the rules are about: refunds on days without orders, repeat customers, days without visits.
    assert any(row["refunds_minor"] and not row["orders"] for row in by_key.values())
    assert any(row["repeat_customers_30d"] for row in by_key.values())
    assert any(row["conversion"] is None for row in by_key.values())


def test_orders_are_net_of_their_refunds_and_numbered_for_each_person(built: Paths, silver: Any) -> None:
    orders = silver.of(tables.SILVER_ORDERS)
    refunded: Counter[tuple[str, str]] = Counter()
    for refund in silver.of(tables.SILVER_REFUNDS):
        refunded[refund["shop_id"], refund["order_id"]] += refund["amount_minor"]
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
        assert (row["paid_minor"], row["refunded_minor"]) == (order["paid_minor"], refunded[key])
        assert row["net_minor"] == order["paid_minor"] - refunded[key]
        assert (row["order_number"], row["is_repeat"]) == (earlier[key] + 1, earlier[key] > 0)
    assert any(n > 1 for n in Counter((r["shop_id"], r["order_id"]) for r in silver.of(tables.SILVER_REFUNDS)).values())


def test_the_funnel_is_nested(built: Paths, silver: Any) -> None:
    steps = ("views", "adds", "checkouts", "orders")
    names = ("viewed_sessions", "cart_sessions", "checkout_sessions", "paid_sessions")
    expected = {}
    for key, visits in by_day(silver.of(tables.SILVER_SESSIONS), "started_date").items():
        reached = [sum(all(visit[step] > 0 for step in steps[: depth + 1]) for visit in visits) for depth in range(len(steps))]
        expected[key] = {"sessions": len(visits), **dict(zip(names, reached, strict=True))}
    rows = mart_rows(newest(built.var), "select * from fct_funnel_days")
    assert {(row.pop("shop_id"), row.pop("shop_date")): row for row in rows} == expected
    assert sum(row["paid_sessions"] for row in expected.values()) > 0


SEGMENTS = {
    "RFM": ("champions", "重要价值"),
    "RfM": ("big spenders to develop", "重要发展"),
    "rFM": ("valuable, going quiet", "重要保持"),
    "rfM": ("big spenders to win back", "重要挽留"),
    "RFm": ("loyal, small baskets", "一般价值"),
    "Rfm": ("new or promising", "一般发展"),
    "rFm": ("regulars going quiet", "一般保持"),
    "rfm": ("lost", "一般挽留"),
}


def score(value: Any, all_values: list[Any]) -> int:
    """1 to 5 by the share of the others that are below; equal values, equal scores."""
    below = sum(other < value for other in all_values)
    return min(5, 1 + 5 * below // max(1, len(all_values) - 1))


def test_customers_and_their_segments(built: Paths, silver: Any) -> None:
    refunded: Counter[tuple[str, str]] = Counter()
    for refund in silver.of(tables.SILVER_REFUNDS):
        refunded[refund["shop_id"], refund["order_id"]] += refund["amount_minor"]
    of_person: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    last_day: dict[str, date] = {}
    for order in silver.of(tables.SILVER_ORDERS):
        of_person[order["shop_id"], order["person_id"]].append(order)
        last_day[order["shop_id"]] = max(last_day.get(order["shop_id"], order["paid_date"]), order["paid_date"])
    facts = {
        (shop_id, person_id): (
            -(last_day[shop_id] - max(o["paid_date"] for o in mine)).days,
            len(mine),
            sum(o["paid_minor"] - refunded[shop_id, o["order_id"]] for o in mine),
        )
        for (shop_id, person_id), mine in of_person.items()
    }
    rows = mart_rows(newest(built.var), "select * from dim_customers")
    assert {(row["shop_id"], row["person_id"]) for row in rows} == facts.keys()
    for row in rows:
        key = (row["shop_id"], row["person_id"])
        peers = [fact for (shop_id, _), fact in facts.items() if shop_id == row["shop_id"]]
        scores = [score(facts[key][place], [peer[place] for peer in peers]) for place in range(3)]
        assert (-row["recency_days"], row["orders"], row["spent_minor"]) == facts[key]
        assert [row["recency_score"], row["frequency_score"], row["monetary_score"]] == scores
        letters = "".join(name.upper() if s >= 3 else name for name, s in zip("rfm", scores, strict=True))
        assert (row["segment"], row["segment_zh"]) == SEGMENTS[letters]
        assert row["first_paid_date"] == min(o["paid_date"] for o in of_person[key])


def test_items_hold_what_was_viewed_and_sold(built: Paths, silver: Any) -> None:
    rows = mart_rows(newest(built.var), "select * from dim_items")
    assert len(rows) == len(silver.of(tables.SILVER_ITEMS))
    for row in rows:
        key = (row["shop_id"], row["item_id"])
        sold = [line for line in silver.of(tables.SILVER_ORDER_LINES) if (line["shop_id"], line["item_id"]) == key]
        views = [
            e for e in silver.of(tables.SILVER_EVENTS) if e["type"] == "item_viewed" and (e["shop_id"], e.get("item_id")) == key
        ]
        assert (row["views"], row["orders"], row["units"], row["revenue_minor"]) == (
            len(views),
            len({line["order_id"] for line in sold}),
            sum(line["quantity"] for line in sold),
            sum(line["net_minor"] for line in sold),
        )


def test_daily_features_know_only_what_was_known(built: Paths, silver: Any, working: Any) -> None:
    month = timedelta(days=30)
    orders, events = silver.of(tables.SILVER_ORDERS), silver.of(tables.SILVER_EVENTS)
    expected: dict[tuple[str, str, datetime], tuple[Any, ...]] = {}
    for shop_id in ("a", "b"):
        last = max(e["occurred_at"] for e in events if e["shop_id"] == shop_id)
        midnight = datetime.combine(last.date() + timedelta(days=1), datetime.min.time())
        for at in (midnight - timedelta(days=7 * week) for week in range(9)):
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
                days = [(at.date() - o["paid_at"].date()).days for o in bought[person_id]]
                expected[shop_id, person_id, at] = (
                    len(recent),
                    sum(o["units"] for o in recent),
                    sum(o["paid_minor"] for o in recent),
                    len(viewed[person_id]),
                    min(days, default=None),
                )
    rows = working.execute(
        "select shop_id, person_id, event_timestamp, orders_30d, units_30d, spent_minor_30d, views_30d, days_since_last_order "
        "from person_daily"
    ).fetchall()
    assert {row[:3]: row[3:] for row in rows} == expected
