"""The three tables that every accepted event goes into one of: events, duplicates, quarantine."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jishi.outcomes import KEPT_OUT, Outcome
from jishi.tables import SILVER_DUPLICATES, SILVER_EVENTS, SILVER_QUARANTINE
from spark_jobs.silver.outcomes import instant, is_in_silver, local_date

_CONTEXT = (
    "context STRUCT<channel STRING, campaign STRING, referrer STRING, device STRING, city STRING>, "
    "properties STRUCT<share_id STRING, shared_by STRING>"
)


def events(classified: DataFrame, batch: str, zones: dict[str, str]) -> DataFrame:
    """Good and late events with the columns of ``SILVER_EVENTS``; ``zones`` is the time zone of each shop.

    ``person_id`` is what the event itself names; ``spark_jobs.silver.identity`` knows better.
    """
    parsed = classified.where(is_in_silver()).withColumn("parsed", F.from_json("line", _CONTEXT))
    context = {name: F.col(f"parsed.context.{name}") for name in ("channel", "campaign", "referrer", "device", "city")}
    shared = {name: F.col(f"parsed.properties.{name}") for name in ("share_id", "shared_by")}
    columns = {
        "batch": F.lit(batch),
        "occurred_at": instant("occurred_at_ms"),
        "received_at": instant("received_at_ms"),
        "occurred_date": local_date("occurred_at_ms", zones),
        "is_late": F.col("outcome") == Outcome.LATE.value,
        **context,
        **shared,
    }
    return parsed.withColumns(columns).select(*SILVER_EVENTS.columns)


def duplicates(classified: DataFrame, batch: str) -> DataFrame:
    """Deliveries of events that were known before, with the columns of ``SILVER_DUPLICATES``."""
    rows = classified.where(F.col("outcome") == Outcome.DUPLICATE.value)
    columns = {"batch": F.lit(batch), "received_at": instant("received_at_ms")}
    return rows.withColumns(columns).select(*SILVER_DUPLICATES.columns)


def quarantine(classified: DataFrame, batch: str) -> DataFrame:
    """Invalid events, claims and future events with their reason, with the columns of ``SILVER_QUARANTINE``."""
    rows = classified.where(F.col("outcome").isin(*[outcome.value for outcome in KEPT_OUT]))
    is_future = F.col("outcome") == Outcome.FUTURE.value
    ahead_s = (F.col("occurred_at_ms") - F.col("received_at_ms")) / 1000
    columns = {
        "batch": F.lit(batch),
        "reason": F.when(is_future, F.lit("future")).otherwise(F.coalesce("invalid_reason", F.lit("bad_value"))),
        "field": F.when(is_future, F.lit("occurred_at")).otherwise(F.col("invalid_field")),
        "detail": F.when(
            is_future, F.format_string("occurred_at lies %.3f s after the time at which the event was known", ahead_s)
        ).otherwise(F.col("invalid_detail")),
        "occurred_at": instant("occurred_at_ms"),
        "received_at": instant("received_at_ms"),
    }
    return rows.withColumns(columns).select(*SILVER_QUARANTINE.columns)
