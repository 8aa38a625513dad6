"""All that is one shop's, as files that it can take along: rows of lake and marts, settings, rules."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from jishi.files import readable_json
from jishi.lake.query import open_lake, quoted
from jishi.lake.reading import open_version
from jishi.marts import open_marts
from jishi.paths import Paths
from jishi.settings import Settings
from jishi.shops import Shops
from ops.export_folder import NOTE, ExportFolder, opened_for_export

if TYPE_CHECKING:
    import duckdb

FORMAT = 1
# The log's events are in ``bronze_all``, each once; the tables that it is made of have repetitions and are the platform's.
LEFT_OUT = ("bronze_events", "bronze_history")


def export_shop(
    settings: Settings, shop_id: str, target: Path, now: datetime, say: Callable[[str], None] = lambda line: None
) -> dict[str, int]:
    """Write the shop's rows of one version of the lake and of its marts; returns the rows of each table.

    ``lake/<table>.parquet`` and ``marts/<table>.parquet`` are the tables that have a column ``shop_id``; ``shop.json`` is what
    the registry knows, without keys; ``rules/`` are the versions of its rules; ``manifest.json``, which comes last, has
    rows and SHA-256 of each file. Nobody else may read the folder. What an interrupted export of the shop left there is
    replaced, and ``say`` hears of it. Raises UnknownShop and FolderNotEmpty.
    """
    paths = Paths.of(settings)
    shop = Shops.load(paths.shops_file).get(shop_id)
    with opened_for_export(target, shop_id) as folder:
        if folder.replaced:
            say(f"an export of {shop_id} into {target} was interrupted: its {folder.replaced} files are replaced")
        version, rows = open_version(settings), dict[str, int]()
        with open_lake(version) as lake:
            rows |= _write_tables(lake, shop_id, folder, "lake", LEFT_OUT)
        if version.marts is not None:
            with open_marts(version) as marts:
                rows |= _write_tables(marts, shop_id, folder, "marts", ())
        folder.file("shop.json").write_text(readable_json(shop.model_dump(mode="json", exclude={"keys"})), encoding="utf-8")
        rules = paths.rules / shop_id
        for source in sorted(rules.rglob("*")):
            name = source.relative_to(rules)
            if source.is_file() and not any(part.startswith(".") for part in name.parts):
                shutil.copy2(source, folder.file(f"rules/{name.as_posix()}"))
        files = sorted(file for file in target.rglob("*") if file.is_file() and file != target / NOTE)
        facts = {"format": FORMAT, "shop_id": shop_id, "exported_at": now.isoformat(), "lake_version": version.number}
        sums = {file.relative_to(target).as_posix(): _sum(file) for file in files}
        aside, manifest = folder.file(".manifest.json"), folder.file("manifest.json")
        aside.write_text(readable_json(facts | {"rows": rows, "sha256": sums}), encoding="utf-8")
        aside.replace(manifest)
    return rows


def _write_tables(
    connection: duckdb.DuckDBPyConnection, shop_id: str, folder: ExportFolder, kind: str, left_out: tuple[str, ...]
) -> dict[str, int]:
    """One file for each table or view with a column ``shop_id``; the rows of each by ``<kind>/<table>``."""
    named = connection.execute(
        "select distinct table_name from information_schema.columns where column_name = 'shop_id' order by 1"
    )
    rows = {}
    for (name,) in named.fetchall():
        if name not in left_out:
            of_shop = f'select {_columns(connection, name)} from "{name}" where shop_id = {quoted(shop_id)}'
            file = quoted(str(folder.file(f"{kind}/{name}.parquet")))
            [(count,)] = connection.execute(f"copy ({of_shop}) to {file} (format parquet, use_tmp_file false)").fetchall()
            rows[f"{kind}/{name}"] = int(count)
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
