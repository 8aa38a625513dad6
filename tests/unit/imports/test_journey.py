"""Complete Journey as events: nothing of the data set is lost on the way, to the last cent."""

from __future__ import annotations

import hashlib
from collections import Counter

import orjson
import pytest

from imports.journey import journey_lines, load_journey
from jishi.contract import Refusal, check_event


@pytest.fixture(scope="module")
def journey():
    return load_journey(limit_households=30)


@pytest.fixture(scope="module")
def lines(journey) -> list[bytes]:
    return list(journey_lines(journey, "journey"))


@pytest.fixture(scope="module")
def events(lines: list[bytes]) -> list[dict]:
    return [orjson.loads(line) for line in lines]


def test_every_transaction_line_and_every_cent_is_there(journey, events: list[dict]):
    orders = [e["properties"] for e in events if e["type"] == "order_paid"]
    order_lines = [line for order in orders for line in order["lines"]]
    data = journey.transactions
    assert len(order_lines) == len(data)
    assert sum(line["amount_minor"] for line in order_lines) == round(data["sales_value"].sum() * 100)
    assert sum(line["quantity"] for line in order_lines) == data["quantity"].sum()
    assert {o["order_id"] for o in orders} == set(data["basket_id"].astype(str))
    assert len(orders) == data["basket_id"].nunique(), "one event a basket"
    discounts = (data["retail_disc"] + data["coupon_match_disc"]).sum()
    assert sum(line.get("discount_minor", 0) for line in order_lines) == round(discounts * 100)


def test_the_catalogue_is_whole_and_comes_first(journey, events: list[dict]):
    items = [e for e in events if e["type"] == "item_changed"]
    assert len(items) == len(journey.products) == 92_331
    assert [e["type"] for e in events[: len(items)]] == ["item_changed"] * len(items)
    times = [e["received_at"] for e in events]
    assert times == sorted(times)
    assert len({e["event_id"] for e in events}) == len(events)


def test_coupons_stand_on_their_lines(journey, events: list[dict]):
    redeemed = [e for e in events if e["type"] == "coupon_redeemed"]
    assert len(redeemed) == len(journey.redemptions) > 0
    on_lines = Counter(
        (e["properties"]["order_id"], line["item_id"], line["coupon_id"])
        for e in events
        if e["type"] == "order_paid"
        for line in e["properties"]["lines"]
        if "coupon_id" in line
    )
    matched = [e["properties"] for e in redeemed if "order_id" in e["properties"]]
    assert on_lines == Counter((p["order_id"], p["item_id"], p["coupon_id"]) for p in matched)
    assert len(matched) > 0


def test_every_event_keeps_the_contract(events: list[dict]):
    sample = events[:200] + [e for e in events if e["type"] != "item_changed"]
    assert not [e for e in sample if isinstance(check_event(e, "journey"), Refusal)]


def test_the_same_data_gives_the_same_bytes(lines: list[bytes]):
    def digest(parts: list[bytes]) -> str:
        return hashlib.sha256(b"\n".join(parts)).hexdigest()

    assert digest(list(journey_lines(load_journey(limit_households=30), "journey"))) == digest(lines)
