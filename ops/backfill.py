"""Work up a range of days again: the steps of the DAG ``daily`` for all of them, at once where a step takes them at once.

Silver builds the days from the oldest on in one publish, so that readers have the old tables or the new ones. Each step that is
done is noted; the same backfill that is asked for again goes on after the last one. (A test compares the steps with the DAG's.)
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from jishi.files import append_line
from jishi.paths import Paths
from jishi.shop_runs import read_run
from ops.work_up import NOTHING_TO_DO, WorkStep, run_step

if TYPE_CHECKING:
    from rich.console import Console


class BackfillFailed(RuntimeError):
    """A step failed; the message names it, its log and how to go on."""


@dataclass(frozen=True)
class Backfill:
    """Days from ``first`` to ``last`` (UTC), of ``shop_ids`` (empty: every shop); ``only_marts``: no features, no models."""

    first: date
    last: date
    shop_ids: tuple[str, ...] = ()
    only_marts: bool = False

    @property
    def run_id(self) -> str:
        """Names its ledger: the same for the same backfill."""
        asked = json.dumps([sorted(self.shop_ids), self.only_marts]).encode()
        return f"backfill.{self.first}.{self.last}.{hashlib.sha256(asked).hexdigest()[:8]}"

    @property
    def days(self) -> list[date]:
        """Every day, oldest first."""
        return [self.first + timedelta(days=n) for n in range((self.last - self.first).days + 1)]


def backfill_steps(backfill: Backfill, registered: Sequence[str], series: int) -> list[WorkStep]:
    """The steps in their order; ``registered`` are all shops, for steps that want their shops named."""
    named = [word for shop_id in backfill.shop_ids for word in ("--shop", shop_id)]
    every = [word for shop_id in backfill.shop_ids or registered for word in ("--shop", shop_id)]
    ledger = ["--run", f"{backfill.run_id}@{series}"]
    first, last = f"live-{backfill.first}", f"live-{backfill.last}"
    asked = {day: ["ops.cli", "complete", "--date", str(day)] for day in backfill.days}
    steps = [
        *(WorkStep(f"complete {day}", f"{day}: bronze has it", command) for day, command in asked.items()),
        WorkStep("silver", "the days (silver)", ["spark_jobs", "silver", "--batch", first, "--to", last, *every, *ledger]),
        WorkStep("decisions", "serving's decisions", ["decision_log"]),
        WorkStep("marts", "the boards' numbers (marts)", ["ops.marts", "build"]),
    ]
    if not backfill.only_marts:
        as_of = f"{backfill.last + timedelta(days=1)}T00:00:00Z"
        models = ("train", "evaluate", "judge", "gate", "publish")
        before = dict(zip(models, ("silver", *models), strict=False))
        steps += [
            WorkStep("forecast", "what customers may be worth", ["models.after_marts"]),
            WorkStep("features", "features", ["feature_repo", "daily", "--as-of", as_of, *named, *ledger]),
            *(
                WorkStep(
                    name,
                    f"models: {name}",
                    [*(["serving.judge"] if name == "judge" else ["models", name]), *every, *ledger, "--after", before[name]],
                )
                for name in models
            ),
        ]
    checks = [["ops.cli", "reconcile", "--date", str(day), *named] for day in backfill.days]
    return steps + [WorkStep(f"reconcile {command[3]}", f"{command[3]}: nothing is missing", command) for command in checks]


def run_backfill(paths: Paths, backfill: Backfill, registered: Sequence[str], console: Console) -> None:
    """Run what is left of it, with one line a step. Raises BackfillFailed."""
    series, done = _progress(paths, backfill)
    steps = backfill_steps(backfill, registered, series)
    log, notes = paths.log / "backfill.log", _notes(paths, backfill)
    log.parent.mkdir(parents=True, exist_ok=True)
    if done:
        console.print(f"  goes on after {len(done)} of {len(steps)} steps", highlight=False)
    for number, step in enumerate(steps, 1):
        if step.name in done:
            continue
        began = time.monotonic()
        title = f"{number} of {len(steps)}: {step.title}"
        written = log.stat().st_size if log.exists() else 0
        with log.open("ab") as out, console.status("") as status:
            code = run_step(
                step,
                paths,
                backfill.run_id,
                out.fileno(),
                lambda s, title=title: status.update(f"{title} … {s:.0f} s"),  # type: ignore[misc]
            )
        if code not in (0, NOTHING_TO_DO):
            failed = _failures(paths, backfill, step.name) or _last_line(log, written)
            raise BackfillFailed(
                f"{title}: failed (exit {code}){failed}; what was published before stays. Read {log}, mend it, and run the "
                "same command again: it goes on from here"
            )
        append_line(notes, json.dumps({"series": series, "step": step.name}))
        console.print(f"  [green]✓[/] {title} [dim]{time.monotonic() - began:.0f} s[/]", highlight=False)
    append_line(notes, json.dumps({"series": series, "step": None}))


def _failures(paths: Paths, backfill: Backfill, step: str) -> str:
    results = read_run(paths, backfill.run_id).get(step, {})
    return "".join(f"; {result.shop_id}: {result.reason}" for result in results.values() if result.is_failed)


def _last_line(log: Path, start: int) -> str:
    """The last line that the step wrote, from byte ``start`` on: of most failures it names the reason."""
    lines = log.read_bytes()[start:].decode("utf-8", errors="replace").split("\n")
    return next((f"; {line.strip()}" for line in reversed(lines) if line.strip()), "")


def _notes(paths: Paths, backfill: Backfill) -> Path:
    return paths.runs / backfill.run_id / "steps.txt"  # no job's ledger, which ends in .jsonl


def _progress(paths: Paths, backfill: Backfill) -> tuple[int, set[str]]:
    """The series of this attempt, and the steps that an earlier attempt of it has done; after an end a new series begins."""
    file = _notes(paths, backfill)
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []
    ends = sum(line["step"] is None for line in lines)
    return ends, {line["step"] for line in lines if line["series"] == ends}
