"""Refunds and how much of each counts: only what was paid can be given back (jishi.refunds).

A refund may become known before its order, so amounts are counted for a shop as a whole, once all its batches are there.
"""

from __future__ import annotations

from pyspark.sql import DataFrame, Window, WindowSpec
from pyspark.sql import functions as F

from jishi.refunds import RefundOutcome, outcome_sql
from jishi.tables import SILVER_REFUND_LINES, SILVER_REFUNDS
from spark_jobs.silver.orders import STAMP, home_minor, stamp

_REFUND = (
    f"properties STRUCT<refund_id STRING, order_id STRING, currency STRING, {STAMP}, amount_minor BIGINT, "
    "home_amount_minor BIGINT, reason STRING, lines ARRAY<STRUCT<item_id STRING, quantity BIGINT, amount_minor BIGINT>>>"
)
_EXACT = "DECIMAL(38, 0)"


def reported_refunds(events: DataFrame, known: DataFrame | None) -> DataFrame:
    """One row a refund of a batch, the first that became known under its id, with its parsed properties in ``p``.

    ``known`` holds ``(shop_id, refund_id)`` of the refunds of earlier batches.
    """
    parsed = events.where("type = 'order_refunded'").withColumn("p", F.from_json("line", _REFUND)["properties"])
    first_known = Window.partitionBy("shop_id", "batch", "p.refund_id").orderBy("received_at", "event_id")
    columns = {
        "refund_id": F.col("p.refund_id"),
        "order_id": F.col("p.order_id"),
        "refunded_at": F.col("occurred_at"),
        "refunded_date": F.col("occurred_date"),
        "currency": F.col("p.currency"),
        **stamp(),
        "amount_minor": F.col("p.amount_minor"),
        "home_amount_minor": F.expr(home_minor("p.amount_minor", "p.home_amount_minor")),
        "reason": F.col("p.reason"),
    }
    first = parsed.withColumn("n", F.row_number().over(first_known)).where("n = 1").drop("line").withColumns(columns)
    return first if known is None else first.join(known, ["shop_id", "refund_id"], "left_anti")


def refunds(reported: DataFrame) -> DataFrame:
    """The columns of ``SILVER_REFUNDS``, not yet counted."""
    return _uncounted(reported).select(*SILVER_REFUNDS.columns)


def refund_lines(reported: DataFrame) -> DataFrame:
    """One row an item of a refund, the columns of ``SILVER_REFUND_LINES``, not yet counted."""
    lines = reported.select("shop_id", "batch", "refund_id", "order_id", F.explode("p.lines").alias("x"))
    of_item = lines.groupBy("shop_id", "batch", "refund_id", "order_id", F.col("x.item_id").alias("item_id"))
    summed = of_item.agg(F.sum("x.quantity").alias("quantity"), F.sum("x.amount_minor").alias("amount_minor"))
    return _uncounted(summed).select(*SILVER_REFUND_LINES.columns)


def count_refunds(refunds: DataFrame, orders: DataFrame) -> DataFrame:
    """``refunds`` of some shops with ``outcome`` and ``counted_minor`` as they are by all of the shops' ``orders``.

    The rows, with two columns more: ``is_changed``, whether one of both differs from what was there, and ``order_currency``.
    """
    paid = orders.select("shop_id", "order_id", "paid_minor", F.col("currency").alias("order_currency"))
    joined = refunds.join(paid, ["shop_id", "order_id"], "left")
    first_known = Window.partitionBy("shop_id", "order_id", "currency").orderBy("received_at", "refund_id")
    return _counted(joined, first_known, RefundOutcome.UNKNOWN_ORDER).drop("paid_minor")


def count_refund_lines(lines: DataFrame, refunds: DataFrame, order_lines: DataFrame) -> DataFrame:
    """``lines`` of refunds with ``outcome`` and ``counted_minor``, by the shops' ``order_lines`` and counted ``refunds``.

    A line of a refund that counts for no order has the refund's outcome. ``is_changed`` as in ``count_refunds``.
    """
    refund = refunds.select(
        *("shop_id", "refund_id", "currency", "order_currency", "received_at"), F.col("outcome").alias("refund_outcome")
    )
    net = order_lines.groupBy("shop_id", "order_id", "item_id").agg(F.sum("net_minor").alias("paid_minor"))
    joined = lines.join(refund, ["shop_id", "refund_id"]).join(net, ["shop_id", "order_id", "item_id"], "left")
    first_known = Window.partitionBy("shop_id", "order_id", "item_id", "currency").orderBy("received_at", "refund_id")
    counted = _counted(joined, first_known, RefundOutcome.UNKNOWN_ITEM)
    is_uncounted = F.col("refund_outcome").isin(RefundOutcome.UNKNOWN_ORDER.value, RefundOutcome.OTHER_CURRENCY.value)
    return counted.withColumn("outcome", F.when(is_uncounted, F.col("refund_outcome")).otherwise(F.col("outcome"))).drop(
        "paid_minor", "currency", "order_currency", "received_at", "refund_outcome"
    )


def _counted(joined: DataFrame, first_known: WindowSpec, unknown: RefundOutcome) -> DataFrame:
    before = F.sum(F.col("amount_minor").cast(_EXACT)).over(first_known.rowsBetween(Window.unboundedPreceding, -1))
    is_same = F.expr("order_currency = currency")
    left = F.greatest(F.lit(0).cast(_EXACT), F.col("paid_minor") - F.coalesce(before, F.lit(0).cast(_EXACT)))
    counted = F.when(is_same, F.least(F.col("amount_minor").cast(_EXACT), left)).cast("bigint")
    outcome = outcome_sql(
        paid="paid_minor",
        order_currency="order_currency",
        currency="currency",
        amount="amount_minor",
        counted="counted_now",
        unknown=unknown,
    )
    columns = {"counted_now": F.coalesce(counted, F.lit(0).cast("bigint"))}
    now = joined.withColumns(columns).withColumn("outcome_now", F.expr(outcome))
    is_changed = F.expr("not (outcome_now <=> outcome and counted_now <=> counted_minor)")
    named = {"is_changed": is_changed, "outcome": F.col("outcome_now"), "counted_minor": F.col("counted_now")}
    return now.withColumns(named).drop("outcome_now", "counted_now")


def _uncounted(rows: DataFrame) -> DataFrame:
    return rows.withColumns({"outcome": F.lit(None).cast("string"), "counted_minor": F.lit(None).cast("bigint")})
