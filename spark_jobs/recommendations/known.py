"""What was known at a cut: the rule of ``models.data.split`` for training acts, over tables, and whose they were."""

from __future__ import annotations

from datetime import UTC, datetime

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from spark_jobs.silver import identity


def instant(at: datetime) -> Column:
    """An instant with an offset as the lake keeps it: UTC without a zone."""
    return F.lit(at.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ")).cast("timestamp_ntz")


def known_before(rows: DataFrame, before: datetime, events: DataFrame) -> DataFrame:
    """Rows that had happened **and** were known before an instant (``occurred_at``, ``received_at``), those of an event that
    was repaired (``repaired_at`` of ``events``) from its repair on.
    """
    known = rows.where((F.col("occurred_at") < instant(before)) & (F.col("received_at") < instant(before)))
    repaired_later = events.where(F.col("repaired_at") >= instant(before)).select("shop_id", "event_id")
    return known.join(F.broadcast(repaired_later), ["shop_id", "event_id"], "left_anti")


def events_known_before(events: DataFrame, before: datetime) -> DataFrame:
    """The same of events (columns of ``SILVER_EVENTS``), which say themselves since when they are known."""
    known_at = F.coalesce("repaired_at", "received_at")
    return events.where((F.col("occurred_at") < instant(before)) & (known_at < instant(before)))


def lines_known_before(order_lines: DataFrame, orders: DataFrame, before: datetime, events: DataFrame) -> DataFrame:
    """Lines of the orders that were paid and known before an instant; a line has no clock of its own for the second."""
    known = known_before(orders.withColumnRenamed("paid_at", "occurred_at"), before, events).select("shop_id", "order_id")
    return order_lines.join(known, ["shop_id", "order_id"], "left_semi")


def with_persons_then(rows: DataFrame, events: DataFrame, unlinks: DataFrame | None, before: datetime) -> DataFrame:
    """Rows (``event_id``, ``person_id``) with the persons of their events as they were known at the cut: silver's go by the
    links known today, and a login after the cut must teach a model of before it nothing.

    ``events`` are all of the shop that were known before it; a row without an event keeps its person.
    """
    acts = identity.acts(events)
    if unlinks is not None:
        unlinks = unlinks.where(F.col("known_at_ms") < int(before.timestamp() * 1000))
    then = identity.with_persons(events, identity.links(acts, unlinks), acts)
    then = then.select("shop_id", "event_id", F.col("person_id").alias("person_then"))
    joined = rows.join(then, ["shop_id", "event_id"], "left")
    return joined.withColumn("person_id", F.coalesce("person_then", "person_id")).select(rows.columns)
