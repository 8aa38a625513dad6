"""Which files a table is at one snapshot, listed once and kept.

A snapshot never changes, so neither does its list. A publish keeps it before the version is recorded; whoever finds none plans
it with pyiceberg, whose import and first call cost seconds that a short command or a service does not have.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from jishi.files import write_atomically
from jishi.paths import Paths
from jishi.settings import Settings

if TYPE_CHECKING:
    from pyiceberg.table import Table


class RowsDeletedApart(RuntimeError):
    """A table has delete files, as Trino and others write them; the message names it and the fix."""


@dataclass(frozen=True)
class PlannedColumn:
    """A column of the snapshot: files are read by ``field_id``, so that one that was added later is null in older files.

    ``type`` is Iceberg's name of it, such as ``long`` or ``timestamp``.
    """

    field_id: int
    name: str
    type: str


@dataclass(frozen=True)
class PlannedFile:
    """One Parquet file: an absolute path, or a URL where the warehouse is object storage."""

    path: str
    rows: int
    bytes: int


@dataclass(frozen=True)
class Plan:
    """A table at one snapshot; ``files`` are sorted by path. No table has delete files: every write is copy-on-write."""

    table: str
    snapshot_id: int
    columns: tuple[PlannedColumn, ...]
    files: tuple[PlannedFile, ...]

    @property
    def rows(self) -> int:
        """Rows of the table."""
        return sum(file.rows for file in self.files)


def plan_of(settings: Settings, table: str, snapshot_id: int) -> Plan:
    """The kept plan, or one that is made and kept now. Raises pyiceberg's errors for a table or a snapshot that is gone."""
    file = plan_file(Paths.of(settings), table, snapshot_id)
    try:
        content = json.loads(file.read_bytes())
    except FileNotFoundError:
        from jishi.lake.catalog import identifier, open_catalog

        loaded = open_catalog(settings).load_table(identifier(table))
        return keep_plan(settings, table, loaded, snapshot_id)
    return Plan(
        table,
        snapshot_id,
        tuple(PlannedColumn(*column) for column in content["columns"]),
        tuple(PlannedFile(*file) for file in content["files"]),
    )


def keep_plan(settings: Settings, table: str, loaded: Table, snapshot_id: int) -> Plan:
    """Plan a snapshot of a table that pyiceberg has loaded, and keep the plan. Raises RowsDeletedApart."""
    snapshot = loaded.snapshot_by_id(snapshot_id)
    refuse_deletes(table, snapshot.summary.additional_properties if snapshot and snapshot.summary else {})
    scan = loaded.scan(snapshot_id=snapshot_id)
    columns = tuple(PlannedColumn(field.field_id, field.name, str(field.field_type)) for field in scan.projection().fields)
    files = [
        PlannedFile(local_path(task.file.file_path), task.file.record_count, task.file.file_size_in_bytes)
        for task in scan.plan_files()
    ]
    plan = Plan(table, snapshot_id, columns, tuple(sorted(files, key=lambda file: file.path)))
    write_plan(Paths.of(settings), plan)
    return plan


def write_plan(paths: Paths, plan: Plan) -> None:
    """Keep a plan, whoever made it."""
    content = {
        "columns": [list(asdict(column).values()) for column in plan.columns],
        "files": [list(asdict(file).values()) for file in plan.files],
    }
    file = plan_file(paths, plan.table, plan.snapshot_id)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(file, json.dumps(content))


def refuse_deletes(table: str, summary: Mapping[str, str]) -> None:
    """Raises RowsDeletedApart when the snapshot with this summary has delete files."""
    if int(summary.get("total-delete-files") or 0) > 0:
        raise RowsDeletedApart(
            f"{table} has rows that another engine deleted apart from their files, which would be read as if they were there; "
            f"let Spark write its files anew: CALL lake.system.rewrite_data_files(table => '{table.replace('/', '.')}', "
            "options => map('delete-file-threshold', '1', 'remove-dangling-deletes', 'true'))"
        )


def plan_file(paths: Paths, table: str, snapshot_id: int) -> Path:
    """Where a plan is kept."""
    return paths.lake / "plans" / table.replace("/", ".") / f"{snapshot_id}.json"


def drop_plans(paths: Paths, kept: Mapping[str, Collection[int]]) -> None:
    """Forget the plans of all snapshots but ``kept``, by table; a plan that is asked for again is made again."""
    for folder in (paths.lake / "plans").glob("*"):
        snapshots = {str(snapshot) for snapshot in kept.get(folder.name.replace(".", "/"), ())}
        if not snapshots:
            shutil.rmtree(folder, ignore_errors=True)
        for file in folder.glob("*.json"):
            if file.stem not in snapshots:
                file.unlink(missing_ok=True)


def local_path(location: str) -> str:
    """A file's location as DuckDB and pyarrow take it: a plain path for ``file:`` URLs, else unchanged."""
    return "/" + location.removeprefix("file:").lstrip("/") if location.startswith("file:") else location
