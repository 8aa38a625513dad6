"""Publish Arrow tables and Parquet files into the lake with pyiceberg; ``jishi.lake.release`` says how a publish ends."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from jishi.lake.catalog import identifier
from jishi.lake.durability import sync_snapshots
from jishi.lake.plans import keep_plan
from jishi.lake.release import MAIN, Publish, Step, begin, no_step, refuse_earlier_clock, release
from jishi.lake.rows import Rows
from jishi.lake.table_creation import create_table, create_tables
from jishi.lake.versions import MartsFile, StaleWriter, TableVersion, Versions
from jishi.settings import Settings
from jishi.tables import TableSchema

if TYPE_CHECKING:
    import pyarrow as pa
    from pyiceberg.catalog.sql import SqlCatalog
    from pyiceberg.manifest import DataFile
    from pyiceberg.table import Table, Transaction
    from pyiceberg.table.update.snapshot import ManageSnapshots

TRIES = 8  # a stale writer begins again on the newest version so many times
COMMIT_TRIES = 10


@dataclass(frozen=True)
class Replacement:
    """New rows of a table in place of those that ``where`` names.

    ``rows`` is an Arrow table; ``files`` are Parquet files of the table's columns with Iceberg's field ids, each within one
    partition, which are copied into the warehouse as they are.
    """

    schema: TableSchema
    where: Rows
    rows: pa.Table | None = None
    files: Sequence[Path] = field(default=())


Build = Callable[[TableVersion | None], Sequence[Replacement]]


def publish(
    settings: Settings,
    writer: str,
    build: Build,
    *,
    marts: MartsFile | None = None,
    check: Callable[[TableVersion | None], None] | None = None,
    step: Step = no_step,
) -> TableVersion:
    """Publish what ``build`` makes of the newest version, all of it in one new version.

    ``build`` is asked again when others published the same tables meanwhile. ``check`` runs under the lock with the newest
    version and may raise to refuse. Raises StaleWriter when others came first too often, ClockBehind, and whatever ``build``
    raises; then nothing was published.
    """
    catalog = create_tables(settings, ())
    versions, refs_of = Versions.of(settings), refs_in(catalog)
    for last in range(TRIES - 1, -1, -1):
        running = begin(versions, writer, refs_of)
        replacements = list(build(running.base))
        try:
            for replacement in replacements:
                create_table(catalog, replacement.schema)
                _write(catalog, running, replacement)
                step(f"written {replacement.schema.name}")
            return release(
                versions,
                running,
                refs_of,
                marts=marts,
                check=check,
                keep_plan=plan_keeper(settings, catalog),
                sync=lambda new, known: sync_snapshots(settings, new, known, refs_of),
                step=step,
            )
        except StaleWriter:
            if not last:
                raise
        finally:
            for table in running.changes:
                refs_of(table).drop_branch(running.branch)
    raise AssertionError("unreachable")


def rows_at(settings: Settings, schema: TableSchema, version: TableVersion | None, where: Rows) -> pa.Table:
    """Rows of a table at a version; none where it has no snapshot there."""
    from jishi.arrow_tables import arrow_schema

    columns = arrow_schema(schema)
    if version is None or schema.name not in version.snapshots:
        return columns.empty_table()
    table = create_table(create_tables(settings, ()), schema)
    rows = table.scan(where.expression(), snapshot_id=version.snapshots[schema.name]).to_arrow()
    there = set(rows.column_names)
    import pyarrow as pa

    arrays = [rows[f.name].cast(f.type) if f.name in there else pa.nulls(len(rows), f.type) for f in columns]
    return pa.Table.from_arrays(arrays, schema=columns)


def field_ids(settings: Settings, schema: TableSchema) -> dict[str, int]:
    """Iceberg's number of each column of a table, which is made first if it is missing."""
    table = create_table(create_tables(settings, ()), schema)
    return {field.name: field.field_id for field in table.schema().fields}


def plan_keeper(settings: Settings, catalog: SqlCatalog) -> Callable[[str, int], None]:
    """What lists the files of a new snapshot for readers (``jishi.lake.plans``)."""

    def keep(name: str, snapshot_id: int) -> None:
        keep_plan(settings, name, catalog.load_table(identifier(name)), snapshot_id)

    return keep


