"""Run ``jishi evaluate`` in a process of its own, so that time and peak memory are that run's, and set it beside its bars."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Bar:
    """What a metric must reach (floor) and should reach (goal)."""

    metric: str
    floor: float
    goal: float


def evaluate(protocol: str, train: Path, test: Path, model: str, *more: str) -> dict[str, Any]:
    """The report of one run. Its own output goes to standard error."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        files = ["--train", str(train), "--test", str(test), "--json", str(report)]
        command = [sys.executable, "-m", "models.protocols", protocol, *files, "--model", model, *more]
        subprocess.run(command, check=True, stdout=sys.stderr)
        result: dict[str, Any] = json.loads(report.read_text())
        return result


def show(title: str, runs: list[tuple[str, dict[str, Any]]], metrics: list[str], bars: list[Bar]) -> None:
    """One row a run: metrics with intervals, seconds in all, peak memory; below, floors and goals."""
    table = Table(title=title, title_justify="left")
    for heading in ("model", *metrics, "seconds", "MB"):
        table.add_column(heading, justify="left" if heading == "model" else "right")
    for name, run in runs:
        cells = []
        for metric in metrics:
            low, high = run["intervals"][metric]
            cells.append(f"{run['metrics'][metric]:.4f} ±{(high - low) / 2:.4f}")
        table.add_row(name, *cells, f"{run['seconds']['total']:.1f}", f"{run['machine']['peak_memory_mb']:,}")
    console = Console(width=None if sys.stdout.isatty() else 120)
    console.print(table)
    for bar in bars:
        console.print(f"{bar.metric}: floor {bar.floor:.4f}, goal {bar.goal:.4f}", highlight=False)
