"""dbt on one version of the lake: its sources are views over that version's files, on DuckDB and on Spark."""

from __future__ import annotations

import fcntl
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from jishi import tables
from jishi.files import write_atomically
from jishi.lake.catalog import CATALOG, identifier, is_in_object_store, is_secret, spark_options
from jishi.lake.object_store import reach, statements
from jishi.lake.query import quoted, rows_of
from jishi.lake.reading import LakeVersion
from jishi.money import CURRENCY_DIGITS
from jishi.paths import Paths
from jishi.settings import PROJECT_ROOT, Settings, get_settings
from jishi.shops import Shops

DBT = PROJECT_ROOT / "dbt"
_DATABASE = "build.duckdb"
_SEMANTIC_MANIFEST = "semantic_manifest.json"
_SHOPS = (
    "shop_id varchar, name varchar, time_zone varchar, currency varchar, funnel_in_order boolean, funnel_window_minutes integer"
)
_CURRENCIES = "currency varchar, minor_digits integer"
_EXCLUSIONS = "shop_id varchar, rule_number integer, reason varchar, person varchar, is_prefix boolean"
_SETTINGS = "shop_id varchar, measure varchar, score integer, threshold bigint"
_ITEM_SETTINGS = "shop_id varchar, measure varchar, number integer, threshold bigint"
# Beside silver: decisions, rates, spend, what is kept of customers and channels, and what is written with the views.
_READ = (
    *(*tables.SILVER, tables.SILVER_DECISIONS, tables.BRONZE_FX_RATES, tables.BRONZE_SPEND),
    *(*tables.CUSTOMERS, tables.CHANNEL_EFFECTS),
)
_WRITTEN = ("shops", "currencies", "customer_exclusions", "customer_settings", "item_settings")


@contextmanager
def read_in_common(variables: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """The variables with which dbt reads the project; while the block lasts, no other dbt does so in the same folder.

    dbt keeps in its target folder what it read of a project and reads only what has changed since, but everything anew for
    another database. So all databases of one name have a folder in common, where the project is read for one that nobody
    opens. Where nothing can be written beside the environments, the variables stay as they are.
    """
    database, target = Path(variables.get("JISHI_DBT_DATABASE", _DATABASE)), variables.get("JISHI_DBT_TARGET", "duckdb")
    folder = Paths.of(get_settings()).read_project / f"{target}-{database.stem}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "lock").open("w", encoding="utf-8")
    except OSError:
        yield dict(variables)
        return
    in_common = {"DBT_TARGET_PATH": str(folder), "DBT_LOG_PATH": str(folder), "JISHI_DBT_BEFORE": "[]"}
    in_common |= {"JISHI_DBT_DATABASE": f"/dev/null/{database.name}", "JISHI_SPARK_WAREHOUSE": "/dev/null"}
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield {**variables, **in_common}


def parsed_metrics(folder: Path) -> dict[str, Any]:
    """The semantic manifest of the project as it is in the source, without any data; dbt's manifests go to ``folder``.

    Raises RuntimeError with what dbt says of a broken definition.
    """
    variables = {"DBT_TARGET_PATH": str(folder), "DBT_LOG_PATH": str(folder), "DBT_PROFILES_DIR": str(DBT)}
    dbt = Path(sys.executable).with_name("dbt")
    command = [str(dbt), "--no-use-colors", "--log-level-file", "none", "parse", "--project-dir", str(DBT)]
    with read_in_common(os.environ | variables | {"JISHI_DBT_BEFORE": "[]"}) as environment:
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=DBT)
        if done.returncode != 0:
            raise RuntimeError(f"dbt cannot read the metrics: {done.stdout[-800:]}")
        written = Path(environment["DBT_TARGET_PATH"])
        if written != folder:
            for name in (_SEMANTIC_MANIFEST, "manifest.json"):
                shutil.copyfile(written / name, folder / name)
    manifest: dict[str, Any] = json.loads((folder / _SEMANTIC_MANIFEST).read_text(encoding="utf-8"))
    return manifest


def dbt_environment(settings: Settings, database: Path, target: str = "duckdb") -> dict[str, str]:
    """Variables that the dbt project reads."""
    paths = Paths.of(settings)
    return {
        "JISHI_DBT_DATABASE": str(database),
        "JISHI_DBT_BEFORE": json.dumps(statements(settings)),
        "JISHI_DBT_TARGET": target,
        "DBT_PROFILES_DIR": str(DBT),
        "DBT_TARGET_PATH": str(paths.warehouse / "target"),
        "DBT_LOG_PATH": str(paths.log / "dbt"),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }


def shops_of(lake: LakeVersion) -> set[str]:
    """Every shop that a source of the project has rows of."""
    rows = (f"select shop_id from ({rows_of(lake, each.name, each)})" for each in _READ if "shop_id" in each.columns)
    with duckdb.connect() as connection:
        reach(connection, lake.settings)
        return {shop_id for (shop_id,) in connection.execute(" union ".join(rows)).fetchall() if shop_id is not None}


