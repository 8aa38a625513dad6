"""Wait until every acknowledged live event lies in the bronze archive that the Flink job writes."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

from rich.console import Console

from jishi.paths import Paths
from jishi.settings import PROJECT_ROOT
from ops.demo.options import DemoFailed
from ops.demo.processes import part


def acknowledged(paths: Paths) -> int:
    """Live events that the collector acknowledged so far, all shops, counted from its own disk."""
    done = subprocess.run(
        part(paths, "collector", "accepted", "--json"), capture_output=True, text=True, check=True, cwd=PROJECT_ROOT
    )
    return sum(json.loads(done.stdout).values())


def archived(live: Path) -> int:
    """Distinct acknowledgements in the committed files of the archive."""
    seen: set[tuple[str, int]] = set()
    for file in live.rglob("*"):
        if not file.is_file() or any(part.startswith((".", "_")) for part in file.relative_to(live).parts):
            continue
        with file.open(encoding="utf-8") as lines:
            for line in lines:
                record = json.loads(line)
                seen.add((record["collector_id"], record["seq"]))
    return len(seen)


def wait_until_archived(paths: Paths, console: Console, timeout_s: float = 90) -> int:
    """Wait for the archive to hold all that was acknowledged. Returns the count; raises DemoFailed when it does not come."""
    wanted = acknowledged(paths)
    deadline = time.monotonic() + timeout_s
    with console.status("") as status:
        while (count := archived(paths.live)) < wanted:
            status.update(f"archive holds {count:,} of {wanted:,} acknowledged events")
            if time.monotonic() > deadline:
                raise DemoFailed(
                    f"only {count} of {wanted} acknowledged events reached {paths.live} within {timeout_s:.0f} s; "
                    "see jishi status, var/log/forwarder.log and var/log/flink.log"
                )
            time.sleep(0.5)
    return wanted
