"""``jishi bench growth``: what a shop of 1, 3 and 10 times as many shoppers costs in each step from landing to training.

One simulated shop in three sizes, each on a platform of its own, by the commands that the DAGs run. What counts of a step are
the CPU seconds of all its processes, which other jobs on the machine change least: ``a + b · events^p``: a start, and
what grows. The three sizes give the exponent p, whatever the start takes. Above 1.15 a step is named; the exit code is then 1.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench import user_path
from bench.measured_command import run_measured
from bench.one_shop import register, settings_of
from jishi.paths import Paths
from jishi.task_usage import metered, usage_on

SHOP = "growing"
SIZES = (1, 3, 10)
MOST = 1.15
FIRST = date(2026, 9, 1)
# What other jobs on the machine do to a step: growth of less is none.
NOISE = 0.1


@dataclass(frozen=True)
class StepCost:
    """What one command took: CPU seconds and seconds on the clock, GB of memory."""

    cpu_s: float
    wall_s: float
    peak_gb: float


@dataclass(frozen=True)
class StepGrowth:
    """A step's costs by size. ``exponent`` is None where what grows is lost in what the start takes."""

    step: str
    costs: tuple[StepCost, ...]
    exponent: float | None

    @property
    def is_too_steep(self) -> bool:
        """Whether it grows faster than events do, by more than measuring errs."""
        return self.exponent is not None and self.exponent > MOST


def steps(days: int) -> dict[str, list[str]]:
    """The commands that are measured, in their order."""
    as_of = f"{FIRST + timedelta(days=days)}T00:00:00Z"
    return {
        "landing": ["imports", "history", "--shop", SHOP],
        "silver": ["spark_jobs", "silver", "--batch", "history", "--shop", SHOP],
        "marts": ["ops.marts", "build", "--whole"],
        "features": ["feature_repo", "daily", "--as-of", as_of, "--shop", SHOP],
        "training": ["models", "train", "--shop", SHOP],
    }


def simulate(var: Path, users: int, days: int) -> int:
    """Register the shop below ``var`` and write its history; how many events it has."""
    register(var, SHOP)
    out = Paths.of(settings_of(var)).history
    sizes = ["--users", str(users), "--days", str(days), "--start", str(FIRST), "--processes", "2"]
    run_measured([sys.executable, "-m", "simulator", "--shop", SHOP, *sizes, "--out", str(out)], var)
    events = 0
    for file in sorted((out / SHOP).rglob("*.jsonl")):
        with file.open("rb") as lines:
            events += sum(1 for _ in lines)
    return events


def cost_of(var: Path, step: str, command: Sequence[str]) -> StepCost:
    """Run one command on the platform below ``var``. Raises RuntimeError with its last lines when it fails."""
    paths = Paths.of(settings_of(var))
    with metered(paths, "growth", step):
        _, peak_gb = run_measured([sys.executable, "-m", *command], var)
    today = datetime.now(UTC).date()
    [usage] = [each for day in (today - timedelta(days=1), today) for each in usage_on(paths, day) if each.task == step]
    return StepCost(usage.cpu_s, usage.wall_s, peak_gb)


def exponent_of(events: Sequence[int], seconds: Sequence[float]) -> float | None:
    """p of ``a + b · events^p`` through three sizes; None where the largest costs hardly more than the smallest.

    The ratio of the two differences, (t2 - t0) / (t1 - t0), has no a and no b in it and rises with p. It is between 0 and 3: 3
    also where the middle size cost less than the smallest, which no p gives.
    """
    smallest, middle, largest = seconds
    if largest - smallest < NOISE * smallest:
        return None
    low, high = 0.0, 3.0
    first, second = (number / events[0] for number in events[1:])
    while high - low > 1e-4:
        p = (low + high) / 2
        if (second**p - 1) * (middle - smallest) < (largest - smallest) * (first**p - 1):
            low = p
        else:
            high = p
    return round(low, 2)


def measure(folder: Path, users: int, days: int, chosen: Sequence[str]) -> tuple[list[int], list[StepGrowth]]:
    """Events of each size, and how each chosen step grows; a platform for each size is written to ``folder``."""
    events: list[int] = []
    costs: dict[str, list[StepCost]] = {}
    for size in SIZES:
        var = folder / f"{size}x"
        var.mkdir(parents=True)
        events.append(simulate(var, users * size, days))
        for step, command in steps(days).items():
            if step in chosen:
                costs.setdefault(step, []).append(cost_of(var, step, command))
    return events, [growth_of(step, events, each) for step, each in costs.items()]


def growth_of(step: str, events: Sequence[int], costs: Sequence[StepCost]) -> StepGrowth:
    """The exponent of what a step cost."""
    return StepGrowth(step, tuple(costs), exponent_of(events, [each.cpu_s for each in costs]))


def shown(events: Sequence[int], growths: Sequence[StepGrowth]) -> Table:
    """A row for each step."""
    sizes = [f"{size}x, {number:,} events: CPU s (s, GB)" for size, number in zip(SIZES, events, strict=True)]
    table = Table("step", *sizes, "exponent", "")
    for each in growths:
        cells = [f"{cost.cpu_s:.1f} ({cost.wall_s:.0f}, {cost.peak_gb:.1f})" for cost in each.costs]
        exponent = "start alone" if each.exponent is None else f"{each.exponent:.2f}"
        table.add_row(each.step, *cells, exponent, f"faster than linear (above {MOST})" if each.is_too_steep else "")
    return table


def as_json(events: Sequence[int], growths: Sequence[StepGrowth]) -> Mapping[str, object]:
    """The same for machines."""
    return {
        "events": list(events),
        "steps": {each.step: {"cpu_s": [cost.cpu_s for cost in each.costs], "exponent": each.exponent} for each in growths},
        "load_average": round(os.getloadavg()[0], 1),
    }


def main() -> int:
    """Measure and print; exit code 1 when a step grows faster than linear."""
    parser = argparse.ArgumentParser(prog="jishi bench growth", description=__doc__)
    parser.add_argument("--users", type=int, default=4_000, help="shoppers of the smallest size")
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--steps", default=",".join(steps(1)), help="comma separated; each needs those before it")
    parser.add_argument("--folder", type=user_path, help="where the platforms are written; temporary if left out")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    asked = chosen.steps.split(",")
    if unknown := set(asked) - steps(1).keys():
        parser.error(f"no step: {', '.join(sorted(unknown))}; there are {', '.join(steps(1))}")
    with tempfile.TemporaryDirectory(prefix="jishi-bench-", dir=chosen.folder) as name:
        events, growths = measure(Path(name), chosen.users, chosen.days, asked)
    if chosen.json:
        print(json.dumps(as_json(events, growths)))
    else:
        Console(width=None if sys.stdout.isatty() else 160).print(shown(events, growths))
    return 1 if any(each.is_too_steep for each in growths) else 0


if __name__ == "__main__":
    sys.exit(main())
