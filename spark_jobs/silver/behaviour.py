"""What persons did and what there is to buy: sessions, interactions, items."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from jishi.features.entity import ESCAPES
from jishi.tables import SILVER_INTERACTIONS, SILVER_ITEMS, SILVER_SESSIONS, VISIT_PAUSE_S
from spark_jobs.silver.orders import paid_lines

_ITEM = (
    "properties STRUCT<item_id STRING, title STRING, title_en STRING, category STRING, brand STRING, "
    "attributes MAP<STRING, STRING>, unit_price_minor BIGINT, currency STRING, stock BIGINT, status STRING, region STRING>"
)
_COUNTED = {
    "views": "item_viewed",
    "searches": "search_performed",
    "adds": "item_added_to_cart",
    "checkouts": "checkout_started",
    "orders": "order_paid",
    "shares": "item_shared",
}
_KINDS = {"item_viewed": "view", "item_added_to_cart": "add", "item_shared": "share"}


def sessions(events: DataFrame, paid: DataFrame) -> DataFrame:
    """Visits of persons on devices, with the columns of ``SILVER_SESSIONS``; ``paid`` holds the one event of each order that counts.

    A visit is of one person on one device and ends after more than 30 minutes without an event of the device, so a login does not
    cut it. An event with a user id alone belongs to the device on which the user acted last, up to 30 minutes before; without one
    to a visit of the user's own. A refund is the shop's act and starts no visit; a second report of an order that is known under
    another event id is no act at all. The first event lends its context. ``events`` are all those of the devices and users.
    """
    reports = events.where("type = 'order_paid'").select("shop_id", "event_id")
    repeated = reports.join(paid.select("shop_id", "event_id"), ["shop_id", "event_id"], "left_anti")
    of_persons = events.where("person_id is not null and type <> 'order_refunded'")
    acts = of_persons.join(F.broadcast(repeated), ["shop_id", "event_id"], "left_anti").select(
        *("shop_id", "person_id", "anonymous_id", "user_id", "event_id", "type", "occurred_at", "received_at"),
        *("occurred_date", "channel", "campaign", "device", "city"),
    )
    acts = _on_devices(acts.withColumn("seconds", F.col("occurred_at").cast("timestamp").cast("double")))
    # A user's own visits have no device; their key is the user's.
    of_device = ("shop_id", "anonymous_id", F.when(F.col("anonymous_id").isNull(), F.col("user_id")))
    in_time = Window.partitionBy(*of_device).orderBy("occurred_at", "person_id", "received_at", "event_id")
    is_apart = F.col("seconds") - F.lag("seconds").over(in_time) > VISIT_PAUSE_S
    is_other = F.lag("person_id").over(in_time) != F.col("person_id")
    starts = F.coalesce(is_apart | is_other, F.lit(True)).cast("int")
    numbered = acts.withColumn("starts", starts).withColumn("visit", F.sum("starts").over(in_time))
    order = F.struct("occurred_at", "received_at", "event_id")
    first = {name: F.min_by(name, order).alias(name) for name in ("channel", "campaign", "device", "city")}
    counts = [F.count_if(F.col("type") == event_type).alias(name) for name, event_type in _COUNTED.items()]
    grouped = numbered.groupBy("shop_id", "anonymous_id", "person_id", "visit").agg(
        F.max("user_id").alias("user_id"),
        F.min("occurred_at").alias("started_at"),
        F.max("occurred_at").alias("ended_at"),
        F.min_by("occurred_date", order).alias("started_date"),
        F.count("*").alias("events"),
        *first.values(),
        *counts,
    )
    milliseconds = F.unix_millis(F.col("started_at").cast("timestamp")).cast("string")
    key = F.concat_ws("|", escaped(F.col("person_id")), escaped(F.col("anonymous_id")), milliseconds)
    return grouped.withColumn("session_key", key).select(*SILVER_SESSIONS.columns)


def _on_devices(acts: DataFrame) -> DataFrame:
    """Acts of a user alone get the device on which the user acted last, when that was not more than a pause ago."""
    of_user = Window.partitionBy("shop_id", "user_id").orderBy("occurred_at", "received_at", "event_id")
    before = of_user.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    seen = F.when(F.col("anonymous_id").isNotNull(), F.struct("anonymous_id", "seconds"))
    users = acts.where("anonymous_id is null").select("shop_id", "user_id").distinct()
    theirs = acts.join(F.broadcast(users), ["shop_id", "user_id"], "left_semi")
    last = theirs.withColumn("last", F.last(seen, ignorenulls=True).over(before)).where("anonymous_id is null")
    device = F.when(F.col("seconds") - F.col("last.seconds") <= VISIT_PAUSE_S, F.col("last.anonymous_id"))
    alone = last.withColumn("anonymous_id", device).select(*acts.columns)
    return acts.where("anonymous_id is not null").unionByName(alone)


def escaped(part: Column) -> Column:
    """A part of a key that is joined with ``|``."""
    for plain, written in ESCAPES:
        part = F.replace(part, F.lit(plain), F.lit(written))
    return part


def interactions(events: DataFrame, paid: DataFrame) -> DataFrame:
    """Views, adds and shares from events and one ``pay`` for each line of the paid orders, with the columns of
    ``SILVER_INTERACTIONS``.
    """
    kind = F.create_map(*[F.lit(word) for pair in _KINDS.items() for word in pair])
    acts = events.where(F.col("type").isin(*_KINDS) & F.col("person_id").isNotNull() & F.col("item_id").isNotNull())
    acts = acts.withColumns(
        {
            "kind": kind[F.col("type")],
            "line_number": F.lit(0),
            "quantity": F.coalesce("quantity", F.lit(1).cast("long")),
        }
    ).select(*SILVER_INTERACTIONS.columns)
    pays = paid_lines(paid).where("person_id is not null").withColumn("kind", F.lit("pay")).select(*SILVER_INTERACTIONS.columns)
    return acts.unionByName(pays)


def items(events: DataFrame) -> DataFrame:
    """The newest state of each item, with the columns of ``SILVER_ITEMS``; attributes as JSON with sorted keys."""
    parsed = events.where("type = 'item_changed'").withColumn("p", F.from_json("line", _ITEM)["properties"])
    newest = Window.partitionBy("shop_id", "p.item_id").orderBy(
        F.desc("occurred_at"), F.desc("received_at"), F.desc("event_id")
    )
    latest = parsed.withColumn("n", F.row_number().over(newest)).where("n = 1")
    simple = ("title", "title_en", "category", "brand", "unit_price_minor", "currency", "stock", "region")
    columns = {
        "item_id": F.col("p.item_id"),
        "attributes": F.to_json(
            F.map_from_entries(
                F.array_sort(F.map_entries(F.coalesce("p.attributes", F.create_map().cast("map<string,string>"))))
            )
        ),
        "status": F.coalesce("p.status", F.lit("active")),
        "changed_at": F.col("occurred_at"),
        "known_at": F.col("received_at"),
        **{name: F.col(f"p.{name}") for name in simple},
    }
    return latest.withColumns(columns).select(*SILVER_ITEMS.columns)
