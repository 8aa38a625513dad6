"""Build, test and publish the marts with dbt: ``python -m ops.marts build|docs`` (main environment).

dbt works in a DuckDB file of its own on a snapshot of the lake's published tables; when every model and test is fine, a lean
copy of the marts takes the place of the published file in one step. A failed build leaves readers on the old file.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from jishi import tables
from jishi.lake import Lake, TableNotPublished
from jishi.lake.query import open_lake
from jishi.lake.reading import LakeVersion, open_version
from jishi.marts import EXPORTED
from jishi.paths import Paths
from jishi.settings import PROJECT_ROOT, Settings, get_settings
from jishi.shops import Shops

DBT = PROJECT_ROOT / "dbt"
PUBLISHED = ("fct_orders", "fct_sessions", "fct_shop_days", "fct_funnel_days", "dim_customers", "dim_items")


class BuildFailed(RuntimeError):
    """dbt refused a model or a test; the message names them and the log."""


def snapshot(paths: Paths, lake: LakeVersion, folder: Path) -> None:
    """One folder a silver table: links to the files of the version, or an empty file of its columns where it has no rows."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with open_lake(lake) as connection:
        for schema in tables.SILVER:
            name = schema.name.removeprefix("silver/")
            (folder / name).mkdir()
            for number, file in enumerate(lake.files(schema.name)):
                (folder / name / f"{number:06}.parquet").symlink_to(file)
            if not lake.files(schema.name):
                empty = folder / name / "empty.parquet"
                connection.execute(f"copy {schema.name.replace('/', '_')} to '{empty}' (format parquet)")
        shops = Shops.load(paths.shops_file).shops.values()
        connection.execute("create table shops (shop_id varchar, name varchar, time_zone varchar, currency varchar)")
        for shop in shops:
            connection.execute(
                "insert into shops values (?, ?, ?, ?)", [shop.shop_id, shop.name, shop.time_zone, shop.currency]
            )
        (folder / "shops").mkdir()
        connection.execute(
            f"copy (select * from shops order by shop_id) to '{folder / 'shops' / 'shops.parquet'}' (format parquet)"
        )


def dbt_environment(paths: Paths, silver: Path, database: Path, target: str = "duckdb") -> dict[str, str]:
    """Variables that the dbt project reads."""
    return {
        "JISHI_SILVER_ROOT": str(silver),
        "JISHI_DBT_DATABASE": str(database),
        "JISHI_DBT_TARGET": target,
        "DBT_PROFILES_DIR": str(DBT),
        "DBT_TARGET_PATH": str(paths.warehouse / "target"),
        "DBT_LOG_PATH": str(paths.log / "dbt"),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }


def run_dbt(arguments: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run dbt in the project with these variables; its output is captured."""
    dbt = Path(sys.executable).with_name("dbt")
    command = [str(dbt), "--no-use-colors", *arguments, "--project-dir", str(DBT)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | environment, cwd=DBT)


def build(settings: Settings, tell: Callable[[str], None]) -> None:
    """Build, test, export the daily features and publish. Raises BuildFailed; then nothing was published."""
    began = time.monotonic()
    paths, lake = Paths.of(settings), open_version(settings)
    if not lake.has(tables.SILVER_EVENTS.name):
        raise TableNotPublished("silver has no published tables; run: python -m spark_jobs silver --batch history")
    silver, database = paths.warehouse / "silver", paths.warehouse / "build.duckdb"
    snapshot(paths, lake, silver)
    database.unlink(missing_ok=True)
    environment = dbt_environment(paths, silver, database)
    # Unit tests of the models run in the test suite, where they belong; here the data is what is in question.
    # The log tells what was built and what failed; dbt's debug lines for it took a fifth of the build's time.
    done = run_dbt(["--log-level-file", "info", "build", "--exclude-resource-type", "unit_test"], environment)
    results = _results(paths)
    failed = [name for name, status in results if status in ("error", "fail", "runtime error")]
    if done.returncode != 0:
        names = ", ".join(failed) or done.stdout[-800:]
        raise BuildFailed(f"dbt build failed in {names}; nothing was published; see {paths.log / 'dbt' / 'dbt.log'}")
    models = sum(name.startswith("model.") for name, _ in results)
    tests = sum(name.startswith("test.") for name, _ in results)
    tell(f"dbt: {models} models built, {tests} tests passed ({time.monotonic() - began:.0f} s)")
    _publish(paths, database)
    tell(f"marts published to {paths.marts} ({time.monotonic() - began:.0f} s)")


def _results(paths: Paths) -> list[tuple[str, str]]:
    file = paths.warehouse / "target" / "run_results.json"
    if not file.exists():
        return []
    return [(result["unique_id"], result["status"]) for result in json.loads(file.read_text())["results"]]


def _publish(paths: Paths, database: Path) -> None:
    import duckdb

    lake = Lake(paths.lake)
    aside = paths.marts.with_name(".marts.duckdb")
    aside.unlink(missing_ok=True)
    with duckdb.connect() as connection:
        connection.execute(f"attach '{database}' as built (read_only)")
        connection.execute(f"attach '{aside}' as published")
        for name in PUBLISHED:
            connection.execute(f"create table published.{name} as select * from built.main.{name} order by all")
        connection.execute("create table published.build as select now() at time zone 'UTC' as built_at")
        connection.execute("detach published")
        for name, table in EXPORTED.items():
            with lake.publish(table) as draft:
                sql = f"select * from built.main.{name} order by all"
                connection.execute(f"copy ({sql}) to '{draft.path / 'part-0.parquet'}' (format parquet, compression zstd)")
    os.replace(aside, paths.marts)


def docs(paths: Paths) -> Path:
    """Write the static dbt documentation of the last build and return its page. Raises BuildFailed."""
    environment = dbt_environment(paths, paths.warehouse / "silver", paths.warehouse / "build.duckdb")
    done = run_dbt(["--log-level-file", "info", "docs", "generate", "--static"], environment)
    made = paths.warehouse / "target" / "static_index.html"
    if done.returncode != 0 or not made.exists():
        raise BuildFailed(f"dbt docs failed: {done.stdout[-800:]}")
    page = paths.site / "dbt" / "index.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(made, page)
    return page


def main() -> int:
    """Run one command; what a user can mend is told in one line."""
    parser = argparse.ArgumentParser(prog="python -m ops.marts", description="Marts with dbt on DuckDB.")
    parser.add_argument("command", choices=("build", "docs"))
    chosen = parser.parse_args()
    settings = get_settings()
    paths = Paths.of(settings)
    try:
        if chosen.command == "build":
            build(settings, lambda line: print(line, flush=True))
        else:
            print(f"dbt docs written to {docs(paths)}")
    except (BuildFailed, TableNotPublished) as error:
        print(f"ops.marts {chosen.command}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