def refs_in(catalog: SqlCatalog) -> Callable[[str], PyicebergRefs]:
    """Branches and tags of each table of a catalog, by its name in ``jishi.tables``."""
    return lambda name: PyicebergRefs(catalog, name)


class PyicebergRefs:
    """Branches and tags of one table by pyiceberg; a commit that meets another is tried again on the newest metadata."""

    def __init__(self, catalog: SqlCatalog, name: str) -> None:
        self._catalog, self._name = catalog, identifier(name)

    def _table(self) -> Table:
        return self._catalog.load_table(self._name)

    def head(self, branch: str) -> int | None:
        """Snapshot of a branch, or None where there is none."""
        reference = self._table().refs().get(branch)
        return reference.snapshot_id if reference else None

    def first_snapshot(self) -> int:
        """The newest snapshot of main; one without rows is made first where there is none, since a branch needs a beginning."""
        table = self._table()
        if table.current_snapshot() is None:
            until_alone(lambda: self._table().append(table.schema().as_arrow().empty_table()))
        head = self.head(MAIN)
        assert head is not None
        return head

    def tags(self) -> Mapping[str, int]:
        """Snapshot of every tag."""
        references = self._table().refs()
        return {name: ref.snapshot_id for name, ref in references.items() if ref.snapshot_ref_type.value == "tag"}

    def set_branch(self, branch: str, snapshot_id: int) -> None:
        """Make a branch at a snapshot, or move it there. Raises ClockBehind."""
        refuse_earlier_clock(self._name, self._table().metadata.last_updated_ms)
        self._commit(lambda refs, existing: refs.create_branch(snapshot_id, branch))

    def drop_branch(self, branch: str) -> None:
        """Drop a branch or tag if it is there."""
        if branch in self._table().refs():
            self._commit(lambda refs, existing: refs.remove_branch(branch) if branch in existing else refs)

    def release(self, snapshot_id: int, tag: str, branch: str) -> None:
        """Move main to a snapshot, tag it, and drop the branch that led to it."""
        self._commit(
            lambda refs, existing: refs.set_current_snapshot(snapshot_id).create_tag(snapshot_id, tag).remove_branch(branch)
        )

    def tag(self, snapshot_id: int, tag: str) -> None:
        """Tag a snapshot; a tag of that name moves."""
        self._commit(lambda refs, existing: refs.create_tag(snapshot_id, tag))

    def roll_back(self, snapshot_id: int | None, tag: str, branch: str) -> None:
        """Main back to a snapshot (None: to no rows) without a release's tag and branch."""
        from pyiceberg.expressions import AlwaysTrue

        def change(refs: ManageSnapshots, existing: Mapping[str, Any]) -> ManageSnapshots:
            if snapshot_id is not None and tag in existing and existing[MAIN].snapshot_id == existing[tag].snapshot_id:
                refs = refs.set_current_snapshot(snapshot_id)
            for name in (tag, branch):
                refs = refs.remove_branch(name) if name in existing else refs
            return refs

        references = self._table().refs()
        is_first = snapshot_id is None and tag in references and references[MAIN].snapshot_id == references[tag].snapshot_id
        if is_first:
            self._table().delete(AlwaysTrue())
        if {tag, branch} & references.keys():
            self._commit(change)

    def order(self, snapshot_id: int) -> int:
        """The snapshot's sequence number."""
        snapshot = self._table().snapshot_by_id(snapshot_id)
        return (snapshot.sequence_number or 0) if snapshot else -1

    def metadata(self) -> str:
        """Location of the table's newest metadata."""
        return self._table().metadata_location

    def manifests(self, snapshot_id: int) -> list[str]:
        """Locations of the snapshot's list of manifests and of these."""
        table = self._table()
        snapshot = table.snapshot_by_id(snapshot_id)
        assert snapshot is not None
        return [snapshot.manifest_list, *(manifest.manifest_path for manifest in snapshot.manifests(table.io))]

    def _commit(self, change: Callable[[ManageSnapshots, Mapping[str, Any]], ManageSnapshots]) -> None:
        def commit() -> None:
            table = self._table()
            change(table.manage_snapshots(), table.refs()).commit()

        until_alone(commit)


