"""The report of a soak: a page with what may not grow, and a picture over time."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from chaos.soak_run import UPKEPT, SoakRun
from jishi.files import write_atomically

TEMPLATE = Path(__file__).with_name("soak.md")
PAGE, PICTURE = Path("operations/soak.md"), Path("images/soak.png")


def write_soak_report(run: SoakRun, rows: Sequence[dict[str, Any]], command: str, docs: Path) -> None:
    """Write the page and the picture of a run below ``docs``."""
    _draw(run, docs / PICTURE)
    shown = [f"| {r['what']} | {r['early']:,.0f} | {r['late']:,.0f} | {'yes' if r['is_flat'] else '**no**'} |" for r in rows]
    by_name: dict[str, list[float]] = {}
    for _, name, seconds, _ in run.runs:
        by_name.setdefault(name, []).append(seconds)
    last = run.samples[-1]
    text = TEMPLATE.read_text().format(
        date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        cores=os.cpu_count(),
        command=command,
        minutes=round((last.at - run.began) / 60),
        events=f"{last.events:,}",
        runs=", ".join(f"{name} {len(each)} times ({min(each):.0f} to {max(each):.0f} s)" for name, each in by_name.items()),
        failed=", ".join(name for _, name, _, code in run.runs if code != 0) or "none",
        rows="\n".join(shown),
        verdict="Nothing grew." if all(row["is_flat"] for row in rows) else "Something grew, see below.",
    )
    write_atomically(docs / PAGE, text)


def _draw(run: SoakRun, file: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    minutes = [(sample.at - run.began) / 60 for sample in run.samples]
    figure, (memory, files, disk, lag) = plt.subplots(4, 1, figsize=(12, 11), sharex=True, layout="constrained")
    for part in sorted({name for sample in run.samples for name in sample.memory_mib}):
        memory.plot(minutes, [sample.memory_mib.get(part, float("nan")) for sample in run.samples], label=part)
    memory.set_ylabel("memory (MiB)")
    for name in UPKEPT:
        files.plot(minutes, [sample.files[name] for sample in run.samples], label=name)
    files.set_ylabel("files")
    disk.plot(minutes, [sample.disk_mib for sample in run.samples], label="all of the platform")
    disk.plot(minutes, [sample.state_mib for sample in run.samples], label="state of the stream")
    disk.set_ylabel("disk (MiB)")
    lag.plot(minutes, [sample.lag for sample in run.samples], label="events that wait for the log")
    lag.set_ylabel("events")
    lag.set_xlabel("minutes of traffic; grey: hourly runs")
    for axis in (memory, files, disk, lag):
        axis.set_ylim(bottom=0)
        axis.grid(color="#dddddd")
        for at, _, seconds, _ in run.runs:
            axis.axvspan((at - run.began) / 60, (at - run.began + seconds) / 60, color="#888888", alpha=0.12, linewidth=0)
        axis.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=110)
    plt.close(figure)
