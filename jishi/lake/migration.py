"""Bring the bronze of a lake in folders (Jishi before Iceberg) into the lake; all other tables are built again from it.

A table in folders is ``<lake>/<name>/versions/<version>/shop=<shop_id>/batch=<batch>/*.parquet``, and ``CURRENT`` beside
``versions`` names the version that was published.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from jishi.identity import named_person
from jishi.lake.catalog import identifier
from jishi.lake.publishing import Replacement, publish
from jishi.lake.rows import Rows
from jishi.lake.table_creation import create_table, create_tables
from jishi.lake.versions import Versions
from jishi.paths import Paths
from jishi.settings import Settings
from jishi.tables import BRONZE_HISTORY, BRONZE_LIVE, BRONZE_REPAIRS, TableSchema

if TYPE_CHECKING:
    import pyarrow as pa


WRITER = "upgrade of the lake"


class NothingToMigrate(LookupError):
    """There is no bronze in folders."""


@dataclass
class Migrated:
    """Rows by table and the batches that are to be built again, in their order, with their shops."""

    rows: dict[str, int] = field(default_factory=dict)
    batches: dict[str, list[str]] = field(default_factory=dict)


def is_in_folders(settings: Settings) -> bool:
    """Whether there is a lake in folders that was not brought into tables yet."""
    if _published(Paths.of(settings).lake / "bronze" / "events") is None:
        return False
    newest = Versions.of(settings).latest()
    return newest is None or BRONZE_HISTORY.name not in newest.snapshots


def rows_in_folders(settings: Settings) -> dict[str, int]:
    """Rows of each shop's history in the folders."""
    import pyarrow.parquet as pq

    history = dict(_batches(Paths.of(settings).lake / "bronze" / "events")).get("history", {})
    return {shop_id: sum(pq.read_metadata(file).num_rows for file in files) for shop_id, files in history.items()}


def migrate(settings: Settings) -> Migrated:
    """Copy history, live batches and repairs, the published ones in one version; the folders stay as they are.

    History and repairs replace those of the same shops, and live events are appended where the table does not have them: a
    second run does no harm. The stream must not write meanwhile. Raises NothingToMigrate.
    """
    folders = Paths.of(settings).lake / "bronze"
    batches = dict(_batches(folders / "events"))
    if not batches:
        raise NothingToMigrate(f"{folders / 'events'} has no published version; nothing is to migrate")
    done = Migrated()
    for batch in sorted(batches, key=lambda name: (name != "history", name)):
        done.batches[batch] = sorted(batches[batch])
    live = {batch: shops for batch, shops in batches.items() if batch != "history"}
    _append_live(settings, live, done)
    replacements = [
        *_replacements(BRONZE_HISTORY, batches.get("history", {}), done),
        *_replacements(BRONZE_REPAIRS, dict(_shops(folders / "repairs")), done),
    ]
    if replacements:
        publish(settings, WRITER, lambda base: replacements)
    return done


def _replacements(schema: TableSchema, files_of: dict[str, list[Path]], done: Migrated) -> list[Replacement]:
    """Rows of each shop; all of them are in memory at once, since they are published at once."""
    replacements = []
    for shop_id, files in sorted(files_of.items()):
        rows = _rows(schema, files)
        replacements.append(Replacement(schema, Rows.of(shop_id=[shop_id]), rows))
        done.rows[schema.name] = done.rows.get(schema.name, 0) + len(rows)
    return replacements


def _append_live(settings: Settings, batches: dict[str, dict[str, list[Path]]], done: Migrated) -> None:
    shops = sorted({shop_id for by_shop in batches.values() for shop_id in by_shop})
    if not shops:
        return
    import pyarrow as pa

    catalog = create_tables(settings, ())
    create_table(catalog, BRONZE_LIVE)
    table = catalog.load_table(identifier(BRONZE_LIVE.name))
    # In one commit: a second run finds all of it or nothing.
    rows = pa.concat_tables([_rows(BRONZE_LIVE, files) for by_shop in batches.values() for files in by_shop.values()])
    columns = ("collector_id", "seq")
    there = table.scan(Rows.of(shop_id=shops).expression(), selected_fields=columns).to_arrow()
    known = set(zip(*(there[column].to_pylist() for column in columns), strict=True))
    is_new = [key not in known for key in zip(*(rows[column].to_pylist() for column in columns), strict=True)]
    if any(is_new):
        table.append(rows.filter(pa.array(is_new)))
    done.rows[BRONZE_LIVE.name] = sum(is_new)


def _rows(schema: TableSchema, files: list[Path]) -> pa.Table:
    """Rows of old files with today's columns; ``person_id`` names the user or device as it does today."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    from jishi.arrow_tables import arrow_schema

    target = arrow_schema(schema)
    old = pa.concat_tables([pq.read_table(file, partitioning=None) for file in files])
    columns = dict(zip(old.column_names, old.columns, strict=True))
    ids = zip(columns["user_id"].to_pylist(), columns["anonymous_id"].to_pylist(), strict=True)
    columns["person_id"] = pa.array([named_person(user, device) for user, device in ids], pa.string())
    columns["received_at"] = pc.multiply(columns["received_at_ms"], 1000).cast(pa.timestamp("us"))
    arrays = [columns[f.name].cast(f.type) if f.name in columns else pa.nulls(len(old), f.type) for f in target]
    return pa.Table.from_arrays(arrays, schema=target)


def _batches(table: Path) -> Iterator[tuple[str, dict[str, list[Path]]]]:
    """Files of each batch, by shop."""
    version = _published(table)
    if version is None:
        return
    batches: dict[str, dict[str, list[Path]]] = {}
    for folder in sorted(version.glob("shop=*/batch=*")):
        files = sorted(folder.glob("*.parquet"))
        if files:
            shop_id, batch = folder.parent.name.removeprefix("shop="), folder.name.removeprefix("batch=")
            batches.setdefault(batch, {})[shop_id] = files
    yield from batches.items()


def _shops(table: Path) -> Iterator[tuple[str, list[Path]]]:
    version = _published(table)
    for folder in sorted(version.glob("shop=*")) if version is not None else ():
        if files := sorted(folder.glob("*.parquet")):
            yield folder.name.removeprefix("shop="), files


def _published(table: Path) -> Path | None:
    pointer = table / "CURRENT"
    return table / "versions" / pointer.read_text(encoding="utf-8").strip() if pointer.exists() else None
