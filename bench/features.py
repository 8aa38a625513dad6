"""``jishi bench features``: events a second through the feature queries in Flink, next to the same in Python functions.

Everything that the live job does to a record on its way to a feature is in it, from JSON lines to messages: decoding, outcomes,
deduplication, windows, messages, checkpoints every 10 s; the archive and Kafka are not. ``live`` are the views of the real-time
job, to which the floor applies; ``all`` has the 30-day views of the backfill besides. ``python`` computes the live
views by keyed process functions in process mode and gets a shorter log. All jobs get the same JVM.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench import user_path
from bench.feature_log import write_log
from jishi.paths import Paths
from jishi.settings import PROJECT_ROOT, get_settings

FLOOR_PER_S, FLOOR_RATIO, GOAL_PER_S, GOAL_TWO_PER_S = 8_000, 5.0, 20_000, 30_000
JVM = "-Xms1g -Xmx3g -XX:+UseParallelGC"
WARM_SHARE = 0.5  # by then the optimising compiler is done


def measured(folder: Path, job: str, records: int, per_s: int, parallelism: int) -> dict[str, Any]:
    """Run one job in the flink environment. Raises RuntimeError with its last lines."""
    name = f"{job}-{parallelism}"
    source = folder / f"{name}-log"
    write_log(source, records, per_s, parallelism)
    settings = get_settings()
    command = [str(Paths.of(settings).python("flink")), "-m", "bench.features_run", "--job", job]
    command += ["--source", str(source), "--target", str(folder / name), "--parallelism", str(parallelism)]
    command += ["--records", str(records), "--warm", str(int(records * WARM_SHARE))]
    environment = os.environ | {"JISHI_ENVS": str(settings.envs), "PYTHONPATH": str(PROJECT_ROOT)}
    environment.setdefault("JISHI_FLINK_JVM", JVM)
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=PROJECT_ROOT, env=environment)
    if done.returncode != 0:
        raise RuntimeError(done.stderr[-2000:])
    figures: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return {"job": job, "parallelism": parallelism} | figures


def main() -> int:
    """Measure and print; exit code 1 below the floor."""
    parser = argparse.ArgumentParser(prog="jishi bench features", description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000, help="records of the SQL jobs' log")
    parser.add_argument("--python-events", type=int, default=8_000, help="records of the baseline's log")
    parser.add_argument("--per-s", type=int, default=1_000, help="records that the log got in a second of its own time")
    parser.add_argument("--views", choices=("live", "all"), action="append", help="may repeat; both if left out")
    parser.add_argument("--folder", type=user_path, help="where logs and messages are written; a temporary folder if left out")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    runs = []
    views = chosen.views or ["live", "all"]
    wanted = [(views[0], 1), ("python", 1), (views[0], 2), *((name, 1) for name in views[1:])]
    with tempfile.TemporaryDirectory(prefix="jishi-bench-", dir=chosen.folder) as name:
        for job, parallelism in wanted:
            count = chosen.python_events if job == "python" else chosen.events
            runs.append(measured(Path(name), job, count, chosen.per_s, parallelism))
            summary = {name: value for name, value in runs[-1].items() if name != "busy_s"}
            print(json.dumps(summary), file=sys.stderr, flush=True)
    baseline = runs[1]["events_per_s"]
    for run in runs:
        run["ratio"] = round(run["events_per_s"] / baseline, 1)
    summary = {"runs": runs, "load_average": [round(value, 1) for value in os.getloadavg()], "cores": os.cpu_count()}
    if chosen.json:
        print(json.dumps(summary))
    else:
        show(runs)
    first = runs[0]
    return 0 if first["events_per_s"] >= FLOOR_PER_S and first["ratio"] >= FLOOR_RATIO else 1


def show(runs: list[dict[str, Any]]) -> None:
    """Print the rates, and for the first job where its time goes."""
    console = Console(width=None if sys.stdout.isatty() else 140)
    table = Table(
        "job", "parallelism", "events", "seconds", "events/s", "messages/s", "CPU µs/event", "ratio", title="features"
    )
    for run in runs:
        figures = (
            f"{run[name]:,}" for name in ("events", "seconds", "events_per_s", "messages_per_s", "cpu_us_per_event", "ratio")
        )
        table.add_row(run["job"], str(run["parallelism"]), *figures)
    console.print(table)
    console.print(
        f"floor {FLOOR_PER_S:,} events/s and {FLOOR_RATIO} times the baseline at parallelism 1; "
        f"goal {GOAL_PER_S:,} there and {GOAL_TWO_PER_S:,} at parallelism 2; load average {os.getloadavg()[0]:.1f}",
        highlight=False,
    )
    busy = Table("task of the first job", "busy s")
    for name, seconds in sorted(runs[0]["busy_s"].items(), key=lambda entry: -entry[1]):
        busy.add_row(name[:110], f"{seconds:.1f}")
    console.print(busy)


if __name__ == "__main__":
    sys.exit(main())
