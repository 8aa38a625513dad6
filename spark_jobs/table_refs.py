"""Branches and tags of an Iceberg table through its own API in the JVM, which a Spark job has loaded anyway."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from pyspark.sql import SparkSession

from jishi.lake.catalog import CATALOG, identifier
from jishi.lake.plans import Plan, PlannedColumn, PlannedFile, local_path, refuse_deletes
from jishi.lake.release import MAIN, refuse_earlier_clock


def java_class(session: SparkSession, name: str) -> Any:
    """A class of the JVM by its whole name.

    Py4J's attributes (``jvm.org.apache…``) would look for a class of each prefix, in every jar.
    """
    return getattr(session.sparkContext._jvm, name)


def elements(of_list: Any) -> list[Any]:
    """The elements of a Java list.

    Py4J's own iteration ends with an exception of Java, which PySpark translates in hundreds of calls.
    """
    return [of_list.get(number) for number in range(of_list.size())]


class SparkRefs:
    """Branches and tags of one table through Iceberg's Java API (``jishi.lake.release.TableRefs``)."""

    def __init__(self, session: SparkSession, name: str) -> None:
        self._session, self._name = session, f"{CATALOG}.{identifier(name)}"

    @property
    def table(self) -> Any:
        """The table as the catalog has it now."""
        util = java_class(self._session, "org.apache.iceberg.spark.Spark3Util")
        return util.loadIcebergTable(self._session._jsparkSession, self._name)

    def head(self, branch: str) -> int | None:
        """Snapshot of a branch, or None where there is none."""
        reference = self.table.refs().get(branch)
        return None if reference is None else int(reference.snapshotId())

    def set_branch(self, branch: str, snapshot_id: int) -> None:
        """Make a branch at a snapshot, or move it there. Raises ClockBehind."""
        table = self.table
        refuse_earlier_clock(self._name, int(table.operations().current().lastUpdatedMillis()))
        changes = table.manageSnapshots()
        if table.refs().get(branch) is None:
            changes = changes.createBranch(branch, snapshot_id)
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
            expressions = java_class(self._session, "org.apache.iceberg.expressions.Expressions")
            table.newDelete().deleteFromRowFilter(expressions.alwaysTrue()).commit()
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

    def metadata(self) -> str:
        """Location of the table's newest metadata."""
        return str(self.table.operations().current().metadataFileLocation())

    def manifests(self, snapshot_id: int) -> list[str]:
        """Locations of the snapshot's list of manifests and of these."""
        table = self.table
        snapshot = table.snapshot(snapshot_id)
        return [snapshot.manifestListLocation(), *(manifest.path() for manifest in elements(snapshot.allManifests(table.io())))]

    def files(self, snapshot_id: int, condition: Any | None = None) -> list[PlannedFile]:
        """Data files of a snapshot; with a condition, those that may have rows that meet it."""
        files = self._data_files(snapshot_id, condition)
        return sorted(
            (PlannedFile(local_path(f.location()), f.recordCount(), f.fileSizeInBytes()) for f in files), key=lambda f: f.path
        )

    def delete_files(self, branch: str, snapshot_id: int, condition: Any, paths: Collection[str]) -> int:
        """Take files out of a branch whose newest snapshot this is: those of ``paths`` among the ones that may have such rows.

        Returns how many there were.
        """
        files = [file for file in self._data_files(snapshot_id, condition) if local_path(file.location()) in paths]
        if files:
            delete = self.table.newDelete()
            for file in files:
                delete.deleteFile(file)
            delete.toBranch(branch).commit()
        return len(files)

    def _data_files(self, snapshot_id: int, condition: Any | None) -> list[Any]:
        lists = java_class(self._session, "org.apache.iceberg.relocated.com.google.common.collect.Lists")
        scan = self.table.newScan().useSnapshot(snapshot_id)
        planned = (scan if condition is None else scan.filter(condition)).planFiles()
        tasks = elements(lists.newArrayList(planned))
        planned.close()
        return [task.file() for task in tasks]

    def plan(self, name: str, snapshot_id: int) -> Plan:
        """The table at a snapshot as readers open it. Raises RowsDeletedApart."""
        refuse_deletes(name, self.table.snapshot(snapshot_id).summary())
        columns = elements(self.table.schema().columns())
        fields = [PlannedColumn(field.fieldId(), field.name(), field.type().toString()) for field in columns]
        return Plan(name, snapshot_id, tuple(fields), tuple(self.files(snapshot_id)))

    @staticmethod
    def _tagged(table: Any, changes: Any, snapshot_id: int, tag: str) -> Any:
        is_new = table.refs().get(tag) is None
        return changes.createTag(tag, snapshot_id) if is_new else changes.replaceTag(tag, snapshot_id)
