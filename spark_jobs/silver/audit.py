"""Checks on drafts before they are published: grain, counts between layers, shops. A failed one stops the publication."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from jishi.tables import BRONZE_EVENTS, TableSchema


class AuditFailed(RuntimeError):
    """A draft table is not fit to be published; the message names check, table and sample rows."""


@dataclass(frozen=True)
class Audited:
    """Rows of each table after the audit."""

    rows: dict[str, int]


def parquet_files(folder: Path) -> list[str]:
    """Parquet files below a folder."""
    return [str(file) for file in sorted(folder.rglob("*.parquet"))]


def audit(drafts: dict[TableSchema, Path], bronze: list[Path], batch: str, shops: list[str]) -> Audited:
    """Check all drafts together.

    Every table: its key is unique and never null. Batch: the acknowledgements in ``bronze`` equal events + duplicates +
    quarantine of that batch, shop by shop. Raises AuditFailed at the first difference.
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
            rows[schema.name] = _audit_key(connection, schema)
        _audit_counts(connection, rows, [file for folder in bronze for file in parquet_files(folder)], batch, shops)
    return Audited(rows)


def _audit_key(connection: object, schema: TableSchema) -> int:
    view, key = schema.name.replace("/", "_"), ", ".join(schema.key)
    execute = connection.execute  # type: ignore[attr-defined]
    total, distinct = execute(
        f"select count(*), (select count(*) from (select distinct {key} from {view})) from {view}"
    ).fetchone()
    nulls = execute(f"select count(*) from {view} where {' or '.join(f'{c} is null' for c in schema.key)}").fetchone()[0]
    if total != distinct or nulls:
        sample = execute(
            f"select {key}, count(*) n from {view} group by all having n > 1 or ({key.split(', ')[-1]} is null) limit 3"
        )
        raise AuditFailed(
            f"{schema.name}: key ({key}) has {total - distinct} repeats and {nulls} nulls, e.g. {sample.fetchall()}"
        )
    return int(total)


def _audit_counts(connection: object, rows: dict[str, int], bronze: list[str], batch: str, shops: list[str]) -> None:
    execute = connection.execute  # type: ignore[attr-defined]
    identity = ", ".join(BRONZE_EVENTS.key)
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
    for shop_id in shops:
        if accepted.get(shop_id, 0) != kept.get(shop_id, 0):
            raise AuditFailed(
                f"batch {batch} of shop {shop_id}: {accepted.get(shop_id, 0)} acknowledged events in bronze, but "
                f"{kept.get(shop_id, 0)} in events, duplicates and quarantine together"
            )
