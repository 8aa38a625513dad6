"""Compute features from a log or from bronze and write them, one Parquet folder a view."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jishi.features import ENTITY_KEYS, Feature, views
from jishi.lake import Lake
from jishi.outcomes import Outcome
from jishi.settings import Settings
from jishi.tables import BRONZE_EVENTS
from spark_jobs.features.acts import acts
from spark_jobs.features.views import view_rows
from spark_jobs.silver.outcomes import classify
from spark_jobs.silver.repairs import apply_repairs

Views = Mapping[str, Sequence[Feature]]


def good_acts(events: DataFrame, settings: Settings) -> DataFrame:
    """Acts of the good ones among accepted events (columns of ``BRONZE_EVENTS``), whatever their number of deliveries.

    Repairs are left out: when the event was counted nobody knew what it would become, and no engine counts it later.
    """
    classified = classify(
        apply_repairs(events, None),
        None,
        allowed_lateness_s=settings.allowed_lateness_s,
        future_tolerance_s=settings.future_tolerance_s,
    )
    return acts(classified.where(F.col("outcome") == Outcome.GOOD.value))


def replay(session: SparkSession, settings: Settings, source: Path, target: Path, wanted: Views | None = None) -> None:
    """Features of a log in JSON lines (columns of ``BRONZE_EVENTS``) into ``target/<view>/``."""
    events = session.read.schema(BRONZE_EVENTS.spark_ddl).json(str(source))
    acts = good_acts(events, settings).persist(StorageLevel.MEMORY_AND_DISK)
    for view, members in (wanted or views()).items():
        rows = view_rows(acts, members, allowed_lateness_s=settings.allowed_lateness_s)
        rows.drop(*ENTITY_KEYS[members[0].entity]).write.mode("overwrite").parquet(str(target / view))
    acts.unpersist()


def backfill(
    session: SparkSession, settings: Settings, lake: Lake, wanted: Views, shops: list[str], progress: Callable[[str], None]
) -> None:
    """Features of everything in bronze into the lake tables ``features/<view>``, the shops' partitions replaced.

    A row has the columns of the Feast view: keys, ``event_timestamp`` (from when the value holds), ``created_timestamp`` (the
    same instant: it could be known then and not before), ``valid_until_ms``, ``log_offset`` (0) and the features.
    Raises jishi.lake.TableNotPublished when there is no bronze.
    """
    root = lake.current(BRONZE_EVENTS.name)
    there = sorted(folder.name.removeprefix("shop=") for folder in root.glob("shop=*"))
    chosen = shops or there
    bronze = session.read.schema(BRONZE_EVENTS.spark_ddl).option("recursiveFileLookup", "true")
    events = bronze.parquet(*(str(root / f"shop={shop}") for shop in chosen))
    acts = good_acts(events, settings).persist(StorageLevel.MEMORY_AND_DISK)
    for view, members in wanted.items():
        rows = view_rows(acts, members, allowed_lateness_s=settings.allowed_lateness_s)
        with lake.publish(f"features/{view}", replace=[f"shop={shop}" for shop in chosen]) as draft:
            _write_by_shop(rows, members, draft.path)
        progress(view)
    acts.unpersist()


def _write_by_shop(rows: DataFrame, members: Sequence[Feature], folder: Path) -> None:
    as_of = F.timestamp_millis("as_of_ms").cast("timestamp_ntz")
    table = rows.select(
        *("shop_id", *ENTITY_KEYS[members[0].entity]),
        *(as_of.alias("event_timestamp"), as_of.alias("created_timestamp"), "valid_until_ms"),
        F.lit(0).cast("bigint").alias("log_offset"),
        *(feature.name for feature in members),
    )
    aside = folder / "_new"
    table.withColumn("shop", F.col("shop_id")).write.partitionBy("shop").parquet(str(aside))
    for part in sorted(aside.glob("shop=*")):
        part.rename(folder / part.name)
        for checksum in (folder / part.name).glob(".*.crc"):
            checksum.unlink()
    for rest in (*aside.glob("*"), *aside.glob(".*")):
        rest.unlink()
    aside.rmdir()
