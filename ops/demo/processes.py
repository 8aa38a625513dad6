"""Run parts as processes: in the foreground with their output, or side by side with one line each."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from jishi.paths import Paths
from jishi.settings import PROJECT_ROOT
from ops.demo.options import DemoFailed


@dataclass(frozen=True)
class DemoJob:
    """A command with a title for people; its output goes to ``log``, secrets come in by its ``environment``."""

    title: str
    command: list[str]
    log: Path
    environment: dict[str, str] = field(default_factory=dict)


def part(paths: Paths, module: str, *arguments: str, group: str = "main") -> list[str]:
    """Command of a part's entry point in its environment."""
    return [str(paths.python(group)), "-m", module, *arguments]


def run_together(jobs: list[DemoJob], console: Console) -> None:
    """Run jobs side by side and tell each end. Raises DemoFailed with the tail of the log of the first that fails."""
    began = time.monotonic()
    running = {job.title: (job, _start(job)) for job in jobs}
    try:
        with console.status("") as status:
            while running:
                status.update(f"{', '.join(running)} … {time.monotonic() - began:.0f} s")
                for title, (job, process) in list(running.items()):
                    if process.poll() is None:
                        continue
                    del running[title]
                    _print_end(job, process, began, console)
                time.sleep(0.2)
    finally:
        for _, process in running.values():
            process.terminate()


def run(title: str, command: list[str], log: Path, console: Console) -> None:
    """Run one job to its end."""
    run_together([DemoJob(title, command, log)], console)


@contextmanager
def beside(job: DemoJob, console: Console) -> Iterator[None]:
    """Run a job beside the body, which then waits for it. Raises DemoFailed when it fails; a body that raises ends it."""
    began, process = time.monotonic(), _start(job)
    try:
        yield
        process.wait()
    finally:
        process.terminate()  # nothing to one that has ended
        process.wait()
    _print_end(job, process, began, console)


def _start(job: DemoJob) -> subprocess.Popen[bytes]:
    job.log.parent.mkdir(parents=True, exist_ok=True)
    with job.log.open("wb") as out:
        environment = os.environ | job.environment
        return subprocess.Popen(job.command, stdout=out, stderr=subprocess.STDOUT, cwd=PROJECT_ROOT, env=environment)


def _print_end(job: DemoJob, process: subprocess.Popen[bytes], began: float, console: Console) -> None:
    if process.returncode != 0:
        raise DemoFailed(f"{job.title} failed (exit {process.returncode}), log {job.log}:\n{tail(job.log)}")
    console.print(f"  [green]✓[/] {job.title} [dim]{time.monotonic() - began:.0f} s[/]")


def tail(log: Path, lines: int = 15) -> str:
    """The last lines of a log."""
    return "\n".join(log.read_text(errors="replace", encoding="utf-8").splitlines()[-lines:])
