"""Orders of the log: what was just paid, what was bought, and which records are orders."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any, get_args

import orjson
import pytest

from jishi.contract import record_of
from jishi.placements import Placement
from jishi.rules.selection import Selection
from serving.item_filter import ItemFilter
from serving.log_records import Lateness, order_of
from serving.orders import JUST_PAID_S, LiveOrders, PaidOrder
from serving.request import Request

LATENESS = Lateness(allowed_lateness_s=30, future_tolerance_s=5)
AT_MS = 1_793_491_200_000
LINES = [{"item_id": item_id, "quantity": 1, "unit_price_minor": 100} for item_id in ("i1", "i2", "i1")]
EVENT: dict[str, Any] = {
    "event_id": "e1",
    "shop_id": "a",
    "type": "order_paid",
    "occurred_at": "2026-11-01T00:00:00.000Z",
    "user_id": "7",
    "anonymous_id": "d",
    "properties": {"order_id": "o1", "currency": "CNY", "lines": LINES},
}


def record(event: dict[str, Any], **fields: Any) -> bytes:
    built, _ = record_of(event, shop_id="a", collector_id="c", seq=0, collected_at_ms=AT_MS)
    return orjson.dumps({**built, **fields})


def order(order_id: str, *items: str, person: str = "u:7", shop_id: str = "a", at_ms: int = AT_MS) -> PaidOrder:
    return PaidOrder(shop_id, order_id, items, (person,), at_ms)


def test_a_paid_order_is_known_by_its_items_and_both_ids_of_the_person() -> None:
    assert order_of(record(EVENT), AT_MS + 9, LATENESS) == PaidOrder("a", "o1", ("i1", "i2"), ("u:7", "a:d"), AT_MS + 9)


@pytest.mark.parametrize(
    "value",
    [
        record(EVENT, invalid_reason="claim"),  # a page may not say that an order was paid
        record(EVENT | {"properties": {"order_id": "o1"}}),
        record(EVENT | {"occurred_at": "2026-11-01T00:00:06.000Z"}),
        record({**EVENT, "type": "search_performed", "properties": {"query": '"order_paid"'}}),
        b"{",
    ],
)
def test_what_is_no_order_that_counts_is_not_remembered(value: bytes) -> None:
    assert order_of(value, AT_MS, LATENESS) is None


def test_the_named_order_else_the_last_one_within_half_an_hour_was_just_paid() -> None:
    orders = LiveOrders()
    for each in (
        order("o1", "x"),
        order("o2", "y", at_ms=AT_MS + 5),
        order("o3", "z", person="u:8"),
        order("o4", "q", shop_id="b"),
    ):
        orders.put(each)
    assert orders.just_paid("a", "o1", ["u:7"], AT_MS) == ("x",)
    assert orders.just_paid("a", "o1", [], AT_MS) == ("x",)  # a guest's
    assert orders.just_paid("a", " o1 ", [], AT_MS) == ("x",), "events have ids trimmed"
    assert orders.just_paid("a", None, ["a:d", "u:7"], AT_MS + 6) == ("y",)
    assert orders.just_paid("a", "on-its-way", ["u:7"], AT_MS + 6) == ("y",)
    assert orders.just_paid("a", "o4", ["u:7"], AT_MS + 6) == ("y",)  # of another shop
    assert orders.just_paid("a", None, ["u:7"], AT_MS + 5 + JUST_PAID_S * 1000) == ("y",)
    assert orders.just_paid("a", None, ["u:7"], AT_MS + 6 + JUST_PAID_S * 1000) == ()
    assert orders.bought("a", ["u:7", "u:8"]) == {"x", "y", "z"}


def test_an_order_that_is_delivered_twice_counts_once_and_the_oldest_is_forgotten_first() -> None:
    orders = LiveOrders(most=2)
    for each in (order("o1", "x"), order("o2", "y"), order("o1", "x"), order("o3", "z")):
        orders.put(each)
    assert orders.bought("a", ["u:7"]) == {"y", "z"}
    assert orders.just_paid("a", "o1", [], AT_MS) == ()
    assert orders.just_paid("a", None, ["u:7"], AT_MS) == ("z",)
    for number in range(5):
        orders.put(order(f"p{number}", "w", person="u:9"))
    assert orders.bought("a", ["u:7"]) == set()


@pytest.mark.parametrize("placement", get_args(Placement))
def test_what_was_paid_a_moment_ago_is_offered_nowhere_unless_it_is_soon_bought_again(
    api: Any, shop: Any, placement: Placement
) -> None:
    now_ms = time.time_ns() // 1_000_000
    page = "i20" if placement == "item" else None
    only = ItemFilter(Selection(item_ids=tuple(f"i{number}" for number in range(30))))
    asked = Request("a", placement, 30, ("u:7",), page, only=only)
    for each in (order("last", "i1", at_ms=now_ms), order("but one", "i2", "i3", at_ms=now_ms - 1_000)):
        api.engine.orders.put(each)
    api.engine.orders.put(order("an hour ago", "i4", at_ms=now_ms - 3_600_000))
    shop.model.bought_again = [2]

    def offered(request: Request) -> set[str]:
        return {one.item.item_id for one in api.engine.answer(request, "r1").items} & {"i1", "i2", "i3", "i4"}

    assert offered(asked) == {"i2", "i4"}
    assert offered(replace(asked, excludes_purchased=False)) >= {"i1", "i2", "i4"}
    assert offered(replace(asked, excludes_purchased=True)) == set()
    assert offered(asked.of_nobody()) == offered(replace(asked, persons=("u:8",))) == {"i1", "i2", "i3", "i4"}


def test_orders_just_paid_are_read_again_after_a_restart(api: Any) -> None:
    just_paid_ms = time.time_ns() // 1_000_000 - JUST_PAID_S * 1000
    for covered_ms in (5, just_paid_ms + 1_000_000, None):
        api.engine.watcher.covered_ms = lambda covered_ms=covered_ms: covered_ms
        begins_ms = api.engine.log_begins_ms()
        assert begins_ms == covered_ms if covered_ms != just_paid_ms + 1_000_000 else 0 <= begins_ms - just_paid_ms < 60_000
