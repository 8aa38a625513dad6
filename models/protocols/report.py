"""What a run says: a table for people, JSON for machines."""

from __future__ import annotations

import json
import os
import platform
import resource
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console

from jishi.text_tables import TextTable
from models.evaluation.intervals import bootstrap_all
from models.evaluation.metrics import Values


class Stopwatch:
    """Seconds of each phase by name."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._began = time.monotonic()

    def lap(self, name: str) -> None:
        """End the phase that has run since the last lap."""
        now = time.monotonic()
        self.seconds[name] = round(self.seconds.get(name, 0.0) + now - self._began, 3)
        self._began = now

    def as_json(self) -> dict[str, float]:
        """All phases and their sum."""
        return {**self.seconds, "total": round(sum(self.seconds.values()), 3)}


def summarise(values: dict[str, Values]) -> dict[str, Any]:
    """``metrics``: means by name; ``intervals``: [low, high] of the 95 % bootstrap interval by name."""
    estimates = bootstrap_all(values)
    return {
        "metrics": {name: round(estimate.mean, 6) for name, estimate in estimates.items()},
        "intervals": {name: [round(estimate.low, 6), round(estimate.high, 6)] for name, estimate in estimates.items()},
    }


def slices(values: dict[str, Values], rows: dict[str, npt.NDArray[np.bool_]], counted: str) -> dict[str, dict[str, Any]]:
    """Means over parts of the rows, with their ``intervals``; a part without rows is left out."""
    parts = {}
    for name, mask in rows.items():
        if mask.any():
            part = summarise({metric: each[mask] for metric, each in values.items()})
            parts[name] = {counted: int(mask.sum()), **part["metrics"], "intervals": part["intervals"]}
    return parts


def write_rows(file: Path | None, values: dict[str, Values]) -> None:
    """Write each metric's value of every test row (Parquet), so that runs on the same rows can be compared in pairs."""
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table(values), file)


def machine() -> dict[str, Any]:
    """Python, processor count and the peak memory of this process."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"python": platform.python_version(), "cpus": os.cpu_count(), "peak_memory_mb": round(peak)}


def show(console: Console, report: dict[str, Any]) -> None:
    """Print a report as tables."""
    table = TextTable(title=f"{report['protocol']} · {report['model']}", title_justify="left")
    for heading in ("metric", "mean", "95 % interval"):
        table.add_column(heading, justify="left" if heading == "metric" else "right")
    for name, mean in report["metrics"].items():
        low, high = report["intervals"][name]
        table.add_row(name, f"{mean:.4f}", f"[{low:.4f}, {high:.4f}]".replace("[", "\\[", 1))
    console.print(table)
    facts = ", ".join(f"{name.replace('_', ' ')} {value:,}" for name, value in report["data"].items() if isinstance(value, int))
    console.print(f"data: {facts}", highlight=False)
    console.print(f"chosen: {json.dumps(report['chosen'], ensure_ascii=False)}", highlight=False, markup=False)
    seconds = ", ".join(f"{name} {value:.1f}" for name, value in report["seconds"].items())
    console.print(f"seconds: {seconds}; peak memory {report['machine']['peak_memory_mb']:,} MB", highlight=False)


def write(file: Path | None, report: dict[str, Any]) -> None:
    """Write JSON where it was asked for; ``-`` prints it."""
    if file is None:
        return
    text = json.dumps(report, indent=2, ensure_ascii=False) + "\n"
    if str(file) == "-":
        sys.stdout.write(text)
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
