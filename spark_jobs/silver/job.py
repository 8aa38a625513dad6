"""Build silver from one bronze batch: read, transform, write to branches, audit, publish all tables together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime

from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jishi import tables
from jishi.lake.rows import Rows
from jishi.lake.versions import StaleWriter
from jishi.paths import Paths
from jishi.settings import Settings
from jishi.shops import Shops
from jishi.tables import TableSchema
from jishi.unlinks import read_unlinks
from spark_jobs.publication import Publication
from spark_jobs.shop_groups import build_shops
from spark_jobs.silver import behaviour, events, identity, orders, refunds, sessions
from spark_jobs.silver.audit import Audited, audit
from spark_jobs.silver.batches import (
    batch_order,
    batches_between,
    built_batches,
    later_batches,
    shops_of_batch,
    unfinished_batches,
)
from spark_jobs.silver.bronze import bronze_rows, source_of
from spark_jobs.silver.outcomes import classify, is_in_silver
from spark_jobs.silver.repairs import apply_repairs

BRONZE = (tables.BRONZE_LIVE, tables.BRONZE_HISTORY, tables.BRONZE_REPAIRS)
KEPT_BYTES = 4 * 2**20  # a batch of so much is kept in memory whole, once its events have their outcomes
TRIES = 3  # when others publish the same shops meanwhile, a build begins again so many times
Report = Callable[[str], None]
_MONEY = (tables.SILVER_ORDERS, tables.SILVER_ORDER_LINES, tables.SILVER_REFUNDS, tables.SILVER_REFUND_LINES)
_IDS = ("shop_id", "anonymous_id", "user_id")


@dataclass
class SilverBuilt:
    """Shops that were built, those that failed with the reason, and the rows of each table that the built ones have.

    ``version`` is the number of the table version that holds them, None when no shop could be built.
    """

    shops: list[str] = field(default_factory=list)
    failures: dict[str, Exception] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    version: int | None = None


def build_silver(
    session: SparkSession,
    settings: Settings,
    shops: Shops,
    batch: str,
    wanted: list[str],
    report: Report,
    *,
    last: str | None = None,
    restate: bool = False,
    now: datetime | None = None,
) -> SilverBuilt:
    """Build the batch of the tables that are kept by batch, and items and sessions of the shops that it touches.

    What this batch knows makes duplicates of later deliveries, so later batches that were built before are built again with it.
    With ``last`` all live days from ``batch`` to that one are built together, with ``restate`` the earlier days of which bronze
    has since got more, or of which silver has nothing. A login tells whose the acts before it were: a batch in which a person
    changes is restated, with what is made of its events.
    A day that is over at ``now`` (UTC; None: every one) is held against the shop's history (``spark_jobs.gates``).
    A shop that cannot be built keeps its old rows; the others are published together. A shop without rows in the batch has
    nothing to build. Raises BatchMissing for a history that no shop has, and StaleWriter when others were first too often.
    """
    for tries_left in range(TRIES - 1, -1, -1):
        publication = Publication(session, settings, f"spark_jobs silver --batch {batch}", (*BRONZE, *tables.SILVER))
        try:
            return _build_once(publication, settings, shops, batch, wanted, report, last=last, restate=restate, now=now)
        except StaleWriter:
            if not tries_left:
                raise
            report("another publish came first; building again on the newest version")
        finally:
            publication.abandon()
    raise AssertionError("unreachable")


def _build_once(
    publication: Publication,
    settings: Settings,
    shops: Shops,
    batch: str,
    wanted: list[str],
    report: Report,
    *,
    last: str | None,
    restate: bool,
    now: datetime | None,
) -> SilverBuilt:
    publication.read_appended(tables.BRONZE_LIVE)
    asked = unfinished_batches(publication, batch, wanted) if restate else {}
    for name, shops_of in asked.items():
        report(f"{name} is worked up, too: bronze has more of it than silver of {', '.join(shops_of)}")
    asked |= batches_between(publication, batch, last, wanted) if last else {batch: shops_of_batch(publication, batch, wanted)}
    touched = sorted({shop for shops_of in asked.values() for shop in shops_of})
    rows: Counter[str] = Counter()

    def build(group: list[str]) -> None:
        rows.update(_build_group(publication, settings, shops, asked, group, report, now).rows)

    failures = build_shops(publication, touched, build, report)
    done = [shop for shop in touched if shop not in failures]
    if not done:
        return SilverBuilt(failures=failures)
    return SilverBuilt(done, failures, dict(rows), publication.finish().number)


def _build_group(
    publication: Publication,
    settings: Settings,
    shops: Shops,
    asked: dict[str, list[str]],
    group: list[str],
    report: Report,
    now: datetime | None,
) -> Audited:
    """Write the tables of some shops to the branches and audit them; ``asked`` are batches in their order, with their shops.

    Raises UnknownShop, AuditFailed and Spark's errors.
    """
    zones = {shop_id: shops.get(shop_id).time_zone for shop_id in group}
    at_midnight = [shop_id for shop_id in group if shops.get(shop_id).visits_end_at_midnight]
    first = {shop: next(name for name, shops_of in asked.items() if shop in shops_of) for shop in group}
    later = later_batches(publication, first)
    of_group = {name: [shop for shop in shops_of if shop in first] for name, shops_of in asked.items()}
    names = sorted({name for name, shops_of in of_group.items() if shops_of} | later.keys(), key=batch_order)
    batches = {name: sorted({*of_group.get(name, ()), *later.get(name, ())}) for name in names}
    built = built_batches(publication, group)
    again = {shop: {name for name, shops_of in batches.items() if shop in shops_of} for shop in group}
    is_whole = all(built.get(shop, set()) <= again[shop] for shop in group)  # no row of these shops stays as it is
    repairs = publication.rows(tables.BRONZE_REPAIRS, Rows.of(shop_id=group))
    has_repairs = bool(publication.files(tables.BRONZE_REPAIRS, Rows.of(shop_id=group)))
    with ThreadPoolExecutor(2) as pool:
        there = {shop: built.get(shop, set()) | again[shop] for shop in group}
        build = _Build(publication, report, pool, there, unlinks_of(publication.session, settings, group))
        for name, shops_of in batches.items():
            earlier = build.batches_before(name, shops_of)
            classified = classify(
                apply_repairs(bronze_rows(publication, name, shops_of), repairs if has_repairs else None),
                build.earlier(tables.SILVER_EVENTS, shops_of, earlier, ("shop_id", "event_id")),
                allowed_lateness_s=settings.allowed_lateness_s,
                future_tolerance_s=settings.future_tolerance_s,
            )
            size = sum(file.bytes for file in publication.files(*source_of(name, shops_of)))
            build.outcomes(classified, name, shops_of, zones, is_small=size <= KEPT_BYTES)
            build.acts(name, shops_of)
        build.identity(group)
        if is_whole and len(batches) == 1:  # every person is by these links already
            build.refunds(group)
            build.states(group, None, at_midnight)
        else:
            moved = build.persons(group)
            build.refunds(group)
            acting = None if is_whole else _acting(publication, batches).unionByName(moved).distinct()
            build.states(group, acting, at_midnight)
        build.wait()
    return audit(publication, group, batches, of_group, now)


def unlinks_of(session: SparkSession, settings: Settings, shops: list[str]) -> DataFrame | None:
    """What was taken back of the links of the shops, or None when nothing was."""
    rows = [each[:4] for each in read_unlinks(Paths.of(settings).unlinks) if each.shop_id in shops]
    columns = "shop_id string, anonymous_id string, user_id string, known_at_ms long"
    return session.createDataFrame(rows, columns) if rows else None


def _acting(publication: Publication, batches: dict[str, list[str]]) -> DataFrame:
    """``shop_id``, ``anonymous_id``, ``user_id`` of all who act in the batches, as they were before this build or are now."""
    acts = None
    for name, shops_of in batches.items():
        where = Rows.of(shop_id=shops_of, batch=[name])
        for rows in (publication.rows(tables.SILVER_EVENTS, where), publication.before(tables.SILVER_EVENTS, where)):
            named = rows.where("person_id is not null").select(*_IDS)
            acts = named if acts is None else acts.unionByName(named)
    assert acts is not None
    return acts


class _Build:
    """Writes the tables of one build; what does not wait for each other is written two at a time.

    A job ends in a few tasks that alone would leave a core idle.
    """

    def __init__(
        self,
        publication: Publication,
        report: Report,
        pool: ThreadPoolExecutor,
        there: dict[str, set[str]],
        unlinks: DataFrame | None,
    ) -> None:
        """``there`` are the batches that each shop has or gets."""
        self.publication = publication
        self.there = there
        self.unlinks = unlinks
        self.report = report
        self.pool = pool
        self.pending: list[Future[None]] = []
        self.kept: list[DataFrame] = []
        self.linked: list[str] = []  # shops of ``links``
        self.links: DataFrame

    def batches_before(self, batch: str, shops: list[str]) -> list[str]:
        """Batches of the shops that come before a batch."""
        return sorted({b for shop in shops for b in self.there[shop] if batch_order(b) < batch_order(batch)})

    def earlier(self, schema: TableSchema, shops: list[str], batches: list[str], columns: tuple[str, ...]) -> DataFrame | None:
        """Columns of the rows of earlier batches, or None without any."""
        where = Rows.of(shop_id=shops, batch=batches)
        if not batches or not self.publication.files(schema, where):
            return None
        return self.publication.rows(schema, where).select(*columns)

    def outcomes(self, classified: DataFrame, batch: str, shops: list[str], zones: dict[str, str], *, is_small: bool) -> None:
        """Events, duplicates and quarantine of a batch; persons by the links that are known with it."""
        others = classified.where(~is_in_silver())
        # A day is classified once and kept. The many good rows of a history are classified again; the few others are kept.
        kept = classified if is_small else others
        kept.persist(StorageLevel.MEMORY_AND_DISK)
        where = Rows.of(shop_id=shops, batch=[batch])
        silver_events = events.events(classified, batch, zones)
        of_acts = identity.acts(silver_events)
        others_of = self.publication.rows(tables.SILVER_EVENTS, Rows.of(shop_id=shops)).where(F.col("batch") != batch)
        self.links = identity.links(identity.acts(others_of).unionByName(of_acts), self.unlinks).localCheckpoint()
        self.linked = shops
        self._write(tables.SILVER_EVENTS, identity.with_persons(silver_events, self.links, of_acts), where)
        self._write(tables.SILVER_DUPLICATES, events.duplicates(others, batch), where)
        self._write(tables.SILVER_QUARANTINE, events.quarantine(others, batch), where)
        kept.unpersist()

    def acts(self, batch: str, shops: list[str]) -> None:
        """Orders, their lines, refunds and interactions of a batch, without those that an earlier batch reported."""
        self.wait()
        earlier = self.batches_before(batch, shops)
        where = Rows.of(shop_id=shops, batch=[batch])
        acts = self.publication.rows(tables.SILVER_EVENTS, where)
        known_orders = self.earlier(tables.SILVER_ORDERS, shops, earlier, ("shop_id", "order_id"))
        known_refunds = self.earlier(tables.SILVER_REFUNDS, shops, earlier, ("shop_id", "refund_id"))
        reports = orders.reports(acts).persist(StorageLevel.MEMORY_AND_DISK)
        self.kept.append(reports)
        paid = orders.paid_orders(reports, known_orders)
        self._write(tables.SILVER_ORDERS, orders.orders(paid), where)  # sessions read it
        self._submit(tables.SILVER_ORDER_LINES, orders.order_lines(paid), where)
        self._submit(tables.SILVER_INTERACTIONS, behaviour.interactions(acts, paid), where)
        reported = refunds.reported_refunds(acts, known_refunds)
        self._submit(tables.SILVER_REFUNDS, refunds.refunds(reported), where)
        self._submit(tables.SILVER_REFUND_LINES, refunds.refund_lines(reported), where)

    def identity(self, shops: list[str]) -> None:
        """The links of all that is known now. After the last batch they are known already, if it was one of all the shops."""
        self.wait()
        if self.linked != shops:
            of_acts = identity.acts(self.publication.rows(tables.SILVER_EVENTS, Rows.of(shop_id=shops)))
            self.links = identity.links(of_acts, self.unlinks).localCheckpoint()
        self._submit(tables.SILVER_IDENTITY, self.links, Rows.of(shop_id=shops))

    def persons(self, shops: list[str]) -> DataFrame:
        """The persons by the links of ``identity``: batches in which a person changes are restated.

        Returns ``shop_id``, ``anonymous_id``, ``user_id`` of the events that changed.
        """
        silver_events = self.publication.rows(tables.SILVER_EVENTS, Rows.of(shop_id=shops))
        of_acts = identity.acts(silver_events)
        stored = silver_events.where("user_id is null and anonymous_id is not null").select(
            *_IDS, "batch", "event_id", "type", "occurred_at", F.col("person_id").alias("stored")
        )
        resolved = identity.with_persons(stored, self.links, of_acts)
        moved = resolved.where("not person_id <=> stored").drop("stored", "occurred_at").localCheckpoint()
        is_refund = (F.col("type") == "order_refunded").alias("is_refund")
        if again := moved.select("shop_id", "batch", is_refund).distinct().collect():
            some = {name: sorted({row[name] for row in again}) for name in ("shop_id", "batch")}
            self._restate(Rows.of(**some), moved, with_refunds=any(row.is_refund for row in again))
        return moved.select(*_IDS)

    def _restate(self, where: Rows, moved: DataFrame, *, with_refunds: bool) -> None:
        """Events with the persons that ``moved`` has for some of them, and what was made of these events.

        All batches at once: a write for each of them would cost more than their rows. Orders and refunds are of the event that
        became known first in their batch.
        """
        persons = moved.select("shop_id", "event_id", F.col("person_id").alias("moved_to"))
        silver_events = self.publication.rows(tables.SILVER_EVENTS, where)
        of_event, of_order, of_refund = ("shop_id", "event_id"), ("shop_id", "order_id"), ("shop_id", "batch", "refund_id")
        self._move(tables.SILVER_EVENTS, where, persons, of_event)
        self._move(tables.SILVER_INTERACTIONS, where, persons, of_event)
        of_orders = self.publication.rows(tables.SILVER_ORDERS, where).join(F.broadcast(persons), list(of_event))
        of_orders = of_orders.select(*of_order, "batch", "moved_to").localCheckpoint()
        if paid := of_orders.select("shop_id", "batch").distinct().collect():
            some = {name: sorted({row[name] for row in paid}) for name in ("shop_id", "batch")}
            for schema in (tables.SILVER_ORDERS, tables.SILVER_ORDER_LINES):
                self._move(schema, Rows.of(**some), of_orders.drop("batch"), of_order)
        if with_refunds:
            reported = refunds.reported_refunds(silver_events, None).join(F.broadcast(persons), list(of_event))
            self._move(tables.SILVER_REFUNDS, where, reported.select(*of_refund, "moved_to"), of_refund)
        self.wait()

    def _move(self, schema: TableSchema, where: Rows, persons: DataFrame, key: tuple[str, ...]) -> None:
        """Rows with the person ``moved_to`` where ``persons`` has one by their key."""
        joined = self.publication.rows(schema, where).join(F.broadcast(persons), list(key), "left")
        self._submit(schema, joined.withColumn("person_id", F.coalesce("moved_to", "person_id")), where)

    def refunds(self, shops: list[str]) -> None:
        """What of each refund counts by the orders that are known now: batches in which that changes are restated."""
        self.wait()
        mine = Rows.of(shop_id=shops)
        if not self.publication.files(tables.SILVER_REFUNDS, mine):
            return
        rows = {schema: self.publication.rows(schema, mine) for schema in _MONEY}
        counted = refunds.count_refunds(rows[tables.SILVER_REFUNDS], rows[tables.SILVER_ORDERS]).localCheckpoint()
        lines = refunds.count_refund_lines(rows[tables.SILVER_REFUND_LINES], counted, rows[tables.SILVER_ORDER_LINES])
        for schema, frame in ((tables.SILVER_REFUNDS, counted), (tables.SILVER_REFUND_LINES, lines.localCheckpoint())):
            changed = frame.where("is_changed").select("batch").distinct().collect()
            if batches := sorted(row.batch for row in changed):
                again = frame.where(F.col("batch").isin(batches)).select(*schema.columns)
                self._submit(schema, again, Rows.of(shop_id=shops, batch=batches))
        self.wait()

    def states(self, shops: list[str], acting: DataFrame | None, at_midnight: list[str]) -> None:
        """Sessions, only of the devices and users of ``acting`` (their ids) unless it is None, and the newest items.

        ``at_midnight`` are the shops whose visits end with the day.
        """
        mine = Rows.of(shop_id=shops)
        acts, paid = self.publication.rows(tables.SILVER_EVENTS, mine), self.publication.rows(tables.SILVER_ORDERS, mine)
        if acting is None:
            visits = sessions.sessions(acts, paid, at_midnight)
        else:
            before = self.publication.before(tables.SILVER_SESSIONS, mine)
            visits = sessions.sessions_anew(acts, paid, acting, before, at_midnight)
        self._submit(tables.SILVER_SESSIONS, visits, mine)
        self._submit(tables.SILVER_ITEMS, behaviour.items(acts), mine)

    def wait(self) -> None:
        """Until all is written. Raises what the first failed one raised."""
        for each in self.pending:
            each.result()
        for frame in self.kept:
            frame.unpersist()
        self.pending, self.kept = [], []

    def _submit(self, schema: TableSchema, frame: DataFrame, where: Rows) -> None:
        self.pending.append(self.pool.submit(self._write, schema, frame, where))

    def _write(self, schema: TableSchema, frame: DataFrame, where: Rows) -> None:
        self.publication.replace(schema, frame, where)
        self.report(f"wrote {schema.name}")
