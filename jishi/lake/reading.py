"""One recorded version of the lake, as readers open it: the same cut of all tables, however long the reading takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from jishi.lake.folders import Lake
from jishi.lake.plans import Plan, PlannedFile
from jishi.lake.versions import TableNotPublished
from jishi.paths import Paths
from jishi.settings import Settings


@dataclass(frozen=True)
class LakeVersion:
    """The tables of one version; later publishes do not reach it.

    ``number`` is 0 and there is no table before the first publish; ``marts`` is the DuckDB file of
    the marts, None before the first build. Tables are called by ``TableSchema.name``.
    """

    settings: Settings
    number: int
    folders: Mapping[str, Path]
    marts: Path | None

    @property
    def tables(self) -> list[str]:
        """Names of the published tables, sorted."""
        return sorted(self.folders)

    def has(self, table: str) -> bool:
        """Whether the version has the table."""
        return table in self.folders

    def require(self, table: str) -> None:
        """Raise TableNotPublished, with the command that makes it, when the version does not have the table."""
        if not self.has(table):
            where = f"version {self.number} of the lake" if self.number else "the lake, which has no version yet"
            raise TableNotPublished(f"table {table!r} is not in {where}; run the history DAG")

    def plan(self, table: str) -> Plan:
        """Columns and files of a table. Raises TableNotPublished."""
        self.require(table)
        return _folder_plan(table, self.folders[table])

    def state(self, table: str) -> str:
        """Changes when the table does. Raises TableNotPublished."""
        self.require(table)
        return self.folders[table].name

    def files(self, table: str) -> list[str]:
        """Parquet files of a table, sorted; empty when it has no row or is not published."""
        return [file.path for file in self.plan(table).files] if self.has(table) else []


def open_version(settings: Settings, as_of: int | datetime | None = None) -> LakeVersion:
    """The newest version, or the one of a number or an instant."""
    assert as_of is None
    paths = Paths.of(settings)
    lake = Lake(paths.lake)
    names = [f"{file.parent.parent.name}/{file.parent.name}" for file in lake.root.glob("*/*/CURRENT")]
    marts = paths.marts if paths.marts.exists() else None
    return LakeVersion(settings, 0, {name: lake.current(name) for name in names}, marts)


def _folder_plan(name: str, folder: Path) -> Plan:
    files = tuple(PlannedFile(str(file), 0, 0) for file in sorted(folder.rglob("*.parquet")))
    return Plan(name, 0, (), files)
