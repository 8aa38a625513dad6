"""Visits: acts of a person on a device without a long pause."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from jishi.features.entity import ESCAPES
from jishi.tables import SILVER_SESSIONS, VISIT_PAUSE_S

_READ = (
    *("shop_id", "person_id", "anonymous_id", "user_id", "event_id", "type", "occurred_at", "received_at"),
    *("occurred_date", "channel", "campaign", "referrer", "device", "city", "share_id"),
)
_COUNTED = {
    "views": "item_viewed",
    "searches": "search_performed",
    "adds": "item_added_to_cart",
    "checkouts": "checkout_started",
    "orders": "order_paid",
    "shares": "item_shared",
}
_LANDED_BY_LINK = ("share_opened", "item_viewed")


def sessions(events: DataFrame, paid: DataFrame, at_midnight: Sequence[str] = ()) -> DataFrame:
    """All visits, with the columns of ``SILVER_SESSIONS``; ``paid`` holds the one event of each order that counts.

    A visit is of one person on one device and ends after more than 30 minutes without an event of the device, so a login does
    not cut it; in the shops ``at_midnight`` it also ends with the shop's day. An event with a user id alone belongs to the
    device on which the user acted last, up to 30 minutes before; without one to a visit of the user's own. A refund is the
    shop's act and starts no visit; a second report of an order that is known under another event id is no act at all. The first
    event lends its context; ``share_id`` is the first share link by which it came to the shop or an item. ``events`` are all
    those of the devices and users.
    """
    reports = events.where("type = 'order_paid'").select("shop_id", "event_id")
    repeated = reports.join(paid.select("shop_id", "event_id"), ["shop_id", "event_id"], "left_anti")
    of_persons = events.where("person_id is not null and type <> 'order_refunded'")
    acts = of_persons.join(F.broadcast(repeated), ["shop_id", "event_id"], "left_anti").select(*_READ)
    acts = _on_devices(acts.withColumn("seconds", F.col("occurred_at").cast("timestamp").cast("double")))
    # A user's own visits have no device; their key is the user's.
    of_device = ("shop_id", "anonymous_id", F.when(F.col("anonymous_id").isNull(), F.col("user_id")))
    in_time = Window.partitionBy(*of_device).orderBy("occurred_at", "person_id", "received_at", "event_id")
    is_apart = F.col("seconds") - F.lag("seconds").over(in_time) > VISIT_PAUSE_S
    is_other = F.lag("person_id").over(in_time) != F.col("person_id")
    is_cut = is_apart | is_other
    if at_midnight:
        is_cut |= F.col("shop_id").isin(*at_midnight) & (F.lag("occurred_date").over(in_time) != F.col("occurred_date"))
    starts = F.coalesce(is_cut, F.lit(True)).cast("int")
    numbered = acts.withColumn("starts", starts).withColumn("visit", F.sum("starts").over(in_time))
    order = F.struct("occurred_at", "received_at", "event_id")
    first = {name: F.min_by(name, order).alias(name) for name in ("channel", "campaign", "referrer", "device", "city")}
    by_link = F.col("share_id").isNotNull() & F.col("type").isin(*_LANDED_BY_LINK)
    counts = [F.count_if(F.col("type") == event_type).alias(name) for name, event_type in _COUNTED.items()]
    grouped = numbered.groupBy("shop_id", "anonymous_id", "person_id", "visit").agg(
        F.max("user_id").alias("user_id"),
        F.min("occurred_at").alias("started_at"),
        F.max("occurred_at").alias("ended_at"),
        F.min_by("occurred_date", order).alias("started_date"),
        F.min_by("share_id", F.when(by_link, order)).alias("share_id"),
        F.count("*").alias("events"),
        *first.values(),
        *counts,
    )
    milliseconds = F.unix_millis(F.col("started_at").cast("timestamp")).cast("string")
    key = F.concat_ws("|", escaped(F.col("person_id")), escaped(F.col("anonymous_id")), milliseconds)
    return grouped.withColumn("session_key", key).select(*SILVER_SESSIONS.columns)


def sessions_anew(
    events: DataFrame, paid: DataFrame, acting: DataFrame, before: DataFrame, at_midnight: Sequence[str] = ()
) -> DataFrame:
    """Visits of whom ``acting`` names (``shop_id``, ``anonymous_id``, ``user_id``) made anew, all others taken from ``before``.

    Anew are the visits of the devices, of every other device of the users, since an act of a user alone may go to any of them,
    and of the users alone. ``events`` and ``paid`` are those of whole shops.
    """
    device, user = ["shop_id", "anonymous_id"], ["shop_id", "user_id"]
    pairs = (
        events.where("anonymous_id is not null and user_id is not null").select("shop_id", "anonymous_id", "user_id").distinct()
    )
    users = acting.where("user_id is not null").select(*user).distinct()
    devices = acting.where("anonymous_id is not null").select(*device)
    devices = (
        devices.unionByName(pairs.join(F.broadcast(users), user, "left_semi").select(*device)).distinct().localCheckpoint()
    )
    # Whoever acted on such a device may have an act alone that goes there.
    near = pairs.join(F.broadcast(devices), device, "left_semi").select(*user)
    near = near.unionByName(users).distinct().localCheckpoint()
    # Few events, which are read several times below.
    concerned = _marked(events.select(*_READ), devices, near).where("of_device or of_user").drop("of_device", "of_user")
    anew = sessions(concerned.localCheckpoint(), paid, at_midnight)
    return _of_whom(anew, devices, users).unionByName(_of_whom(before, devices, users, others=True))


def _marked(rows: DataFrame, devices: DataFrame, users: DataFrame) -> DataFrame:
    """``rows`` with ``of_device`` and ``of_user``: whether they are on one of the devices, and of one of the users."""
    marked = rows.join(F.broadcast(devices.withColumn("of_device", F.lit(True))), ["shop_id", "anonymous_id"], "left")
    marked = marked.join(F.broadcast(users.withColumn("of_user", F.lit(True))), ["shop_id", "user_id"], "left")
    return marked.withColumns({name: F.coalesce(name, F.lit(False)) for name in ("of_device", "of_user")})


def _of_whom(visits: DataFrame, devices: DataFrame, users: DataFrame, *, others: bool = False) -> DataFrame:
    """Visits on the devices and of the users alone, or all ``others``."""
    is_of_them = F.when(F.col("anonymous_id").isNotNull(), F.col("of_device")).otherwise(F.col("of_user"))
    marked = _marked(visits, devices, users)
    return marked.where(~is_of_them if others else is_of_them).select(*SILVER_SESSIONS.columns)


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
