"""``jishi bench train``: a large shop from its published tables to a release, step by step as the nightly pipeline does it.

A made shop of a million items, a million persons and twenty million acts is published as silver (not counted); counted are the
pipeline's own commands, a process each: train, evaluate, judge, gate and publish. ``--items 20000`` makes a small shop of the
same proportions.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench import user_path
from bench.large_silver import SHOP, make_large_shop
from bench.measured_command import run_measured
from bench.one_shop import settings_of
from jishi.paths import Paths
from models.release.registry import current_version

ACTS_A_PERSON = 20
FLOOR_MINUTES, FLOOR_GB, GOAL_MINUTES = 60.0, 16.0, 25.0
LAST_DAY = date(2026, 11, 30)
STEPS: dict[str, list[str]] = {name: ["models", name] for name in ("train", "evaluate", "gate", "publish")}
STEPS = {name: STEPS.get(name, ["serving.judge"]) for name in ("train", "evaluate", "judge", "gate", "publish")}


@dataclass(frozen=True)
class StepRun:
    """What a command of the pipeline took, and what it said last; memory is the most that it held at once, GiB."""

    name: str
    seconds: float
    peak_gb: float
    sentence: str


def run_step(var: Path, name: str) -> StepRun:
    """Run one step of the shop. Raises RuntimeError where it fails."""
    began = time.monotonic()
    lines, peak = run_measured([sys.executable, "-m", *STEPS[name], "--shop", SHOP], var)
    step = StepRun(name, round(time.monotonic() - began, 1), peak, lines[-1] if lines else "")
    print(json.dumps(asdict(step), ensure_ascii=False), file=sys.stderr, flush=True)
    return step


def run_steps(var: Path) -> list[StepRun]:
    """All steps in order. Raises RuntimeError where one fails or leaves no release."""
    steps = [run_step(var, name) for name in STEPS]
    if current_version(Paths.of(settings_of(var)).models, SHOP) is None:
        raise RuntimeError(f"no release was published: {steps[-1].sentence}")
    return steps


def main() -> int:
    """Measure and print; exit with 1 above the floor."""
    parser = argparse.ArgumentParser(prog="jishi bench train", description=__doc__)
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--persons", type=int, help="as many as items if left out")
    parser.add_argument("--acts", type=int, help=f"{ACTS_A_PERSON} a person if left out")
    parser.add_argument("--folder", type=user_path, help="where the lake is written; a temporary folder if left out")
    chosen = parser.parse_args()
    persons = chosen.persons or chosen.items
    acts = chosen.acts or persons * ACTS_A_PERSON
    with tempfile.TemporaryDirectory(prefix="jishi-bench-", dir=chosen.folder) as name:
        began = time.monotonic()
        make_large_shop(Path(name), chosen.items, persons, acts, LAST_DAY)
        print(f"made in {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
        steps = run_steps(Path(name))
    table = Table("step", "seconds", "peak GiB", title=f"{chosen.items:,} items, {persons:,} persons, {acts:,} acts")
    for step in steps:
        table.add_row(step.name, f"{step.seconds:,}", f"{step.peak_gb:,}")
    minutes, peak = sum(step.seconds for step in steps) / 60, max(step.peak_gb for step in steps)
    console = Console(width=None if sys.stdout.isatty() else 120)
    console.print(table)
    console.print(f"{minutes:.1f} min, {peak:.1f} GiB; load average {os.getloadavg()[0]:.1f}", highlight=False)
    console.print(f"floor {FLOOR_MINUTES:g} min and {FLOOR_GB:g} GB, goal {GOAL_MINUTES:g} min", highlight=False)
    return 0 if minutes <= FLOOR_MINUTES and peak <= FLOOR_GB else 1


if __name__ == "__main__":
    sys.exit(main())
