"""Run a command of the platform and measure what it takes."""

from __future__ import annotations

import os
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

import psutil

from jishi.settings import PROJECT_ROOT

DRIVER_MEMORY = "8g"  # of Spark, unless the setting says otherwise


def run_measured(command: list[str], var: Path, fine: Collection[int] = (0,)) -> tuple[list[str], float]:
    """Lines that a command printed, and the most memory that it and its children held, in GB.

    Raises RuntimeError with the last lines when the command ends with another code than the ``fine`` ones.
    """
    environment = {"JISHI_SPARK_DRIVER_MEMORY": DRIVER_MEMORY} | os.environ | {"JISHI_VAR": str(var)}
    with (var / "run.log").open("wb") as log:
        process = psutil.Popen(command, stdout=log, stderr=log, cwd=PROJECT_ROOT, env=environment)
        peak = 0
        while process.poll() is None:
            with suppress(psutil.NoSuchProcess):
                peak = max(peak, sum(p.memory_info().rss for p in (process, *process.children(recursive=True))))
            time.sleep(0.5)
    lines = (var / "run.log").read_text(errors="replace").splitlines()
    if process.returncode not in fine:
        raise RuntimeError("\n".join(lines[-15:]))
    return lines, round(peak / 2**30, 1)
