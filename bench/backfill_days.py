"""``jishi bench backfill-days``: 60 days of a shop built one by one, as the nights do, against the same days in one backfill.

Every table of silver, every published mart and both tables of daily features must hold the same rows after both. The days are
those of a simulated shop as live batches, so that the gates judge each of them, too. The marts go on from build to build every
few days in the first way and are built whole in the second.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from bench import user_path
from bench.day import digests
from bench.measured_command import run_measured
from bench.one_shop import register, settings_of
from bench.shop_groups import MODEL, append, days_of
from jishi.lake.query import open_lake, view_of
from jishi.lake.reading import open_version
from jishi.paths import Paths
from jishi.settings import Settings
from jishi.shops import Shops
from jishi.tables import SILVER
from spark_jobs.session import open_session
from spark_jobs.silver.job import build_silver

MARTS = [sys.executable, "-m", "ops.marts", "build"]


def contents(settings: Settings) -> dict[str, Any]:
    """Of each table the number of its rows and a sum over their hashes."""
    version = open_version(settings)
    with open_lake(version) as lake:
        silver = {
            schema.name: lake.execute(f"select count(*), sum(hash(rows_of)) from {view_of(schema.name)} as rows_of").fetchall()
            for schema in SILVER
        }
    return silver | digests(version)


def night_by_night(settings: Settings, days: dict[Any, list[bytes]], marts_every: int) -> int:
    """Append and build the days one after the other, in one Spark session; returns how many a gate refused.

    The marts are built on every so many days, and on the last one.
    """
    paths, seq, refused = Paths.of(settings), 0, 0
    session, shops = open_session(settings, paths, "backfill-days", is_short=True), Shops.load(paths.shops_file)
    for number, (day, lines) in enumerate(days.items(), 1):
        append(settings, [MODEL], lines, seq)
        seq += len(lines)
        now = datetime.now(UTC)
        built = build_silver(session, settings, shops, f"live-{day}", [MODEL], lambda line: None, restate=True, now=now)
        for error in built.failures.values():
            refused += 1
            print(f"{day}: {error}", file=sys.stderr)
        if number % marts_every == 0 or number == len(days):
            run_measured(MARTS, settings.var)
    session.stop()
    return refused


def main() -> int:
    """Build both ways and compare; exit code 1 when a table differs or a gate refused a day."""
    parser = argparse.ArgumentParser(prog="jishi bench backfill-days", description=__doc__)
    parser.add_argument("--days", type=int, default=60)
    parser.add_argument("--users", type=int, default=60, help="shoppers of the shop")
    parser.add_argument("--marts-every", type=int, default=15, help="nights from one build of the marts to the next")
    parser.add_argument("--folder", type=user_path, help="where the platform's state is written; temporary if left out")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="jishi-bench-", dir=chosen.folder) as name:
        settings = settings_of(Path(name) / "var")
        register(settings.var, MODEL)
        days = days_of(chosen.users, chosen.days)
        result: dict[str, Any] = {"days": len(days), "events": sum(map(len, days.values()))}
        began = time.monotonic()
        result["refused"] = night_by_night(settings, days, chosen.marts_every)
        result["night_by_night_s"] = round(time.monotonic() - began, 1)
        one_by_one = contents(settings)
        first, *_, last = days
        began = time.monotonic()
        silver = ["spark_jobs", "silver", "--batch", f"live-{first}", "--to", f"live-{last}", "--shop", MODEL]
        run_measured([sys.executable, "-m", *silver], settings.var)
        run_measured([*MARTS, "--whole"], settings.var)
        result["backfill_s"] = round(time.monotonic() - began, 1)
        at_once = contents(settings)
    result["tables"] = len(one_by_one)
    result["empty"] = sorted(table for table, content in at_once.items() if content[0][0] == 0)
    result["different"] = {
        table: [one_by_one[table], at_once[table]] for table in one_by_one if one_by_one[table] != at_once[table]
    }
    result["load_average"] = round(os.getloadavg()[0], 1)
    if chosen.json:
        print(json.dumps(result, default=str))
    else:
        Console().print(result)
    return 1 if result["different"] or result["refused"] else 0


if __name__ == "__main__":
    sys.exit(main())
