"""Bronze: every readable record with its outcome, appended to the lake's table with each checkpoint, exactly once."""

from __future__ import annotations

from pathlib import Path

from flink_jobs.json_lines import json_lines_table
from jishi.lake.catalog import CATALOG, flink_catalog_options
from jishi.settings import Settings
from jishi.tables import BRONZE_LIVE


def lake_bronze(settings: Settings) -> str:
    """Statement that creates the sink ``bronze``: the Iceberg table of ``jishi.tables.BRONZE_LIVE``, which must exist.

    A file is written for each partition and checkpoint; the checkpoint that covers it commits it. ``uid-suffix`` names the
    sink's operators, so that files which a checkpoint holds and the table not yet are found by the next job.
    """
    database, table = BRONZE_LIVE.name.split("/")
    options = flink_catalog_options(settings) | {
        "connector": "iceberg",
        "catalog-name": CATALOG,
        "catalog-database": database,
        "catalog-table": table,
        "uid-suffix": "bronze",
    }
    if settings.stream_parallelism > 1:
        options["distribution-mode"] = "hash"  # one writer for each partition: as many files as with one writer in all
    del options["type"]
    given = ",\n".join(f"  '{key}' = {_quoted(value)}" for key, value in sorted(options.items()))
    return f"CREATE TEMPORARY TABLE bronze (\n  {BRONZE_LIVE.flink_ddl}\n) WITH (\n{given}\n)"


def file_bronze(folder: Path) -> str:
    """Statement that creates the sink ``bronze`` in files, for replays."""
    return json_lines_table("bronze", BRONZE_LIVE.flink_ddl, folder, roll_after_ms=1000)


def bronze_insert() -> str:
    """Statement that fills ``bronze`` from ``events``; session time is UTC."""
    given = {"received_at": "CAST(received_at AS TIMESTAMP(6))"}
    columns = [f"`{column}`" for column in BRONZE_LIVE.columns]
    values = [given.get(column, f"`{column}`") for column in BRONZE_LIVE.columns]
    return f"INSERT INTO bronze ({', '.join(columns)}) SELECT {', '.join(values)} FROM events"


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
