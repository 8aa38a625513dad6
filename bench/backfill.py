"""``jishi bench backfill``: every feature over ten million events of one shop by the Spark job, next to plain pandas.

The Spark job is the platform's own command with 8 GB for its driver, from its start to the last published table. Pandas
computes the same features of a smaller log of the same kind; its time is scaled to the full size, which flatters it: it would
not fit into memory there.
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

import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from bench import user_path
from bench.backfill_log import SHOP, write_bronze
from bench.measured_command import run_measured
from bench.one_shop import publish_folder, register, settings_of
from jishi.features import views
from jishi.lake.reading import open_version
from jishi.tables import BRONZE_HISTORY

FLOOR_S, GOAL_S = 15 * 60, 5 * 60


def make_lake(var: Path, events: int) -> None:
    """A lake with the bronze table of the shop, and the shop's registration."""
    register(var, SHOP)
    with tempfile.TemporaryDirectory(prefix="jishi-bench-", dir=var) as folder:
        write_bronze(Path(folder), events)
        publish_folder(var, BRONZE_HISTORY, Path(folder))


def run_spark(var: Path, events: int) -> dict[str, Any]:
    """Seconds and rows of the backfill, and seconds by view."""
    began = time.monotonic()
    lines, peak = run_measured([sys.executable, "-m", "spark_jobs", "features", "--shop", SHOP], var)
    seconds = time.monotonic() - began
    version = open_version(settings_of(var))
    marks = [(line.split()[1], float(line.rsplit("(", 1)[1].split()[0])) for line in lines if line.startswith("wrote ")]
    rows = {view: sum(pq.read_metadata(file).num_rows for file in version.files(f"features/{view}")) for view in views()}
    by_view, before = {}, 0.0
    for view, at_s in marks:
        by_view[view], before = {"seconds": round(at_s - before, 1), "rows": rows[view]}, at_s
    result = {"engine": "spark", "events": events, "rows": sum(rows.values()), "seconds": round(seconds, 1)}
    result |= {"peak_gb": peak, "by_view": by_view}
    print(json.dumps(result), file=sys.stderr, flush=True)
    return result


def run_pandas(var: Path) -> dict[str, Any]:
    """Seconds and rows of the baseline."""
    command = [sys.executable, "-m", "bench.backfill_baseline", "--out", str(var / "pandas")]
    lines, peak = run_measured(command, var)
    measured: dict[str, Any] = json.loads(lines[-1])
    return {"engine": "pandas"} | measured | {"peak_gb": peak}


def main() -> int:
    """Measure and print; exit code 1 above the floor."""
    parser = argparse.ArgumentParser(prog="jishi bench backfill", description=__doc__)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--pandas-events", type=int, default=100_000, help="0 leaves the baseline out")
    parser.add_argument("--folder", type=user_path, help="where the lakes are written (15 GB); a temporary folder if left out")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    runs = []
    with tempfile.TemporaryDirectory(prefix="jishi-bench-", dir=chosen.folder) as name:
        var = Path(name) / "spark"
        make_lake(var, chosen.events)
        runs.append(run_spark(var, chosen.events))
        if chosen.pandas_events:
            var = Path(name) / "small"
            make_lake(var, chosen.pandas_events)
            runs.append(run_pandas(var))
            runs.append(run_spark(var, chosen.pandas_events))
    for run in runs:
        run["events_per_s"] = round(run["events"] / run["seconds"])
    if chosen.json:
        print(json.dumps({"runs": runs, "load_average": os.getloadavg()[0]}))
    else:
        show(runs)
    if chosen.pandas_events and runs[1]["rows"] != runs[2]["rows"]:
        sys.exit(f"pandas has {runs[1]['rows']} rows and Spark {runs[2]['rows']} of the same events")
    return 0 if runs[0]["seconds"] <= FLOOR_S else 1


def show(runs: list[dict[str, Any]]) -> None:
    """Print the runs, and where the first one's time went."""
    console = Console(width=None if sys.stdout.isatty() else 140)
    table = Table("engine", "events", "rows", "seconds", "events/s", "peak GB", title="backfill of all features")
    for run in runs:
        table.add_row(run["engine"], *(f"{run[name]:,}" for name in ("events", "rows", "seconds", "events_per_s", "peak_gb")))
    console.print(table)
    if len(runs) > 1:
        scaled = runs[1]["seconds"] * runs[0]["events"] / runs[1]["events"]
        console.print(
            f"pandas scaled to {runs[0]['events']:,} events: {scaled:,.0f} s, {scaled / runs[0]['seconds']:.1f} times"
        )
    console.print(f"floor {FLOOR_S} s, goal {GOAL_S} s; load average {os.getloadavg()[0]:.1f}", highlight=False)
    by_view = Table("view", "seconds", "rows")
    for view, figures in runs[0]["by_view"].items():
        by_view.add_row(view, f"{figures['seconds']:.1f}", f"{figures['rows']:,}")
    console.print(by_view)


if __name__ == "__main__":
    sys.exit(main())
