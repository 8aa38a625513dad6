"""``jishi bench freshness``: from the collector's answer to a value readable in the online store, at 500 events a second.

The real path: collector → write-ahead log → forwarder → Kafka → Flink → feature writer → online store, each by the platform's
own command. Events are sent at a steady rate; one in 25 is of a person of its own, and a reader asks Feast for the last items
of those persons until they are there. Next to it the same path with a PyFlink job in process mode in Flink's place.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench import user_path
from bench.freshness_load import Probes, read, send
from bench.small_platform import make_shop, platform_settings, running, tail
from jishi.paths import Paths
from jishi.settings import get_settings
from ops.ports import free_port

FLOOR_S, GOAL_S = 1.0, 0.5
SHARES = (0.5, 0.9, 0.95, 0.99, 1.0)


def measured(folder: Path, job: str, store: str, redis_url: str, per_s: int, seconds: float) -> dict[str, Any]:
    """Latencies of one job with one store."""
    outer = get_settings()
    settings = platform_settings(folder, outer.envs, online_store=store, redis_url=redis_url)
    paths = Paths.of(settings)
    key = make_shop(paths)
    command = [str(paths.python("flink")), "-m", "bench.freshness_baseline"] if job == "python" else None
    probes, stop = Probes(), threading.Event()
    with running(settings, command):
        _wait_for(paths.features / "feature_store.yaml")
        reader = threading.Thread(target=read, args=(settings, probes, stop))
        reader.start()
        before = _cpu()
        try:
            sent = send(f"http://{settings.host}:{settings.collector_port}", key, per_s, seconds, probes)
        finally:
            stop.set()
            reader.join()
        after = _cpu()
    waits = sorted(probes.waits_s.values())
    if not waits:
        raise RuntimeError(f"nothing could be read: {tail(paths.log / 'flink-jvm.log')}\n{tail(paths.log / 'flink.log')}")
    result: dict[str, Any] = {
        "job": job,
        "store": store,
        "events": sent,
        "probes": len(probes.acknowledged),
        "read": len(waits),
    }
    result |= {_named(share): round(waits[min(len(waits) - 1, int(share * len(waits)))], 3) for share in SHARES}
    passed = sum(after.values()) - sum(before.values())
    result |= {name: round((after[name] - before[name]) / passed, 3) for name in ("idle", "steal")}
    print(json.dumps(result), file=sys.stderr, flush=True)
    return result


def _named(share: float) -> str:
    return "max_s" if share == 1.0 else f"p{share * 100:.0f}_s"


def _cpu() -> dict[str, int]:
    """Jiffies since the machine started, by what they were spent on (``/proc/stat``)."""
    names = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
    return dict(zip(names, map(int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]), strict=True))


def _wait_for(file: Path) -> None:
    deadline = time.monotonic() + 60
    while not file.exists():
        if time.monotonic() > deadline:
            raise RuntimeError(f"{file} did not appear")
        time.sleep(0.2)


@contextmanager
def redis_server(folder: Path) -> Iterator[str]:
    """Address of a Redis server of this run's own, which keeps nothing on disk."""
    port = free_port()
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(folder)]
    process = subprocess.Popen(["redis-server", *options], stdout=subprocess.DEVNULL)
    try:
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def main() -> int:
    """Measure and print; exit code 1 when the platform's job stays above the floor or something was never read."""
    parser = argparse.ArgumentParser(prog="jishi bench freshness", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="of each run, after a warm-up")
    parser.add_argument("--per-s", type=int, default=500, help="events a second")
    parser.add_argument("--store", choices=("sqlite", "redis"), action="append", help="may repeat; sqlite if left out")
    parser.add_argument(
        "--folder", type=user_path, help="where the platform's state is written; a temporary folder if left out"
    )
    parser.add_argument("--without-baseline", action="store_true")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    stores = chosen.store or ["sqlite"]
    wanted = [("sql", store) for store in stores] + ([] if chosen.without_baseline else [("python", stores[0])])
    runs = []
    with tempfile.TemporaryDirectory(prefix="jishi-bench-", dir=chosen.folder) as name:
        for job, store in wanted:
            folder = Path(name) / f"{job}-{store}"
            folder.mkdir()
            if store == "redis":
                with redis_server(folder) as url:
                    runs.append(measured(folder / "var", job, store, url, chosen.per_s, chosen.seconds))
            else:
                runs.append(measured(folder / "var", job, store, get_settings().redis_url, chosen.per_s, chosen.seconds))
    if chosen.json:
        print(json.dumps({"runs": runs, "load_average": os.getloadavg()[0]}))
    else:
        show(runs)
    ours = [run for run in runs if run["job"] == "sql"]
    return 0 if all(run["p99_s"] <= FLOOR_S and run["read"] == run["probes"] for run in ours) else 1


def show(runs: list[dict[str, Any]]) -> None:
    """Print the percentiles, with what the processors did meanwhile."""
    table = Table(*runs[0], title="seconds from accepted to readable")
    for run in runs:
        table.add_row(*(f"{value:,}" if isinstance(value, int) else str(value) for value in run.values()))
    console = Console(width=None if sys.stdout.isatty() else 140)
    console.print(table)
    console.print(f"floor p99 {FLOOR_S} s, goal p99 {GOAL_S} s; load average {os.getloadavg()[0]:.1f}", highlight=False)


if __name__ == "__main__":
    sys.exit(main())
