"""``jishi bench day``: the marts' build of one more day of a shop of ten million events, against a full one.

Floor: 120 s and five times faster; goal 60 s. Both builds run dbt's models and tests and publish, from the same version of the
lake; every published mart and daily feature has to have the same rows after both. ``--var`` keeps the shop for more days; one
that other code built is built anew first.
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
from bench.big_shop import add_day
from bench.measured_command import run_measured
from bench.portal_load import built_shop, shop_settings
from jishi.lake.query import open_lake, view_of
from jishi.lake.reading import LakeVersion, open_version
from jishi.lake.versions import Versions
from jishi.marts import EXPORTED, open_marts
from jishi.paths import Paths
from ops.marts_file import PUBLISHED
from ops.marts_state import project_checksum

FLOOR_S, GOAL_S, LEAST_RATIO = 120.0, 60.0, 5.0
BUILD = [sys.executable, "-m", "ops.marts", "build"]


def measure(var: Path, events: int) -> dict[str, Any]:
    """Seconds of a day's build and of a full one, and the marts that differ; the shop is made where ``var`` has none."""
    settings = shop_settings(var)
    # A platform's programs are compiled once. Where that is turned off, each build spends seconds on it.
    bytecode = var / "bytecode"
    is_compiled = bytecode.exists()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = str(bytecode)
    result: dict[str, Any] = {}
    if Versions.of(settings).latest() is None:
        result["events"], result["first_build_s"] = built_shop(var, events)
    elif not (is_compiled and can_continue(Paths.of(settings))):
        run_measured([*BUILD, "--whole"], var)
    result["events_of_the_day"] = add_day(var)
    result["day_s"], result["day_says"] = _timed(BUILD, var)
    of_day = digests(open_version(settings))
    result["full_s"], result["full_says"] = _timed([*BUILD, "--whole"], var)
    of_full = digests(open_version(settings))
    result["different"] = sorted(name for name in of_day if of_day[name] != of_full[name])
    result["ratio"] = round(result["full_s"] / result["day_s"], 1)
    result["load_average"] = round(os.getloadavg()[0], 1)
    return result


def can_continue(paths: Paths) -> bool:
    """Whether the last build ended well and was one of this code; if not, the next one is a full one."""
    note = paths.warehouse / "build.json"
    return note.exists() and json.loads(note.read_text())["project"] == project_checksum()


def digests(lake: LakeVersion) -> dict[str, Any]:
    """Of each published mart and daily feature the number of its rows and a sum over their hashes."""
    with open_marts(lake) as marts, open_lake(lake) as tables:
        return {
            **{name: _digest(marts, name) for name in PUBLISHED},
            **{name: _digest(tables, view_of(table)) for name, table in EXPORTED.items()},
        }


def _digest(connection: duckdb.DuckDBPyConnection, relation: str) -> Any:
    return connection.execute(f"select count(*), sum(hash(rows_of)) from {relation} as rows_of").fetchall()


def _timed(command: list[str], var: Path) -> tuple[float, list[str]]:
    began = time.monotonic()
    lines, _ = run_measured(command, var)
    return round(time.monotonic() - began, 1), lines


def main() -> int:
    """Measure and print; exit code 1 above the floor, below the ratio or when a mart differs."""
    parser = argparse.ArgumentParser(prog="jishi bench day", description=__doc__)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--var", type=user_path, help="a folder to keep the shop in; a temporary one if left out")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="jishi-bench-") as name:
        result = measure(chosen.var or Path(name) / "var", chosen.events)
    if chosen.json:
        print(json.dumps(result))
    else:
        table = Table("build", "seconds", "floor", "goal")
        table.add_row("one day", f"{result['day_s']}", f"{FLOOR_S:.0f}", f"{GOAL_S:.0f}")
        table.add_row("full", f"{result['full_s']}", "", "")
        table.add_row("times faster", f"{result['ratio']}", f"{LEAST_RATIO:.0f}", "")
        console = Console(width=None if sys.stdout.isatty() else 140)
        console.print(table)
        console.print(result)
    is_fast = result["day_s"] <= FLOOR_S and result["ratio"] >= LEAST_RATIO
    return 0 if is_fast and not result["different"] else 1


if __name__ == "__main__":
    sys.exit(main())
