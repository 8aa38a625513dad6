"""Give every row of a bronze batch its outcome."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from jishi.outcomes import Outcome, outcome_sql

# The order of knowing, total: the log's time, then the log's position, then the acknowledgement's own number.
ORDER_OF_KNOWING = ("received_at_ms", "log_partition", "log_offset", "collector_id", "seq")


def classify(bronze: DataFrame, earlier: DataFrame | None, *, allowed_lateness_s: int, future_tolerance_s: int) -> DataFrame:
    """Bronze rows, one per acknowledgement, with a column ``outcome``.

    ``bronze`` has the columns of ``BRONZE_EVENTS`` and those of ``apply_repairs``; rows with equal ``(collector_id, seq)`` are
    one acknowledgement delivered more than once, of which the first is kept. ``earlier`` holds ``(shop_id, event_id)`` of the
    good and late events of earlier batches: an event that is there was known before, so this delivery is a duplicate. So is a
    repaired one that ``is_repeated``, wherever it stands, and no other delivery is one because of it.
    """
    own_name = F.concat_ws("#", "collector_id", F.col("seq").cast("string"))
    future_ms = future_tolerance_s * 1000
    is_eligible = (
        F.col("invalid_reason").isNull()
        & F.col("occurred_at_ms").isNotNull()
        & (F.col("occurred_at_ms") - F.col("received_at_ms") <= F.lit(future_ms))
    )
    named = bronze.withColumns(
        {
            "event_key": F.coalesce(F.concat(F.lit("e:"), F.col("event_id")), F.concat(F.lit("s:"), own_name)),
            "is_eligible": (F.coalesce(is_eligible, F.lit(False)) & ~F.col("is_repeated")).cast("long"),
        }
    )
    # Few events are delivered twice. Only those go through windows; the wide rows of all others never leave their task.
    repeated = named.groupBy("shop_id", "event_key").count().where("count > 1").select("shop_id", "event_key")
    if earlier is not None:
        known = earlier.select("shop_id", F.concat(F.lit("e:"), "event_id").alias("event_key")).distinct()
        known = known.join(named.select("shop_id", "event_key").distinct(), ["shop_id", "event_key"], "left_semi")
        keys = repeated.withColumn("known", F.lit(0)).unionByName(known.withColumn("known", F.lit(1)))
        special = keys.groupBy("shop_id", "event_key").agg(F.max("known").alias("known"))
    else:
        special = repeated.withColumn("known", F.lit(0))
    # Good rows and others are read from the same answers, so each is found once and kept; they are small.
    marked = named.join(F.broadcast(special.localCheckpoint()), ["shop_id", "event_key"], "left")
    once = marked.where("known is null").withColumn("occurrence", F.col("is_eligible"))
    one_delivery = Window.partitionBy("shop_id", "event_key", "collector_id", "seq").orderBy(*ORDER_OF_KNOWING)
    by_event = Window.partitionBy("shop_id", "event_key").orderBy(*ORDER_OF_KNOWING)
    up_to_here = by_event.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    acknowledged = marked.where("known is not null").withColumn("delivery", F.row_number().over(one_delivery))
    often = acknowledged.where("delivery = 1").drop("delivery")
    often = often.withColumn("occurrence", F.sum("is_eligible").over(up_to_here) + F.col("known")).localCheckpoint()
    rule = outcome_sql(allowed_lateness_s=allowed_lateness_s, future_tolerance_s=future_tolerance_s)
    counted = once.unionByName(often)
    counted = counted.withColumn("occurrence", F.when(F.col("is_repeated"), F.lit(2)).otherwise(F.col("occurrence")))
    return counted.withColumn("outcome", F.expr(rule)).select(*[c for c in bronze.columns if c != "is_repeated"], "outcome")


def instant(milliseconds: str) -> Column:
    """A UTC instant without zone from a column of epoch milliseconds."""
    return F.timestamp_millis(F.col(milliseconds)).cast("timestamp_ntz")


def local_date(milliseconds: str, zones: dict[str, str]) -> Column:
    """The date of an epoch-milliseconds column in the time zone of the row's shop."""
    by_shop = F.create_map(*[F.lit(word) for pair in sorted(zones.items()) for word in pair])
    return F.to_date(F.from_utc_timestamp(F.timestamp_millis(F.col(milliseconds)), by_shop[F.col("shop_id")]))


def is_in_silver() -> Column:
    """Whether a classified row belongs into ``silver/events``."""
    return F.col("outcome").isin(Outcome.GOOD.value, Outcome.LATE.value)
