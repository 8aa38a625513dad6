"""Orders and their lines, with the money rules of the contract."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jishi.tables import SILVER_ORDER_LINES, SILVER_ORDERS

STAMP = "home_currency STRING, fx_rate STRING, fx_rate_date STRING"
_ORDER = (
    f"properties STRUCT<order_id STRING, currency STRING, {STAMP}, discount_minor BIGINT, shipping_minor BIGINT, "
    "home_discount_minor BIGINT, home_shipping_minor BIGINT, coupon_ids ARRAY<STRING>, share_id STRING, group_buy_id STRING, "
    "delivery_region STRING, "
    "lines ARRAY<STRUCT<item_id STRING, quantity BIGINT, unit_price_minor BIGINT, discount_minor BIGINT, "
    "amount_minor BIGINT, home_gross_minor BIGINT, home_discount_minor BIGINT, home_net_minor BIGINT, "
    "category STRING, coupon_id STRING>>>"
)
# OrderLine.net_minor of the contract
_NET = "coalesce(x.amount_minor, greatest(0L, x.quantity * x.unit_price_minor - coalesce(x.discount_minor, 0L)))"
_GROSS = "x.quantity * x.unit_price_minor"
_LINE_DISCOUNT = "coalesce(x.discount_minor, 0L)"


def home_minor(came: str, stamped: str) -> str:
    """An amount in the home currency: the stamp, or what came where the event has none (jishi.contract.home_money)."""
    return f"if(p.home_currency is null, {came}, {stamped})"


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
    shipping. The same in the home currency; null without a rate.
    """

    def total(expression: str) -> str:
        return f"aggregate(p.lines, 0L, (sum, x) -> sum + {expression})"

    columns = {
        "paid_at": F.col("occurred_at"),
        "paid_date": F.col("occurred_date"),
        "currency": F.col("p.currency"),
        **stamp(),
        "lines": F.size("p.lines").cast("long"),
        "units": F.expr(total("x.quantity")),
        "gross_minor": F.expr(total(_GROSS)),
        "discount_minor": F.expr(f"{total(_LINE_DISCOUNT)} + coalesce(p.discount_minor, 0L)"),
        "shipping_minor": F.expr("coalesce(p.shipping_minor, 0L)"),
        "paid_minor": F.expr(total(_NET) + " - coalesce(p.discount_minor, 0L) + coalesce(p.shipping_minor, 0L)"),
        "home_gross_minor": F.expr(home_minor(total(_GROSS), total("x.home_gross_minor"))),
        "home_discount_minor": F.expr(
            home_minor(
                f"{total(_LINE_DISCOUNT)} + coalesce(p.discount_minor, 0L)",
                f"{total('x.home_discount_minor')} + p.home_discount_minor",
            )
        ),
        "home_shipping_minor": F.expr(home_minor("coalesce(p.shipping_minor, 0L)", "p.home_shipping_minor")),
        "home_paid_minor": F.expr(
            home_minor(
                f"{total(_NET)} - coalesce(p.discount_minor, 0L) + coalesce(p.shipping_minor, 0L)",
                f"{total('x.home_net_minor')} - p.home_discount_minor + p.home_shipping_minor",
            )
        ),
        "coupons": F.expr(
            "cast(size(array_distinct(filter(concat(coalesce(p.coupon_ids, array()), transform(p.lines, x -> x.coupon_id)), "
            "c -> c is not null))) as bigint)"
        ),
        "share_id": F.col("p.share_id"),
        "group_buy_id": F.col("p.group_buy_id"),
        "delivery_region": F.col("p.delivery_region"),
    }
    return paid.withColumns(columns).select(*SILVER_ORDERS.columns)


def stamp() -> dict[str, Column]:
    """What the event says of its rate."""
    return {name: F.col(f"p.{name}") for name in ("home_currency", "fx_rate")} | {
        "fx_rate_date": F.col("p.fx_rate_date").cast("date")
    }


def paid_lines(paid: DataFrame) -> DataFrame:
    """One row a line, numbered from 1 in the order's sequence: ``SILVER_ORDER_LINES``, and clocks and id of its event."""
    exploded = paid.select(
        *("shop_id", "batch", "event_id", "order_id", "person_id", "occurred_at", "received_at"),
        F.col("occurred_at").alias("paid_at"),
        F.col("occurred_date").alias("paid_date"),
        "p",
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
        "home_gross_minor": F.expr(home_minor(_GROSS, "x.home_gross_minor")),
        "home_discount_minor": F.expr(home_minor(_LINE_DISCOUNT, "x.home_discount_minor")),
        "home_net_minor": F.expr(home_minor(_NET, "x.home_net_minor")),
        "coupon_id": F.col("x.coupon_id"),
    }
    return exploded.withColumns(columns).drop("position", "x", "p")


def order_lines(paid: DataFrame) -> DataFrame:
    """One row a line, with the columns of ``SILVER_ORDER_LINES``."""
    return paid_lines(paid).select(*SILVER_ORDER_LINES.columns)
