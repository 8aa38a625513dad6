"""What was known at a cut: the rule by which ``models.split.Window`` takes training acts, over tables."""

from __future__ import annotations

from datetime import UTC, datetime

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F


def instant(at: datetime) -> Column:
    """An instant with an offset as the lake keeps it: UTC without a zone."""
    return F.lit(at.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ")).cast("timestamp_ntz")


def known_before(rows: DataFrame, before: datetime) -> DataFrame:
    """Rows that had happened **and** were known before an instant (``occurred_at``, ``received_at``)."""
    return rows.where((F.col("occurred_at") < instant(before)) & (F.col("received_at") < instant(before)))


def lines_known_before(order_lines: DataFrame, orders: DataFrame, before: datetime) -> DataFrame:
    """Lines of the orders that were paid and known before an instant; a line has no clock of its own for the second."""
    known = known_before(orders.withColumnRenamed("paid_at", "occurred_at"), before).select("shop_id", "order_id")
    return order_lines.join(known, ["shop_id", "order_id"], "left_semi")
