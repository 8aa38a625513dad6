"""Build silver from one bronze batch: read, transform, write aside, audit, publish all tables together."""

from __future__ import annotations

import shutil
from collections.abc import Callable
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
from spark_jobs.silver import behaviour, events, orders
from spark_jobs.silver.audit import Audited, audit
from spark_jobs.silver.fates import classify
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


def earlier_events(session: SparkSession, lake: Lake, batch: str, shops: list[str]) -> DataFrame | None:
    """``(shop_id, event_id)`` of the events of earlier batches, or None when there are none."""
    if not lake.has(tables.SILVER_EVENTS.name):
        return None
    root = lake.current(tables.SILVER_EVENTS.name)
    folders = [
        str(folder)
        for shop in shops
        for folder in sorted((root / f"shop={shop}").glob("batch=*"))
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

    Raises BatchMissing, UnknownShop or AuditFailed; then nothing was published.
    """
    touched = shops_of_batch(lake, batch, wanted)
    zones = {shop_id: shops.get(shop_id).time_zone for shop_id in touched}
    bronze_folders = [lake.current(tables.BRONZE_EVENTS.name) / f"shop={shop}" / f"batch={batch}" for shop in touched]
    bronze = session.read.schema(tables.BRONZE_EVENTS.spark_ddl).parquet(*map(str, bronze_folders))
    classified = classify(
        apply_repairs(bronze, repairs_of(session, lake, touched)),
        earlier_events(session, lake, batch, touched),
        allowed_lateness_s=settings.allowed_lateness_s,
        future_tolerance_s=settings.future_tolerance_s,
    ).persist(StorageLevel.MEMORY_AND_DISK)
    with ExitStack() as stack:
        drafts: dict[TableSchema, Path] = {}
        for schema in BY_BATCH:
            partitions = [f"shop={shop}/batch={batch}" for shop in touched]
            drafts[schema] = stack.enter_context(lake.publish(schema.name, replace=partitions)).path
        for schema in BY_SHOP:
            drafts[schema] = stack.enter_context(lake.publish(schema.name, replace=[f"shop={shop}" for shop in touched])).path
        write(events.events(classified, batch, zones), tables.SILVER_EVENTS, drafts, tell, batch)
        write(events.duplicates(classified, batch), tables.SILVER_DUPLICATES, drafts, tell, batch)
        write(events.quarantine(classified, batch), tables.SILVER_QUARANTINE, drafts, tell, batch)
        classified.unpersist()
        _write_derived(session, drafts, touched, tell)
        return audit(drafts, bronze_folders, batch, touched)


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
    write(orders.orders(paid), tables.SILVER_ORDERS, drafts, tell)
    lines = orders.order_lines(paid)
    write(lines, tables.SILVER_ORDER_LINES, drafts, tell)
    write(behaviour.interactions(all_events, lines, paid), tables.SILVER_INTERACTIONS, drafts, tell)
    paid.unpersist()
    write(orders.refunds(all_events), tables.SILVER_REFUNDS, drafts, tell)
    write(behaviour.sessions(all_events), tables.SILVER_SESSIONS, drafts, tell)
    write(behaviour.items(all_events), tables.SILVER_ITEMS, drafts, tell)


def write(
    frame: DataFrame,
    schema: TableSchema,
    drafts: dict[TableSchema, Path],
    tell: Callable[[str], None],
    batch: str | None = None,
) -> None:
    """Write a table's rows into its draft, in partition folders; the files hold every column, with the declared types."""
    typed = frame.select(*[F.col(c).cast(tables.SPARK_TYPES[t]).alias(c) for c, t in schema.columns.items()])
    aside = drafts[schema] / "_new"
    typed.withColumn("shop", F.col("shop_id")).write.partitionBy("shop").parquet(str(aside))
    for folder in sorted(aside.glob("shop=*")):
        target = drafts[schema] / folder.name / f"batch={batch}" if batch else drafts[schema] / folder.name
        target.parent.mkdir(parents=True, exist_ok=True)
        folder.rename(target)
        for checksum in target.glob(".*.crc"):
            checksum.unlink()
    shutil.rmtree(aside)
    tell(schema.name)