def until_alone(commit: Callable[[], None]) -> None:
    """Do a commit from the newest metadata again while others commit to the same table."""
    from pyiceberg.exceptions import CommitFailedException

    for last in range(COMMIT_TRIES - 1, -1, -1):
        try:
            commit()
            return
        except (CommitFailedException, ValueError) as error:
            # pyiceberg 0.12 tries a lost commit again with a sequence number of its own that is taken by then.
            if not last or (isinstance(error, ValueError) and "sequence number" not in str(error)):
                raise
            time.sleep(0.05)


def _write(catalog: SqlCatalog, running: Publish, replacement: Replacement) -> None:
    """Replace rows on the branch of a publish, in one commit of the table."""
    from pyiceberg.expressions import AlwaysTrue

    name = replacement.schema.name
    shops, is_new = replacement.where.shops, False
    if name in running.changes:
        before = running.changes[name]
        running.changes[name] = None if before is None or shops is None else sorted({*before, *shops})
    else:
        refs, base = PyicebergRefs(catalog, name), running.base_snapshot(name)
        is_new = base is None
        refs.set_branch(running.branch, base or refs.first_snapshot())
        running.changes[name] = shops

    def commit() -> None:
        current = catalog.load_table(identifier(name))
        with warnings.catch_warnings(), current.transaction() as transaction:
            warnings.filterwarnings("ignore", "Delete operation did not match any records")
            # Main may hold rows that a publish moved there and did not record: a table without a version begins empty.
            where = AlwaysTrue() if is_new else replacement.where.expression()
            transaction.delete(where, branch=running.branch)
            if replacement.rows is not None:
                transaction.append(replacement.rows, branch=running.branch)
            if replacement.files:
                _add_files(transaction, current, running.branch, replacement.files)

    until_alone(commit)


def _add_files(transaction: Transaction, table: Table, branch: str, files: Sequence[Path]) -> None:
    with transaction.update_snapshot(branch=branch).merge_append() as append:
        for file in files:
            append.append_data_file(_data_file(table, file))


def _data_file(table: Table, file: Path) -> DataFile:
    """A Parquet file, copied into the table's folder and described as Iceberg needs it."""
    import pyarrow.parquet as pq
    from pyiceberg.io.pyarrow import (
        compute_statistics_plan,
        data_file_statistics_from_parquet_metadata,
        parquet_path_to_id_mapping,
    )
    from pyiceberg.manifest import DataFile, DataFileContent, FileFormat
    from pyiceberg.typedef import Record

    schema, spec = table.schema(), table.spec()
    statistics = data_file_statistics_from_parquet_metadata(
        parquet_metadata=pq.read_metadata(file),
        stats_columns=compute_statistics_plan(schema, table.properties),
        parquet_column_mapping=parquet_path_to_id_mapping(schema),
    )
    partition: list[Any] = []
    for part in spec.fields:
        source = schema.find_field(part.source_id)
        bounds = statistics.column_aggregates.get(part.source_id)  # none where every value is null
        transform = part.transform.transform(source.field_type)
        values = {transform(bounds.current_min), transform(bounds.current_max)} if bounds else {None}
        if len(values) > 1:
            raise ValueError(f"{file} spans several partitions of {'.'.join(table.name())}: {part.name} {values}")
        partition += values
    location = table.location_provider().new_data_location(f"{uuid4().hex}-{file.name}")
    with file.open("rb") as source_file, table.io.new_output(location).create() as target:
        while piece := source_file.read(2**20):
            target.write(piece)
    return DataFile.from_args(
        content=DataFileContent.DATA,
        file_path=location,
        file_format=FileFormat.PARQUET,
        partition=Record(*partition),
        file_size_in_bytes=file.stat().st_size,
        sort_order_id=None,
        spec_id=table.metadata.default_spec_id,
        equality_ids=None,
        key_metadata=None,
        **statistics.to_serialized_dict(),
    )
