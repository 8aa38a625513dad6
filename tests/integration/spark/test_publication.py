"""What is published when: all tables of a batch or none, any batch again at any time, and errors that say what to do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from jishi.tables import (
    BRONZE_EVENTS,
    SILVER,
    SILVER_DUPLICATES,
    SILVER_EVENTS,
    SILVER_ORDERS,
    SILVER_QUARANTINE,
    SILVER_REFUNDS,
    SILVER_SESSIONS,
)
from spark_jobs.drafts import AuditFailed, audit_key
from spark_jobs.silver.job import BatchMissing, OlderLayout, is_short

pytestmark = pytest.mark.integration


def view(event_id: str, received_at: str = "2026-09-01T10:00:01Z", **fields: Any) -> bytes:
    payload = {"event_id": event_id, "type": "item_viewed", "occurred_at": "2026-09-01T10:00:00Z", "received_at": received_at}
    return json.dumps(payload | {"shop_id": "a", "anonymous_id": "p", "properties": {"item_id": "i"}} | fields).encode()


def test_a_failed_audit_publishes_nothing(platform: Any) -> None:
    platform.land("history", {"a": [view("e1")], "b": [view("e1", shop_id="b")]})
    platform.build("history")
    before = platform.versions()
    # One acknowledgement that claims to be two events: bronze counts it once, the tables would hold two rows.
    row = {"collector_id": "c", "seq": 1, "shop_id": "a", "occurred_at_ms": 1, "received_at_ms": 1, "line": "{}"}
    with platform.lake.publish(BRONZE_EVENTS.name, replace=["shop=a/batch=live-2026-09-02"]) as draft:
        rows = [row | {"event_id": "x", "type": "item_viewed"}, row | {"event_id": "y", "type": "item_viewed"}]
        platform.write(draft.path / "shop=a/batch=live-2026-09-02", BRONZE_EVENTS, rows)
    before[f"{BRONZE_EVENTS.name}/CURRENT"] = platform.versions()[f"{BRONZE_EVENTS.name}/CURRENT"]
    with pytest.raises(AuditFailed, match=r"live-2026-09-02 of shop a: 1 acknowledged events in bronze, but 2"):
        platform.build("live-2026-09-02")
    assert platform.versions() == before
    left = [path for path in platform.lake.root.rglob("versions/.*")]
    assert left == []


def test_an_earlier_batch_that_comes_later_makes_duplicates_of_what_followed_it(platform: Any) -> None:
    platform.land("live-2026-09-02", {"a": [view("e1", "2026-09-02T08:00:00Z"), view("e2", "2026-09-02T08:00:00Z")]})
    platform.build("live-2026-09-02")
    assert [row["batch"] for row in platform.rows(SILVER_EVENTS)] == ["live-2026-09-02"] * 2
    platform.land("history", {"a": [view("e1")]})
    platform.build("history")
    by_key = {row["event_id"]: (row["batch"], row["is_late"]) for row in platform.rows(SILVER_EVENTS)}
    assert by_key == {"e1": ("history", False), "e2": ("live-2026-09-02", True)}
    assert [(row["event_id"], row["batch"]) for row in platform.rows(SILVER_DUPLICATES)] == [("e1", "live-2026-09-02")]
    before = {schema.name: platform.rows(schema) for schema in SILVER}
    platform.build("live-2026-09-02")
    assert {schema.name: platform.rows(schema) for schema in SILVER} == before


def act(event_id: str, kind: str, at: str, person: str = "p", **properties: Any) -> bytes:
    payload = {"event_id": event_id, "type": kind, "occurred_at": at, "received_at": at, "shop_id": "a", "anonymous_id": person}
    return json.dumps(payload | {"properties": properties}).encode()


def order(event_id: str, order_id: str, at: str, person: str = "p") -> bytes:
    lines = [{"item_id": "i", "quantity": 2, "unit_price_minor": 500}]
    return act(event_id, "order_paid", at, person, order_id=order_id, currency="CNY", lines=lines)


def refund(event_id: str, refund_id: str, at: str) -> bytes:
    return act(event_id, "order_refunded", at, refund_id=refund_id, order_id="o1", currency="CNY", amount_minor=100)


DAYS = {
    "history": [
        act("h1", "item_viewed", "2026-09-01T10:00:00Z", item_id="i"),
        order("h2", "o1", "2026-09-01T10:01:00Z"),
        refund("h3", "r1", "2026-09-01T10:02:00Z"),
        act("h4", "item_viewed", "2026-09-01T10:03:00Z", "q", item_id="j"),
        act("h5", "item_changed", "2026-09-01T10:04:00Z", item_id="i", title="I", unit_price_minor=500, currency="CNY"),
    ],
    "live-2026-09-01": [
        act("m1", "item_viewed", "2026-09-01T23:50:00Z", item_id="j"),  # the visit goes on after midnight
        order("m2", "o1", "2026-09-01T23:51:00Z"),  # told already by history, under another event
        act("m3", "item_viewed", "2026-09-01T23:52:00Z", "r", item_id="j"),
    ],
    "live-2026-09-02": [
        act("n1", "item_viewed", "2026-09-02T00:10:00Z", item_id="i"),
        order("n2", "o2", "2026-09-02T00:11:00Z"),
        refund("n3", "r1", "2026-09-02T00:12:00Z"),  # told already
        refund("n4", "r2", "2026-09-02T00:13:00Z"),
        act("n5", "item_changed", "2026-09-02T00:14:00Z", item_id="i", title="I, new", unit_price_minor=600, currency="CNY"),
    ],
}


def landed(platform: Any) -> dict[str, list[dict[str, Any]]]:
    for batch, lines in DAYS.items():
        platform.land(batch, {"a": lines})
        platform.build(batch)
    return {schema.name: platform.rows(schema) for schema in SILVER}


def test_day_by_day_gives_what_a_build_of_everything_gives(platform: Any) -> None:
    day_by_day = landed(platform)
    assert [(row["order_id"], row["event_id"]) for row in day_by_day[SILVER_ORDERS.name]] == [("o1", "h2"), ("o2", "n2")]
    refunded = [(row["refund_id"], row["refunded_at"].date().isoformat()) for row in day_by_day[SILVER_REFUNDS.name]]
    assert refunded == [("r1", "2026-09-01"), ("r2", "2026-09-02")]
    visits = {(row["person_id"], row["started_at"].isoformat()): row["events"] for row in day_by_day[SILVER_SESSIONS.name]}
    assert visits == {
        ("p", "2026-09-01T10:00:00"): 2,
        ("p", "2026-09-01T23:50:00"): 3,
        ("q", "2026-09-01T10:03:00"): 1,
        ("r", "2026-09-01T23:52:00"): 1,
    }
    platform.build("history")  # and all that follows it, every person anew
    assert {schema.name: platform.rows(schema) for schema in SILVER} == day_by_day


def test_a_day_that_lost_events_leaves_no_visit_of_theirs(platform: Any) -> None:
    landed(platform)
    platform.land("live-2026-09-01", {"a": DAYS["live-2026-09-01"][:1]})  # the shop's archive of that day was mended
    platform.build("live-2026-09-01")
    persons = [row["person_id"] for row in platform.rows(SILVER_SESSIONS)]
    assert sorted(persons) == ["p", "p", "q"]


def test_a_visit_that_is_missing_fails_the_audit(platform: Any) -> None:
    landed(platform)
    rows = [row for row in platform.rows(SILVER_SESSIONS) if row["person_id"] != "q"]
    platform.publish(SILVER_SESSIONS, rows)
    with pytest.raises(AuditFailed, match="silver/sessions of shop a miss 1 acts"):
        platform.build("live-2026-09-02")
    platform.build("history")
    assert len(platform.rows(SILVER_SESSIONS)) == len(rows) + 1


@pytest.mark.parametrize("first", ["history", "live-2026-09-01"])
def test_orders_of_no_batch_are_built_again_from_the_first_batch_only(platform: Any, first: str) -> None:
    for batch in list(DAYS)[list(DAYS).index(first) :]:
        platform.land(batch, {"a": DAYS[batch]})
        platform.build(batch)
    by_key = {schema.name: platform.rows(schema) for schema in SILVER}
    platform.publish(SILVER_ORDERS, by_key[SILVER_ORDERS.name])  # as an earlier version wrote it
    with pytest.raises(OlderLayout, match="from its first batch"):
        platform.build("live-2026-09-02")
    platform.build(first)
    assert {schema.name: platform.rows(schema) for schema in SILVER} == by_key


def test_a_batch_of_broken_lines_is_quarantined_whole(platform: Any) -> None:
    platform.land("history", {"a": [b"no JSON", b"[]"]})
    assert platform.build("history")[SILVER_QUARANTINE.name] == 2
    assert [row["reason"] for row in platform.rows(SILVER_QUARANTINE)] == ["not_an_object"] * 2
    assert platform.rows(SILVER_ORDERS) == platform.rows(SILVER_EVENTS) == []


def test_a_batch_that_is_not_there_says_how_to_land_it(platform: Any) -> None:
    platform.land("history", {"a": [view("e1")]})
    with pytest.raises(BatchMissing, match="no batch 'history' of b; land it first"):
        platform.build("history", ["a", "b"])
    with pytest.raises(BatchMissing, match="no batch 'live-2026-09-09' of any shop"):
        platform.build("live-2026-09-09")
    with pytest.raises(BatchMissing, match="no batch 'history' of b; land it first"):
        is_short(platform.lake, "history", ["b"])
    assert not platform.lake.has(SILVER_EVENTS.name)


def test_a_run_is_short_while_its_shops_hold_little(platform: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    platform.land("history", {"a": [view("e1")], "b": [view(f"e{n}") for n in range(2_000)]})
    platform.land("live-2026-09-02", {"b": [view("e1")]})
    sizes = {
        shop: sum(file.stat().st_size for file in platform.lake.current(BRONZE_EVENTS.name).rglob(f"shop={shop}/**/*.parquet"))
        for shop in "ab"
    }
    monkeypatch.setattr("spark_jobs.silver.job.SHORT_BYTES", sizes["a"])
    assert is_short(platform.lake, "history", ["a"])
    assert not is_short(platform.lake, "history", [])
    assert not is_short(platform.lake, "live-2026-09-02", [])  # its history is read again, too


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        ([{"shop_id": "a", "event_id": "e"}, {"shop_id": "a", "event_id": "e"}], "1 repeats and 0 nulls"),
        ([{"shop_id": "a", "event_id": "e"}, {"shop_id": "a", "event_id": None}], "0 repeats and 1 nulls"),
        ([{"shop_id": None, "event_id": "e"}], "0 repeats and 1 nulls"),
    ],
)
def test_the_audit_refuses_a_broken_key(
    tmp_path: Path, platform: Any, query: duckdb.DuckDBPyConnection, rows: list[dict[str, Any]], fault: str
) -> None:
    platform.write(tmp_path / "draft", SILVER_EVENTS, rows)
    query.read_parquet(str(tmp_path / "draft" / "*.parquet")).create_view("silver_events")
    with pytest.raises(AuditFailed, match=fault):
        audit_key(query, SILVER_EVENTS)
