"""Links between devices and users, and the person of each event: the rule of ``jishi.identity`` as DataFrame transforms.

Most devices have one user at most; their events need no more than the spans of the device's link, which are broadcast so that
wide rows stay where they are. Only acts of shared devices go through windows.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window, WindowSpec
from pyspark.sql import functions as F

from jishi.identity import DEVICE, RULES, USER, IdentityRules, LinkReason
from jishi.tables import SILVER_IDENTITY

_DEVICE = ("shop_id", "anonymous_id")
_PAIR = (*_DEVICE, "user_id")


def acts(events: DataFrame) -> DataFrame:
    """What identity reads of events (columns of ``SILVER_EVENTS``): ids and times in milliseconds.

    A refund is the shop's act: it says neither who held a device nor that somebody was there.
    """
    return events.where("type <> 'order_refunded' and (anonymous_id is not null or user_id is not null)").select(
        *_PAIR, "event_id", _ms("occurred_at"), _ms("received_at")
    )


def links(of_acts: DataFrame, unlinks: DataFrame | None = None, rules: IdentityRules = RULES) -> DataFrame:
    """All links that ``acts`` show, with the columns of ``SILVER_IDENTITY``, capped ones with their reason.

    ``unlinks`` has ``shop_id``, ``anonymous_id``, ``user_id`` and ``known_at_ms``: evidence known up to then does not count.
    """
    evidence = of_acts.where("anonymous_id is not null and user_id is not null")
    if unlinks is not None:
        last = unlinks.groupBy(*_PAIR).agg(F.max("known_at_ms").alias("unlinked_at_ms"))
        evidence = evidence.join(F.broadcast(last), list(_PAIR), "left")
        evidence = evidence.where("unlinked_at_ms is null or received_at_ms > unlinked_at_ms")
    # A pair whose evidence spans two horizons at most is one link for sure; the sort is for the few others.
    pairs = _runs(evidence, ())
    is_short = F.col("last_at_ms") - F.col("first_at_ms") <= 2 * rules.horizon_ms
    long = evidence.join(pairs.where(~is_short).select(*_PAIR), list(_PAIR), "left_semi")
    in_time = Window.partitionBy(*_PAIR).orderBy("occurred_at_ms")
    begins = F.coalesce(F.col("occurred_at_ms") - F.lag("occurred_at_ms").over(in_time) > 2 * rules.horizon_ms, F.lit(True))
    numbered = long.withColumn("begins", begins.cast("int")).withColumn("run", F.sum("begins").over(in_time))
    runs = pairs.where(is_short).withColumn("of_several", F.lit(False))
    runs = runs.unionByName(_runs(numbered, ("run",)).drop("run").withColumn("of_several", F.lit(True)))
    horizon = rules.horizon_ms
    before_of_user = Window.partitionBy("shop_id", "user_id").orderBy("known_at_ms").rangeBetween(-horizon, 0)
    before_of_device = Window.partitionBy(*_DEVICE).orderBy("known_at_ms").rangeBetween(-horizon, 0)
    reason = (
        F.when(_distinct("anonymous_id", before_of_user) > rules.most_devices, LinkReason.SHARED_ACCOUNT.value)
        .when(_distinct("user_id", before_of_device) > rules.most_users, LinkReason.PUBLIC_DEVICE.value)
        .otherwise(LinkReason.LOGIN.value)
    )
    columns = {
        "reason": reason,
        "valid_from": _instant(F.col("first_at_ms") - horizon),
        "valid_to": _instant(F.col("last_at_ms") + horizon),
        **{name: _instant(F.col(f"{name}_ms")) for name in ("first_at", "last_at", "known_at")},
    }
    return runs.withColumns(columns).select(*SILVER_IDENTITY.columns)


def _distinct(name: str, window: WindowSpec) -> Column:
    """How many ids are in the window. A pair of one link adds one; sets, which cost more, are for the few of several."""
    alone = F.count(F.when(~F.col("of_several"), 1)).over(window)
    return alone + F.size(F.collect_set(F.when(F.col("of_several"), F.col(name))).over(window))


def with_persons(events: DataFrame, of_links: DataFrame, of_acts: DataFrame, rules: IdentityRules = RULES) -> DataFrame:
    """``events`` (with ``event_id``, both ids, ``occurred_at``) with ``person_id``; ``of_acts`` are those of their devices."""
    active = of_links.where(F.col("reason") != LinkReason.SHARED_ACCOUNT.value)
    active = active.withColumns({"from_ms": _ms("valid_from"), "to_ms": _ms("valid_to")})
    joins = F.col("reason") == LinkReason.LOGIN.value
    devices = active.groupBy(*_DEVICE).agg(
        F.collect_set("user_id").alias("users"), F.collect_list(F.when(joins, F.struct("from_ms", "to_ms"))).alias("spans")
    )
    shared = devices.where(F.size("users") > 1).select(*_DEVICE)
    in_visits = _users_of_shared(of_acts.join(F.broadcast(shared), list(_DEVICE), "left_semi"), active, rules)
    single = devices.where(F.size("users") == 1).select(*_DEVICE, F.col("users")[0].alias("_single"), "spans")
    joined = events.drop("person_id").join(F.broadcast(single), list(_DEVICE), "left")
    joined = joined.join(F.broadcast(in_visits), ["shop_id", "event_id"], "left")
    at_ms = F.unix_millis(F.col("occurred_at").cast("timestamp"))
    is_joined = F.exists("spans", lambda span: at_ms.between(span["from_ms"], span["to_ms"]))
    user = F.coalesce("user_id", F.when(is_joined, F.col("_single")), "_in_visit")
    person = F.coalesce(F.concat(F.lit(USER), user), F.concat(F.lit(DEVICE), F.col("anonymous_id")))
    return joined.withColumn("person_id", person).drop("_single", "spans", "_in_visit")


def _users_of_shared(of_acts: DataFrame, active: DataFrame, rules: IdentityRules) -> DataFrame:
    """``shop_id``, ``event_id`` and the user of acts without a user id on devices of several users."""
    in_time = Window.partitionBy(*_DEVICE).orderBy("occurred_at_ms", "received_at_ms", "event_id")
    gap = F.col("occurred_at_ms") - F.lag("occurred_at_ms").over(in_time)
    visit = F.sum(F.coalesce(gap > rules.pause_ms, F.lit(False)).cast("int")).over(in_time)
    of_visit = Window.partitionBy(*_DEVICE, "visit").orderBy("occurred_at_ms", "received_at_ms", "event_id")
    following = F.first("user_id", ignorenulls=True).over(of_visit.rowsBetween(Window.currentRow, Window.unboundedFollowing))
    previous = F.last("user_id", ignorenulls=True).over(of_visit.rowsBetween(Window.unboundedPreceding, Window.currentRow))
    seen = of_acts.withColumn("visit", visit).withColumn("in_visit", F.coalesce(following, previous))
    names = active.select(*_DEVICE, F.col("user_id").alias("linked"), "reason", "from_ms", "to_ms")
    held = seen.where("user_id is null").join(F.broadcast(names), list(_DEVICE))
    held = held.where(F.col("occurred_at_ms").between(F.col("from_ms"), F.col("to_ms")))
    joins = F.col("reason") == LinkReason.LOGIN.value
    users = held.groupBy("shop_id", "event_id").agg(
        F.first("in_visit").alias("in_visit"),
        F.collect_set("linked").alias("users"),
        F.collect_set(F.when(joins, F.col("linked"))).alias("joined"),
    )
    chosen = F.when(F.size("users") == 1, F.col("users")[0]).otherwise(F.col("in_visit"))
    users = users.withColumn("_in_visit", chosen).where(F.array_contains("joined", F.col("_in_visit")))
    return users.select("shop_id", "event_id", "_in_visit")


def _runs(evidence: DataFrame, more: tuple[str, ...]) -> DataFrame:
    first = F.min(F.struct("received_at_ms", "event_id"))
    return evidence.groupBy(*_PAIR, *more).agg(
        F.min("occurred_at_ms").alias("first_at_ms"),
        F.max("occurred_at_ms").alias("last_at_ms"),
        first["received_at_ms"].alias("known_at_ms"),
        first["event_id"].alias("first_event_id"),
        F.count("*").alias("events"),
    )


def _ms(instant: str) -> Column:
    return F.unix_millis(F.col(instant).cast("timestamp")).alias(f"{instant}_ms")


def _instant(milliseconds: Column) -> Column:
    return F.timestamp_millis(milliseconds).cast("timestamp_ntz")
