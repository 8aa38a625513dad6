"""Persons and visits in silver: those of ``jishi.identity`` on plays of few devices and many logins, in any split."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from pyspark.sql import SparkSession

from jishi.identity import Act, links, persons, visits
from jishi.tables import (
    SILVER,
    SILVER_EVENTS,
    SILVER_IDENTITY,
    SILVER_INTERACTIONS,
    SILVER_ORDER_LINES,
    SILVER_ORDERS,
    SILVER_REFUNDS,
    SILVER_SESSIONS,
)
from simulator.history import simulate
from simulator.world import SimulationPlan
from tests.integration.spark.conftest import SilverPlatform, platform_of

pytestmark = pytest.mark.integration
START = datetime(2026, 9, 1, 8, tzinfo=UTC)
BATCHES = ("history", "live-2026-09-01", "live-2026-09-02", "live-2026-09-03")


def ms(instant: datetime) -> int:
    return round((instant.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(milliseconds=1))


def play(shop_id: str, seed: int, number: int) -> dict[str, list[dict[str, Any]]]:
    """Events of a shop by batch: few devices and users, who share, switch and come back months later, some known long after."""
    chance, events = Random(seed), {batch: [] for batch in BATCHES}
    for n in range(number):
        batch = chance.choice(BATCHES)
        device = chance.choice([None, "d1", "d2", "d3", "kiosk", "x"])
        user = chance.choice([None, None, "u1", "u2", "x"] if device != "kiosk" else [None, f"guest{n % 9}"])
        if device is None and user is None:
            device = f"rare{n}"
        at = START + timedelta(minutes=chance.randrange(600)) + timedelta(days=chance.choice([0, 0, 0, -1, -95, -300]))
        day = max(0, BATCHES.index(batch) - 1)  # a live batch is the UTC date on which its events became known
        known = max(at, START + timedelta(days=day)) + timedelta(minutes=chance.randrange(90))
        kind = chance.choice(["item_viewed"] * 4 + ["order_paid", "order_refunded"])
        properties: dict[str, Any] = {"item_id": f"i{n % 5}"}
        if kind == "order_paid":
            order_id = f"o{chance.randrange(number)}"
            lines = [{"item_id": "i1", "quantity": 1, "unit_price_minor": 500}]
            properties = {"order_id": order_id, "currency": "CNY", "lines": lines}
        if kind == "order_refunded":
            properties = {"refund_id": f"r{n}", "order_id": "o1", "currency": "CNY", "amount_minor": 5}
        event = {"event_id": f"e{n}", "shop_id": shop_id, "type": kind, "properties": properties}
        event |= {"occurred_at": at.isoformat(), "received_at": known.isoformat()}
        events[batch].append(event | {k: v for k, v in (("anonymous_id", device), ("user_id", user)) if v is not None})
    for batch in BATCHES:
        events[batch].sort(key=lambda event: event["received_at"])
    return events


PLAYS = {"a": play("a", 1, 160), "b": play("b", 4, 120)}


def lines(events: list[dict[str, Any]]) -> list[bytes]:
    return [json.dumps(event).encode() for event in events]


@pytest.fixture(scope="module")
def day_by_day(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> SilverPlatform:
    """A lake of two shops, each with its own play, built batch by batch as they came."""
    platform = platform_of(spark, tmp_path_factory.mktemp("identity"), {"a": "Asia/Shanghai", "b": "UTC"})
    for batch in BATCHES:
        platform.land(batch, {shop: lines(events[batch]) for shop, events in PLAYS.items()})
        platform.build(batch)
    return platform


def tables_of(platform: SilverPlatform, shop_id: str) -> dict[str, list[dict[str, Any]]]:
    return {schema.name: platform.rows(schema, shop_id) for schema in SILVER}


def acts_of(events: list[dict[str, Any]]) -> list[Act]:
    return [
        Act(e["event_id"], e.get("anonymous_id"), e.get("user_id"), ms(e["occurred_at"]), ms(e["received_at"]))
        for e in events
        if e["type"] != "order_refunded" and e.get("person_id")
    ]


@pytest.mark.parametrize("shop_id", PLAYS)
def test_spark_has_the_persons_links_and_visits_of_the_rule(day_by_day: SilverPlatform, shop_id: str) -> None:
    platform = day_by_day
    # Both shops' collectors count from 0: no audit takes one for the other, which would build each of them alone.
    assert not [line for line in platform.reported if "failed together" in line]
    rows_of_events = platform.rows(SILVER_EVENTS, shop_id)
    acts = acts_of(rows_of_events)
    expected = links(acts)
    rows = platform.rows(SILVER_IDENTITY, shop_id)
    instants = ("valid_from", "valid_to", "first_at", "last_at", "known_at")
    assert [(row["anonymous_id"], row["user_id"], *(ms(row[name]) for name in instants)) for row in rows] == [
        tuple(link)[:7] for link in expected
    ]
    assert [(row["first_event_id"], row["events"], row["reason"]) for row in rows] == [tuple(link)[7:] for link in expected]
    assert len({link.reason for link in expected}) > 1, "the play reaches a cap"
    person_of = persons(acts, expected)
    resolved = {row["event_id"]: row["person_id"] for row in rows_of_events if row["type"] != "order_refunded"}
    assert resolved == person_of
    assert any(person_of[act.event_id].startswith("u:") for act in acts if act.user_id is None)
    # Orders that are told again are no acts of a visit, nor of anything else.
    counted = {row["event_id"] for row in platform.rows(SILVER_ORDERS, shop_id)}
    kept = {row["event_id"] for row in rows_of_events if row["type"] != "order_paid" or row["event_id"] in counted}
    visit_of = visits([act for act in acts if act.event_id in kept], person_of)
    numbers = Counter(visit_of.values())
    sessions = {
        (row["person_id"], row.get("anonymous_id", ""), ms(row["started_at"])): row["events"]
        for row in platform.rows(SILVER_SESSIONS, shop_id)
    }
    assert sessions == {tuple(visit): number for visit, number in numbers.items()}
    by_event = {row["event_id"]: row["person_id"] for row in rows_of_events}
    for schema in (SILVER_ORDERS, SILVER_INTERACTIONS):
        assert all(row["person_id"] == by_event[row["event_id"]] for row in platform.rows(schema, shop_id))
    of_order = {row["order_id"]: row["person_id"] for row in platform.rows(SILVER_ORDERS, shop_id)}
    assert all(row["person_id"] == of_order[row["order_id"]] for row in platform.rows(SILVER_ORDER_LINES, shop_id))
    assert len(platform.rows(SILVER_REFUNDS, shop_id)) == sum(row["type"] == "order_refunded" for row in rows_of_events)


def test_any_split_into_batches_gives_the_rows_of_one_build(day_by_day: SilverPlatform) -> None:
    platform, shop_id, batch = day_by_day, "b", "live-2026-09-02"
    before, of_another = tables_of(platform, shop_id), tables_of(platform, "a")
    platform.build("history", [shop_id])  # and all that follows it
    assert tables_of(platform, shop_id) == before
    # The day was mended away and comes back: its logins are forgotten and learnt again.
    platform.land(batch, {shop_id: lines(PLAYS[shop_id][batch][:1])})
    platform.build(batch, [shop_id])
    assert tables_of(platform, shop_id) != before
    platform.land(batch, {shop_id: lines(PLAYS[shop_id][batch])})
    platform.build(batch, [shop_id])
    assert tables_of(platform, shop_id) == before
    assert tables_of(platform, "a") == of_another


def test_a_login_of_today_restates_the_history_of_the_device_only(platform: Any) -> None:
    def view(event_id: str, at: str, **ids: str) -> dict[str, Any]:
        event = {"event_id": event_id, "shop_id": "a", "type": "item_viewed", "properties": {"item_id": "i"}, **ids}
        return event | {"occurred_at": at, "received_at": at}

    history = [view("h1", "2026-09-01T10:00:00Z", anonymous_id="d"), view("h2", "2026-09-01T10:00:00Z", anonymous_id="e")]
    platform.land("history", {"a": lines(history)})
    platform.build("history")
    assert {row["event_id"]: row["person_id"] for row in platform.rows(SILVER_EVENTS)} == {"h1": "a:d", "h2": "a:e"}
    platform.land("live-2026-09-02", {"a": lines([view("login", "2026-09-02T10:00:00Z", anonymous_id="d", user_id="d")])})
    platform.build("live-2026-09-02")
    expected = {"h1": "u:d", "h2": "a:e", "login": "u:d"}
    assert {row["event_id"]: row["person_id"] for row in platform.rows(SILVER_EVENTS)} == expected
    assert {row["event_id"]: row["person_id"] for row in platform.rows(SILVER_INTERACTIONS)} == expected
    assert [row["session_key"] for row in platform.rows(SILVER_SESSIONS)] == [
        "a:e|e|1788256800000",
        "u:d|d|1788256800000",
        "u:d|d|1788343200000",
    ]


def test_a_login_moves_what_was_made_of_the_devices_acts_in_every_batch_of_before(platform: Any) -> None:
    """Orders, their lines and refunds follow their event, the first that reported them in its batch; the rows are those of a
    build of everything, and those of another shop stay where they are.
    """

    def event(event_id: str, type_: str, at: str, properties: dict[str, Any], **ids: str) -> dict[str, Any]:
        return (
            {"event_id": event_id, "shop_id": "a", "type": type_, "properties": properties}
            | ids
            | {
                "occurred_at": at,
                "received_at": at,
            }
        )

    def order(number: int, at: str, device: str) -> dict[str, Any]:
        line = {"item_id": "i", "quantity": 1, "unit_price_minor": 500}
        properties = {"order_id": f"o{number}", "currency": "EUR", "lines": [line]}
        return event(f"p{number}{device}", "order_paid", at, properties, anonymous_id=device)

    def refund(number: int, at: str, device: str) -> dict[str, Any]:
        properties = {"refund_id": f"r{number}", "order_id": f"o{number}", "currency": "EUR", "amount_minor": 200}
        properties |= {"lines": [{"item_id": "i", "quantity": 1, "amount_minor": 200}]}
        return event(f"q{number}{device}", "order_refunded", at, properties, anonymous_id=device)

    first, second, third = "2026-09-01T10:0", "2026-09-02T10:0", "2026-09-03T10:0"
    days = {
        "live-2026-09-01": [order(1, f"{first}0:00Z", "d"), order(1, f"{first}1:00Z", "e"), order(2, f"{first}2:00Z", "e")],
        "live-2026-09-02": [
            refund(1, f"{second}0:00Z", "e"),
            refund(1, f"{second}1:00Z", "d"),
            refund(2, f"{second}2:00Z", "d"),
        ],
        "live-2026-09-03": [event("login", "item_viewed", f"{third}0:00Z", {"item_id": "i"}, anonymous_id="d", user_id="u")],
    }
    for batch, events in days.items():
        platform.land(batch, {"a": lines(events), "b": lines([each | {"shop_id": "b"} for each in events])})
    for batch in days:
        platform.build(batch, ["a"])
    assert {row["order_id"]: row["person_id"] for row in platform.rows(SILVER_ORDERS)} == {"o1": "u:u", "o2": "a:e"}
    assert {row["order_id"]: row["person_id"] for row in platform.rows(SILVER_ORDER_LINES)} == {"o1": "u:u", "o2": "a:e"}
    assert {row["refund_id"]: row["person_id"] for row in platform.rows(SILVER_REFUNDS)} == {"r1": "a:e", "r2": "u:u"}
    persons_of_acts = {row["event_id"]: row["person_id"] for row in platform.rows(SILVER_INTERACTIONS)}
    assert persons_of_acts == {"p1d": "u:u", "p2e": "a:e", "login": "u:u"}
    step_by_step = tables_of(platform, "a")
    platform.build("live-2026-09-01")  # all three days again, and of shop b the first only
    assert tables_of(platform, "a") == step_by_step
    of_b = tables_of(platform, "b")
    platform.build("live-2026-09-03", ["a"])
    assert tables_of(platform, "b") == of_b


def test_all_simulated_shops_come_within_one_percent_of_what_events_can_tell(platform: Any, tmp_path: Any) -> None:
    for shop_id, batch_shop in (("lanting", "a"), ("shanhai", "b")):
        simulate(SimulationPlan(shop_id, users=250, days=12, seed=11), tmp_path)
        landed = [line for file in sorted((tmp_path / shop_id).glob("*.jsonl")) for line in file.read_bytes().splitlines()]
        names = (f'"{shop_id}"'.encode(), f'"{batch_shop}"'.encode())
        platform.land("history", {batch_shop: [line.replace(*names) for line in landed]})
        platform.build("history", [batch_shop])
        summary = json.loads((tmp_path / "truth" / shop_id / "summary.json").read_text())
        bots = {f"a:{bot}" for bot in summary["bots"]}
        seen = [row for row in platform.rows(SILVER_SESSIONS, batch_shop) if row["person_id"] not in bots]
        paid = sum(row["orders"] > 0 for row in seen)
        counted = {"persons": len({row["person_id"] for row in seen}), "visits": len(seen), "visits_with_order": paid}
        counted["conversion"] = paid / len(seen)
        assert counted == {name: pytest.approx(summary["linkable"][name], rel=0.01) for name in counted}
