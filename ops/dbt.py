"""dbt on one version of the lake: its sources are views over that version's files, on DuckDB and on Spark."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import duckdb

from jishi import tables
from jishi.lake.catalog import CATALOG, identifier, is_in_object_store, spark_options
from jishi.lake.object_store import reach, statements
from jishi.lake.query import quoted, rows_of
from jishi.lake.reading import LakeVersion
from jishi.paths import Paths
from jishi.settings import PROJECT_ROOT, Settings
from jishi.shops import Shops

DBT = PROJECT_ROOT / "dbt"
_SHOPS = "shop_id varchar, name varchar, time_zone varchar, currency varchar"


def run_dbt(arguments: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run dbt in the project with these variables; its output is captured."""
    dbt = Path(sys.executable).with_name("dbt")
    command = [str(dbt), "--no-use-colors", *arguments, "--project-dir", str(DBT)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | environment, cwd=DBT)


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


def new_database(lake: LakeVersion, shops: Shops, database: Path) -> None:
    """A DuckDB file with the sources of the project and no model yet; an older one is replaced.

    The schema ``silver`` has a view for each silver table, which reads the files of the version, and the table ``shops``.
    """
    database.parent.mkdir(parents=True, exist_ok=True)
    database.unlink(missing_ok=True)
    with duckdb.connect(str(database)) as connection:
        reach(connection, lake.settings)
        connection.execute("create schema silver")
        for schema in tables.SILVER:
            connection.execute(f"create view {identifier(schema.name)} as {rows_of(lake, schema.name, schema)}")
        connection.execute(f"create table silver.shops ({_SHOPS})")
        rows = [[shop.shop_id, shop.name, shop.time_zone, shop.currency] for _, shop in sorted(shops.shops.items())]
        if rows:
            connection.executemany("insert into silver.shops values (?, ?, ?, ?)", rows)


def spark_environment(settings: Settings, lake: LakeVersion, database: Path, warehouse: Path) -> dict[str, str]:
    """Variables with which the project runs on Spark over the same version; models go to the folder ``warehouse``.

    The sources are Iceberg's own tables as of the version's snapshots; the shops come from ``database`` (``new_database``).
    """
    paths = Paths.of(settings)
    shops = warehouse / "shops.parquet"
    with duckdb.connect(str(database), read_only=True) as connection:
        connection.execute(f"copy silver.shops to {quoted(str(shops))} (format parquet)")
    sources = {"shops": f"select * from parquet.`{shops}`"}
    for schema in tables.SILVER:
        if schema.name in lake.snapshots:
            snapshot = lake.snapshots[schema.name]
            relation = f"{CATALOG}.{identifier(schema.name)} version as of {snapshot}"
            sources[schema.name.removeprefix("silver/")] = f"select * from {relation}"
        else:
            columns = ", ".join(f"cast(null as {tables.SPARK_TYPES[kind]}) as {name}" for name, kind in schema.columns.items())
            sources[schema.name.removeprefix("silver/")] = f"select {columns} where false"
    folders = ("spark_lake", "catalog", *(["spark_s3"] if is_in_object_store(settings) else []))
    jars = ",".join(str(jar) for folder in folders for jar in sorted((paths.jars / folder).glob("*.jar")))
    options = [f"--conf {shlex.quote(f'{key}={value}')}" for key, value in spark_options(settings).items()]
    return dbt_environment(settings, database, target="spark") | {
        "JISHI_SPARK_SOURCES": json.dumps(sources),
        "JISHI_SPARK_WAREHOUSE": str(warehouse),
        "PYSPARK_SUBMIT_ARGS": f"--jars {jars} {' '.join(options)} pyspark-shell",
    }
