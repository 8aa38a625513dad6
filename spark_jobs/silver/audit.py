"""Checks on drafts before they are published: grain, counts between layers, shops. A failed one stops the publication."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from jishi.tables import BRONZE_EVENTS, TableSchema
from spark_jobs.drafts import AuditFailed, audit_key, parquet_files


@dataclass(frozen=True)
class Audited:
    """Rows of each table after the audit."""

    rows: dict[str, int]


def audit(drafts: dict[TableSchema, Path], bronze: dict[str, list[Path]]) -> Audited:
    """Check all drafts together; ``bronze`` holds the bronze folders of each batch that was built.

    Every table: its key is unique and never null. Every batch: the acknowledgements in bronze equal events + duplicates +
    quarantine of that batch, shop by shop. Sessions: they hold every act of a person in events once. Raises AuditFailed at the
    first difference.
    """
    import duckdb

    rows: dict[str, int] = {}
    with duckdb.connect() as connection:
        for schema, folder in drafts.items():
            files = parquet_files(folder)
            if not files:
                rows[schema.name] = 0
                continue
            connection.read_parquet(files, hive_partitioning=False).create_view(schema.name.replace("/", "_"))
            rows[schema.name] = audit_key(connection, schema)
        for batch, folders in bronze.items():
            _audit_counts(connection, rows, folders, batch)
        shops = {_shop_of(folder) for folders in bronze.values() for folder in folders}
        _audit_visits(connection, rows, shops)
    return Audited(rows)


def _audit_counts(connection: object, rows: dict[str, int], folders: list[Path], batch: str) -> None:
    execute = connection.execute  # type: ignore[attr-defined]
    identity = ", ".join(BRONZE_EVENTS.key)
    bronze = [file for folder in folders for file in parquet_files(folder)]
    accepted = dict(
        execute(
            f"with acks as (select distinct shop_id, {identity} from read_parquet(?, hive_partitioning=false)) "
            "select shop_id, count(*) from acks group by 1",
            [bronze],
        ).fetchall()
    )
    kept: dict[str, int] = {}
    for name in ("silver/events", "silver/duplicates", "silver/quarantine"):
        if rows.get(name):
            view = name.replace("/", "_")
            for shop_id, count in execute(
                f"select shop_id, count(*) from {view} where batch = ? group by 1", [batch]
            ).fetchall():
                kept[shop_id] = kept.get(shop_id, 0) + count
    for shop_id in sorted(map(_shop_of, folders)):
        if accepted.get(shop_id, 0) != kept.get(shop_id, 0):
            raise AuditFailed(
                f"batch {batch} of shop {shop_id}: {accepted.get(shop_id, 0)} acknowledged events in bronze, but "
                f"{kept.get(shop_id, 0)} in events, duplicates and quarantine together"
            )


def _audit_visits(connection: object, rows: dict[str, int], shops: set[str]) -> None:
    """Sessions are made anew for some persons only, so their events are counted against those of all."""
    execute = connection.execute  # type: ignore[attr-defined]
    counted = {
        "silver/events": "count(*) filter (type not in ('order_refunded', 'order_paid'))",
        "silver/orders": "count(*)",
        "silver/sessions": "-sum(events)",
    }
    missing: dict[str, int] = dict.fromkeys(shops, 0)
    for name, count in counted.items():
        if rows.get(name):
            view = name.replace("/", "_")
            counts = execute(f"select shop_id, {count} from {view} where person_id is not null group by 1").fetchall()
            for shop_id, number in counts:
                if shop_id in missing:
                    missing[shop_id] += int(number)
    for shop_id, number in sorted(missing.items()):
        if number:
            raise AuditFailed(
                f"silver/sessions of shop {shop_id} miss {number} acts of its events and orders (below 0: they hold too many); "
                "build the shop again from its first batch, mostly: python -m spark_jobs silver --batch history"
            )


def _shop_of(folder: Path) -> str:
    return folder.parent.name.removeprefix("shop=")
