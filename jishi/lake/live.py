"""The live tail of bronze: what the stream has committed so far, in the main environment.

Everything else that reads the lake opens a recorded version. This reads the current snapshot of ``bronze.events`` instead: the
events of the last minutes are by nature newer than what any version has recorded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from jishi.lake.catalog import identifier, open_catalog
from jishi.lake.reading import LakeVersion
from jishi.lake.versions import TableVersion
from jishi.settings import Settings
from jishi.tables import BRONZE_LIVE, TableSchema

if TYPE_CHECKING:
    import pyarrow as pa
    from pyiceberg.expressions import BooleanExpression
    from pyiceberg.table import Table

COLUMNS = tuple(BRONZE_LIVE.columns)


class LiveTail:
    """Opens the table once; each call reads the snapshot that is current then. A lake without the table has no live events."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._table: Table | None = None

    def count(self) -> int:
        """Rows, copies of one acknowledgement included; read from the snapshot's summary alone."""
        table = self._refreshed()
        snapshot = table.current_snapshot() if table is not None else None
        return int(snapshot.summary["total-records"] or 0) if snapshot is not None and snapshot.summary is not None else 0

    def acknowledged_of(self, wanted: int) -> int:
        """Distinct acknowledgements ``(collector_id, seq)``, since the forwarder may have sent one again; cheap, and then an
        upper bound, until there are ``wanted`` rows.
        """
        rows = self.count()
        return rows if rows < wanted else self.acknowledged()

    def acknowledged(self) -> int:
        """Distinct acknowledgements ``(collector_id, seq)``."""
        distinct = self.rows(("collector_id", "seq")).group_by(["collector_id", "seq"]).aggregate([])
        return int(distinct.num_rows)

    def rows(self, columns: Sequence[str] = COLUMNS, where: BooleanExpression | str | None = None) -> pa.Table:
        """Rows in no order; ``where`` is an Iceberg filter over the table's columns."""
        from pyiceberg.expressions import AlwaysTrue

        from jishi.arrow_tables import arrow_schema

        table = self._refreshed()
        if table is None or table.current_snapshot() is None:
            return arrow_schema(BRONZE_LIVE).empty_table().select(list(columns))
        scan = table.scan(row_filter=where or AlwaysTrue(), selected_fields=tuple(columns))
        return scan.to_arrow().select(list(columns))

    def batches(self, columns: Sequence[str], where: BooleanExpression | str) -> pa.RecordBatchReader:
        """The same rows piece by piece, of those files only that may hold some."""
        table = self._refreshed()
        snapshot = table.current_snapshot() if table is not None else None
        return _batches(table, snapshot.snapshot_id if snapshot is not None else None, BRONZE_LIVE, columns, where)

    def dates(self) -> list[date]:
        """UTC dates of ``received_at`` on which there are events, sorted; read from the partitions alone."""
        table = self._refreshed()
        if table is None or table.current_snapshot() is None:
            return []
        days = table.inspect.partitions()["partition"].to_pylist()
        return sorted({day["received_at_day"] for day in days})

    def snapshot_id(self) -> int | None:
        """The snapshot that is current now; None while the stream has committed nothing."""
        table = self._refreshed()
        snapshot = table.current_snapshot() if table is not None else None
        return snapshot.snapshot_id if snapshot is not None else None

    def _refreshed(self) -> Table | None:
        from pyiceberg.exceptions import NoSuchTableError

        if self._table is not None:
            return self._table.refresh()
        try:
            self._table = open_catalog(self.settings).load_table(identifier(BRONZE_LIVE.name))
        except NoSuchTableError:
            return None
        return self._table


def rows_at(
    version: LakeVersion, schema: TableSchema, columns: Sequence[str], where: BooleanExpression | str
) -> pa.RecordBatchReader:
    """Rows of a recorded table piece by piece, of those files only that may hold some; none where it is not recorded."""
    table = open_catalog(version.settings).load_table(identifier(schema.name)) if version.has(schema.name) else None
    return _batches(table, version.snapshots.get(schema.name), schema, columns, where)


def _batches(
    table: Table | None, snapshot_id: int | None, schema: TableSchema, columns: Sequence[str], where: BooleanExpression | str
) -> pa.RecordBatchReader:
    import pyarrow as pa

    from jishi.arrow_tables import arrow_schema

    if table is None or snapshot_id is None:
        empty = arrow_schema(schema).empty_table().select(list(columns))
        return pa.RecordBatchReader.from_batches(empty.schema, [])
    scan = table.scan(row_filter=where, selected_fields=tuple(columns), snapshot_id=snapshot_id)
    return scan.to_arrow_batch_reader()


def with_live_tail(version: LakeVersion) -> LakeVersion:
    """The version with ``bronze.events`` as the stream has filled it by now; all else stays as recorded."""
    snapshot_id = LiveTail(version.settings).snapshot_id()
    if snapshot_id is None:
        return version
    record = version.record or TableVersion(0, datetime.now(UTC), writer="", base=None, snapshots={}, changes={}, marts=None)
    newest = {**record.snapshots, BRONZE_LIVE.name: snapshot_id}
    return replace(version, record=replace(record, snapshots=newest))
