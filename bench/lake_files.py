"""``jishi bench lake-files``: files of ``bronze.events`` at 1,000 shops, how soon a row is in it, and what compaction changes.

Records of 1,000 shops go into the log at a steady rate for some minutes, while the platform's own Flink job appends them with
each checkpoint. Then the table is measured, compacted and expired by ``python -m spark_jobs maintain``, and measured again.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow.parquet as pq
from confluent_kafka import Producer
from pyiceberg.table import Table
from rich.console import Console
from rich.table import Table as Lines

from bench import user_path
from bench.measured_command import run_measured
from bench.small_platform import platform_settings, running
from jishi import topics
from jishi.contract.record import record_of
from jishi.lake.catalog import open_catalog
from jishi.lake.live import LiveTail
from jishi.lake.plans import local_path
from jishi.settings import Settings, get_settings

SHOPS, PERSONS = 1_000, 200
SHOP = "shop-007"


@dataclass(frozen=True)
class Measured:
    """The table at one moment; ``plan_s`` lists its files, ``shop_s`` reads one shop's rows, ``all_s`` counts all by type."""

    files: int
    megabytes: float
    snapshots: int
    metadata_kb: int
    plan_s: float
    shop_s: float
    all_s: float


def send(settings: Settings, per_s: int, seconds: float) -> int:
    """Put item views into the log at a steady rate; returns how many."""
    producer = Producer({"bootstrap.servers": settings.kafka_bootstrap, "linger.ms": 50})
    began, sent = time.monotonic(), 0
    while sent < seconds * per_s:
        time.sleep(max(0.0, began + sent / per_s - time.monotonic()))
        now_ms = int(time.time() * 1000)
        for number in range(sent, sent + per_s // 10):
            shop_id, person = f"shop-{number * 7919 % SHOPS:03d}", f"u-{number * 104_729 % PERSONS}"
            event = {
                "event_id": f"e-{number}",
                "shop_id": shop_id,
                "type": "item_viewed",
                "occurred_at": f"{np.datetime64(now_ms, 'ms')}Z",
                "user_id": person,
                "properties": {"item_id": f"i-{number % 3000}", "category": f"c-{number % 40}", "unit_price_minor": 19900},
            }
            record, _ = record_of(event, shop_id=shop_id, collector_id="bench", seq=number, collected_at_ms=now_ms)
            producer.produce(topics.EVENTS.name, json.dumps(record).encode(), key=f"{shop_id}|{person}".encode())
        sent += per_s // 10
        producer.poll(0)
    producer.flush(30)
    return sent


def measure(settings: Settings) -> Measured:
    """The table's current snapshot."""
    table = open_catalog(settings).load_table("bronze.events")
    began = time.monotonic()
    paths = _files(table)
    planned = time.monotonic() - began
    began = time.monotonic()
    of_shop = _files(table, f"shop_id = '{SHOP}'")
    with duckdb.connect() as connection:
        connection.read_parquet(of_shop).filter(f"shop_id = '{SHOP}'").fetchall()
        shop_s = time.monotonic() - began
        began = time.monotonic()
        connection.read_parquet(paths).aggregate("type, outcome, count(*)").fetchall()
        all_s = time.monotonic() - began
    size = sum(os.stat(path).st_size for path in paths)
    metadata = os.stat(local_path(table.metadata_location)).st_size
    seconds = (round(value, 2) for value in (planned, shop_s, all_s))
    return Measured(len(paths), round(size / 1e6, 1), len(table.snapshots()), metadata // 1000, *seconds)


def delays_s(settings: Settings) -> np.ndarray:
    """For each row, seconds from the log's append to the commit that made it visible."""
    table = open_catalog(settings).load_table("bronze.events")
    committed = {snapshot.snapshot_id: snapshot.timestamp_ms for snapshot in table.snapshots()}
    return np.concatenate(list(_delays_ms(table, committed))) / 1000


def _delays_ms(table: Table, committed: dict[int, int]) -> Iterator[np.ndarray]:
    for entry in table.inspect.entries().to_pylist():
        path = local_path(entry["data_file"]["file_path"])
        received = pq.read_table(path, columns=["received_at_ms"], partitioning=None)["received_at_ms"].to_numpy()
        yield committed[entry["snapshot_id"]] - received


def _files(table: Table, where: str | None = None) -> list[str]:
    scan = table.scan(row_filter=where) if where else table.scan()
    return [local_path(task.file.file_path) for task in scan.plan_files()]


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="jishi bench lake-files", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--per-s", type=int, default=500, help="events a second, over all shops")
    parser.add_argument("--checkpoint-s", type=float, default=5, help="between two checkpoints, and so between two commits")
    parser.add_argument("--folder", type=user_path, help="where the platform's state is written; temporary if left out")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="jishi-bench-", dir=chosen.folder) as name:
        interval_ms = int(chosen.checkpoint_s * 1000)
        settings = platform_settings(Path(name) / "var", get_settings().envs, checkpoint_interval_ms=interval_ms)
        with running(settings):
            sent = send(settings, chosen.per_s, chosen.minutes * 60)
            live, deadline = LiveTail(settings), time.monotonic() + 120
            while live.count() < sent and time.monotonic() < deadline:
                time.sleep(1)
            before, delays = measure(settings), delays_s(settings)
            began = time.monotonic()
            run_measured([sys.executable, "-m", "spark_jobs", "maintain", "--table", "bronze/events"], settings.var)
            maintained_s = time.monotonic() - began
        after = measure(settings)
    p50, p99 = (round(float(value), 1) for value in np.quantile(delays, (0.5, 0.99)))
    result: dict[str, Any] = {"events": sent, "rows": len(delays), "shops": SHOPS, "commit_p50_s": p50, "commit_p99_s": p99}
    result |= {"before": asdict(before), "after": asdict(after), "maintain_s": round(maintained_s, 1)}
    result |= {"load_average": os.getloadavg()[0]}
    if chosen.json:
        print(json.dumps(result))
    else:
        show(result)
    return 0 if len(delays) == sent else 1


def show(result: dict[str, Any]) -> None:
    """Print the table before and after, and how soon a row is in it."""
    lines = Lines("", "before", "after maintain", title=f"bronze.events, {result['events']:,} events of {SHOPS:,} shops")
    for name, value in result["before"].items():
        lines.add_row(name, f"{value:,}", f"{result['after'][name]:,}")
    console = Console(width=None if sys.stdout.isatty() else 140)
    console.print(lines)
    console.print(
        f"from the log to bronze: p50 {result['commit_p50_s']} s, p99 {result['commit_p99_s']} s; "
        f"maintain {result['maintain_s']} s; load average {result['load_average']:.1f}",
        highlight=False,
    )


if __name__ == "__main__":
    sys.exit(main())
