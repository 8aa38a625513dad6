"""What is published when: all tables of a batch or none, any batch again at any time, and errors that say what to do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from jishi.tables import BRONZE_EVENTS, SILVER, SILVER_DUPLICATES, SILVER_EVENTS, SILVER_ORDERS, SILVER_QUARANTINE
from spark_jobs.drafts import AuditFailed, audit_key
from spark_jobs.silver.job import BatchMissing, is_short

pytestmark = pytest.mark.integration


def view(event_id: str, received_at: str = "2026-09-01T10:00:01Z", **fields: Any) -> bytes:
    told = {"event_id": event_id, "type": "item_viewed", "occurred_at": "2026-09-01T10:00:00Z", "received_at": received_at}
    return json.dumps(told | {"shop_id": "a", "anonymous_id": "p", "properties": {"item_id": "i"}} | fields).encode()


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
    told = {row["event_id"]: (row["batch"], row["is_late"]) for row in platform.rows(SILVER_EVENTS)}
    assert told == {"e1": ("history", False), "e2": ("live-2026-09-02", True)}
    assert [(row["event_id"], row["batch"]) for row in platform.rows(SILVER_DUPLICATES)] == [("e1", "live-2026-09-02")]
    before = {schema.name: platform.rows(schema) for schema in SILVER}
    platform.build("live-2026-09-02")
    assert {schema.name: platform.rows(schema) for schema in SILVER} == before


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
