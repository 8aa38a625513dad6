"""Daily tables of one lake version as files that Feast reads.

Feast's FileSource takes a path or a pattern, not a list of files, and its IcebergSource only the newest snapshot; a training
set needs the rows of one version. So each table is copied once to ``var/features/sources/<view>/<state of the table>.parquet``.
"""

from __future__ import annotations

import os
from pathlib import Path

from jishi.features.daily import DAILY, DailyTable
from jishi.lake.query import open_lake, quoted, view_of
from jishi.lake.reading import LakeVersion
from jishi.paths import Paths

KEPT = 3  # files of a view: a join that is going on may read one that is no longer the newest


def export_daily(paths: Paths, lake: LakeVersion, tables: tuple[DailyTable, ...] = DAILY) -> dict[str, Path]:
    """The file of each view whose table the version has; what was exported before is not written again."""
    exported = {}
    for table in tables:
        if lake.has(table.name):
            exported[table.view] = _export(source_folder(paths, table.view), lake, table)
    return exported


def source_folder(paths: Paths, source: str) -> Path:
    """Where the files of a source lie."""
    return paths.features / "sources" / source


def _export(folder: Path, lake: LakeVersion, table: DailyTable) -> Path:
    file = folder / f"{lake.state(table.name)}.parquet"
    if file.exists():
        os.utime(file)
    elif lake.files(table.name):
        folder.mkdir(parents=True, exist_ok=True)
        aside = file.with_suffix(f".{os.getpid()}")
        with open_lake(lake) as connection:
            connection.execute(f"copy {view_of(table.name)} to {quoted(str(aside))} (format parquet, compression zstd)")
        aside.replace(file)
    for old in sorted(folder.glob("*.parquet"), key=lambda old: old.stat().st_mtime)[:-KEPT]:
        old.unlink(missing_ok=True)
    return file
