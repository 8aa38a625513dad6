"""The job as statements: tables that are injected, then views and inserts that are the same wherever it runs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from flink_jobs import bronze, counter_topic, feature_topic, log_table, outcomes, planner, unreadable
from flink_jobs.counter_queries import counter_queries, counter_views
from flink_jobs.feature_queries import view_query
from flink_jobs.operators import SHARED, version_of
from jishi.features import Feature
from jishi.features.zones import NO_ZONES, Zones
from jishi.kafka import KafkaCluster
from jishi.paths import Paths
from jishi.settings import Settings

Views = Mapping[str, Sequence[Feature]]


@dataclass(frozen=True)
class FlinkJob:
    """``tables`` say where data lies, ``definitions`` and ``inserts`` what is computed. ``versions`` name the computation of
    each view, each table of counters, and of what all share, for ``flink_jobs.operators``.
    """

    tables: tuple[str, ...]
    definitions: tuple[str, ...]
    inserts: tuple[str, ...]
    versions: Mapping[str, str]

    @property
    def fingerprint(self) -> str:
        """Names what is computed and how: state of a job with another fingerprint does not fit this one."""
        options = (f"{key} = {value}" for key, value in sorted(planner.OPTIONS.items()))
        return hashlib.sha256("\n;\n".join((*self.definitions, *self.inserts, *options)).encode()).hexdigest()[:12]


def realtime_job(settings: Settings, paths: Paths, views: Views) -> FlinkJob:
    """Kafka → outcomes → the lake's bronze, unreadable values, features and counters."""
    kafka = KafkaCluster.of(settings)
    roll_after_ms = max(settings.checkpoint_interval_ms // 2, 100)
    return _job(
        settings,
        views,
        tables=(
            log_table.kafka_log(kafka=kafka, allowed_lateness_s=settings.allowed_lateness_s),
            unreadable.raw_kafka_log(kafka=kafka),
            bronze.lake_bronze(settings),
            unreadable.unreadable_table(paths.unreadable, roll_after_ms=roll_after_ms),
            feature_topic.kafka_features(kafka=kafka),
            *counter_topic.kafka_counters(kafka=kafka),
        ),
        inserts=(unreadable.not_json(), *counter_topic.counter_inserts()),
    )


def replay_job(settings: Settings, views: Views, *, source: Path, target: Path) -> FlinkJob:
    """The same computation from a folder of JSON lines into ``bronze``, ``unreadable``, ``features`` below ``target``."""
    return _job(
        settings,
        views,
        tables=(
            log_table.file_log(folder=source, allowed_lateness_s=settings.allowed_lateness_s),
            bronze.file_bronze(target / "bronze"),
            unreadable.unreadable_table(target / "unreadable", roll_after_ms=1000),
            feature_topic.file_features(target / "features"),
        ),
        inserts=(),
    )


def features_job(settings: Settings, views: Views, *, source: Path, target: Path, zones: Zones = NO_ZONES) -> FlinkJob:
    """Features alone, from a folder of JSON lines into ``features`` below ``target``, with the local time of the shops."""
    whole = replay_job(settings, views, source=source, target=target)
    wanted = feature_topic.features_insert(views, allowed_lateness_s=settings.allowed_lateness_s, zones=zones)
    tables = tuple(table for table in whole.tables if " log (" in table or " features (" in table)
    return FlinkJob(tables=tables, definitions=whole.definitions, inserts=(wanted,), versions=whole.versions)


def _job(settings: Settings, views: Views, *, tables: tuple[str, ...], inserts: tuple[str, ...]) -> FlinkJob:
    lateness_s = settings.allowed_lateness_s
    definitions = tuple(outcomes.outcome_views(allowed_lateness_s=lateness_s, future_tolerance_s=settings.future_tolerance_s))
    counted = tuple(counter_views())
    queries = {view: view_query(view, members, allowed_lateness_s=lateness_s) for view, members in views.items()}
    return FlinkJob(
        tables=tables,
        definitions=(*definitions, *counted),
        inserts=(
            bronze.bronze_insert(),
            unreadable.not_a_record(),
            feature_topic.features_insert(views, allowed_lateness_s=lateness_s),
            *inserts,
        ),
        versions={SHARED: version_of(*definitions)}
        | {view: version_of(*definitions, query) for view, query in queries.items()}
        | {table: version_of(*definitions, *counted, query) for table, query in counter_queries().items()},
    )
