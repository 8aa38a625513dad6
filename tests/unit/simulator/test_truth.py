"""The truth agrees with the events: what was planted is what the contract and the outcomes find, to the last event."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from datetime import datetime, timedelta

import pytest

from imports.bronze import LineCounts, bronze_rows
from jishi.contract import Refusal, check_event
from jishi.contract.properties import PROPERTIES
from jishi.outcomes import Outcome, outcome_without_history
from simulator.presets import preset_of
from simulator.truth import paid_minor


def test_planted_defects_are_what_contract_and_outcomes_find(shop):
    counts = LineCounts()
    rows = bronze_rows(shop.lines, counts, shop_id="xinghe", first_seq=0)
    outcomes: Counter[Outcome] = Counter()
    seen: set[str] = set()
    for row in rows:
        outcome = outcome_without_history(
            invalid_reason=row["invalid_reason"],
            occurred_at_ms=row["occurred_at_ms"],
            received_at_ms=row["received_at_ms"],
            allowed_lateness_s=30,
            future_tolerance_s=5,
        )
        if outcome in (Outcome.GOOD, Outcome.LATE):
            outcome = Outcome.DUPLICATE if row["event_id"] in seen else outcome
            seen.add(row["event_id"])
        outcomes[outcome] += 1
    planted = shop.truth["planted"]
    assert {kind: outcomes[Outcome(kind)] for kind in planted} == planted
    assert all(planted.values()), "every defect occurs"
    assert dict(counts.invalid) == shop.truth["invalid_by_reason"]
    assert len(shop.lines) == shop.truth["deliveries"]
    assert outcomes[Outcome.GOOD] + outcomes[Outcome.LATE] == shop.truth["events"]


def test_every_event_that_is_not_broken_keeps_the_contract(events):
    refused = [result for event in events if isinstance(result := check_event(event, "xinghe"), Refusal)]
    assert refused == []
    assert {event["type"] for event in events} == {*PROPERTIES}, "every type of the contract occurs"


def test_pages_are_opened_by_people_where_they_look_around_and_check_out(shop, events):
    pages = [event for event in events if event["type"] == "page_viewed"]
    assert len(pages) == shop.truth["page_views"] > 0
    assert not {page["anonymous_id"] for page in pages} & set(shop.truth["bots"])
    at_checkout = Counter(page["session_id"] for page in pages if page["properties"]["path"] == "/checkout")
    assert at_checkout == Counter(event["session_id"] for event in events if event["type"] == "checkout_started")
    searched = Counter(page["session_id"] for page in pages if page["properties"]["path"] == "/search")
    assert searched == Counter(event["session_id"] for event in events if event["type"] == "search_performed")


def test_spend_is_for_clicks_of_paid_channels_that_were_visits(shop, events):
    """Each day of a channel has no more clicks than visits, at about the price of the channel, and free channels have none."""
    rows = list(csv.DictReader((shop.folder / "spend" / "xinghe.csv").open(encoding="utf-8")))
    first: dict[str, dict] = {}
    bots = set(shop.truth["bots"])
    for event in sorted(events, key=lambda event: event["occurred_at"]):
        if event.get("session_id") and event["type"] != "order_refunded" and event["anonymous_id"] not in bots:
            first.setdefault(event["session_id"], event)
    visits = Counter(
        (f"{datetime.fromisoformat(event['occurred_at']) + timedelta(hours=8):%Y-%m-%d}", event["context"]["channel"])
        for event in first.values()
    )
    prices = preset_of("xinghe").click_price_minor
    assert {(row["date"], row["channel"]) for row in rows} == {key for key in visits if key[1] in prices}
    assert {row["channel"] for row in rows} == {*prices} < {channel for _, channel in visits}
    assert all(0 <= int(row["clicks"]) <= visits[row["date"], row["channel"]] for row in rows)
    for channel, price in prices.items():
        of_channel = [row for row in rows if row["channel"] == channel]
        clicks = sum(int(row["clicks"]) for row in of_channel)
        assert 100 * sum(int(row["amount"]) for row in of_channel) / clicks == pytest.approx(price, rel=0.2)


def test_money_is_the_sum_of_the_orders(shop, events):
    orders = [e for e in events if e["type"] == "order_paid"]
    assert len(orders) == shop.truth["orders"] == len({e["properties"]["order_id"] for e in orders})
    assert sum(paid_minor(e["properties"]) for e in orders) == shop.truth["gmv_minor"]
    assert len({e["user_id"] for e in orders}) == shop.truth["paying_customers"]
    refunds = [e["properties"] for e in events if e["type"] == "order_refunded"]
    assert sum(r["amount_minor"] for r in refunds) == shop.truth["refunded_minor"]


def test_a_refund_follows_its_order_and_gives_back_no_more_than_was_paid(events):
    paid = {e["properties"]["order_id"]: e for e in events if e["type"] == "order_paid"}
    back: Counter[str] = Counter()
    for event in events:
        if event["type"] == "order_refunded":
            order = paid[event["properties"]["order_id"]]
            assert event["occurred_at"] > order["occurred_at"]
            assert event["user_id"] == order["user_id"]
            back[event["properties"]["order_id"]] += event["properties"]["amount_minor"]
    assert back
    assert all(amount <= paid_minor(paid[order_id]["properties"]) for order_id, amount in back.items())


def test_visits_and_bots(shop, events):
    bots = set(shop.truth["bots"])
    sessions: dict[str, set[str]] = defaultdict(set)
    bot_sessions = set()
    for event in events:
        if event.get("session_id") and event["type"] != "order_refunded":
            if event["anonymous_id"] in bots:
                bot_sessions.add(event["session_id"])
                assert event["type"] == "item_viewed"
            else:
                sessions[event["session_id"]].add(event["type"])
    assert len(sessions) == shop.truth["visits"]
    assert len(bot_sessions) == shop.truth["bot_visits"] > 0
    assert sum("order_paid" in types for types in sessions.values()) == shop.truth["visits_with_order"]
    assert bots.isdisjoint(s["anonymous_id"] for s in shop.shoppers)
