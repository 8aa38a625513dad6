"""``jishi bench shop-groups``: a night of many small shops, step by step as the DAG ``daily`` runs it.

One simulated shop is copied under as many ids; each of its days is a live batch. All days but the last are built in one job
(the state before the night), then the last one: silver and models a group at a time, a process each, what is for all shops
once. Times of the groups one after the other show whether a group costs more the more of them there are. Not in it is what asks
the log, which is not running here: whether the day is complete, serving's decisions, the reconciliation.

Floor of the night of 1,000 shops: 90 minutes; goal 45.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console

from bench import user_path
from bench.measured_command import run_measured
from bench.one_shop import settings_of
from imports.bronze import LineCounts, bronze_rows, in_lake
from jishi.arrow_tables import to_arrow
from jishi.contract.home_money import ShopMoney
from jishi.lake.buckets import by_bucket
from jishi.lake.reading import open_version
from jishi.lake.table_creation import create_table, create_tables
from jishi.paths import Paths
from jishi.settings import Settings, get_settings
from jishi.shops import Shop, Shops, in_groups
from jishi.tables import BRONZE_EVENTS, BRONZE_LIVE, SILVER
from models.release.registry import current_version
from ops.work_up import NOTHING_TO_DO
from simulator.history import CATALOGUE, play
from simulator.world import SimulationPlan

MODEL = "model-shop"
APPENDED = 200  # shops a commit: their rows are in memory
FOR_ALL = {"marts": ["ops.marts", "build"], "forecast": ["models.after_marts"]}
MODELS = {
    name: ["serving.judge"] if name == "judge" else ["models", name]
    for name in ("train", "evaluate", "judge", "gate", "publish")
}


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


def step(settings: Settings, command: list[str], shop_ids: Sequence[str]) -> tuple[float, float]:
    """Seconds and GB of one command, for these shops or (none) for all."""
    named = [word for shop_id in shop_ids for word in ("--shop", shop_id)]
    began = time.monotonic()
    _, gigabytes = run_measured([sys.executable, "-m", *command, *named], settings.var, (0, NOTHING_TO_DO))
    return round(time.monotonic() - began, 1), gigabytes


def files(settings: Settings) -> int:
    """Data files of silver in the newest version."""
    version = open_version(settings)
    return sum(len(version.files(schema.name)) for schema in SILVER)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="jishi bench shop-groups", description=__doc__)
    parser.add_argument("--shops", type=int, default=200)
    parser.add_argument("--size", type=int, default=get_settings().shop_group_size, help="shops a group")
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
            for part in in_groups(shop_ids, APPENDED):
                append(settings, part, lines, seq)
            seq += len(lines)
        *earlier, last = days
        result: dict[str, Any] = {"shops": len(shop_ids), "events_a_shop": [len(lines) for lines in days.values()]}
        before = ["spark_jobs", "silver", "--batch", f"live-{earlier[0]}", "--to", f"live-{earlier[-1]}"]
        result["before_all_shops_in_one_job"] = step(settings, before, shop_ids)
        result["files_before"] = files(settings)
        some = in_groups(by_bucket(shop_ids), chosen.size)[: chosen.groups]
        result["silver"] = [step(settings, ["spark_jobs", "silver", "--batch", f"live-{last}"], group) for group in some]
        result["files_after"] = files(settings)
        as_of = f"{last + timedelta(days=1)}T00:00:00Z"
        for name, command in (*FOR_ALL.items(), ("features", ["feature_repo", "daily", "--as-of", as_of])):
            result[name] = step(settings, command, shop_ids if name == "features" else ())
        for name, command in MODELS.items():
            result[name] = [step(settings, command, group) for group in some]
        result["released"] = sum(current_version(Paths.of(settings).models, shop_id) is not None for shop_id in shop_ids)
    taken = [result[name] for name in (*FOR_ALL, "features")] + [each for name in ("silver", *MODELS) for each in result[name]]
    result["night_minutes"] = round(sum(seconds for seconds, _ in taken) / 60, 1)
    result["load_average"] = round(os.getloadavg()[0], 1)
    if chosen.json:
        print(json.dumps(result))
    else:
        Console().print(result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
