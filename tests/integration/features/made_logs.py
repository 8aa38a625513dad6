"""Logs made by hypothesis: out of order, late, future, doubled, broken, empty, any text, edges of windows and of the calendar.

Each log becomes a shop of its own in one big log, because the shop is part of every key: one run of an engine proves them all.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

# Instants around which something may go wrong: slides and days end there, clocks change, a leap day begins.
EDGES = [
    datetime(2026, 9, 1, tzinfo=UTC),
    datetime(2026, 9, 1, 13, 59, tzinfo=UTC),
    datetime(2026, 10, 25, 1, 0, tzinfo=UTC),
    datetime(2026, 3, 8, 7, 0, tzinfo=UTC),
    datetime(2028, 2, 29, tzinfo=UTC),
    datetime(2028, 2, 29, 23, 59, tzinfo=UTC),
]
ids = st.sampled_from(["a", "b", "c|", "%7C", "项😀", '"\\', "\u0000", " "]) | st.text(
    st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6
)
categories = st.none() | st.sampled_from(["", "裙装", "x|y", "%"])
prices = st.none() | st.sampled_from([0, 1, 3, 10, 2**53 - 1])
offsets_ms = st.sampled_from([-1, 0, 1, 59_999, 60_000, 3_599_999, 3_600_000, 86_399_999, 86_400_000]) | st.integers(
    0, 90_000_000
)
delays_ms = st.sampled_from([0, 1, 100, 29_999, 30_000, 30_001, 120_000, -4_999, -5_000, -5_001]) | st.integers(0, 30_000)


# A stamp of another currency: with amounts, or without a rate.
stamps = st.sampled_from([None, None, "flagged", 0, 7, 2**53 - 1])


def stamp_of(stamp: str | int | None, *names: str) -> dict[str, Any]:
    """The stamp of an event, with the same home amount under each name."""
    if stamp is None:
        return {}
    flag = {"home_currency": "JPY"}
    return flag if stamp == "flagged" else flag | {"fx_rate": "1"} | dict.fromkeys(names, stamp)


def without_none(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


@st.composite
def lines(draw: st.DrawFn) -> dict[str, Any]:
    quantity, price = draw(st.sampled_from([0, 1, 3, 2**53 - 1])), draw(prices) or 0
    return without_none(
        item_id=draw(ids),
        quantity=quantity,
        unit_price_minor=price,
        discount_minor=draw(st.none() | st.sampled_from([1, min(quantity * price, 2**53 - 1)])),
        amount_minor=draw(st.none() | st.just(7)),
        category=draw(categories),
        home_net_minor=draw(st.none() | st.sampled_from([0, 3, 2**53 - 1])),  # read only where the order has a stamp
    )


@st.composite
def contents(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    kind = draw(
        st.sampled_from(["view", "view", "cart", "search", "order", "refund", "share", "open", "group", "shown", "click"])
    )
    item = {"item_id": draw(ids)}
    if kind in ("view", "cart"):
        priced = item | without_none(category=draw(categories), unit_price_minor=draw(prices))
        return ("item_viewed" if kind == "view" else "item_added_to_cart"), priced
    if kind == "search":
        return "search_performed", {"query": draw(st.text(st.characters(exclude_categories=["Cs"]), max_size=5))}
    if kind == "order":
        facts = without_none(share_id=draw(st.none() | ids), shipping_minor=draw(st.none() | st.just(800)))
        facts |= stamp_of(draw(stamps), "home_shipping_minor", "home_discount_minor")
        facts |= {"order_id": "o", "currency": "CNY", "lines": draw(st.lists(lines(), min_size=1, max_size=3))}
        return "order_paid", facts | without_none(discount_minor=draw(st.none() | st.sampled_from([0, 7, 900])))
    if kind == "refund":
        back = [{"item_id": draw(ids), "quantity": 1, "amount_minor": 5}] if draw(st.booleans()) else []
        stamp = stamp_of(draw(stamps), "home_amount_minor")
        return "order_refunded", stamp | {
            "refund_id": "f",
            "order_id": "o",
            "currency": "CNY",
            "amount_minor": 9,
            "lines": back,
        }
    if kind == "share":
        return "item_shared", item | {"share_id": draw(ids)}
    if kind == "open":
        return "share_opened", without_none(share_id=draw(ids), shared_by=draw(st.none() | ids))
    if kind == "group":
        return draw(st.sampled_from(["group_buy_joined", "group_buy_completed"])), item | {
            "group_buy_id": draw(ids),
            "members": 2,
        }
    if kind == "click":
        return "recommendation_clicked", {"request_id": "r", "placement": "p"} | item
    return "recommendation_shown", {"request_id": "r", "placement": "p", "item_ids": draw(st.lists(ids, max_size=3))}


@st.composite
def deliveries(draw: st.DrawFn, edge: datetime, number: int) -> tuple[int, bytes]:
    """One line of a log and when it became known; sometimes broken, sometimes the delivery of an earlier event."""
    occurred = edge + timedelta(milliseconds=draw(offsets_ms))
    received = occurred + timedelta(milliseconds=draw(delays_ms))
    event_type, properties = draw(contents())
    who = draw(st.sampled_from(["user", "user", "device", "both"]))
    event = {
        "event_id": draw(st.sampled_from(["twice", "again", *[f"e{number}"] * 8])),
        "type": event_type,
        "occurred_at": occurred.isoformat(),
        "received_at": received.isoformat(),
        "user_id": draw(ids) if who != "device" else None,
        "anonymous_id": draw(ids) if who != "user" else None,
        "session_id": draw(st.none() | ids),
        "properties": properties,
    }
    broken = draw(st.sampled_from(["no"] * 14 + ["cut", "empty", "untyped"]))
    if broken == "untyped":
        event["properties"] = draw(st.sampled_from([None, 1, {}, {"item_id": 1}]))
    line = json.dumps(without_none(**event), ensure_ascii=draw(st.booleans())).encode()
    line = {"cut": line[: len(line) // 2], "empty": b""}.get(broken, line)
    return round(received.timestamp() * 1000), line


@st.composite
def logs(draw: st.DrawFn) -> list[bytes]:
    edge = draw(st.sampled_from(EDGES))
    rows = [draw(deliveries(edge, number)) for number in range(draw(st.integers(4, 16)))]
    return [line for _, line in sorted(rows, key=lambda delivery: delivery[0])]


def write_made_logs(root: Path, count: int) -> None:
    """``count`` logs as landing folders of shops ``made-0`` …; the same ones in every run."""
    from jishi.landing import ShopFacts, write_landing

    number = 0

    @settings(
        max_examples=count,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(logs())
    def collect(log: list[bytes]) -> None:
        nonlocal number
        facts = ShopFacts(name="made", time_zone="Europe/Berlin", currency="CNY")
        with write_landing(root, f"made-{number}", facts, "hypothesis") as writer:
            # The shop's id comes with its folder: an event of another shop would be refused.
            writer.write(line.replace(b'{"event_id"', f'{{"shop_id": "made-{number}", "event_id"'.encode(), 1) for line in log)
        number += 1

    collect()
