"""What is published when: all tables of a batch or none, any batch again at any time, and errors that say what to do."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import duckdb
import pytest
from pyspark.sql import SparkSession

from jishi.lake.catalog import identifier, open_catalog
from jishi.shops import Shop, UnknownShop
from jishi.tables import (
    BRONZE_HISTORY,
    SILVER,
    SILVER_DUPLICATES,
    SILVER_EVENTS,
    SILVER_ORDERS,
    SILVER_QUARANTINE,
    SILVER_REFUNDS,
    SILVER_SESSIONS,
    TableSchema,
)
from spark_jobs.audits import AuditFailed, audit_key
from spark_jobs.silver.batches import BatchMissing, is_short
from tests.integration.spark.conftest import SilverPlatform, platform_of
from tests.lake import newest, table_of

pytestmark = pytest.mark.integration


def view(event_id: str, received_at: str = "2026-09-01T10:00:01Z", **fields: Any) -> bytes:
    payload = {"event_id": event_id, "type": "item_viewed", "occurred_at": "2026-09-01T10:00:00Z", "received_at": received_at}
    return json.dumps(payload | {"shop_id": "a", "anonymous_id": "p", "properties": {"item_id": "i"}} | fields).encode()


def test_a_failed_audit_publishes_nothing(platform: Any) -> None:
    platform.land("history", {"a": [view("e1")], "b": [view("e1", shop_id="b")]})
    platform.build("history")
    before = platform.version
    break_day(platform, "a")
    with pytest.raises(AuditFailed, match=r"live-2026-09-02 of shop a: 1 acknowledged events in bronze, but 2"):
        platform.build("live-2026-09-02")
    assert platform.version == before
    assert refs(platform, SILVER_EVENTS) == {"main", *(f"v{n}" for n in range(1, before + 1) if n == before)}


def break_day(platform: Any, shop_id: str) -> None:
    """One acknowledgement that claims to be two events: bronze counts it once, the tables would hold two rows."""
    received = int(datetime(2026, 9, 2, 8, tzinfo=UTC).timestamp() * 1000)
    row = {"collector_id": "c", "seq": 1, "shop_id": shop_id, "occurred_at_ms": received, "received_at_ms": received}
    rows = [row | {"line": "{}", "event_id": event_id, "type": "item_viewed"} for event_id in ("x", "y")]
    platform.put_bronze("live-2026-09-02", {shop_id: rows})


def refs(platform: Any, schema: TableSchema) -> set[str]:
    """Branches and tags of a table."""
    return set(open_catalog(platform.settings).load_table(identifier(schema.name)).refs())


def test_a_shop_that_fails_is_named_and_keeps_its_rows_while_the_others_are_published_once(platform: Any) -> None:
    for shop_id in "cde":
        platform.shops.add(Shop(shop_id=shop_id, name=shop_id))
    shops = [*"abcde"]
    platform.land("history", {shop: [view("e1", shop_id=shop)] for shop in shops})
    platform.build("history")
    before = {shop: platform.rows(SILVER_EVENTS, shop) for shop in shops}
    version = platform.version
    day = {shop: [view("e2", "2026-09-02T08:00:00Z", shop_id=shop)] for shop in "abd"}  # nothing happened at e
    platform.land("live-2026-09-02", day)
    break_day(platform, "c")
    built = platform.try_build("live-2026-09-02", shops)
    assert (built.shops, list(built.failures)) == (["a", "b", "d"], ["c"])
    assert isinstance(built.failures["c"], AuditFailed)
    assert "1 acknowledged events in bronze, but 2" in str(built.failures["c"])
    assert platform.version == built.version == version + 1, "one publish for all that could be built"
    for shop in shops:
        events = [row["event_id"] for row in platform.rows(SILVER_EVENTS, shop)]
        assert events == (["e1", "e2"] if shop in day else ["e1"])
    assert platform.rows(SILVER_EVENTS, "c") == before["c"]


def test_a_shop_that_is_not_registered_fails_alone(platform: Any) -> None:
    platform.land("history", {shop: [view("e1", shop_id=shop)] for shop in ("a", "stranger")})
    built = platform.try_build("history")
    assert built.shops == ["a"]
    assert [type(error) for error in built.failures.values()] == [UnknownShop]


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


@pytest.fixture(scope="module")
def landed(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> SilverPlatform:
    """The same days in three shops, built day by day; each of the tests that change them has a shop of its own."""
    platform = platform_of(spark, tmp_path_factory.mktemp("landed"), dict.fromkeys("abc", "UTC"))
    for batch, lines in DAYS.items():
        platform.land(batch, {shop_id: of_shop(shop_id, lines) for shop_id in "abc"})
        platform.build(batch)
    return platform


def of_shop(shop_id: str, lines: list[bytes]) -> list[bytes]:
    """Lines as another shop would have sent them."""
    return [line.replace(b'"shop_id": "a"', f'"shop_id": "{shop_id}"'.encode()) for line in lines]


def tables_of(platform: SilverPlatform, shop_id: str) -> dict[str, list[dict[str, Any]]]:
    return {schema.name: platform.rows(schema, shop_id) for schema in SILVER}


def test_day_by_day_gives_what_a_build_of_everything_gives(landed: SilverPlatform) -> None:
    day_by_day = tables_of(landed, "a")
    assert [(row["order_id"], row["event_id"]) for row in day_by_day[SILVER_ORDERS.name]] == [("o1", "h2"), ("o2", "n2")]
    refunded = [(row["refund_id"], row["refunded_at"].date().isoformat()) for row in day_by_day[SILVER_REFUNDS.name]]
    assert refunded == [("r1", "2026-09-01"), ("r2", "2026-09-02")]
    visits = {(row["person_id"], row["started_at"].isoformat()): row["events"] for row in day_by_day[SILVER_SESSIONS.name]}
    assert visits == {
        ("a:p", "2026-09-01T10:00:00"): 2,
        ("a:p", "2026-09-01T23:50:00"): 3,
        ("a:q", "2026-09-01T10:03:00"): 1,
        ("a:r", "2026-09-01T23:52:00"): 1,
    }
    landed.build("history", ["a"])  # and all that follows it, every person anew
    assert tables_of(landed, "a") == day_by_day
    built = landed.try_build("live-2026-08-30", ["a"], last="live-2026-09-02")  # as jishi backfill does
    assert (built.shops, tables_of(landed, "a")) == (["a"], day_by_day)


def test_a_day_that_was_worked_up_too_early_is_restated_with_the_next(platform: Any) -> None:
    first, second = "live-2026-09-01", "live-2026-09-02"
    platform.land(first, {"a": DAYS[first][:1]})
    platform.build(first)
    platform.land(first, {"a": DAYS[first], "b": [view("x1", "2026-09-01T10:00:01Z", shop_id="b")]})
    platform.land(second, {"a": DAYS[second][:1]})
    built = platform.try_build(second, restate=True)
    assert built.shops == ["a", "b"], "nobody had worked up the day of b, and b has no other"
    batches = [(row["shop_id"], row["event_id"], row["batch"]) for row in platform.rows(SILVER_EVENTS)]
    assert batches == [("a", "m1", first), ("a", "m2", first), ("a", "m3", first), ("a", "n1", second), ("b", "x1", first)]
    version = platform.version
    platform.try_build("live-2026-09-03", restate=True)
    assert platform.version == version, "a quiet day after whole ones changes nothing"


def test_a_day_that_lost_events_leaves_no_visit_of_theirs(landed: SilverPlatform) -> None:
    batch = "live-2026-09-01"
    landed.land(batch, {"b": of_shop("b", DAYS[batch][:1])})  # the shop's archive of that day was mended
    landed.build(batch, ["b"])
    persons = [row["person_id"] for row in landed.rows(SILVER_SESSIONS, "b")]
    assert sorted(persons) == ["a:p", "a:p", "a:q"]


def test_a_visit_that_is_missing_fails_the_audit(landed: SilverPlatform) -> None:
    rows = landed.rows(SILVER_SESSIONS)
    landed.publish(SILVER_SESSIONS, [row for row in rows if (row["shop_id"], row["person_id"]) != ("c", "a:q")])
    with pytest.raises(AuditFailed, match="silver/sessions of shop c miss 1 acts"):
        landed.build("live-2026-09-02", ["c"])
    landed.build("history", ["c"])
    assert landed.rows(SILVER_SESSIONS) == rows


def test_a_batch_of_broken_lines_is_quarantined_whole(platform: Any) -> None:
    platform.land("history", {"a": [b"no JSON", b"[]"]})
    assert platform.build("history")[SILVER_QUARANTINE.name] == 2
    assert [row["reason"] for row in platform.rows(SILVER_QUARANTINE)] == ["not_an_object"] * 2
    assert platform.rows(SILVER_ORDERS) == platform.rows(SILVER_EVENTS) == []


def test_a_shop_without_the_batch_has_nothing_to_build_and_nobodys_history_says_how_to_get_one(platform: Any) -> None:
    with pytest.raises(BatchMissing, match="python -m imports history"):
        platform.build("history")
    platform.land("history", {"a": [view("e1")]})
    built = platform.try_build("history", ["a", "b"])
    assert (built.shops, built.failures) == (["a"], {})
    assert platform.try_build("live-2026-09-09").version is None


def test_a_run_is_short_while_the_lake_holds_little(platform: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_short(platform.settings, "history")
    platform.land("history", {"a": [view("e1")]})
    size = sum(file.bytes for file in newest(platform.settings.var).plan(BRONZE_HISTORY.name).files)
    monkeypatch.setattr("spark_jobs.silver.batches.SHORT_BYTES", size)
    assert is_short(platform.settings, "history")
    platform.land("history", {"b": [view(f"e{n}", shop_id="b") for n in range(2_000)]})
    assert not is_short(platform.settings, "history")
    assert is_short(platform.settings, "live-2026-09-02"), "a day reads less of it"


def test_an_acknowledgement_that_is_sent_again_counts_once_on_the_day_that_knew_it_first(platform: Any) -> None:
    """In the order of the log, not of the files: Flink's files hold them as they come."""
    midnight = int(datetime(2026, 9, 2, tzinfo=UTC).timestamp() * 1000)
    record = {"collector_id": "c", "shop_id": "a", "type": "item_viewed", "occurred_at_ms": midnight, "line": "{}"}

    def row(seq: int, received_at_ms: int, offset: int, event_id: str) -> dict[str, Any]:
        log = {"received_at_ms": received_at_ms, "log_partition": 0, "log_offset": offset}
        return record | log | {"seq": seq, "event_id": event_id}

    yesterday = [row(7, midnight - 1, 1, "e7")]
    today = [row(8, midnight + 5, 4, "e8"), row(7, midnight, 2, "e7"), row(8, midnight + 2, 3, "e8")]
    platform.put_bronze("live-2026-09-01", {"a": yesterday})
    platform.put_bronze("live-2026-09-02", {"a": today})
    for batch in ("live-2026-09-02", "live-2026-09-01", "live-2026-09-02"):
        platform.build(batch)
        later = {row["event_id"]: (row["batch"], row["received_at"].microsecond) for row in platform.rows(SILVER_EVENTS)}
        assert later["e8"] == ("live-2026-09-02", 2_000)
    assert later["e7"] == ("live-2026-09-01", 999_000)
    assert platform.rows(SILVER_DUPLICATES) == []


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        ([{"shop_id": "a", "event_id": "e"}, {"shop_id": "a", "event_id": "e"}], "1 repeats and 0 nulls"),
        ([{"shop_id": "a", "event_id": "e"}, {"shop_id": "a", "event_id": None}], "0 repeats and 1 nulls"),
        ([{"shop_id": None, "event_id": "e"}], "0 repeats and 1 nulls"),
    ],
)
def test_the_audit_refuses_a_broken_key(query: duckdb.DuckDBPyConnection, rows: list[dict[str, Any]], fault: str) -> None:
    query.from_arrow(table_of(SILVER_EVENTS, rows)).create_view("silver_events")
    with pytest.raises(AuditFailed, match=fault):
        audit_key(query, SILVER_EVENTS)
