"""From a finished dbt build to a version that records it: the marts' file, the daily features, a path to the newest."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Collection
from contextlib import suppress
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import duckdb

from jishi.arrow_tables import schema_of
from jishi.lake.durability import sync
from jishi.lake.publishing import Replacement, publish
from jishi.lake.query import quoted
from jishi.lake.reading import LakeVersion
from jishi.lake.rows import Rows
from jishi.lake.versions import MartsFile, TableVersion, Versions
from jishi.marts import EXPORTED, mart_rows
from jishi.metrics import MetricSql
from jishi.paths import Paths
from jishi.settings import Settings
from jishi.shops import Shops
from jishi.tables import (
    BRONZE_FX_RATES,
    BRONZE_SPEND,
    CHANNEL_EFFECTS,
    CUSTOMER_THRESHOLDS,
    FORECASTS,
    SILVER,
    SILVER_DECISIONS,
)
from ops.dbt import DBT
from ops.marts_shops import keep_rows, with_kept_rows
from ops.marts_tests import written_rows

if TYPE_CHECKING:
    import pyarrow as pa

PUBLISHED = (
    *("fct_orders", "fct_order_items", "fct_refunds", "fct_shop_days", "fct_shop_day_comparisons", "fct_shop_hours"),
    *("fct_sessions", "fct_visit_days", "fct_funnel_days", "fct_visit_categories"),
    *("fct_item_days", "fct_item_periods", "fct_item_stock", "fct_price_bands", "fct_category_periods"),
    *("fct_item_pairs", "fct_item_return_reasons"),
    *("fct_recommendation_days", "fct_recommendation_lists"),
    *("dim_customers", "dim_items", "dim_shops", "dim_days"),
    *("fct_customer_months", "fct_segment_transitions", "fct_cohorts", "dim_customer_thresholds", "dim_segments"),
    *("fct_touchpoints", "fct_attribution_credits", "fct_journey_touches", "fct_channel_days", "fct_spend"),
    *("dim_sharers", "dim_channel_effects"),
    *("fct_customer_purchases", "fct_customer_values", "dim_value_parameters", "fct_value_calibration"),
    "fct_quality_flags",
)
GRACE_S = 24 * 3600  # a file without a record may be of a build that is about to be recorded
_GRAINS = {
    "person_daily": "One person of one shop at the end of a day.",
    "item_daily": "One item of one shop at the end of a day.",
}
# What a build decides and later builds keep.
_KEPT = {CUSTOMER_THRESHOLDS: "select * from dim_customer_thresholds where is_final and origin = 'computed' order by all"}


class OlderBuild(RuntimeError):
    """The recorded marts are built from a newer version than these."""


def inputs_of(lake: LakeVersion, shops: Shops) -> str:
    """A checksum of all that a build depends on: snapshots of what dbt reads, the registry, dbt's project."""
    read = (*SILVER, SILVER_DECISIONS, BRONZE_FX_RATES, BRONZE_SPEND, *FORECASTS, CHANNEL_EFFECTS)
    silver = {schema.name: lake.snapshots.get(schema.name) for schema in read}
    registry = [
        [shop.shop_id, shop.name, shop.time_zone, shop.currency]
        + [rules.model_dump() for rules in (shop.customers, shop.items, shop.funnel)]
        for _, shop in sorted(shops.shops.items())
    ]
    digest = hashlib.sha256(json.dumps([silver, registry, PUBLISHED]).encode())
    for file in sorted(file for kind in ("*.sql", "*.yml") for file in DBT.rglob(kind)):
        digest.update(f"{file.relative_to(DBT)}\0".encode() + file.read_bytes())
    return digest.hexdigest()


def published_inputs(lake: LakeVersion) -> str | None:
    """``inputs_of`` the marts that a version names; None without marts, or when their file is gone."""
    if lake.marts is None or not lake.marts.exists():
        return None
    [build] = mart_rows(lake, "from build")
    return build.get("inputs")


def publish_marts(
    settings: Settings,
    lake: LakeVersion,
    database: Path,
    inputs: str = "",
    semantic_manifest: str | None = None,
    *,
    continues: str | None = None,
    held: Collection[str] = (),
) -> TableVersion:
    """Record the marts of a build from the version ``lake``, with the daily features; ``inputs`` are ``inputs_of`` the build.

    ``continues`` as in ``write_marts``. The shops ``held`` keep their rows of the marts that ``lake`` has. Raises OlderBuild,
    StaleWriter and HeldShopsUnknown.
    """
    paths = Paths.of(settings)
    kept_rows = (held, lake.marts) if held and lake.marts is not None else None
    marts = write_marts(paths, database, lake.number, inputs, semantic_manifest, continues=continues, held=kept_rows)
    with duckdb.connect(str(database), read_only=True) as connection:
        daily = {
            table: connection.execute(f"select * from {name} order by all").to_arrow_table() for name, table in EXPORTED.items()
        }
        kept = {schema: connection.execute(sql).to_arrow_table() for schema, sql in _KEPT.items()}
    daily = {table: with_kept_rows(rows, lake, table, held) for table, rows in daily.items()}
    kept = {schema: with_kept_rows(rows, lake, schema.name, held) for schema, rows in kept.items()}

    def refuse_older(newest: TableVersion | None) -> None:
        recorded = newest.marts if newest else None
        if recorded is not None and recorded.built_from > lake.number:
            raise OlderBuild(
                f"the marts of version {lake.number} are not published: those of version {recorded.built_from} are already"
            )

    version = publish(
        settings,
        "ops.marts build",
        lambda base: [
            *(_replacement(table, rows) for table, rows in daily.items()),
            *(Replacement(schema, Rows.all(), rows) for schema, rows in kept.items()),
        ],
        marts=marts,
        check=refuse_older,
    )
    link_newest(settings)
    drop_unrecorded(settings)
    return version


