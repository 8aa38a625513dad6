"""Compute features from a log into folders, or from bronze into the lake, one folder or table a view."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jishi.features import ENTITY_KEYS, Feature, views
from jishi.features.lake_tables import view_table
from jishi.features.zones import NO_ZONES, Zones
from jishi.lake import TableNotPublished
from jishi.lake.rows import Rows
from jishi.outcomes import Outcome
from jishi.settings import Settings
from jishi.tables import BRONZE_EVENTS, BRONZE_HISTORY, BRONZE_LIVE
from spark_jobs.features.acts import acts
from spark_jobs.features.views import view_rows
from spark_jobs.publication import Publication
from spark_jobs.silver.outcomes import classify
from spark_jobs.silver.repairs import apply_repairs

Views = Mapping[str, Sequence[Feature]]


def good_acts(events: DataFrame, settings: Settings, zones: Zones = NO_ZONES) -> DataFrame:
    """Acts of the good ones among accepted events (columns of ``BRONZE_EVENTS``), whatever their number of deliveries.

    Repairs are left out: when the event was counted nobody knew what it would become, and no engine counts it later.
    """
    classified = classify(
        apply_repairs(events, None),
        None,
        allowed_lateness_s=settings.allowed_lateness_s,
        future_tolerance_s=settings.future_tolerance_s,
    )
    return acts(classified.where(F.col("outcome") == Outcome.GOOD.value), zones)


def replay(
    session: SparkSession,
    settings: Settings,
    source: Path,
    target: Path,
    wanted: Views | None = None,
    zones: Zones = NO_ZONES,
) -> None:
    """Features of a log in JSON lines (columns of ``BRONZE_EVENTS``) into ``target/<view>/``."""
    events = session.read.schema(BRONZE_EVENTS.spark_ddl).json(str(source))
    acts = good_acts(events, settings, zones).persist(StorageLevel.MEMORY_AND_DISK)
    for view, members in (wanted or views()).items():
        rows = view_rows(acts, members, allowed_lateness_s=settings.allowed_lateness_s)
        rows.drop(*ENTITY_KEYS[members[0].entity]).write.mode("overwrite").parquet(str(target / view))
    acts.unpersist()


def backfill(
    session: SparkSession,
    settings: Settings,
    wanted: Views,
    shops: list[str],
    report: Callable[[str], None],
    zones: Zones = NO_ZONES,
) -> None:
    """Features of everything in bronze into the lake tables ``features/<view>``, the shops' rows replaced.

    ``shops`` are all of bronze where none is named. Raises jishi.lake.TableNotPublished when there is no bronze.
    """
    schemas = {view: view_table(view, members) for view, members in wanted.items()}
    publication = Publication(session, settings, "spark_jobs features", (BRONZE_LIVE, BRONZE_HISTORY, *schemas.values()))
    publication.read_appended(BRONZE_LIVE)
    where = Rows.of(shop_id=shops) if shops else Rows.all()
    bronze = [publication.rows(schema, where).select(*BRONZE_EVENTS.columns) for schema in (BRONZE_HISTORY, BRONZE_LIVE)]
    if not any(publication.files(schema, where) for schema in (BRONZE_HISTORY, BRONZE_LIVE)):
        raise TableNotPublished("bronze has no event yet; import a history or send events: python -m imports history")
    good = good_acts(bronze[0].unionByName(bronze[1]), settings, zones).persist(StorageLevel.MEMORY_AND_DISK)
    try:
        for view, members in wanted.items():
            rows = view_rows(good, members, allowed_lateness_s=settings.allowed_lateness_s)
            publication.replace(schemas[view], _in_lake(rows), where)
            report(view)
        publication.finish()
    finally:
        publication.abandon()
        good.unpersist()


def _in_lake(rows: DataFrame) -> DataFrame:
    as_of = F.timestamp_millis("as_of_ms").cast("timestamp_ntz")
    known = {"event_timestamp": as_of, "created_timestamp": as_of, "log_offset": F.lit(0).cast("bigint")}
    return rows.withColumns(known)
