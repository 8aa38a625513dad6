"""Build silver from one bronze batch: read, transform, write to branches, audit, publish all tables together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jishi import tables
from jishi.lake.rows import Rows
from jishi.lake.versions import StaleWriter
from jishi.settings import Settings
from jishi.shops import Shops
from jishi.tables import TableSchema
from spark_jobs.publication import Publication
from spark_jobs.shop_groups import build_shops
from spark_jobs.silver import behaviour, events, orders
from spark_jobs.silver.audit import Audited, audit
from spark_jobs.silver.batches import batch_order, built_batches, later_batches, shops_of_batch
from spark_jobs.silver.bronze import bronze_rows, source_of
from spark_jobs.silver.outcomes import classify, is_in_silver
from spark_jobs.silver.repairs import apply_repairs

BRONZE = (tables.BRONZE_LIVE, tables.BRONZE_HISTORY, tables.BRONZE_REPAIRS)
KEPT_BYTES = 4 * 2**20  # a batch of so much is kept in memory whole, once its events have their outcomes
TRIES = 3  # when others publish the same shops meanwhile, a build begins again so many times
Report = Callable[[str], None]


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
    session: SparkSession, settings: Settings, shops: Shops, batch: str, wanted: list[str], report: Report
) -> SilverBuilt:
    """Build the batch of the tables that are kept by batch, and items and sessions of the shops that it touches.

    What this batch knows makes duplicates of later deliveries, so later batches that were built before are built again with it.
    A shop that cannot be built keeps its old rows; the others are published together. A shop without rows in the batch has
    nothing to build. Raises BatchMissing for a history that no shop has, and StaleWriter when others were first too often.
    """
    for last in range(TRIES - 1, -1, -1):
        publication = Publication(session, settings, f"spark_jobs silver --batch {batch}", (*BRONZE, *tables.SILVER))
        try:
            return _build_once(publication, settings, shops, batch, wanted, report)
        except StaleWriter:
            if not last:
                raise
            report("another publish came first; building again on the newest version")
        finally:
            publication.abandon()
    raise AssertionError("unreachable")


def _build_once(
    publication: Publication, settings: Settings, shops: Shops, batch: str, wanted: list[str], report: Report
) -> SilverBuilt:
    publication.read_appended(tables.BRONZE_LIVE)
    touched = shops_of_batch(publication, batch, wanted)
    rows: Counter[str] = Counter()

    def build(group: list[str]) -> None:
        rows.update(_build_group(publication, settings, shops, batch, group, report).rows)

    failures = build_shops(publication, touched, build, report)
    done = [shop for shop in touched if shop not in failures]
    if not done:
        return SilverBuilt(failures=failures)
    return SilverBuilt(done, failures, dict(rows), publication.finish().number)


def _build_group(
    publication: Publication, settings: Settings, shops: Shops, batch: str, group: list[str], report: Report
) -> Audited:
    """Write the tables of some shops to the branches and audit them. Raises UnknownShop, AuditFailed and Spark's errors."""
    zones = {shop_id: shops.get(shop_id).time_zone for shop_id in group}
    batches = {batch: group, **later_batches(publication, batch, group)}
    built = built_batches(publication, group)
    again = {shop: {name for name, shops_of in batches.items() if shop in shops_of} for shop in group}
    is_whole = all(built.get(shop, set()) <= again[shop] for shop in group)  # no row of these shops stays as it is
    repairs = publication.rows(tables.BRONZE_REPAIRS, Rows.of(shop_id=group))
    has_repairs = bool(publication.files(tables.BRONZE_REPAIRS, Rows.of(shop_id=group)))
    with ThreadPoolExecutor(2) as pool:
        build = _Build(publication, report, pool)
        for name, shops_of in batches.items():
            earlier = sorted(
                {b for shop in shops_of for b in built.get(shop, set()) | again[shop] if batch_order(b) < batch_order(name)}
            )
            classified = classify(
                apply_repairs(bronze_rows(publication, name, shops_of), repairs if has_repairs else None),
                build.earlier(tables.SILVER_EVENTS, shops_of, earlier, ("shop_id", "event_id")),
                allowed_lateness_s=settings.allowed_lateness_s,
                future_tolerance_s=settings.future_tolerance_s,
            )
            size = sum(file.bytes for file in publication.files(*source_of(name, shops_of)))
            build.outcomes(classified, name, shops_of, zones, is_small=size <= KEPT_BYTES)
            build.acts(name, shops_of, earlier)
        build.states(group, None if is_whole else _persons_of(publication, batches))
        build.wait()
    return audit(publication, group, batches)


