"""Publish tables with Spark: written to a branch of each table, audited there, and made the newest version together.

``jishi.lake.release`` says how a publish ends. Branches, tags and lists of files go through Iceberg's own API in the JVM, which
a job has loaded anyway.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jishi.lake.catalog import CATALOG, identifier
from jishi.lake.plans import Plan, PlannedColumn, PlannedFile, local_path, write_plan
from jishi.lake.release import MAIN, Rebase, begin, release
from jishi.lake.rows import Rows, plain
from jishi.lake.table_creation import create_tables
from jishi.lake.versions import TableVersion, Versions
from jishi.paths import Paths
from jishi.settings import Settings
from jishi.tables import SPARK_TYPES, TableSchema

STRAY_MS = 24 * 60 * 60 * 1000  # a branch of a job that died goes with the first expiry after a day
TASKS = 4  # so many tasks read a table that is large enough for them
LEAST_SPLIT_BYTES = 2**20
Savepoint = dict[str, tuple[int, list[Rows]]]


class SparkRefs:
    """Branches and tags of one table through Iceberg's Java API (``jishi.lake.release.TableRefs``)."""

    def __init__(self, session: SparkSession, name: str) -> None:
        self._session, self._name = session, f"{CATALOG}.{identifier(name)}"

    @property
    def table(self) -> Any:
        """The table as the catalog has it now."""
        jvm: Any = self._session.sparkContext._jvm
        return jvm.org.apache.iceberg.spark.Spark3Util.loadIcebergTable(self._session._jsparkSession, self._name)

    def head(self, branch: str) -> int | None:
        """Snapshot of a branch, or None where there is none."""
        reference = self.table.refs().get(branch)
        return None if reference is None else int(reference.snapshotId())

    def set_branch(self, branch: str, snapshot_id: int) -> None:
        """Make a branch at a snapshot, or move it there."""
        table = self.table
        changes = table.manageSnapshots()
        if table.refs().get(branch) is None:
            changes = changes.createBranch(branch, snapshot_id).setMaxRefAgeMs(branch, STRAY_MS)
        else:
            changes = changes.replaceBranch(branch, snapshot_id)
        changes.commit()

    def drop_branch(self, branch: str) -> None:
        """Drop a branch if it is there."""
        table = self.table
        if table.refs().get(branch) is not None:
            table.manageSnapshots().removeBranch(branch).commit()

    def release(self, snapshot_id: int, tag: str, branch: str) -> None:
        """Move main to a snapshot, tag it, and drop the branch that led to it."""
        table = self.table
        changes = table.manageSnapshots().setCurrentSnapshot(snapshot_id).removeBranch(branch)
        self._tagged(table, changes, snapshot_id, tag).commit()

    def tag(self, snapshot_id: int, tag: str) -> None:
        """Tag a snapshot; a tag of that name moves."""
        table = self.table
        self._tagged(table, table.manageSnapshots(), snapshot_id, tag).commit()

    def roll_back(self, snapshot_id: int | None, tag: str, branch: str) -> None:
        """Main back to a snapshot (None: to no rows) without a release's tag and branch."""
        table = self.table
        references = table.refs()
        released, main = references.get(tag), references.get(MAIN)
        is_moved = released is not None and main is not None and released.snapshotId() == main.snapshotId()
        if is_moved and snapshot_id is None:
            jvm: Any = self._session.sparkContext._jvm
            table.newDelete().deleteFromRowFilter(jvm.org.apache.iceberg.expressions.Expressions.alwaysTrue()).commit()
        changes, is_changed = table.manageSnapshots(), False
        if is_moved and snapshot_id is not None:
            changes, is_changed = changes.setCurrentSnapshot(snapshot_id), True
        if released is not None:
            changes, is_changed = changes.removeTag(tag), True
        if references.get(branch) is not None:
            changes, is_changed = changes.removeBranch(branch), True
        if is_changed:
            changes.commit()

    def order(self, snapshot_id: int) -> int:
        """The snapshot's sequence number."""
        snapshot = self.table.snapshot(snapshot_id)
        return -1 if snapshot is None else int(snapshot.sequenceNumber())

    def files(self, snapshot_id: int, condition: Any | None = None) -> list[PlannedFile]:
        """Data files of a snapshot; with a condition, those that may have rows that meet it."""
        jvm: Any = self._session.sparkContext._jvm
        scan = self.table.newScan().useSnapshot(snapshot_id)
        planned = (scan if condition is None else scan.filter(condition)).planFiles()
        tasks = jvm.org.apache.iceberg.relocated.com.google.common.collect.Lists.newArrayList(planned)
        planned.close()
        files = [task.file() for task in tasks]
        return sorted(
            (PlannedFile(local_path(f.location()), f.recordCount(), f.fileSizeInBytes()) for f in files), key=lambda f: f.path
        )

    def plan(self, name: str, snapshot_id: int) -> Plan:
        """The table at a snapshot as readers open it."""
        columns = self.table.schema().columns()
        fields = [PlannedColumn(field.fieldId(), field.name(), field.type().toString()) for field in columns]
        return Plan(name, snapshot_id, tuple(fields), tuple(self.files(snapshot_id)))

    @staticmethod
    def _tagged(table: Any, changes: Any, snapshot_id: int, tag: str) -> Any:
        is_new = table.refs().get(tag) is None
        return changes.createTag(tag, snapshot_id) if is_new else changes.replaceTag(tag, snapshot_id)


