"""``jishi bench shop-groups``: a night of many small shops: silver group by group as the DAG runs it, then the marts.

One simulated shop is copied under as many ids; each of its days is a live batch. All days but the last are built in one job
(the state before the night), then the last one a group at a time, a process each. Times of the groups one after the other
show whether a group costs more the more of them there are.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from bench import user_path
from bench.measured_command import run_measured
from bench.one_shop import settings_of
from imports.bronze import LineCounts, bronze_rows, in_lake
from jishi.arrow_tables import to_arrow
from jishi.contract.home_money import ShopMoney
from jishi.lake.reading import open_version
from jishi.lake.table_creation import create_table, create_tables
from jishi.paths import Paths
from jishi.settings import Settings
from jishi.shops import Shop, Shops, in_groups
from jishi.tables import BRONZE_EVENTS, BRONZE_LIVE, SILVER
from simulator.history import CATALOGUE, play
from simulator.world import SimulationPlan

MODEL = "model-shop"


def days_of(users: int, days: int) -> dict[date, list[bytes]]:
    """Lines of the model shop by UTC day of receipt, whole days only."""
    plan = SimulationPlan(MODEL, users, days + 1, 7, date(2026, 9, 1))
    by_day: dict[date, list[bytes]] = defaultdict(list)
    for day in range(CATALOGUE, days + 1):
        for delivery in play(plan, day).deliveries:
            by_day[datetime.fromtimestamp(delivery.received_ms / 1000, UTC).date()].append(delivery.line)
    return dict(sorted(by_day.items())[:days])


def append(settings: Settings, shop_ids: list[str], lines: list[bytes], first_seq: int, money: ShopMoney | None = None) -> None:
    """A day of every shop, as the stream would have appended it, in one commit; ``money`` stamps other currencies."""
    rows: list[dict[str, Any]] = []
    for shop_id in shop_ids:
        renamed = (line.replace(MODEL.encode(), shop_id.encode()) for line in lines)
        rows += _with_log(bronze_rows(renamed, LineCounts(), shop_id=shop_id, first_seq=first_seq, money=money))
    create_table(create_tables(settings, ()), BRONZE_LIVE).append(in_lake(to_arrow(BRONZE_EVENTS, rows), BRONZE_LIVE))


def _with_log(rows: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for row in rows:
        yield row | {"log_partition": 0, "log_offset": row["seq"]}


def silver(settings: Settings, batch: str, shop_ids: list[str]) -> tuple[float, float]:
    """Seconds and GB of building a batch for some shops, in a process of its own."""
    named = [word for shop_id in shop_ids for word in ("--shop", shop_id)]
    began = time.monotonic()
    _, gigabytes = run_measured([sys.executable, "-m", "spark_jobs", "silver", "--batch", batch, *named], settings.var)
    return round(time.monotonic() - began, 1), gigabytes


def files(settings: Settings) -> int:
    """Data files of silver in the newest version."""
    version = open_version(settings)
    return sum(len(version.files(schema.name)) for schema in SILVER)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="jishi bench shop-groups", description=__doc__)
    parser.add_argument("--shops", type=int, default=200)
    parser.add_argument("--size", type=int, default=50, help="shops a group")
    parser.add_argument("--groups", type=int, help="build only so many groups of the last day; all if left out")
    parser.add_argument("--users", type=int, default=300, help="shoppers of a shop")
    parser.add_argument("--days", type=int, default=3, help="days, the last of which is the night that is measured")
    parser.add_argument("--folder", type=user_path, help="where the platform's state is written; temporary if left out")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="jishi-bench-", dir=chosen.folder) as name:
        settings = settings_of(Path(name) / "var")
        shop_ids = [f"shop-{number:04}" for number in range(chosen.shops)]
        with Shops.edit(Paths.of(settings).shops_file) as shops:
            for shop_id in shop_ids:
                shops.add(Shop(shop_id=shop_id, name=shop_id))
        days, seq = days_of(chosen.users, chosen.days), 0
        for lines in days.values():
            append(settings, shop_ids, lines, seq)
            seq += len(lines)
        *earlier, last = (f"live-{day}" for day in days)
        result: dict[str, Any] = {"shops": len(shop_ids), "events_a_shop": [len(lines) for lines in days.values()]}
        result["all_shops_in_one_job"] = [silver(settings, batch, shop_ids) for batch in earlier]
        result["files_before"] = files(settings)
        result["groups"] = [silver(settings, last, group) for group in in_groups(shop_ids, chosen.size)[: chosen.groups]]
        result["files_after"] = files(settings)
        began = time.monotonic()
        _, gigabytes = run_measured([sys.executable, "-m", "ops.marts", "build"], settings.var)
        result["marts"] = (round(time.monotonic() - began, 1), gigabytes)
    result["load_average"] = round(os.getloadavg()[0], 1)
    if chosen.json:
        print(json.dumps(result))
    else:
        Console().print(result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
