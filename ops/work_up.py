"""Work up a shop's history at once: the commands of the DAG ``history`` in its order, for who has just imported files.

The steps are those of ``dags/history.py`` (a test compares them), so it does not matter which of both works a shop up. A step
that fails ends the run; what was published before stays, and the DAG or the same command may run again.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING

from jishi.paths import Paths
from jishi.settings import PROJECT_ROOT
from jishi.shop_runs import read_run
from jishi.task_usage import metered

if TYPE_CHECKING:
    from rich.console import Console

NOTHING_TO_DO = 99  # of a step that has no data to work on


class WorkUpFailed(RuntimeError):
    """A step failed; the message names it, its log and what to do."""


@dataclass(frozen=True)
class WorkStep:
    """One command: ``title`` says to people what it does, ``arguments`` come behind ``python -m``."""

    name: str
    title: str
    arguments: list[str]


def work_steps(shop_ids: Sequence[str], run: str, as_of: datetime) -> list[WorkStep]:
    """The steps from landing files to released models; ``run`` names their ledger, features are those known at ``as_of``."""
    shops = [word for shop_id in shop_ids for word in ("--shop", shop_id)]
    ledger = ["--run", run]
    models = ("train", "evaluate", "judge", "gate", "publish")
    before = dict(zip(models, ("silver", *models), strict=False))
    module = {name: ["serving.judge"] if name == "judge" else ["models", name] for name in models}
    return [
        WorkStep("land", "check every line, publish bronze", ["imports", "history", *shops, *ledger]),
        WorkStep(
            "silver",
            "orders, items, visits (silver)",
            ["spark_jobs", "silver", "--batch", "history", *shops, *ledger, "--after", "history"],
        ),
        WorkStep("marts", "the board's numbers (marts)", ["ops.marts", "build"]),
        WorkStep("forecast", "what customers may be worth and channels bring; the next marts show it", ["models.after_marts"]),
        WorkStep(
            "features",
            "features",
            ["feature_repo", "daily", "--as-of", as_of.astimezone(UTC).isoformat(), *shops, *ledger],
        ),
        *(WorkStep(name, f"models: {name}", [*module[name], *shops, *ledger, "--after", before[name]]) for name in models),
    ]


def work_up(paths: Paths, shop_ids: Sequence[str], now: datetime, console: Console) -> None:
    """Run all steps with one line each; their output goes to ``var/log/work-up.log``.

    Steps that had nothing to do for a shop are named with the reason. Raises WorkUpFailed.
    """
    run = f"work-up.{now.astimezone(UTC):%Y-%m-%dT%H%M%S}"
    log = paths.log / "work-up.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    steps = work_steps(shop_ids, run, now)
    with log.open("ab") as out, console.status("") as status:
        for number, step in enumerate(steps, 1):
            began = time.monotonic()
            code = run_step(
                step,
                paths,
                run,
                out.fileno(),
                lambda s, step=step, number=number: status.update(  # type: ignore[misc]
                    f"{number} of {len(steps)}: {step.title} … {s:.0f} s"
                ),
            )
            if code not in (0, NOTHING_TO_DO):
                raise WorkUpFailed(
                    f"{step.title} failed (exit {code}); the import is kept and what was published before, too. "
                    f"Read {log}, then: jishi import history --shop {' --shop '.join(shop_ids)} --work-up"
                )
            mark = "[green]✓[/]" if code == 0 else "[dim]nothing to do:[/]"
            console.print(f"  {mark} {step.title} [dim]{time.monotonic() - began:.0f} s[/]", highlight=False)
    for job, results in read_run(paths, run).items():
        for result in results.values():
            if result.state != "done":
                console.print(f"  {job} of {result.shop_id}: {result.state}; {result.reason}", highlight=False, soft_wrap=True)


def run_step(step: WorkStep, paths: Paths, run_id: str, out: int, show: Callable[[float], None]) -> int:
    """Run a step with its output in the file ``out``; ``show`` gets the seconds meanwhile. Returns its exit code.

    What it uses is noted in the folder of the run.
    """
    with metered(paths, run_id, step.name):
        return _run(step, paths, out, show)


def _run(step: WorkStep, paths: Paths, out: int, show: Callable[[float], None]) -> int:
    environment = os.environ | {"PYTHONPATH": str(PROJECT_ROOT)}
    began, command = time.monotonic(), [str(paths.main_python()), "-P", "-m", *step.arguments]
    process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, cwd=PROJECT_ROOT, env=environment)
    try:
        while process.poll() is None:
            show(time.monotonic() - began)
            time.sleep(0.2)
    except BaseException:
        process.terminate()
        process.wait()
        raise
    return process.returncode


def shops_named(arguments: Sequence[str]) -> list[str]:
    """Shops that a command line names with ``--shop``."""
    named = [after for word, after in pairwise(arguments) if word == "--shop"]
    return [*named, *(word.partition("=")[2] for word in arguments if word.startswith("--shop="))]
