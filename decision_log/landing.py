"""Records of the log → Parquet files of ``bronze/decisions``, a file a day, a batch in memory at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from decision_log.topic import LogRecord
from jishi.arrow_tables import arrow_schema, to_arrow
from jishi.tables import BRONZE_DECISIONS, TableSchema


@dataclass
class LandedFiles:
    """Files of one table by UTC day of ``logged_at``, and how many rows they have; ``field_ids`` is asked for the first."""

    folder: Path
    schema: TableSchema
    field_ids: Callable[[], dict[str, int]]
    records: int = 0
    _writers: dict[date, pq.ParquetWriter] = field(default_factory=dict)
    _columns: pa.Schema | None = None

    def write(self, day: date, rows: pa.Table) -> None:
        """Add rows of a day."""
        if self._columns is None:
            numbers = self.field_ids()
            self._columns = pa.schema(
                [each.with_metadata({"PARQUET:field_id": str(numbers[each.name])}) for each in arrow_schema(self.schema)]
            )
        if day not in self._writers:
            self.folder.mkdir(parents=True, exist_ok=True)
            options: dict[str, Any] = {"compression": "zstd", "compression_level": 1, "coerce_timestamps": "us"}
            self._writers[day] = pq.ParquetWriter(self.folder / f"{day}.parquet", self._columns, **options)
        self._writers[day].write_table(pa.Table.from_arrays(rows.columns, schema=self._columns))
        self.records += len(rows)

    def close(self) -> dict[date, Path]:
        """The files, whole."""
        for writer in self._writers.values():
            writer.close()
        return {day: self.folder / f"{day}.parquet" for day in sorted(self._writers)}


def land(batches: Iterable[Sequence[LogRecord]], files: LandedFiles, landed_at: datetime) -> dict[date, Path]:
    """Write the records as rows of ``BRONZE_DECISIONS``; returns the file of each day."""
    for records in batches:
        by_day: dict[date, list[dict[str, Any]]] = {}
        for record in records:
            row = _row(record, landed_at)
            by_day.setdefault(row["logged_at"].date(), []).append(row)
        for day, rows in by_day.items():
            files.write(day, to_arrow(BRONZE_DECISIONS, rows))
    return files.close()


def _row(record: LogRecord, landed_at: datetime) -> dict[str, Any]:
    shop_id, request_id = _answer_of(record.key)
    return {
        "logged_at": datetime.fromtimestamp(record.logged_at_ms / 1000, UTC).replace(tzinfo=None),
        "log_partition": record.partition,
        "log_offset": record.offset,
        "shop_id": shop_id,
        "request_id": request_id,
        "landed_at": landed_at.astimezone(UTC).replace(tzinfo=None),
        "line": (record.value or b"").decode("utf-8", "replace"),
    }


def _answer_of(key: bytes | None) -> tuple[str | None, str | None]:
    """Shop and request that a key names; neither where it names none."""
    try:
        shop_id, bar, request_id = (key or b"").decode().partition("|")
    except UnicodeDecodeError:
        return None, None
    return (shop_id, request_id) if bar and shop_id and request_id else (None, None)
