"""What the statements promise: shared outcome rule, watermark behind both clocks, a name for what is computed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flink_jobs import planner
from flink_jobs.intervals import interval
from flink_jobs.job import FlinkJob, realtime_job, replay_job
from flink_jobs.log_table import file_log, kafka_log
from flink_jobs.outcomes import DEDUPLICATION_TTL_S, outcome_views
from jishi.features import views
from jishi.kafka import KafkaCluster
from jishi.outcomes import outcome_sql
from jishi.paths import Paths
from jishi.settings import Settings
from jishi.tables import BRONZE_LIVE, LOG_RECORD

PATHS = Paths(var=Path("/somewhere/var"), envs=Path("/somewhere/envs"))


def realtime(**settings: object) -> FlinkJob:
    return realtime_job(Settings(**settings), PATHS, views())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (1, "0 00:00:00.001"),
        (30_001, "0 00:00:30.001"),
        (3_600_000, "0 01:00:00.000"),
        (86_400_000 * 2 + 61_000, "2 00:01:01.000"),
    ],
)
def test_interval(milliseconds: int, text: str) -> None:
    assert interval(milliseconds) == f"INTERVAL '{text}' DAY TO SECOND"


def test_the_stream_decides_outcomes_by_the_shared_rule() -> None:
    rule = outcome_sql(allowed_lateness_s=7, future_tolerance_s=3)
    assert f"{rule} AS outcome FROM numbered" in outcome_views(allowed_lateness_s=7, future_tolerance_s=3)[-1]


def test_deliveries_must_be_remembered_longer_than_events_may_be_late() -> None:
    with pytest.raises(ValueError, match="JISHI_ALLOWED_LATENESS_S"):
        outcome_views(allowed_lateness_s=DEDUPLICATION_TTL_S, future_tolerance_s=5)


def test_the_watermark_follows_what_is_known_and_spares_an_event_on_the_limit() -> None:
    watermark = "WATERMARK FOR occurred_at AS received_at - INTERVAL '0 00:00:30.001' DAY TO SECOND"
    assert watermark in kafka_log(kafka=KafkaCluster("b:1"), allowed_lateness_s=30)
    assert watermark in file_log(folder=Path("/x"), allowed_lateness_s=30)


def test_tables_have_the_declared_columns() -> None:
    assert LOG_RECORD.flink_ddl in kafka_log(kafka=KafkaCluster("b:1"), allowed_lateness_s=30)


def test_bronze_is_the_table_of_the_catalog_that_the_settings_name() -> None:
    settings = {"lake_catalog_uri": "postgresql://who:it's@db/lake", "lake_warehouse": "s3://bucket/lake"}
    [bronze] = [table for table in realtime(**settings).tables if "TABLE bronze" in table]
    assert BRONZE_LIVE.flink_ddl in bronze
    given = ("'catalog-database' = 'bronze'", "'catalog-table' = 'events'", "'uri' = 'jdbc:postgresql://db:5432/lake'")
    assert all(option in bronze for option in (*given, "'jdbc.password' = 'it''s'", "'warehouse' = 's3://bucket/lake'"))


def test_the_fingerprint_names_what_is_computed_not_where_it_runs() -> None:
    assert realtime().fingerprint == realtime(kafka_bootstrap="other:9092", checkpoint_interval_ms=500).fingerprint
    assert realtime().fingerprint != realtime(allowed_lateness_s=31).fingerprint
    assert realtime().fingerprint != realtime_job(Settings(), PATHS, dict(list(views().items())[:1])).fingerprint


def test_statements_that_are_planned_otherwise_have_another_fingerprint(monkeypatch: pytest.MonkeyPatch) -> None:
    before = realtime().fingerprint
    monkeypatch.setitem(planner.OPTIONS, "table.optimizer.agg-phase-strategy", "TWO_PHASE")
    assert realtime().fingerprint != before


def test_a_replay_computes_the_same() -> None:
    replay = replay_job(Settings(), views(), source=Path("/in"), target=Path("/out"))
    assert replay.definitions == realtime().definitions
    assert set(replay.inserts) < set(realtime().inserts)


def test_deliveries_are_remembered_for_as_much_longer_as_the_job_was_down() -> None:
    from flink_jobs.plan import limit_state

    def over(by: str) -> dict[str, Any]:
        return {"type": "stream-exec-over-aggregate_1", "description": f"OverAggregate(partitionBy=[{by}])"}

    def counter(by: str) -> dict[str, Any]:
        description = f"GroupAggregate(groupBy=[{by}])"
        return {"type": "stream-exec-group-aggregate_1", "description": description, "state": [{"index": 0, "ttl": "0 ms"}]}

    plan = {"nodes": [over("shop_id, event_id, is_delivery"), over("shop_id, person_id"), {"type": "calc", "description": ""}]}
    counters = [counter("shop_id, occurred_date, minute"), counter("shop_id, occurred_date")]
    limit_state({"nodes": [*plan["nodes"], *counters]}, 61 * 60)
    assert [node["state"][0]["ttl"] for node in counters] == [f"{hours * 3_600_000 + 61 * 60_000} ms" for hours in (1, 27)]
    ttls = [node.get("configuration", {}).get("table.exec.state.ttl") for node in plan["nodes"]]
    assert ttls == [f"{(60 + 61) * 60_000} ms", f"{30 * 24 * 3_600_000 + 61 * 60_000} ms", None]
    with pytest.raises(RuntimeError, match="counts deliveries, the plan has 0"):
        limit_state({"nodes": []})