class Publication:
    """One publish by a Spark job. Tables are read as the base version has them, or as this publish wrote them.

    Two threads may write different tables at once.
    """

    def __init__(self, session: SparkSession, settings: Settings, writer: str, schemas: Iterable[TableSchema]) -> None:
        """``schemas`` are all tables that it reads or writes; those missing or older than declared are made first."""
        self.session, self.settings = session, settings
        self._prepare(list(schemas))
        self._versions = Versions.of(settings)
        self._publish = begin(self._versions, writer, self.refs)
        self._written: dict[str, tuple[TableSchema, list[Rows]]] = {}
        self._lock = threading.Lock()

    @property
    def base(self) -> TableVersion | None:
        """The version that this publish is based on."""
        return self._publish.base

    def refs(self, name: str) -> SparkRefs:
        """Branches and tags of a table."""
        return SparkRefs(self.session, name)

    def snapshot(self, schema: TableSchema) -> int | None:
        """What is read of a table: what this publish wrote so far, else the base version's snapshot; None without any rows."""
        if schema.name in self._written:
            return self.refs(schema.name).head(self._publish.branch)
        return self._publish.read.get(schema.name) or self._publish.base_snapshot(schema.name)

    def read_appended(self, schema: TableSchema) -> int | None:
        """From here on read a table that a stream appends to as it is now, and record that with the publish."""
        head = self.refs(schema.name).head(MAIN)
        if head is not None:
            self._publish.read[schema.name] = head
        return head

    def before(self, schema: TableSchema, where: Rows | None = None) -> DataFrame:
        """Rows of a table in the base version."""
        return self._rows(schema, self._publish.base_snapshot(schema.name), where or Rows.all())

    def rows(self, schema: TableSchema, where: Rows | None = None) -> DataFrame:
        """Rows of a table now; the frame stays what it is when the table is written again."""
        return self._rows(schema, self.snapshot(schema), where or Rows.all())

    def files(self, schema: TableSchema, where: Rows | None = None) -> list[PlannedFile]:
        """Data files that may hold such rows."""
        return self._files(schema, self.snapshot(schema), where or Rows.all())

    def replace(self, schema: TableSchema, frame: DataFrame, where: Rows) -> None:
        """Write rows to the branch in place of those that ``where`` names. ``frame`` may come of the same table's ``rows``."""
        name = schema.name
        self._branch(schema, where)
        self._delete(name, where)
        declared = {c: F.col(c).cast(SPARK_TYPES[t]).alias(c) for c, t in schema.columns.items()}
        existing = [field.name() for field in self.refs(name).table.schema().columns()]
        typed = frame.select(*[declared.get(c, F.lit(None).alias(c)) for c in existing])
        options = {"fanout-enabled": "true", "distribution-mode": "none"}  # no shuffle and no sort of wide rows
        typed.writeTo(self._branch_name(name)).options(**options).append()

    def savepoint(self) -> Savepoint:
        """Where the branches are, to come back to."""
        return {name: (self._head(name), list(replaced)) for name, (_, replaced) in self._written.items()}

    def restore(self, savepoint: Savepoint) -> None:
        """Branches back to where they were; a table that had none is as if never written."""
        for name, (schema, _) in list(self._written.items()):
            if name in savepoint:
                head, replaced = savepoint[name]
                self.refs(name).set_branch(self._publish.branch, head)
                self._written[name] = (schema, list(replaced))
            else:
                self.refs(name).drop_branch(self._publish.branch)
                del self._written[name]

    def finish(self) -> TableVersion:
        """Publish what was written. Raises StaleWriter when another publish replaced rows of the same shops meanwhile.

        Where others published other shops of the same tables, the rows written here are put upon theirs.
        """
        while True:
            self._publish.changes = {name: _shops(where) for name, (_, where) in self._written.items()}
            try:
                return release(self._versions, self._publish, self.refs, keep_plan=self._keep_plan)
            except Rebase:
                self._rebase()

    def abandon(self) -> None:
        """Drop the branches; nothing was published."""
        for name in self._written:
            self.refs(name).drop_branch(self._publish.branch)
        self._written.clear()

    def _keep_plan(self, name: str, snapshot_id: int) -> None:
        write_plan(Paths.of(self.settings), self.refs(name).plan(name, snapshot_id))

    def _prepare(self, schemas: list[TableSchema]) -> None:
        jvm: Any = self.session.sparkContext._jvm
        known = jvm.org.apache.iceberg.spark.Spark3Util.loadIcebergCatalog(self.session._jsparkSession, CATALOG)
        old = []
        for schema in schemas:
            name = jvm.org.apache.iceberg.catalog.TableIdentifier.parse(identifier(schema.name))
            columns = {f.name() for f in known.loadTable(name).schema().columns()} if known.tableExists(name) else set()
            old += [] if schema.columns.keys() <= columns else [schema]
        if old:
            create_tables(self.settings, old)  # imports pyiceberg, which takes seconds

    def _rebase(self) -> None:
        old, written = self._publish, self._written
        heads = {name: self._head(name) for name in written}
        self._publish = begin(self._versions, old.writer, self.refs)
        self._publish.read = old.read
        self._written = {}
        for name, (schema, replaced) in written.items():
            for where in dict.fromkeys(replaced):
                self.replace(schema, self._rows(schema, heads[name], where), where)
            self.refs(name).drop_branch(old.branch)

    def _head(self, name: str) -> int:
        head = self.refs(name).head(self._publish.branch)
        assert head is not None
        return head

    def _branch(self, schema: TableSchema, where: Rows) -> None:
        with self._lock:
            if schema.name not in self._written:
                refs = self.refs(schema.name)
                base = self._publish.base_snapshot(schema.name) or refs.head(MAIN)
                if base is None:
                    refs.table.newFastAppend().commit()  # a branch begins at a snapshot
                    base = refs.head(MAIN)
                assert base is not None
                refs.set_branch(self._publish.branch, base)
                self._written[schema.name] = (schema, [])
            self._written[schema.name][1].append(where)

    def _delete(self, name: str, where: Rows) -> None:
        """Delete rows on the branch: whole files by their statistics, else by writing anew what is left of them."""
        refs = self.refs(name)
        head = refs.head(self._publish.branch)
        if head is None or not refs.files(head, self._expression(where)):
            return
        try:
            delete = refs.table.newDelete().deleteFromRowFilter(self._expression(where))
            delete.toBranch(self._publish.branch).commit()
        except Py4JJavaError as error:
            if "ValidationException" not in str(error.java_exception.getClass().getName()):
                raise
            self.session.sql(f"DELETE FROM {self._branch_name(name)} WHERE {where.sql()}")

    def _rows(self, schema: TableSchema, snapshot_id: int | None, where: Rows) -> DataFrame:
        if snapshot_id is None:
            return self.session.createDataFrame([], schema.spark_ddl)
        size = sum(file.bytes for file in self._files(schema, snapshot_id, where))
        reader = self.session.read.option("versionAsOf", snapshot_id)
        reader = reader.option("split-size", max(LEAST_SPLIT_BYTES, size // TASKS)).option("file-open-cost", 2**17)
        frame = reader.table(f"{CATALOG}.{identifier(schema.name)}")
        there = set(frame.columns)
        columns = [F.col(c) if c in there else F.lit(None).cast(SPARK_TYPES[t]).alias(c) for c, t in schema.columns.items()]
        return frame.where(where.sql()).select(*columns)

    def _files(self, schema: TableSchema, snapshot_id: int | None, where: Rows) -> list[PlannedFile]:
        return [] if snapshot_id is None else self.refs(schema.name).files(snapshot_id, self._expression(where))

    def _expression(self, where: Rows) -> Any:
        jvm: Any = self.session.sparkContext._jvm
        expressions = jvm.org.apache.iceberg.expressions.Expressions
        condition = expressions.alwaysTrue()
        for column, some in where.values:
            values = jvm.java.util.ArrayList()
            for value in some:
                values.add(value)
            condition = getattr(expressions, "and")(condition, getattr(expressions, "in")(column, values))
        if where.between is not None:
            column, start, end = where.between
            condition = getattr(expressions, "and")(condition, expressions.greaterThanOrEqual(column, plain(start)))
            condition = getattr(expressions, "and")(condition, expressions.lessThan(column, plain(end)))
        return condition

    def _branch_name(self, name: str) -> str:
        return f"{CATALOG}.{identifier(name)}.branch_{self._publish.branch}"


def _shops(replaced: Iterable[Rows]) -> list[str] | None:
    shops: set[str] = set()
    for where in replaced:
        if where.shops is None:
            return None
        shops.update(where.shops)
    return sorted(shops)
