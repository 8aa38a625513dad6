"""Orders, their lines and refunds, with the money rules of the contract."""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from jishi.tables import SILVER_ORDER_LINES, SILVER_ORDERS, SILVER_REFUNDS

_ORDER = (
    "properties STRUCT<order_id STRING, currency STRING, discount_minor BIGINT, shipping_minor BIGINT, "
    "coupon_ids ARRAY<STRING>, share_id STRING, group_buy_id STRING, "
    "lines ARRAY<STRUCT<item_id STRING, quantity BIGINT, unit_price_minor BIGINT, discount_minor BIGINT, "
    "amount_minor BIGINT, category STRING, coupon_id STRING>>>"
)
_REFUND = "properties STRUCT<refund_id STRING, order_id STRING, currency STRING, amount_minor BIGINT, reason STRING>"
# OrderLine.net_minor of the contract
_NET = "coalesce(x.amount_minor, greatest(0L, x.quantity * x.unit_price_minor - coalesce(x.discount_minor, 0L)))"


def reports(events: DataFrame) -> DataFrame:
    """``order_paid`` events with parsed properties in ``p`` and their ``order_id``; an order may be reported more than once."""
    parsed = events.where("type = 'order_paid'").withColumn("p", F.from_json("line", _ORDER)["properties"]).drop("line")
    return parsed.withColumn("order_id", F.col("p.order_id"))


def paid_orders(reports: DataFrame, known: DataFrame | None) -> DataFrame:
    """Of the reports of each order the first that became known, unless an earlier batch knew it.

    ``known`` holds ``(shop_id, order_id)`` of the orders of earlier batches. Keep ``reports``: they are read twice.
    """
    # Few orders are reported twice, so that the wide rows of all others need not be sorted.
    by_order = reports.groupBy("shop_id", "order_id").agg(
        F.min(F.struct("received_at", "event_id"))["event_id"].alias("first"), F.count("*").alias("reports")
    )
    first = by_order.where("reports > 1").drop("reports")
    joined = reports.join(F.broadcast(first.localCheckpoint()), ["shop_id", "order_id"], "left")
    joined = joined.where("first is null or first = event_id").drop("first")
    return joined if known is None else joined.join(known, ["shop_id", "order_id"], "left_anti")


def orders(paid: DataFrame) -> DataFrame:
    """One row an order, with the columns of ``SILVER_ORDERS``.

    gross = Σ quantity × unit price; discount = Σ line discounts + the order's own; paid = Σ line net − the order's discount +
    shipping.
    """

    def total(expression: str) -> str:
        return f"aggregate(p.lines, 0L, (sum, x) -> sum + {expression})"

    columns = {
        "paid_at": F.col("occurred_at"),
        "paid_date": F.col("occurred_date"),
        "currency": F.col("p.currency"),
        "lines": F.size("p.lines").cast("long"),
        "units": F.expr(total("x.quantity")),
        "gross_minor": F.expr(total("x.quantity * x.unit_price_minor")),
        "discount_minor": F.expr(total("coalesce(x.discount_minor, 0L)") + " + coalesce(p.discount_minor, 0L)"),
        "shipping_minor": F.expr("coalesce(p.shipping_minor, 0L)"),
        "paid_minor": F.expr(total(_NET) + " - coalesce(p.discount_minor, 0L) + coalesce(p.shipping_minor, 0L)"),
        "coupons": F.expr(
            "cast(size(array_distinct(filter(concat(coalesce(p.coupon_ids, array()), transform(p.lines, x -> x.coupon_id)), "
            "c -> c is not null))) as bigint)"
        ),
        "share_id": F.col("p.share_id"),
        "group_buy_id": F.col("p.group_buy_id"),
    }
    return paid.withColumns(columns).select(*SILVER_ORDERS.columns)


def paid_lines(paid: DataFrame) -> DataFrame:
    """One row a line, numbered from 1 in the order's sequence: ``SILVER_ORDER_LINES``, and clocks and id of its event."""
    exploded = paid.select(
        *("shop_id", "batch", "event_id", "order_id", "person_id", "occurred_at", "received_at"),
        F.col("occurred_at").alias("paid_at"),
        F.col("occurred_date").alias("paid_date"),
        F.posexplode("p.lines").alias("position", "x"),
    )
    columns = {
        "line_number": (F.col("position") + 1).cast("int"),
        "item_id": F.col("x.item_id"),
        "category": F.col("x.category"),
        "quantity": F.col("x.quantity"),
        "unit_price_minor": F.col("x.unit_price_minor"),
        "discount_minor": F.coalesce("x.discount_minor", F.lit(0).cast("long")),
        "net_minor": F.expr(_NET),
        "coupon_id": F.col("x.coupon_id"),
    }
    return exploded.withColumns(columns).drop("position", "x")


def order_lines(paid: DataFrame) -> DataFrame:
    """One row a line, with the columns of ``SILVER_ORDER_LINES``."""
    return paid_lines(paid).select(*SILVER_ORDER_LINES.columns)


def refunds(events: DataFrame, known: DataFrame | None) -> DataFrame:
    """One row a refund, the first that became known under its id, with the columns of ``SILVER_REFUNDS``.

    ``known`` holds ``(shop_id, refund_id)`` of the refunds of earlier batches.
    """
    parsed = events.where("type = 'order_refunded'").withColumn("p", F.from_json("line", _REFUND)["properties"])
    first_known = Window.partitionBy("shop_id", "p.refund_id").orderBy("received_at", "event_id")
    columns = {
        "refund_id": F.col("p.refund_id"),
        "order_id": F.col("p.order_id"),
        "refunded_at": F.col("occurred_at"),
        "refunded_date": F.col("occurred_date"),
        "currency": F.col("p.currency"),
        "amount_minor": F.col("p.amount_minor"),
        "reason": F.col("p.reason"),
    }
    first_rows = parsed.withColumn("n", F.row_number().over(first_known)).where("n = 1").withColumns(columns)
    first_rows = first_rows.select(*SILVER_REFUNDS.columns)
    return (
        first_rows
        if known is None
        else first_rows.join(known, ["shop_id", "refund_id"], "left_anti").select(*SILVER_REFUNDS.columns)
    )
