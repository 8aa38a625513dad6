"""``jishi report DAY``: what ran on a day and what it changed."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from datetime import datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from jishi.paths import Paths
from jishi.settings import get_settings


def report(
    day: Annotated[datetime, typer.Argument(formats=["%Y-%m-%d"], help="UTC date on which it ran")],
    as_json: Annotated[bool, typer.Option("--json", help="print it as JSON")] = False,
) -> None:
    """Show the jobs that ran on a day, how long they took for shops, and the rows of each table that was published."""
    from ops.day_report import jobs_of, published_on

    settings = get_settings()
    jobs, versions = jobs_of(Paths.of(settings), day.date()), published_on(settings, day.date())
    if as_json:
        print(json.dumps({"jobs": [asdict(j) for j in jobs], "versions": [asdict(v) for v in versions]}, default=str, indent=2))
        return
    console = Console(width=None if sys.stdout.isatty() else 140)
    ran = Table("run", "job", "shops", "longest", "in all", "failed", title=f"what ran on {day.date()} (UTC)")
    for job in jobs:
        shops = ", ".join(f"{count:,} {state}" for state, count in sorted(job.states.items()))
        failed = "; ".join(f"{shop}: {reason}" for shop, reason in job.failures.items())
        seconds = [f"{each:,.1f} s" for each in (job.longest_s, job.sum_s)]
        ran.add_row(job.run_id, job.job, shops, *seconds, failed, style="red" if failed else "")
    console.print(ran)
    changed = Table("version", "at", "by", "table", "shops", "rows before", "rows", title="what was published")
    for version in versions:
        for change in version.changes:
            counts = ["" if n is None else f"{n:,}" for n in (change.shops, change.rows_before, change.rows)]
            changed.add_row(str(version.number), f"{version.at:%H:%M:%S}", version.writer, change.table, *counts)
    console.print(changed)
