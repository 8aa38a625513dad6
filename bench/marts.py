"""``jishi bench marts``: dbt's models of Complete Journey on DuckDB against Spark local[2], from the same silver rows.

Floor 3 times faster, goal 6 times. Both run the same models, without tests, from a fresh start of dbt; then every mart has to
have the same rows in both. ``--limit-households`` for a quick run.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import duckdb
from rich.console import Console
from rich.table import Table

from bench import user_path
from bench.measured_command import run_measured
from bench.portal_load import shop_settings
from jishi.lake.reading import open_version
from jishi.lake.versions import Versions
from jishi.marts import EXPORTED
from jishi.paths import Paths
from jishi.settings import Settings
from jishi.shops import Shops
from ops.dbt import dbt_environment, new_database, spark_environment
from ops.dbt_process import run_dbt
from ops.marts_file import PUBLISHED

SHOP = "journey"
FLOOR, GOAL = 3.0, 6.0


def import_shop(var: Path, limit_households: int | None) -> None:
    """Silver of Complete Journey below ``var``, by the commands of the platform."""
    limit = ["--limit-households", str(limit_households)] if limit_households else []
    for command in (
        ["imports", "journey", "--shop", SHOP, *limit],
        ["imports", "history", "--shop", SHOP],
        ["spark_jobs", "silver", "--batch", "history", "--shop", SHOP],
    ):
        run_measured([sys.executable, "-m", *command], var)


def measure(settings: Settings) -> dict[str, Any]:
    """Seconds of both and the marts that differ. Raises RuntimeError with dbt's words when it fails."""
    paths, lake = Paths.of(settings), open_version(settings)
    database, folder = paths.warehouse / "bench.duckdb", paths.warehouse / "bench-spark"
    folder.mkdir(parents=True, exist_ok=True)
    new_database(lake, Shops.load(paths.shops_file), database)
    on_duckdb = dbt_environment(settings, database) | {"DBT_TARGET_PATH": str(folder / "target-duckdb")}
    on_spark = spark_environment(settings, lake, database, folder) | {"DBT_TARGET_PATH": str(folder / "target-spark")}
    on_spark["PYSPARK_SUBMIT_ARGS"] = f"--master local[2] {on_spark['PYSPARK_SUBMIT_ARGS']}"
    result: dict[str, Any] = {"spark_s": _timed(on_spark | {"SPARK_LOCAL_IP": "127.0.0.1"})}
    result["duckdb_s"] = _timed(on_duckdb)
    result["different"] = differing(database, folder)
    result["ratio"] = round(result["spark_s"] / result["duckdb_s"], 1)
    result["load_average"] = round(os.getloadavg()[0], 1)
    return result


def differing(database: Path, folder: Path) -> list[str]:
    """Marts whose rows on Spark are not those on DuckDB."""
    names = (*PUBLISHED, *EXPORTED)
    with duckdb.connect(str(database), read_only=True) as connection:

        def digest(relation: str, columns: str) -> Any:
            return connection.execute(f"select count(*), sum(hash({columns})) from {relation}").fetchall()

        different = []
        for name in names:
            columns = ", ".join(f'"{column}"' for column, *_ in connection.execute(f"describe {name}").fetchall())
            if digest(name, columns) != digest(f"read_parquet('{folder}/jishi.db/{name}/*.parquet')", columns):
                different.append(name)
        return different


def _timed(environment: dict[str, str]) -> float:
    began = time.monotonic()
    done = run_dbt(["--log-level-file", "info", "run"], environment)
    if done.returncode != 0:
        raise RuntimeError(done.stdout[-2000:])
    return round(time.monotonic() - began, 1)


def main() -> int:
    """Measure and print; exit code 1 below the floor or when a mart differs."""
    parser = argparse.ArgumentParser(prog="jishi bench marts", description=__doc__)
    parser.add_argument("--limit-households", type=int)
    parser.add_argument("--var", type=user_path, help="a folder to keep the imported shop in; a temporary one if left out")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="jishi-bench-") as name:
        var = chosen.var or Path(name) / "var"
        settings = shop_settings(var)
        if Versions.of(settings).latest() is None:
            import_shop(var, chosen.limit_households)
        result = measure(settings)
    if chosen.json:
        print(json.dumps(result))
    else:
        table = Table("engine", "seconds", "times faster", "floor", "goal")
        table.add_row("Spark local[2]", f"{result['spark_s']}", "", "", "")
        table.add_row("DuckDB", f"{result['duckdb_s']}", f"{result['ratio']}", f"{FLOOR:.0f}", f"{GOAL:.0f}")
        console = Console(width=None if sys.stdout.isatty() else 140)
        console.print(table)
        console.print(result)
    return 0 if result["ratio"] >= FLOOR and not result["different"] else 1


if __name__ == "__main__":
    sys.exit(main())
