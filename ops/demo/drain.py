"""Wait until every acknowledged live event lies in bronze, which the Flink job writes."""

from __future__ import annotations

import json
import subprocess
import time

from rich.console import Console

from jishi.lake.live import LiveTail
from jishi.paths import Paths
from jishi.settings import PROJECT_ROOT, Settings
from ops.demo.options import DemoFailed
from ops.demo.processes import part


def acknowledged(paths: Paths) -> int:
    """Live events that the collector acknowledged so far, all shops, counted from its own disk."""
    done = subprocess.run(
        part(paths, "collector", "accepted", "--json"), capture_output=True, text=True, check=True, cwd=PROJECT_ROOT
    )
    return sum(json.loads(done.stdout).values())


def wait_until_archived(settings: Settings, console: Console, timeout_s: float = 90) -> int:
    """Wait for bronze to hold all that was acknowledged. Returns the count; raises DemoFailed when it does not come."""
    wanted, live = acknowledged(Paths.of(settings)), LiveTail(settings)
    deadline = time.monotonic() + timeout_s
    with console.status("") as status:
        while (present := live.acknowledged_of(wanted)) < wanted:
            status.update(f"bronze holds {present:,} of {wanted:,} acknowledged events")
            if time.monotonic() > deadline:
                raise DemoFailed(
                    f"only {present} of {wanted} acknowledged events reached bronze.events within {timeout_s:.0f} s; "
                    "see jishi status, var/log/forwarder.log and var/log/flink.log"
                )
            time.sleep(0.5)
    return wanted