def new_database(lake: LakeVersion, shops: Shops, database: Path, left_out: Collection[str] = ()) -> None:
    """A DuckDB file with the sources of the project and no model yet; an older one is replaced.

    The schema ``silver`` has a view for each silver table, decisions, rates, spend and what is kept of customers and channels,
    which reads the files of the version without the shops ``left_out``, and the tables ``shops``, ``currencies``,
    ``customer_exclusions``, ``customer_settings`` and ``item_settings``.
    """
    database.parent.mkdir(parents=True, exist_ok=True)
    database.unlink(missing_ok=True)
    write_sources(lake, shops, database, left_out)


def write_sources(lake: LakeVersion, shops: Shops, database: Path, left_out: Collection[str] = ()) -> None:
    """The sources of a version, without the shops ``left_out``, in place of those that the file has; its models stay."""
    names = ", ".join(map(quoted, sorted(left_out)))
    with duckdb.connect(str(database)) as connection:
        reach(connection, lake.settings)
        connection.execute("create schema if not exists silver")
        for schema in _READ:
            query = rows_of(lake, schema.name, schema)
            if left_out and "shop_id" in schema.columns:
                query = f"select * from ({query}) where shop_id not in ({names})"
            connection.execute(f"create or replace view silver.{_table(schema)} as {query}")
        _write_table(connection, "currencies", _CURRENCIES, sorted(map(list, CURRENCY_DIGITS.items())))
        rows = [
            [shop.shop_id, shop.name, shop.time_zone, shop.currency, shop.funnel.in_order, shop.funnel.window_minutes]
            for _, shop in sorted(shops.shops.items())
        ]
        _write_table(connection, "shops", _SHOPS, rows)
        _write_rules(connection, shops)


def _write_rules(connection: duckdb.DuckDBPyConnection, shops: Shops) -> None:
    """What shops set about their customers and items."""
    rules = [(shop_id, shop.customers) for shop_id, shop in sorted(shops.shops.items())]
    exclusions = [
        [shop_id, number, rule.reason, rule.person, rule.is_prefix]
        for shop_id, of_shop in rules
        for number, rule in enumerate(of_shop.exclusions)
    ]
    settings = [[shop_id, *row] for shop_id, of_shop in rules for row in of_shop.thresholds]
    of_items = [[shop_id, *row] for shop_id, shop in sorted(shops.shops.items()) for row in shop.items.thresholds]
    for name, columns, rows in (
        ("customer_exclusions", _EXCLUSIONS, exclusions),
        ("customer_settings", _SETTINGS, settings),
        ("item_settings", _ITEM_SETTINGS, of_items),
    ):
        _write_table(connection, name, columns, rows)


def _write_table(connection: duckdb.DuckDBPyConnection, name: str, columns: str, rows: list[list[Any]]) -> None:
    connection.execute(f"create or replace table silver.{name} ({columns})")
    if rows:
        connection.executemany(f"insert into silver.{name} values ({', '.join('?' * len(rows[0]))})", rows)


def spark_environment(settings: Settings, lake: LakeVersion, database: Path, warehouse: Path) -> dict[str, str]:
    """Variables with which the project runs on Spark over the same version; models go to the folder ``warehouse``.

    The sources are Iceberg's own tables as of the version's snapshots; what is written with them comes from ``database``
    (``new_database``).
    """
    paths = Paths.of(settings)
    sources = {}
    with duckdb.connect(str(database), read_only=True) as connection:
        for name in _WRITTEN:
            file = warehouse / f"{name}.parquet"
            connection.execute(f"copy silver.{name} to {quoted(str(file))} (format parquet)")
            sources[name] = f"select * from parquet.`{file}`"
    for schema in _READ:
        if schema.name in lake.snapshots:
            snapshot = lake.snapshots[schema.name]
            relation = f"{CATALOG}.{identifier(schema.name)} version as of {snapshot}"
            sources[_table(schema)] = f"select * from {relation}"
        else:
            columns = ", ".join(f"cast(null as {tables.SPARK_TYPES[kind]}) as {name}" for name, kind in schema.columns.items())
            sources[_table(schema)] = f"select {columns} where false"
    folders = ("spark_lake", "catalog", *(["spark_s3"] if is_in_object_store(settings) else []))
    jars = ",".join(str(jar) for folder in folders for jar in sorted((paths.jars / folder).glob("*.jar")))
    options = [f"--conf {shlex.quote(f'{k}={v}')}" for k, v in spark_options(settings).items() if not is_secret(k)]
    if secrets := {key: value for key, value in spark_options(settings).items() if is_secret(key)}:
        file = warehouse / "spark-secrets.properties"
        escaped = (f"{key}={value.encode('unicode_escape').decode()}\n" for key, value in secrets.items())
        write_atomically(file, "".join(escaped), mode=0o600)
        options.append(f"--properties-file {shlex.quote(str(file))}")
    return dbt_environment(settings, database, target="spark") | {
        "JISHI_SPARK_SOURCES": json.dumps(sources),
        "JISHI_SPARK_WAREHOUSE": str(warehouse),
        "PYSPARK_SUBMIT_ARGS": f"--jars {jars} {' '.join(options)} pyspark-shell",
    }


def _table(schema: tables.TableSchema) -> str:
    """Name of a table of the lake as a source of the project."""
    layer, _, name = schema.name.partition("/")
    return f"customer_{name}" if layer == "customers" else name