@lru_cache(maxsize=1)
def exported_queries(semantic_manifest: str) -> dict[str, str]:
    """The saved queries that are written as tables, by the table's name, over the file that is attached as ``published``."""
    generator = MetricSql(json.loads(semantic_manifest), "published")
    return {table: generator.saved(query) for table, query in generator.exports.items()}


def prepare_publication(semantic_manifest: Path) -> None:
    """Do ahead what takes publication seconds and needs no rows: generate the exported queries, import the lake's catalog."""
    exported_queries(semantic_manifest.read_text(encoding="utf-8"))
    import_module("pyiceberg.catalog.sql")


def write_marts(
    paths: Paths,
    database: Path,
    built_from: int,
    inputs: str = "",
    semantic_manifest: str | None = None,
    *,
    continues: str | None = None,
    held: tuple[Collection[str], Path] | None = None,
) -> MartsFile:
    """Copy the published models of dbt's database to a file that is named by its version and checksum and never changes.

    With a semantic manifest, the file holds the definitions of the metrics and the saved queries that are exported as tables.
    ``continues`` is the file (below the warehouse) of the build that this one continued: of the models that dbt only replaced
    rows of, the same rows are replaced in a copy of it. All other tables are written anew, sorted. ``held`` are shops that keep
    the rows of an earlier file. Raises HeldShopsUnknown.
    """
    folder = paths.marts_files
    folder.mkdir(parents=True, exist_ok=True)
    aside, earlier = folder / f".{uuid4().hex}", paths.warehouse / continues if continues else None
    is_continued = earlier is not None and earlier.exists()
    try:
        if earlier is not None and is_continued:
            shutil.copyfile(earlier, aside)
        with duckdb.connect() as connection:
            connection.execute(f"attach {quoted(str(database))} as built (read_only)")
            connection.execute(f"attach {quoted(str(aside))} as published")
            connection.execute("set checkpoint_threshold = '1GB'")  # the file is written out once, when it is detached
            replaced = _replaced(connection) if is_continued else {}
            written_of = written_rows(connection) if is_continued else {}
            for name in PUBLISHED:
                if name in replaced:
                    connection.execute(f"delete from published.main.{name} where {replaced[name]}")
                    connection.execute(f"insert into published.main.{name} by name select * from {written_of[name]}")
                else:
                    connection.execute(f"create or replace table published.main.{name} ({_columns(connection, name)})")
                    connection.execute(f"insert into published.main.{name} select * from built.main.{name} order by all")
            if held is not None:
                keep_rows(connection, PUBLISHED, *held)
            when = "now() at time zone 'UTC' as built_at"
            build = f"{when}, {built_from} as version, {quoted(inputs)} as inputs, cast($1 as varchar) as semantic_manifest"
            connection.execute(f"create or replace table published.main.build as select {build}", [semantic_manifest])
            if semantic_manifest is not None:
                for table, query in exported_queries(semantic_manifest).items():
                    connection.execute(f"create or replace table published.main.{table} as {query} order by all")
            connection.execute("use memory; detach published")
        with aside.open("rb") as written:
            checksum = hashlib.file_digest(written, "sha256").hexdigest()
            os.fsync(written.fileno())
        file = folder / f"{built_from}-{checksum[:12]}.duckdb"
        aside.chmod(0o444)
        aside.replace(file)
        for changed in (folder, folder.parent):
            sync(changed)
    finally:
        aside.unlink(missing_ok=True)
    return MartsFile(str(file.relative_to(paths.warehouse)), checksum, built_from)


def _replaced(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Of each model that the build continued, the condition of the rows that it replaced (macros/touched.sql).

    From here on names without a catalog are those of dbt's database, as they are in the conditions.
    """
    connection.execute("use built.main")
    return dict(connection.execute("select mart, condition from touched.replaced").fetchall())


def _columns(connection: duckdb.DuckDBPyConnection, name: str) -> str:
    """The columns of a model as they are published, amounts in run lengths (macros/large_tables.sql)."""
    columns = connection.execute(f"describe built.main.{name}").fetchall()
    wide = {"DECIMAL(38,0)": "DECIMAL(38,0) using compression rle"}
    return ", ".join(f'"{column}" {wide.get(kind, kind)}' for column, kind, *_ in columns)


def link_newest(settings: Settings) -> None:
    """Let the stable path, which Superset reads, lead to the marts that the newest version names."""
    paths, newest = Paths.of(settings), Versions.of(settings).latest()
    if newest is None or newest.marts is None:
        return
    aside = paths.marts.with_name(f".{uuid4().hex}")
    aside.symlink_to(newest.marts.file)
    aside.replace(paths.marts)


def drop_unrecorded(settings: Settings, now: float | None = None) -> None:
    """Delete files that no kept version names, once they are a day old."""
    recorded = {version.marts.file for version in Versions.of(settings).after(0) if version.marts is not None}
    paths, oldest = Paths.of(settings), (time.time() if now is None else now) - GRACE_S
    for file in paths.marts_files.iterdir():
        with suppress(FileNotFoundError):  # another build deletes, too
            if str(file.relative_to(paths.warehouse)) not in recorded and file.stat().st_mtime < oldest:
                file.unlink()


def _replacement(table: str, rows: pa.Table) -> Replacement:
    """All rows of a table of daily features anew; the models' contract declares the columns."""
    name = table.rsplit("/", 1)[1]
    key = ("shop_id", f"{name.removesuffix('_daily')}_id", "event_timestamp")
    return Replacement(schema_of(rows.schema, table, _GRAINS[name], key), Rows.all(), rows)