def _persons_of(publication: Publication, batches: dict[str, list[str]]) -> DataFrame:
    """``(shop_id, person_id)`` of all who act in the batches, as they were before this build or as they are now."""
    acts = None
    for name, shops_of in batches.items():
        where = Rows.of(shop_id=shops_of, batch=[name])
        for rows in (publication.rows(tables.SILVER_EVENTS, where), publication.before(tables.SILVER_EVENTS, where)):
            persons = rows.select("shop_id", "person_id")
            acts = persons if acts is None else acts.unionByName(persons)
    assert acts is not None
    return acts.where("person_id is not null").distinct()


class _Build:
    """Writes the tables of one build; what does not wait for each other is written two at a time.

    A job ends in a few tasks that alone would leave a core idle.
    """

    def __init__(self, publication: Publication, report: Report, pool: ThreadPoolExecutor) -> None:
        self.publication = publication
        self.report = report
        self.pool = pool
        self.pending: list[Future[None]] = []
        self.kept: list[DataFrame] = []

    def earlier(self, schema: TableSchema, shops: list[str], batches: list[str], columns: tuple[str, ...]) -> DataFrame | None:
        """Columns of the rows of earlier batches, or None without any."""
        where = Rows.of(shop_id=shops, batch=batches)
        if not batches or not self.publication.files(schema, where):
            return None
        return self.publication.rows(schema, where).select(*columns)

    def outcomes(self, classified: DataFrame, batch: str, shops: list[str], zones: dict[str, str], *, is_small: bool) -> None:
        """Events, duplicates and quarantine of a batch."""
        others = classified.where(~is_in_silver())
        # A day is classified once and kept. The many good rows of a history are classified again; the few others are kept.
        kept = classified if is_small else others
        kept.persist(StorageLevel.MEMORY_AND_DISK)
        where = Rows.of(shop_id=shops, batch=[batch])
        self._write(tables.SILVER_EVENTS, events.events(classified, batch, zones), where)
        self._write(tables.SILVER_DUPLICATES, events.duplicates(others, batch), where)
        self._write(tables.SILVER_QUARANTINE, events.quarantine(others, batch), where)
        kept.unpersist()

    def acts(self, batch: str, shops: list[str], earlier: list[str]) -> None:
        """Orders, their lines, refunds and interactions of a batch, without those that an earlier batch reported."""
        self.wait()
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
        self._submit(tables.SILVER_REFUNDS, orders.refunds(acts, known_refunds), where)

    def states(self, shops: list[str], persons: DataFrame | None) -> None:
        """Sessions, computed only of ``persons`` unless it is None, and the newest items."""
        mine = Rows.of(shop_id=shops)
        acts, paid = self.publication.rows(tables.SILVER_EVENTS, mine), self.publication.rows(tables.SILVER_ORDERS, mine)
        if persons is None:
            visits = behaviour.sessions(acts, paid)
        else:
            visits = behaviour.sessions(acts.join(F.broadcast(persons), ["shop_id", "person_id"], "left_semi"), paid)
            before = self.publication.before(tables.SILVER_SESSIONS, mine)
            visits = visits.unionByName(before.join(F.broadcast(persons), ["shop_id", "person_id"], "left_anti"))
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
