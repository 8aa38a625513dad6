"""``jishi bench landed-day``: a day of one large shop from its landing in the lake to the release of its models.

A simulated shop's days are landed many times over, each copy with persons, orders and visits of its own and the same catalogue,
until the shop has so many events. All days but the last are worked up first; then the last one is landed, and every step of the
DAG ``daily`` is timed. Not in it is what asks the log or serving, which are not running here: whether the day is complete,
serving's decisions, the reconciliation.

Floor of ten million events: 30 minutes; goal 15.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from rich.console import Console

from bench import user_path
from bench.one_shop import settings_of
from bench.shop_groups import FOR_ALL, MODEL, MODELS, days_of, step
from imports.bronze import LineCounts, bronze_rows, in_lake
from jishi.arrow_tables import to_arrow
from jishi.lake.table_creation import create_table, create_tables
from jishi.paths import Paths
from jishi.settings import Settings
from jishi.shops import Shop, Shops
from jishi.tables import BRONZE_EVENTS, BRONZE_LIVE
from models.release.registry import current_version

FLOOR_S, GOAL_S = 30 * 60, 15 * 60
SHOPPERS = 2_000  # of the simulated shop, which are copied
_OF_COPY = r'"((?:event|anonymous|user|session|order|cart|refund|share|request)_id)":"'  # whose values each copy has of its own


def copy_of(rows: pa.Table, number: int, first_seq: int) -> pa.Table:
    """The events of other shoppers who did the same: their ids are others, the catalogue's events are left out."""
    rows = rows.filter(pc.not_equal(rows["type"], "item_changed"))
    mark = f"k{number}-"
    columns = dict(zip(rows.column_names, rows.columns, strict=True))
    for name in ("event_id", "anonymous_id", "user_id", "session_id"):
        columns[name] = pc.binary_join_element_wise(mark, rows[name], "")
    columns["person_id"] = pc.replace_substring_regex(rows["person_id"], r"^(.):", rf"\1:{mark}")
    columns["line"] = pc.replace_substring_regex(rows["line"], _OF_COPY, rf'"\1":"{mark}')
    columns["seq"] = pa.array(np.arange(first_seq, first_seq + len(rows)))
    columns["log_offset"] = columns["seq"]
    return pa.table([columns[field.name].cast(field.type) for field in rows.schema], schema=rows.schema)


def land(settings: Settings, lines: list[bytes], copies: int, first_seq: int) -> int:
    """A day of the shop, as the stream would have appended it, in one commit: how many events."""
    read = bronze_rows(lines, LineCounts(), shop_id=MODEL, first_seq=first_seq)
    first = to_arrow(BRONZE_EVENTS, [row | {"log_partition": 0, "log_offset": row["seq"]} for row in read])
    tables, seq = [first], first_seq + len(first)
    for number in range(1, copies):
        tables.append(copy_of(first, number, seq))
        seq += len(tables[-1])
    create_table(create_tables(settings, ()), BRONZE_LIVE).append(in_lake(pa.concat_tables(tables), BRONZE_LIVE))
    return seq - first_seq


def main() -> int:
    """Measure and print; exit code 1 above the floor."""
    parser = argparse.ArgumentParser(prog="jishi bench landed-day", description=__doc__)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--days", type=int, default=30, help="days, the last of which is measured")
    parser.add_argument("--folder", type=user_path, help="where the platform's state is written; temporary if left out")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="jishi-bench-", dir=chosen.folder) as name:
        settings = settings_of(Path(name) / "var")
        with Shops.edit(Paths.of(settings).shops_file) as shops:
            shops.add(Shop(shop_id=MODEL, name=MODEL))
        days = days_of(SHOPPERS, chosen.days)
        copies = max(1, round(chosen.events / sum(len(lines) for lines in days.values())))
        *earlier, last = days
        seq = 0
        for day in earlier:
            seq += land(settings, days[day], copies, seq)
        one, shop = [MODEL], ["--batch", f"live-{earlier[0]}", "--to", f"live-{earlier[-1]}"]
        result: dict[str, Any] = {"before": step(settings, ["spark_jobs", "silver", *shop], one)}
        result["marts_before"] = step(settings, FOR_ALL["marts"], ())
        began = time.monotonic()
        landed = land(settings, days[last], copies, seq)
        taken = {"land": (round(time.monotonic() - began, 1), 0.0)}
        as_of = f"{last + timedelta(days=1)}T00:00:00Z"
        taken["silver"] = step(settings, ["spark_jobs", "silver", "--batch", f"live-{last}"], one)
        taken |= {name: step(settings, command, ()) for name, command in FOR_ALL.items()}
        taken["features"] = step(settings, ["feature_repo", "daily", "--as-of", as_of], one)
        taken |= {name: step(settings, command, one) for name, command in MODELS.items()}
        result |= {"steps": taken, "events": seq + landed, "of_the_day": landed}
        result["release"] = current_version(Paths.of(settings).models, MODEL)
    seconds = sum(seconds for seconds, _ in taken.values())
    result |= {"minutes": round(seconds / 60, 1), "load_average": round(os.getloadavg()[0], 1)}
    if chosen.json:
        print(json.dumps(result))
    else:
        Console().print(result)
    return 0 if seconds <= FLOOR_S else 1


if __name__ == "__main__":
    sys.exit(main())
