"""One recorded version of the lake, as readers open it: the same cut of all tables, however long the reading takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from jishi.lake.plans import Plan, plan_of
from jishi.lake.versions import TableNotPublished, TableVersion, VersionNotFound, Versions
from jishi.paths import Paths
from jishi.settings import Settings


@dataclass(frozen=True)
class LakeVersion:
    """The tables of one version; later publishes do not reach it.

    ``record`` is None before the first publish; then there is no table. ``marts`` is the DuckDB file of the marts, None before
    their first build. Tables are called by ``TableSchema.name``.
    """

    settings: Settings
    record: TableVersion | None
    marts: Path | None = None

    @property
    def number(self) -> int:
        """Number of the version; 0 before the first publish."""
        return self.record.number if self.record else 0

    @property
    def snapshots(self) -> Mapping[str, int]:
        """The Iceberg snapshot of each table."""
        return self.record.snapshots if self.record else {}

    @property
    def tables(self) -> list[str]:
        """Names of the published tables, sorted."""
        return sorted(self.snapshots)

    def has(self, table: str) -> bool:
        """Whether the version has the table."""
        return table in self.snapshots

    def require(self, table: str) -> None:
        """Raise TableNotPublished, with the command that makes it, when the version does not have the table."""
        if not self.has(table):
            where = f"version {self.number} of the lake" if self.number else "the lake, which has no version yet"
            raise TableNotPublished(f"table {table!r} is not in {where}; run the history DAG")

    def plan(self, table: str) -> Plan:
        """Columns and files of a table. Raises TableNotPublished."""
        self.require(table)
        return plan_of(self.settings, table, self.snapshots[table])

    def state(self, table: str) -> str:
        """Changes when the table does. Raises TableNotPublished."""
        self.require(table)
        return str(self.snapshots[table])

    def files(self, table: str) -> list[str]:
        """Parquet files of a table, sorted; empty when it has no row or is not published."""
        return [file.path for file in self.plan(table).files] if self.has(table) else []


def open_version(settings: Settings, as_of: int | datetime | str | None = None) -> LakeVersion:
    """The newest version, that of a number, or the one that readers opened at an instant; a text may say either.

    Raises VersionNotFound when an earlier one is asked for that is not kept, and for a text that says neither.
    """
    versions = Versions.of(settings)
    if isinstance(as_of, str):
        as_of = _number_or_instant(as_of)
    if isinstance(as_of, datetime):
        record: TableVersion | None = versions.as_of(as_of)
    else:
        record = versions.latest() if as_of is None else versions.get(as_of)
    marts = Paths.of(settings).warehouse / record.marts.file if record and record.marts else None
    return LakeVersion(settings, record, marts)


def _number_or_instant(text: str) -> int | datetime:
    if text.isdecimal():
        return int(text)
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None:
        reason = "is neither a version's number nor an instant with an offset, such as 2026-11-20T00:00:00Z"
        raise VersionNotFound(f"{text!r} {reason}")
    return instant
