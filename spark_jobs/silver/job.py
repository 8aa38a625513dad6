"""Build silver from one bronze batch: read, transform, write aside, audit, publish all tables together."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jishi import tables
from jishi.lake import Lake
from jishi.settings import Settings
from jishi.shops import Shops
from jishi.tables import TableSchema
from spark_jobs.drafts import write_draft
from spark_jobs.silver import behaviour, events, orders
from spark_jobs.silver.audit import Audited, audit
from spark_jobs.silver.outcomes import classify, is_in_silver
from spark_jobs.silver.repairs import apply_repairs

BY_BATCH = (
    tables.SILVER_EVENTS,
    tables.SILVER_DUPLICATES,
    tables.SILVER_QUARANTINE,
    tables.SILVER_ORDERS,
    tables.SILVER_ORDER_LINES,
    tables.SILVER_REFUNDS,
    tables.SILVER_INTERACTIONS,
)
# An item's newest state and a visit may come of several batches.
BY_SHOP = (tables.SILVER_ITEMS, tables.SILVER_SESSIONS)
# So much of bronze (some 600,000 events) is worked up before Java's optimising compiler has paid for itself.
SHORT_BYTES = 40 * 2**20
KEPT_BYTES = 4 * 2**20  # a batch of so much is kept in memory whole, once its events have their outcomes


class BatchMissing(LookupError):
    """Bronze has no such batch for a shop; the message says how to land it."""


class OlderLayout(RuntimeError):
    """Silver was written by a version that kept no batches of orders; the message says how to build it again."""


def batch_order(batch: str) -> tuple[int, str]:
    """Sort key of batches: history is before every live day, and live days follow their dates."""
    return (0, "") if batch == "history" else (1, batch)


def shops_of_batch(lake: Lake, batch: str, wanted: list[str]) -> list[str]:
    """Shops whose bronze has the batch, or the wanted ones. Raises BatchMissing naming what is not there."""
    root = lake.current(tables.BRONZE_EVENTS.name)
    there = sorted(folder.parent.name.removeprefix("shop=") for folder in root.glob(f"shop=*/batch={batch}"))
    missing = sorted(set(wanted) - set(there))
    if missing or not there:
        raise BatchMissing(f"bronze has no batch {batch!r} of {', '.join(missing) or 'any shop'}; land it first: jishi import")
    return wanted or there


def is_short(lake: Lake, batch: str, wanted: list[str]) -> bool:
    """Whether the shops of a batch hold little in bronze; items and sessions read all of it. Raises BatchMissing."""
    root = lake.current(tables.BRONZE_EVENTS.name)
    return _bytes_in([root / f"shop={shop}" for shop in shops_of_batch(lake, batch, wanted)]) <= SHORT_BYTES


def _bytes_in(folders: list[Path]) -> int:
    return sum(file.stat().st_size for folder in folders for file in folder.rglob("*.parquet"))


def later_batches(lake: Lake, batch: str, shops: list[str]) -> dict[str, list[str]]:
    """Batches after this one that silver holds already and bronze can give again, in their order, with the shops of each."""
    if not lake.has(tables.SILVER_EVENTS.name):
        return {}
    bronze = lake.current(tables.BRONZE_EVENTS.name)
    by_shop: dict[str, list[str]] = {}
    for shop in shops:
        built = {
            folder.name.removeprefix("batch=")
            for schema in BY_BATCH
            for folder in (lake.current(schema.name) / f"shop={shop}").glob("batch=*")
        }
        for other in built:
            if batch_order(other) > batch_order(batch) and (bronze / f"shop={shop}" / f"batch={other}").exists():
                by_shop.setdefault(other, []).append(shop)
    return dict(sorted(by_shop.items(), key=lambda entry: batch_order(entry[0])))


def folders_of(root: Path, shops: list[str], batches: Iterable[str] | None = None) -> list[str]:
    """Folders with files below a version of a table ``BY_BATCH``: of the shops, and of these batches only."""
    folders = [folder for shop in shops for folder in sorted((root / f"shop={shop}").glob("batch=*"))]
    wanted = folders if batches is None else [f for f in folders if f.name.removeprefix("batch=") in set(batches)]
    return [str(folder) for folder in wanted if any(folder.glob("*.parquet"))]


def earlier_rows(session: SparkSession, root: Path, batch: str, shops: list[str], columns: tuple[str, ...]) -> DataFrame | None:
    """Columns of the rows of earlier batches below a version of a table ``BY_BATCH``, or None without any."""
    folders = [
        folder
        for folder in folders_of(root, shops)
        if batch_order(Path(folder).name.removeprefix("batch=")) < batch_order(batch)
    ]
    return session.read.parquet(*folders).select(*columns) if folders else None


def read_table(session: SparkSession, schema: TableSchema, folders: list[str]) -> DataFrame:
    """Rows of a table in some of its folders; no rows without any."""
    return session.read.schema(schema.spark_ddl).parquet(*folders) if folders else session.createDataFrame([], schema.spark_ddl)


def repairs_of(session: SparkSession, lake: Lake, shops: list[str]) -> DataFrame | None:
    """Repaired records of the shops, or None when there are none."""
    if not lake.has(tables.BRONZE_REPAIRS.name):
        return None
    root = lake.current(tables.BRONZE_REPAIRS.name)
    folders = [str(root / f"shop={shop}") for shop in shops if (root / f"shop={shop}").exists()]
    return session.read.schema(tables.BRONZE_REPAIRS.spark_ddl).parquet(*folders) if folders else None


def build_silver(
    session: SparkSession,
    lake: Lake,
    shops: Shops,
    settings: Settings,
    batch: str,
    wanted: list[str],
    progress: Callable[[str], None],
) -> Audited:
    """Rebuild the batch's partitions of the tables ``BY_BATCH``, and items and sessions of the shops that it touches.

    What this batch knows makes duplicates of later deliveries, so later batches that were built before are built again with it.
    Raises BatchMissing, OlderLayout, UnknownShop or AuditFailed; then nothing was published.
    """
    touched = shops_of_batch(lake, batch, wanted)
    zones = {shop_id: shops.get(shop_id).time_zone for shop_id in touched}
    batches = {batch: touched, **later_batches(lake, batch, touched)}
    root = lake.current(tables.BRONZE_EVENTS.name)
    bronze_folders = {
        name: [root / f"shop={shop}" / f"batch={name}" for shop in batch_shops] for name, batch_shops in batches.items()
    }
    repairs = repairs_of(session, lake, touched)
    with ExitStack() as stack, ThreadPoolExecutor(2) as pool:
        drafts: dict[TableSchema, Path] = {}
        for schema in BY_BATCH:
            partitions = [f"shop={shop}/batch={name}" for name, batch_shops in batches.items() for shop in batch_shops]
            drafts[schema] = stack.enter_context(lake.publish(schema.name, replace=partitions)).path
        for schema in BY_SHOP:
            drafts[schema] = stack.enter_context(lake.publish(schema.name, replace=[f"shop={shop}" for shop in touched])).path
        is_whole = not folders_of(drafts[tables.SILVER_EVENTS], touched)  # nothing was carried over
        _refuse_older_layout(drafts, touched, is_whole=is_whole)
        build = _Build(session, drafts, progress, pool)
        for name, batch_shops in batches.items():
            bronze = session.read.schema(tables.BRONZE_EVENTS.spark_ddl).parquet(*map(str, bronze_folders[name]))
            classified = classify(
                apply_repairs(bronze, repairs),
                earlier_rows(session, drafts[tables.SILVER_EVENTS], name, batch_shops, ("shop_id", "event_id")),
                allowed_lateness_s=settings.allowed_lateness_s,
                future_tolerance_s=settings.future_tolerance_s,
            )
            build.outcomes(classified, name, zones, is_small=_bytes_in(bronze_folders[name]) <= KEPT_BYTES)
            build.acts(name, batch_shops)
        build.states(touched, None if is_whole else _persons_of(session, lake, drafts, batches), lake)
        build.wait()
        return audit(drafts, bronze_folders)


def _refuse_older_layout(drafts: dict[TableSchema, Path], shops: list[str], *, is_whole: bool) -> None:
    """Take files of no batch out of the drafts when every batch is built again. Raises OlderLayout when only some are."""
    loose = [file for schema in BY_BATCH for shop in shops for file in (drafts[schema] / f"shop={shop}").glob("*.parquet")]
    if loose and not is_whole:
        raise OlderLayout(
            f"silver of {', '.join(shops)} was built by an earlier version; build each shop again from its first batch: "
            "python -m spark_jobs silver --batch history --shop S (or live-YYYY-MM-DD where it has no history)"
        )
    for file in loose:
        file.unlink()


def _persons_of(session: SparkSession, lake: Lake, drafts: dict[TableSchema, Path], batches: dict[str, list[str]]) -> DataFrame:
    """``(shop_id, person_id)`` of all who act in the batches, as they were before this build or as they are now."""
    roots = [drafts[tables.SILVER_EVENTS], lake.current(tables.SILVER_EVENTS.name)]
    folders = [
        folder for root in roots for name, batch_shops in batches.items() for folder in folders_of(root, batch_shops, [name])
    ]
    events = read_table(session, tables.SILVER_EVENTS, folders)
    return events.select("shop_id", "person_id").where("person_id is not null").distinct()


class _Build:
    """Writes the drafts of one build; what does not wait for each other is written two at a time.

    A job ends in a few tasks that alone would leave a core idle.
    """

    def __init__(
        self, session: SparkSession, drafts: dict[TableSchema, Path], progress: Callable[[str], None], pool: ThreadPoolExecutor
    ) -> None:
        self.session = session
        self.drafts = drafts
        self.progress = progress
        self.pool = pool
        self.pending: list[Future[None]] = []
        self.kept: list[DataFrame] = []

    def outcomes(self, classified: DataFrame, batch: str, zones: dict[str, str], *, is_small: bool) -> None:
        """Events, duplicates and quarantine of a batch."""
        others = classified.where(~is_in_silver())
        # A day is classified once and kept. The many good rows of a history are classified again; the few others are kept.
        kept = classified if is_small else others
        kept.persist(StorageLevel.MEMORY_AND_DISK)
        self._write(tables.SILVER_EVENTS, events.events(classified, batch, zones), batch)
        self._write(tables.SILVER_DUPLICATES, events.duplicates(others, batch), batch)
        self._write(tables.SILVER_QUARANTINE, events.quarantine(others, batch), batch)
        kept.unpersist()

    def acts(self, batch: str, shops: list[str]) -> None:
        """Orders, their lines, refunds and interactions of a batch; what an earlier batch holds already is left out."""
        self.wait()
        acts = self._table(tables.SILVER_EVENTS, folders_of(self.drafts[tables.SILVER_EVENTS], shops, [batch]))
        known_orders = earlier_rows(self.session, self.drafts[tables.SILVER_ORDERS], batch, shops, ("shop_id", "order_id"))
        known_refunds = earlier_rows(self.session, self.drafts[tables.SILVER_REFUNDS], batch, shops, ("shop_id", "refund_id"))
        reports = orders.reports(acts).persist(StorageLevel.MEMORY_AND_DISK)
        self.kept.append(reports)
        paid = orders.paid_orders(reports, known_orders)
        self._write(tables.SILVER_ORDERS, orders.orders(paid), batch)  # sessions read it
        self._submit(tables.SILVER_ORDER_LINES, orders.order_lines(paid), batch)
        self._submit(tables.SILVER_INTERACTIONS, behaviour.interactions(acts, paid), batch)
        self._submit(tables.SILVER_REFUNDS, orders.refunds(acts, known_refunds), batch)

    def states(self, shops: list[str], persons: DataFrame | None, lake: Lake) -> None:
        """Sessions, anew only of ``persons`` unless it is None, and the newest items."""
        states = self._table(tables.SILVER_EVENTS, folders_of(self.drafts[tables.SILVER_EVENTS], shops))
        paid = self._table(tables.SILVER_ORDERS, folders_of(self.drafts[tables.SILVER_ORDERS], shops))
        if persons is None:
            visits = behaviour.sessions(states, paid)
        else:
            visits = behaviour.sessions(states.join(F.broadcast(persons), ["shop_id", "person_id"], "left_semi"), paid)
            root = lake.current(tables.SILVER_SESSIONS.name)
            folders = [str(root / f"shop={shop}") for shop in shops if (root / f"shop={shop}").exists()]
            before = self._table(tables.SILVER_SESSIONS, folders)
            visits = visits.unionByName(before.join(F.broadcast(persons), ["shop_id", "person_id"], "left_anti"))
        self._submit(tables.SILVER_SESSIONS, visits)
        self._submit(tables.SILVER_ITEMS, behaviour.items(states))

    def wait(self) -> None:
        """Until all is written. Raises what the first failed one raised."""
        for each in self.pending:
            each.result()
        for frame in self.kept:
            frame.unpersist()
        self.pending, self.kept = [], []

    def _table(self, schema: TableSchema, folders: list[str]) -> DataFrame:
        return read_table(self.session, schema, folders)

    def _submit(self, schema: TableSchema, frame: DataFrame, batch: str | None = None) -> None:
        self.pending.append(self.pool.submit(self._write, schema, frame, batch))

    def _write(self, schema: TableSchema, frame: DataFrame, batch: str | None = None) -> None:
        write_draft(frame, schema, self.drafts[schema], f"batch={batch}" if batch else "")
        self.progress(schema.name)
