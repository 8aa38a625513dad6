"""``jishi report DAY``: what ran on a day and what it changed."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from typing import Annotated

import typer

from jishi.paths import Paths
from jishi.settings import get_settings
from jishi.text_tables import TextTable, text_console


def report(
    day: Annotated[datetime, typer.Argument(formats=["%Y-%m-%d"], help="UTC date on which it ran")],
    as_json: Annotated[bool, typer.Option("--json", help="print it as JSON")] = False,
) -> None:
    """Show the jobs that ran on a day, how long they took, the CPU they used, and the rows of each table that was published."""
    from jishi.task_usage import usage_on
    from ops.day_report import jobs_of, published_on

    settings = get_settings()
    jobs, versions = jobs_of(Paths.of(settings), day.date()), published_on(settings, day.date())
    usages = usage_on(Paths.of(settings), day.date())
    if as_json:
        tasks = [asdict(usage) for usage in usages]
        parts = {"jobs": [asdict(job) for job in jobs], "tasks": tasks, "versions": [asdict(each) for each in versions]}
        print(json.dumps(parts, default=str, indent=2))
        return
    console = text_console()
    ran = TextTable("run", "job", "shops", "longest", "in all", "failed", title=f"what ran on {day.date()} (UTC)")
    for job in jobs:
        shops = ", ".join(f"{count:,} {state}" for state, count in sorted(job.states.items()))
        failed = "; ".join(f"{shop}: {reason}" for shop, reason in job.failures.items())
        seconds = [f"{each:,.1f} s" for each in (job.longest_s, job.sum_s)]
        ran.add_row(job.run_id, job.job, shops, *seconds, failed, style="red" if failed else "")
    console.print(ran)
    used = TextTable("run", "task", "ended", "seconds", "CPU seconds", "peak MB", title="what its tasks used")
    for usage in usages:
        name = usage.task if usage.part < 0 else f"{usage.task} [{usage.part}]"
        used.add_row(
            usage.run_id, name, usage.ended_at[11:19], f"{usage.wall_s:,.1f}", f"{usage.cpu_s:,.1f}", f"{usage.peak_mb:,}"
        )
    used.add_row("in all", "", "", "", f"{sum(usage.cpu_s for usage in usages):,.1f}", "", style="bold")
    console.print(used)
    changed = TextTable("version", "at", "by", "table", "shops", "rows before", "rows", title="what was published")
    for version in versions:
        for change in version.changes:
            counts = ["" if n is None else f"{n:,}" for n in (change.shops, change.rows_before, change.rows)]
            changed.add_row(str(version.number), f"{version.at:%H:%M:%S}", version.writer, change.table, *counts)
    console.print(changed)
