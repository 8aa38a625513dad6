"""Publish tables with Spark: written to a branch of each table, audited there, and made the newest version together.

``jishi.lake.release`` says how a publish ends.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jishi.lake.catalog import CATALOG, identifier
from jishi.lake.durability import sync_snapshots
from jishi.lake.object_store import reach
from jishi.lake.plans import PlannedFile, write_plan
from jishi.lake.release import MAIN, Rebase, begin, release
from jishi.lake.rows import Rows, plain
from jishi.lake.table_creation import create_tables
from jishi.lake.versions import TableVersion, Versions
from jishi.paths import Paths
from jishi.settings import Settings
from jishi.tables import SPARK_TYPES, TableSchema
from spark_jobs.table_refs import SparkRefs, elements, java_class

TASKS = 4  # so many tasks read a table that is large enough for them
LEAST_SPLIT_BYTES = 2**20
Savepoint = dict[str, tuple[int, list[Rows]]]


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
        existing = _columns(self.refs(name).table)
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
                return release(self._versions, self._publish, self.refs, keep_plan=self._keep_plan, sync=self._sync)
            except Rebase:
                self._rebase()

    def abandon(self) -> None:
        """Drop the branches; nothing was published."""
        for name in self._written:
            self.refs(name).drop_branch(self._publish.branch)
        self._written.clear()

    def _keep_plan(self, name: str, snapshot_id: int) -> None:
        write_plan(Paths.of(self.settings), self.refs(name).plan(name, snapshot_id))

    def _sync(self, new: Mapping[str, int], known: Mapping[str, int]) -> None:
        sync_snapshots(self.settings, new, known, self.refs)

    def _prepare(self, schemas: list[TableSchema]) -> None:
        util = java_class(self.session, "org.apache.iceberg.spark.Spark3Util")
        known = util.loadIcebergCatalog(self.session._jsparkSession, CATALOG)
        identifiers = java_class(self.session, "org.apache.iceberg.catalog.TableIdentifier")
        old = []
        for schema in schemas:
            name = identifiers.parse(identifier(schema.name))
            columns = _columns(known.loadTable(name)) if known.tableExists(name) else []
            old += [] if schema.columns.keys() <= set(columns) else [schema]
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
                refs, base = self.refs(schema.name), self._publish.base_snapshot(schema.name)
                start = base or refs.head(MAIN)
                if start is None:
                    refs.table.newFastAppend().commit()  # a branch begins at a snapshot
                    start = refs.head(MAIN)
                assert start is not None
                refs.set_branch(self._publish.branch, start)
                if base is None:  # main may hold rows that a publish moved there and did not record
                    self._delete(schema.name, Rows.all())
                self._written[schema.name] = (schema, [])
            self._written[schema.name][1].append(where)

    def _delete(self, name: str, where: Rows) -> None:
        """Delete rows on the branch: whole files by what is in them, else by writing anew what is left of them."""
        refs, condition = self.refs(name), self._expression(where)
        head = refs.head(self._publish.branch)
        files = [] if head is None else refs.files(head, condition)
        if head is None or not files:
            return
        try:
            delete = refs.table.newDelete().deleteFromRowFilter(condition)
            delete.toBranch(self._publish.branch).commit()
        except Py4JJavaError as error:
            if "ValidationException" not in str(error.java_exception.getClass().getName()):
                raise
            # Statistics prove it for files of one shop only; what a group of shops wrote lies in files of its own all the same.
            gone = refs.delete_files(self._publish.branch, head, condition, self._whole(files, where))
            if gone < len(files):
                self.session.sql(f"DELETE FROM {self._branch_name(name)} WHERE {where.sql()}")

    def _whole(self, files: list[PlannedFile], where: Rows) -> set[str]:
        """Paths of the files that have no other rows than those that ``where`` names."""
        import duckdb

        with duckdb.connect() as connection:
            reach(connection, self.settings)
            rows = connection.read_parquet([file.path for file in files], hive_partitioning=False, filename=True)
            by_file = rows.aggregate(f"filename, bool_and(coalesce({where.sql()}, false)) as is_whole", "filename")
            return {path for path, is_whole in by_file.fetchall() if is_whole}

    def _rows(self, schema: TableSchema, snapshot_id: int | None, where: Rows) -> DataFrame:
        if snapshot_id is None:  # rows that Spark's optimiser knows to be none, so it drops what waits for them
            typed = [F.lit(None).cast(SPARK_TYPES[t]).alias(c) for c, t in schema.columns.items()]
            return self.session.range(0).where("false").select(*typed)
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
        expressions = java_class(self.session, "org.apache.iceberg.expressions.Expressions")
        condition = expressions.alwaysTrue()
        for column, some in where.values:
            values = java_class(self.session, "java.util.ArrayList")()
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


def _columns(table: Any) -> list[str]:
    return [field.name() for field in elements(table.schema().columns())]


def _shops(replaced: Iterable[Rows]) -> list[str] | None:
    shops: set[str] = set()
    for where in replaced:
        if where.shops is None:
            return None
        shops.update(where.shops)
    return sorted(shops)
