"""The days that ``bench backfill-days`` compares hold what reaches back; else equal tables would show little."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest

from bench.eventful_days import (
    CURRENCY,
    LATE_AFTER,
    LOGIN_AFTER,
    REFUND_AFTER,
    EventfulDay,
    currency_changes_on,
    eventful,
    rates,
)
from bench.shop_groups import days_of

DAYS = 45


@pytest.fixture(scope="module")
def days() -> dict[Any, EventfulDay]:
    return eventful(days_of(40, DAYS))


def events(days: dict[Any, EventfulDay]) -> list[dict[str, Any]]:
    read = []
    for day in days.values():
        for line in (*day.lines, *day.belated):
            try:
                event = json.loads(line)
            except json.JSONDecodeError:
                continue
            if {"event_id", "received_at", "occurred_at"} <= event.keys():
                read.append(event)
    return read


def days_between(event: dict[str, Any], since: str) -> float:
    return (datetime.fromisoformat(event["received_at"]) - datetime.fromisoformat(since)).total_seconds() / 86_400


def test_what_reaches_back_is_there(days: dict[Any, EventfulDay]) -> None:
    every = events(days)
    by_kind = Counter(event["event_id"].split("-")[0] for event in every)
    assert min(by_kind[kind] for kind in ("weeks", "late", "login")) >= 3
    late = [days_between(event, event["occurred_at"]) for event in every if event["event_id"].startswith("late-")]
    assert min(late) > LATE_AFTER - 2
    paid = {event["properties"]["order_id"]: event["received_at"] for event in every if event["type"] == "order_paid"}
    refunds = [event for event in every if event["event_id"].startswith("weeks-")]
    assert all(
        days_between(event, paid[event["properties"]["order_id"]]) > min(REFUND_AFTER, DAYS // 2) - 2 for event in refunds
    )
    logins = [event for event in every if event["event_id"].startswith("login-")]
    first = {event["event_id"]: event for event in every}
    for login in logins:
        viewed = first[login["event_id"].removeprefix("login-")]
        assert "user_id" not in viewed
        assert login["anonymous_id"] == viewed["anonymous_id"]
        assert days_between(login, viewed["received_at"]) > LOGIN_AFTER - 2


def test_each_event_is_received_on_its_day_and_some_come_to_bronze_after_its_night(days: dict[Any, EventfulDay]) -> None:
    for day, events_of in days.items():
        received = {
            datetime.fromisoformat(json.loads(line)["received_at"]).astimezone(UTC).date()
            for line in (*events_of.lines, *events_of.belated)
            if b'"received_at"' in line and line.endswith(b"}")
        }
        assert received == {day}
    assert sum(bool(events_of.belated) for events_of in days.values()) >= 4
    assert not list(days.values())[-1].belated


def test_the_simulator_gives_logins_repetitions_and_robots(days: dict[Any, EventfulDay]) -> None:
    every = events(days)
    users = {event["anonymous_id"] for event in every if event.get("user_id") and event.get("anonymous_id")}
    anonymous = {event["anonymous_id"] for event in every if event.get("anonymous_id") and not event.get("user_id")}
    assert users & anonymous
    assert max(Counter(event["event_id"] for event in every).values()) > 1
    a_day = Counter((event.get("anonymous_id"), event["received_at"][:10]) for event in every if event["type"] == "item_viewed")
    assert a_day.most_common(1)[0][1] > 100  # what only a robot looks at


def test_the_books_change_their_currency_and_each_day_has_a_rate(days: dict[Any, EventfulDay]) -> None:
    every = list(days)
    assert every[0] < currency_changes_on(every) < every[-1]
    assert {rate.currency for rate in rates(every)} == {CURRENCY}
    assert min(rate.rate_date for rate in rates(every)) == every[0]
    assert len({rate.rate for rate in rates(every)}) > 3
