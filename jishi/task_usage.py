"""What a task's processes used: CPU seconds and memory, noted beside the ledgers of its run (``Paths.runs``).

A Java virtual machine outlives the Python process that started it by a moment and is then nobody's child, so its seconds would
be counted nowhere. A metered process therefore adopts orphans of its children (Linux: ``PR_SET_CHILD_SUBREAPER``) and waits for
them for a few seconds; children that it had before are left alone.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from jishi.files import append_line
from jishi.paths import Paths

_PR_SET_CHILD_SUBREAPER = 36
_WAIT_S = 5.0


@dataclass(frozen=True)
class TaskUsage:
    """One attempt of a task: when it ended (UTC), seconds on the clock and of CPU, and the largest process' memory.

    ``part`` numbers the groups of shops of a mapped task from 0 on; -1 where it is not mapped.
    """

    run_id: str
    task: str
    part: int
    ended_at: str
    wall_s: float
    cpu_s: float
    peak_mb: int


@contextmanager
def metered(paths: Paths, run_id: str, task: str, part: int = -1) -> Iterator[None]:
    """Note what the children use that are started, and waited for, in this block; also of a task that fails."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    earlier = _children()
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    try:
        yield
    finally:
        wall_s = time.monotonic() - began
        _wait_for_orphans(earlier)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        ended_at = datetime.now(UTC).isoformat(timespec="seconds")
        usage = TaskUsage(run_id, task, part, ended_at, round(wall_s, 1), round(cpu_s, 1), after.ru_maxrss // 1024)
        append_line(_file(paths, run_id), json.dumps(asdict(usage), ensure_ascii=False))


def usage_on(paths: Paths, day: date) -> list[TaskUsage]:
    """Tasks that ended on the day (UTC), by run and in their order; a line that a crash cut off is left out."""
    usages = []
    for file in sorted(paths.runs.glob("*/usage.txt")):
        for line in file.read_text(encoding="utf-8").splitlines():
            try:
                usage = TaskUsage(**json.loads(line))
            except (json.JSONDecodeError, TypeError):
                continue
            if datetime.fromisoformat(usage.ended_at).date() == day:
                usages.append(usage)
    return usages


def _file(paths: Paths, run_id: str) -> Path:
    return paths.runs / run_id / "usage.txt"  # no job's ledger, which ends in .jsonl


def _children() -> set[int]:
    import psutil  # only a metered process needs it

    return {child.pid for child in psutil.Process().children()}


def _wait_for_orphans(earlier: set[int]) -> None:
    """Collect children that have ended, for a moment also those that are about to, but none of the ``earlier`` ones."""
    until = time.monotonic() + _WAIT_S
    while time.monotonic() < until:
        orphans = _children() - earlier
        if not orphans:
            return
        for pid in orphans:
            with suppress(ChildProcessError):  # somebody else has waited for it
                os.waitpid(pid, os.WNOHANG)
        time.sleep(0.05)
