"""All that is one shop's, as files that it can take along: rows of lake and marts, settings, rules."""

from __future__ import annotations

import hashlib
import shutil
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from jishi.files import write_json
from jishi.lake.query import open_lake, quoted
from jishi.lake.reading import open_version
from jishi.marts import open_marts
from jishi.paths import Paths
from jishi.settings import Settings
from jishi.shops import Shops

if TYPE_CHECKING:
    import duckdb

FORMAT = 1
# The log's events are in ``bronze_all``, each once; the tables that it is made of have repetitions and are the platform's.
LEFT_OUT = ("bronze_events", "bronze_history")


class FolderNotEmpty(ValueError):
    """The folder of an export has files already."""


def export_shop(settings: Settings, shop_id: str, folder: Path, now: datetime) -> dict[str, int]:
    """Write the shop's rows of one version of the lake and of its marts; returns the rows of each table.

    ``lake/<table>.parquet`` and ``marts/<table>.parquet`` are the tables that have a column ``shop_id``; ``shop.json`` is what
    the registry knows, without keys; ``rules/`` are the versions of its rules; ``manifest.json``, which comes last, has
    rows and SHA-256 of each file. Nobody else may read the folder. Raises UnknownShop and FolderNotEmpty.
    """
    paths = Paths.of(settings)
    shop = Shops.load(paths.shops_file).get(shop_id)
    if folder.exists() and any(folder.iterdir()):
        raise FolderNotEmpty(f"{folder} is not empty: name an empty folder, or one that is not there")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    version, rows = open_version(settings), dict[str, int]()
    with open_lake(version) as lake:
        rows |= _write_tables(lake, shop_id, folder / "lake", LEFT_OUT)
    if version.marts is not None:
        with open_marts(version) as marts:
            rows |= _write_tables(marts, shop_id, folder / "marts", ())
    write_json(folder / "shop.json", shop.model_dump(mode="json", exclude={"keys"}))
    if (rules := paths.rules / shop_id).is_dir():
        shutil.copytree(rules, folder / "rules", ignore=shutil.ignore_patterns(".*"))
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    facts = {"format": FORMAT, "shop_id": shop_id, "exported_at": now.isoformat(), "lake_version": version.number, "rows": rows}
    write_json(folder / "manifest.json", facts | {"sha256": {str(file.relative_to(folder)): _sum(file) for file in files}})
    return rows


def _write_tables(
    connection: duckdb.DuckDBPyConnection, shop_id: str, folder: Path, left_out: tuple[str, ...]
) -> dict[str, int]:
    """One file for each table or view with a column ``shop_id``; the rows of each by ``<folder>/<table>``."""
    folder.mkdir()
    named = connection.execute(
        "select distinct table_name from information_schema.columns where column_name = 'shop_id' order by 1"
    )
    rows = {}
    for (name,) in named.fetchall():
        if name not in left_out:
            of_shop = f'select {_columns(connection, name)} from "{name}" where shop_id = {quoted(shop_id)}'
            [(count,)] = connection.execute(
                f"copy ({of_shop}) to {quoted(str(folder / f'{name}.parquet'))} (format parquet)"
            ).fetchall()
            rows[f"{folder.name}/{name}"] = int(count)
    return rows


def _columns(connection: duckdb.DuckDBPyConnection, table: str) -> str:
    """All columns; Parquet has no 128-bit integer, and DuckDB writes one as a double."""
    wide = [
        name for name, type_, *_ in connection.execute(f'describe "{table}"').fetchall() if type_ in ("HUGEINT", "UHUGEINT")
    ]
    exact = ", ".join(f'cast("{name}" as decimal(38, 0)) as "{name}"' for name in wide)
    return f"* replace ({exact})" if wide else "*"


def _sum(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
