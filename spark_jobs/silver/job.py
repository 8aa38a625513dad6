"""Build silver from one bronze batch: read, transform, write aside, audit, publish all tables together."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession

from jishi import tables
from jishi.lake import Lake
from jishi.settings import Settings
from jishi.shops import Shops
from jishi.tables import TableSchema
from spark_jobs.drafts import write_draft
from spark_jobs.silver import behaviour, events, orders
from spark_jobs.silver.audit import Audited, audit
from spark_jobs.silver.fates import classify, is_in_silver
from spark_jobs.silver.repairs import apply_repairs

BY_BATCH = (tables.SILVER_EVENTS, tables.SILVER_DUPLICATES, tables.SILVER_QUARANTINE)
BY_SHOP = (
    tables.SILVER_ITEMS,
    tables.SILVER_SESSIONS,
    tables.SILVER_ORDERS,
    tables.SILVER_ORDER_LINES,
    tables.SILVER_REFUNDS,
    tables.SILVER_INTERACTIONS,
)
# So much of bronze (some 600,000 events) is worked up before Java's optimising compiler has paid for itself.
SHORT_BYTES = 40 * 2**20
KEPT_BYTES = 4 * 2**20  # a batch of so much is kept in memory whole, once its events have their fates


class BatchMissing(LookupError):
    """Bronze has no such batch for a shop; the message says how to land it."""


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
    """Whether the shops of a batch hold little in bronze; derived tables are made from all of it. Raises BatchMissing."""
    root = lake.current(tables.BRONZE_EVENTS.name)
    return _bytes_in([root / f"shop={shop}" for shop in shops_of_batch(lake, batch, wanted)]) <= SHORT_BYTES


def _bytes_in(folders: list[Path]) -> int:
    return sum(file.stat().st_size for folder in folders for file in folder.rglob("*.parquet"))


def later_batches(lake: Lake, batch: str, shops: list[str]) -> dict[str, list[str]]:
    """Batches after this one that silver holds already and bronze can give again, in their order, with the shops of each."""
    if not lake.has(tables.SILVER_EVENTS.name):
        return {}
    bronze = lake.current(tables.BRONZE_EVENTS.name)
    found: dict[str, list[str]] = {}
    for shop in shops:
        built = {
            folder.name.removeprefix("batch=")
            for schema in BY_BATCH
            for folder in (lake.current(schema.name) / f"shop={shop}").glob("batch=*")
        }
        for other in built:
            if batch_order(other) > batch_order(batch) and (bronze / f"shop={shop}" / f"batch={other}").exists():
                found.setdefault(other, []).append(shop)
    return dict(sorted(found.items(), key=lambda entry: batch_order(entry[0])))


def earlier_events(session: SparkSession, events_root: Path, batch: str, shops: list[str]) -> DataFrame | None:
    """``(shop_id, event_id)`` of the events of earlier batches below a version of ``silver/events``, or None without any."""
    folders = [
        str(folder)
        for shop in shops
        for folder in sorted((events_root / f"shop={shop}").glob("batch=*"))
        if batch_order(folder.name.removeprefix("batch=")) < batch_order(batch) and any(folder.glob("*.parquet"))
    ]
    return session.read.parquet(*folders).select("shop_id", "event_id") if folders else None


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
    tell: Callable[[str], None],
) -> Audited:
    """Rebuild the batch's partitions of events, duplicates and quarantine, and the derived tables of the shops it touches.

    What this batch knows makes duplicates of later deliveries, so later batches that were built before are built again with it.
    Raises BatchMissing, UnknownShop or AuditFailed; then nothing was published.
    """
    touched = shops_of_batch(lake, batch, wanted)
    zones = {shop_id: shops.get(shop_id).time_zone for shop_id in touched}
    batches = {batch: touched, **later_batches(lake, batch, touched)}
    root = lake.current(tables.BRONZE_EVENTS.name)
    bronze_folders = {name: [root / f"shop={shop}" / f"batch={name}" for shop in of] for name, of in batches.items()}
    repairs = repairs_of(session, lake, touched)
    with ExitStack() as stack:
        drafts: dict[TableSchema, Path] = {}
        for schema in BY_BATCH:
            partitions = [f"shop={shop}/batch={name}" for name, of in batches.items() for shop in of]
            drafts[schema] = stack.enter_context(lake.publish(schema.name, replace=partitions)).path
        for schema in BY_SHOP:
            drafts[schema] = stack.enter_context(lake.publish(schema.name, replace=[f"shop={shop}" for shop in touched])).path
        for name, of in batches.items():
            bronze = session.read.schema(tables.BRONZE_EVENTS.spark_ddl).parquet(*map(str, bronze_folders[name]))
            classified = classify(
                apply_repairs(bronze, repairs),
                earlier_events(session, drafts[tables.SILVER_EVENTS], name, of),
                allowed_lateness_s=settings.allowed_lateness_s,
                future_tolerance_s=settings.future_tolerance_s,
            )
            others = classified.where(~is_in_silver())
            # A day is classified once and kept. The many good rows of a history are classified again; the few others are kept.
            kept = classified if _bytes_in(bronze_folders[name]) <= KEPT_BYTES else others
            kept.persist(StorageLevel.MEMORY_AND_DISK)
            _write(events.events(classified, name, zones), tables.SILVER_EVENTS, drafts, tell, name)
            _write(events.duplicates(others, name), tables.SILVER_DUPLICATES, drafts, tell, name)
            _write(events.quarantine(others, name), tables.SILVER_QUARANTINE, drafts, tell, name)
            kept.unpersist()
        _write_derived(session, drafts, touched, tell)
        return audit(drafts, bronze_folders)


def _write_derived(
    session: SparkSession, drafts: dict[TableSchema, Path], touched: list[str], tell: Callable[[str], None]
) -> None:
    folders = [str(drafts[tables.SILVER_EVENTS] / f"shop={shop}") for shop in touched]
    found = [folder for folder in folders if Path(folder).exists()]
    if not found:
        return
    schema = tables.SILVER_EVENTS.spark_ddl
    all_events = session.read.schema(schema).option("recursiveFileLookup", "true").parquet(*found)
    paid = orders.paid_orders(all_events).persist(StorageLevel.MEMORY_AND_DISK)
    _write(orders.orders(paid), tables.SILVER_ORDERS, drafts, tell)  # fills the cache that the next ones read
    derived = {
        tables.SILVER_ORDER_LINES: orders.order_lines(paid),
        tables.SILVER_INTERACTIONS: behaviour.interactions(all_events, paid),
        tables.SILVER_SESSIONS: behaviour.sessions(all_events, paid),
        tables.SILVER_REFUNDS: orders.refunds(all_events),
        tables.SILVER_ITEMS: behaviour.items(all_events),
    }
    # Two jobs at a time: each ends in a few tasks that alone would leave a core idle.
    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(_write, frame, schema, drafts, tell) for schema, frame in derived.items()]:
            done.result()
    paid.unpersist()


def _write(
    frame: DataFrame,
    schema: TableSchema,
    drafts: dict[TableSchema, Path],
    tell: Callable[[str], None],
    batch: str | None = None,
) -> None:
    write_draft(frame, schema, drafts[schema], f"batch={batch}" if batch else "")
    tell(schema.name)
