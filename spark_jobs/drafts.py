"""Drafts of lake tables: written in partition folders with the declared types, their keys audited before publication."""

from __future__ import annotations

import shutil
from pathlib import Path

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jishi.tables import SPARK_TYPES, TableSchema


class AuditFailed(RuntimeError):
    """A draft table is not fit to be published; the message names check, table and sample rows."""


def parquet_files(folder: Path) -> list[str]:
    """Parquet files below a folder."""
    return [str(file) for file in sorted(folder.rglob("*.parquet"))]


def write_draft(frame: DataFrame, schema: TableSchema, draft: Path, below: str = "") -> None:
    """Write a table's rows into its draft, one folder a shop, or ``below`` it; the files hold every column as declared."""
    typed = frame.select(*[F.col(c).cast(SPARK_TYPES[t]).alias(c) for c, t in schema.columns.items()])
    aside = draft / "_new"
    typed.withColumn("shop", F.col("shop_id")).write.partitionBy("shop").parquet(str(aside))
    for folder in sorted(aside.glob("shop=*")):
        target = draft / folder.name / below
        target.parent.mkdir(parents=True, exist_ok=True)
        folder.rename(target)
        for checksum in target.glob(".*.crc"):
            checksum.unlink()
    shutil.rmtree(aside)


def audit_key(connection: object, schema: TableSchema) -> int:
    """Rows of the view of a draft table (slashes as underscores). Raises AuditFailed when a key is repeated or null."""
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
