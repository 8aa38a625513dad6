"""The job over a small made log equals a count by hand: outcomes, windows and last items, to the last message."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from jishi.features import ENTITY_COLUMN, FEATURES, views
from jishi.outcomes import outcome_without_history
from jishi.settings import Settings
from jishi.tables import BRONZE_EVENTS, LOG_RECORD

pytestmark = pytest.mark.integration

START_MS = 1_788_220_800_000
MINUTE_MS = 60_000
LATENESS_S = 30
FUTURE_S = 5
TYPES = ("item_viewed", "item_viewed", "item_added_to_cart", "recommendation_clicked", "search_performed", "order_paid")

# The messages of these are counted by hand; tests/integration/features compares all features with the oracle.
BY_HAND = ("last_items", "person_views_1h", "person_carts_1h", "item_views_1h", "item_carts_1h")
VIEWS = views(feature for feature in FEATURES if feature.name in BY_HAND)

# Every case by name: milliseconds from START at which it became known, and what differs from a plain view of p1.
CASES: list[tuple[str, int, dict[str, Any]]] = [
    ("plain", 1_000, {}),
    ("on the limit", 40_000, {"occurred_at_ms": START_MS + 10_000}),
    ("late by 1 ms", 40_000, {"occurred_at_ms": START_MS + 9_999}),
    ("ahead within tolerance", 41_000, {"occurred_at_ms": START_MS + 46_000}),
    ("future by 1 ms", 41_000, {"occurred_at_ms": START_MS + 46_001}),
    ("dated 2099", 41_000, {"occurred_at_ms": 4_070_908_800_000}),
    ("first delivery", 42_000, {"event_id": "twice"}),
    ("repeated at once", 42_000, {"event_id": "twice"}),
    ("repeated later and late by then", 120_000, {"event_id": "twice", "occurred_at_ms": START_MS + 42_000}),
    ("same id, other shop", 120_000, {"event_id": "twice", "shop_id": "b"}),
    ("late first", 120_000, {"event_id": "slow", "occurred_at_ms": START_MS}),
    ("late repeated", 121_000, {"event_id": "slow", "occurred_at_ms": START_MS}),
    ("invalid", 122_000, {"event_id": "bad", "invalid_reason": "missing_field", "occurred_at_ms": None, "person_id": None}),
    ("good after invalid of the same id", 123_000, {"event_id": "bad"}),
    ("no event id", 123_000, {"event_id": None, "invalid_reason": "missing_field", "occurred_at_ms": None}),
    ("unicode", 124_000, {"shop_id": "集市|a", "person_id": '客户 "1"\\', "item_id": "项目😀", "line": '{"title":"中文\\n"}'}),
    ("nobody", 125_000, {"person_id": None}),
    ("nothing", 126_000, {"item_id": None}),
    ("empty entity", 127_000, {"item_id": ""}),
    ("last millisecond of a window", 3 * MINUTE_MS - 1, {}),
    ("first millisecond of the next", 3 * MINUTE_MS, {}),
    # The first of these two moves time to the very end of the window that the second still belongs to.
    ("moves time", 3 * MINUTE_MS - 1 + LATENESS_S * 1000, {"person_id": "p2"}),
    ("shares that time", 3 * MINUTE_MS - 1 + LATENESS_S * 1000, {"occurred_at_ms": START_MS + 3 * MINUTE_MS - 1}),
    ("quiet person's only event", 4 * MINUTE_MS, {"person_id": "quiet"}),
]


def made_log() -> list[dict[str, Any]]:
    """The cases and some hundred events at random, in the order of knowing."""
    rows = [{"received_at_ms": START_MS + at, **changes} for _, at, changes in CASES]
    rows += random_rows(random.Random(7))
    rows.sort(key=lambda row: row["received_at_ms"])
    return [complete(row, offset) for offset, row in enumerate(rows)]


def random_rows(chance: random.Random) -> Iterator[dict[str, Any]]:
    for _ in range(400):
        received = START_MS + 5 * MINUTE_MS + chance.randrange(100 * MINUTE_MS)
        delay = chance.choice([0, 20, 3_000, LATENESS_S * 1000 - 1, LATENESS_S * 1000, LATENESS_S * 1000 + 1, 90_000, -4_000])
        yield {
            "received_at_ms": received,
            "occurred_at_ms": received - delay,
            "event_id": f"r{chance.randrange(300)}",
            "type": chance.choice(TYPES),
            "person_id": f"p{chance.randrange(4)}",
            "item_id": f"i{chance.randrange(5)}",
            "shop_id": chance.choice(["a", "b"]),
        }


def complete(row: dict[str, Any], offset: int) -> dict[str, Any]:
    plain: dict[str, Any] = dict.fromkeys(LOG_RECORD.columns)
    plain |= {"collector_id": "c1", "seq": offset, "shop_id": "a", "event_id": f"e{offset}", "type": "item_viewed"}
    plain |= {"schema_version": 1, "occurred_at_ms": row["received_at_ms"], "collected_at_ms": row["received_at_ms"]}
    plain |= {"person_id": "p1", "item_id": f"i{offset % 3}", "line": f'{{"n":{offset}}}'}
    return plain | row | {"log_partition": 0, "log_offset": offset}


def outcomes_by_hand(log: list[dict[str, Any]]) -> list[str]:
    known: Counter[tuple[str, str]] = Counter()
    outcomes = []
    for row in log:
        alone = outcome_without_history(
            invalid_reason=row["invalid_reason"],
            occurred_at_ms=row["occurred_at_ms"],
            received_at_ms=row["received_at_ms"],
            allowed_lateness_s=LATENESS_S,
            future_tolerance_s=FUTURE_S,
        )
        outcome = str(alone)
        if outcome in ("good", "late"):
            known[row["shop_id"], row["event_id"]] += 1
            if known[row["shop_id"], row["event_id"]] > 1:
                outcome = "duplicate"
        outcomes.append(outcome)
    return outcomes


def messages_by_hand(good: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for view, features in VIEWS.items():
        entity = ENTITY_COLUMN[features[0].entity]
        if features[0].aggregation == "last_n":
            [feature] = features
            seen: dict[tuple[str, str], list[Any]] = {}
            for row in good:
                value = row[feature.column or ""]
                if row["type"] in feature.acts and row[entity] is not None and value is not None:
                    latest = seen.setdefault((row["shop_id"], row[entity]), [])
                    latest.insert(0, value)
                    del latest[feature.n :]
                    yield message(view, row["shop_id"], row[entity], row["received_at_ms"], None, {feature.name: [*latest]})
            continue
        counts: dict[tuple[str, str, int], Counter[str]] = {}
        size_ms, slide_ms = (features[0].size_s or 0) * 1000, (features[0].slide_s or 0) * 1000
        for row in good:
            for feature in features:
                if row["type"] in feature.acts and row[entity] is not None:
                    first_end = (row["occurred_at_ms"] // slide_ms + 1) * slide_ms
                    for end in range(first_end, row["occurred_at_ms"] + size_ms + 1, slide_ms):
                        counts.setdefault((row["shop_id"], row[entity], end), Counter())[feature.name] += 1
        for (shop_id, entity_id, end), count in counts.items():
            known_ms = end + LATENESS_S * 1000
            yield message(view, shop_id, entity_id, known_ms, known_ms + slide_ms, {f.name: count[f.name] for f in features})


def message(view: str, shop: str, entity: str, as_of: int, until: int | None, values: dict[str, Any]) -> dict[str, Any]:
    return {
        "view": view,
        "shop_id": shop,
        "entity_id": entity,
        "as_of_ms": as_of,
        "valid_until_ms": until,
        "values": values,
    }


def committed(folder: Path) -> list[Any]:
    files = [file for file in folder.rglob("*") if file.is_file() and not file.name.startswith((".", "_"))]
    return [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()]


def canonical(messages: list[dict[str, Any]]) -> list[str]:
    return sorted(json.dumps(m, sort_keys=True, ensure_ascii=False) for m in messages)


@pytest.fixture(scope="module")
def replayed(flink: Path) -> tuple[list[dict[str, Any]], Path]:
    from flink_jobs.engine import computing_options, table_environment
    from flink_jobs.job import replay_job
    from flink_jobs.plan import compile_job

    log = made_log()
    source = flink / "events"
    source.mkdir()
    lines = [json.dumps(row, ensure_ascii=False) for row in log]
    # Two values that are no records, in the middle of the log: neither may end the job.
    lines[50:50] = [
        "this is not JSON",
        json.dumps({"collector_id": "c1", "seq": "x", "shop_id": "a", "received_at_ms": START_MS}),
    ]
    (source / "part-0.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    job = replay_job(
        Settings(allowed_lateness_s=LATENESS_S, future_tolerance_s=FUTURE_S), VIEWS, source=source, target=flink / "out"
    )
    # A watermark after almost every row: what would be dropped in a long run is dropped here.
    options = computing_options(1) | {"execution.checkpointing.interval": "1 s", "pipeline.auto-watermark-interval": "1 ms"}
    compile_job(table_environment(options), job).execute().wait()
    return log, flink / "out"


def test_each_record_is_archived_once_with_its_outcome(replayed: tuple[list[dict[str, Any]], Path]) -> None:
    log, out = replayed
    expected = [
        {column: row[column] for column in BRONZE_EVENTS.columns} | {"outcome": outcome}
        for row, outcome in zip(log, outcomes_by_hand(log), strict=True)
    ]
    archived = sorted(committed(out / "bronze"), key=lambda row: row["seq"])
    instants = [datetime.fromisoformat(row.pop("received_at")).replace(tzinfo=UTC) for row in archived]
    assert archived == expected
    assert [round(instant.timestamp() * 1000) for instant in instants] == [row["received_at_ms"] for row in expected]
    assert {row["outcome"] for row in expected} == {"good", "late", "duplicate", "future", "invalid"}


def test_features_equal_a_count_by_hand(replayed: tuple[list[dict[str, Any]], Path]) -> None:
    log, out = replayed
    good = [row for row, outcome in zip(log, outcomes_by_hand(log), strict=True) if outcome == "good"]
    sent = committed(out / "features")
    assert canonical([json.loads(row["message"]) for row in sent]) == canonical(list(messages_by_hand(good)))


def test_messages_are_keyed_by_view_shop_and_entity(replayed: tuple[list[dict[str, Any]], Path]) -> None:
    for row in committed(replayed[1] / "features"):
        payload = json.loads(row["message"])
        assert row["message_key"] == f"{payload['view']}|{payload['shop_id']}|{payload['entity_id']}"


def test_an_object_that_is_no_record_is_kept(replayed: tuple[list[dict[str, Any]], Path]) -> None:
    [kept] = committed(replayed[1] / "unreadable")
    assert kept["reason"] == "not_a_record"
    assert json.loads(kept["value"]) == {"collector_id": "c1", "shop_id": "a"}


def test_counters_of_deliveries_and_quiet_persons_expire(flink: Path) -> None:
    from flink_jobs.engine import computing_options, table_environment
    from flink_jobs.job import replay_job
    from flink_jobs.outcomes import DEDUPLICATION_TTL_S, QUIET_TTL_S
    from flink_jobs.plan import compile_job

    job = replay_job(Settings(), views(), source=flink, target=flink / "none")
    plan = compile_job(table_environment(computing_options(1)), job, state_age_s=3660)
    nodes = json.loads(plan.as_json_string())["nodes"]
    expiring = {
        node["id"]: node["configuration"].get("table.exec.state.ttl") for node in nodes if "over-aggregate" in node["type"]
    }
    counters = [
        node["id"] for node in nodes if "partitionBy=[shop_id, event_id" in node["description"] and node["id"] in expiring
    ]
    assert [expiring.pop(number) for number in counters] == [f"{(DEDUPLICATION_TTL_S + 3660) * 1000} ms"]
    assert set(expiring.values()) == {f"{(QUIET_TTL_S + 3660) * 1000} ms"}
