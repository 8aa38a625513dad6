"""After a power cut: tables whose newest metadata or files were lost go back to the newest state that is whole.

An engine commits by naming a new metadata file in the catalog, whose database syncs itself, while the file lies in the
operating system's cache. All that a recorded version names was synced before (``jishi.lake.durability``), so what is given up
is of no version: a publish that was under way, or the stream's last appends.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from jishi.files import file_uri
from jishi.lake.catalog import CATALOG, alone, identifier, is_in_object_store, open_catalog
from jishi.lake.plans import local_path
from jishi.lake.versions import Versions
from jishi.settings import Settings

if TYPE_CHECKING:
    from pyiceberg.table import Table


class LakeDamaged(RuntimeError):
    """A table has no metadata that is whole; the message names it."""


def restore_tables(settings: Settings) -> dict[str, str]:
    """Bring every table of a lake in a folder to a state that is whole, while nobody writes to the lake.

    Returns the tables (Iceberg's names) that were not, each with the name of the metadata file that it has now. Raises
    LakeDamaged.
    """
    if is_in_object_store(settings):
        return {}
    from sqlalchemy import text

    catalog = open_catalog(settings)
    restored, version = {}, Versions.of(settings).latest()
    recorded = {identifier(name): snapshot for name, snapshot in version.snapshots.items()} if version else {}
    with alone(settings), catalog.engine.begin() as connection:
        named = "SELECT table_namespace, table_name, metadata_location FROM iceberg_tables WHERE catalog_name = :catalog"
        for namespace, name, location in connection.execute(text(named), {"catalog": CATALOG}).fetchall():
            newest, needed = Path(local_path(location)), recorded.get(f"{namespace}.{name}")
            if _is_whole(newest, needed):
                continue
            whole = next((file for file in _older(newest) if _is_whole(file, needed)), None)
            if whole is None:
                raise LakeDamaged(
                    f"no metadata of {namespace}.{name} in {newest.parent} is whole; restore the lake from a backup"
                )
            moved = (
                "UPDATE iceberg_tables SET metadata_location = :whole, previous_metadata_location = NULL "
                "WHERE catalog_name = :catalog AND table_namespace = :namespace AND table_name = :name"
            )
            values = {"whole": file_uri(whole), "catalog": CATALOG, "namespace": namespace, "name": name}
            connection.execute(text(moved), values)
            restored[f"{namespace}.{name}"] = whole.name
    return restored


def _older(newest: Path) -> Iterator[Path]:
    """Metadata files of a table but one, newest first: ``<number>-<id>.metadata.json``."""
    files = [file for file in newest.parent.glob("*.metadata.json") if file != newest]
    yield from sorted(files, key=lambda file: (int(file.name.split("-")[0]), file.stat().st_mtime_ns), reverse=True)


def _is_whole(metadata: Path, recorded: int | None) -> bool:
    """Whether a metadata file can be read, knows the recorded snapshot, and all files of it and of the current one are there in
    their length.
    """
    from pyiceberg.table import StaticTable

    try:
        json.loads(metadata.read_bytes())
        table = StaticTable.from_metadata(file_uri(metadata))
        current = table.current_snapshot()
        needed = {snapshot for snapshot in (recorded, current.snapshot_id if current else None) if snapshot is not None}
        return all(table.snapshot_by_id(snapshot) is not None and _has_files(table, snapshot) for snapshot in needed)
    except (OSError, ValueError, EOFError):  # lost, or cut: what is left is no JSON and no Avro
        return False


def _has_files(table: Table, snapshot_id: int) -> bool:
    files = (task.file for task in table.scan(snapshot_id=snapshot_id).plan_files())
    return all(Path(local_path(file.file_path)).stat().st_size == file.file_size_in_bytes for file in files)
