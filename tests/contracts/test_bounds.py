"""What is computed from an order, a refund or a cart is bounded like a field, and refused by name beyond it."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from imports.bronze import LineCounts, bronze_rows
from jishi.contract import Event, Refusal, check_event

MOST = 2**53 - 1  # 9,007,199,254,740,991


def line(quantity: int = 1, price: int = 100, **more: Any) -> dict[str, Any]:
    return {"item_id": "A", "quantity": quantity, "unit_price_minor": price, **more}


def order(*lines: dict[str, Any], **more: Any) -> dict[str, Any]:
    return event("order_paid", {"order_id": "o-1", "currency": "EUR", "lines": list(lines), **more})


def event(name: str, properties: dict[str, Any]) -> dict[str, Any]:
    head = {"event_id": "e-1", "shop_id": "a", "occurred_at": "2026-03-01T10:00:00Z", "user_id": "u"}
    return {**head, "type": name, "properties": properties}


# (what it is, the event, reason, field)
BEYOND = [
    ("2^40 pieces at 2^40", order(line(2**40, 2**40)), "amount_too_large", "properties.lines"),
    ("1,025 lines at 2^53 − 1", order(*[line(1, MOST)] * 1025), "amount_too_large", "properties.lines"),
    ("two lines whose sum is 2^53", order(line(1, MOST), line(1, 1)), "amount_too_large", "properties.lines"),
    ("2^53 pieces in two lines for nothing", order(line(MOST, 0), line(1, 0)), "amount_too_large", "properties.lines"),
    (
        "a price hidden by the line's own amount",
        order(line(2**30, 2**30, amount_minor=5)),
        "amount_too_large",
        "properties.lines",
    ),
    ("amounts of lines", order(*[line(1, 1, amount_minor=2**52)] * 2), "amount_too_large", "properties.lines"),
    ("shipping on top of the largest order", order(line(1, MOST), shipping_minor=1), "amount_too_large", "properties.lines"),
    (
        "discounts of lines with amounts of their own",
        order(*[line(1, 1, discount_minor=MOST, amount_minor=1)] * 2000),
        "amount_too_large",
        "properties.lines",
    ),
    (
        "a discount above the order",
        order(line(1, 100), discount_minor=101),
        "discount_above_order",
        "properties.discount_minor",
    ),
    (
        "shipping does not pay for a discount",
        order(line(1, 100), discount_minor=101, shipping_minor=50),
        "discount_above_order",
        "properties.discount_minor",
    ),
    (
        "a discount above its line",
        order(line(1, 100), line(2, 100, discount_minor=201)),
        "discount_above_order",
        "properties.lines.1.discount_minor",
    ),
    (
        "a refund whose lines add up to 2^53",
        event(
            "order_refunded",
            {
                "refund_id": "r",
                "order_id": "o",
                "currency": "EUR",
                "amount_minor": 1,
                "lines": [{"item_id": "A", "quantity": 1, "amount_minor": 2**52}] * 2,
            },
        ),
        "amount_too_large",
        "properties.lines",
    ),
    (
        "a cart",
        event("item_added_to_cart", {"item_id": "A", "quantity": 2**30, "unit_price_minor": 2**30}),
        "amount_too_large",
        "properties.quantity",
    ),
]


@pytest.mark.parametrize(("what", "raw", "reason", "field"), BEYOND, ids=[case[0] for case in BEYOND])
def test_what_is_beyond_is_refused_by_name_live_and_imported(what: str, raw: Any, reason: str, field: str) -> None:
    refusal = check_event(raw, "a")
    assert isinstance(refusal, Refusal), what
    assert (refusal.reason, refusal.field) == (reason, field)
    counts = LineCounts()
    rows = list(bronze_rows([orjson.dumps(raw)], counts, shop_id="a", first_seq=0))
    assert (rows[0]["invalid_reason"], rows[0]["invalid_field"], counts.good) == (reason, field, 0)


# (what it is, the order, what was paid)
WITHIN = [
    ("the largest price", order(line(1, MOST)), MOST),
    ("the largest sum of two lines", order(line(1, MOST - 1), line(1, 1)), MOST),
    ("a discount of everything", order(line(3, 100), discount_minor=300), 0),
    ("a discount of everything but shipping", order(line(3, 100), discount_minor=300, shipping_minor=7), 7),
    ("a line for nothing by its own discount", order(line(2, 100, discount_minor=200), line(1, 5)), 5),
    ("a line with its own amount", order(line(3, 333, amount_minor=1000, discount_minor=5000)), 1000),
]


@pytest.mark.parametrize(("what", "raw", "paid"), WITHIN, ids=[case[0] for case in WITHIN])
def test_what_is_within_is_taken(what: str, raw: Any, paid: int) -> None:
    result = check_event(raw, "a")
    assert isinstance(result, Event), result
    properties = result.properties
    assert sum(line.net_minor for line in properties.lines) - properties.discount_minor + properties.shipping_minor == paid
