"""What was accepted and kept out of a shop's numbers, as ``jishi quarantine list`` says it, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from typing import Any

from dashboard.portal.published_marts import TooSlow
from jishi.paths import Paths
from jishi.settings import PROJECT_ROOT, Settings

MOST_ROWS = 200
_LONGEST_S = 60
_AT_ONCE = 2  # each takes the memory of a process


class Quarantine:
    """The newest rejected events of one shop at a time."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._places = threading.BoundedSemaphore(_AT_ONCE)

    def rows(self, shop_id: str) -> list[dict[str, Any]]:
        """At most ``MOST_ROWS`` of a shop, newest first. Raises TooSlow, and CalledProcessError for a fault of the platform."""
        settings = self._settings
        command = [str(Paths.main_python()), "-P", "-m", "ops.cli", "quarantine", "list", f"--shop={shop_id}", "--json"]
        variables = {"JISHI_VAR": str(settings.var), "JISHI_ENVS": str(settings.envs), "PYTHONPATH": str(PROJECT_ROOT)}
        with self._places:
            try:
                done = subprocess.run(
                    [*command, f"--limit={MOST_ROWS}"],
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    timeout=_LONGEST_S,
                    check=True,
                    cwd=PROJECT_ROOT,
                    env=os.environ | variables,
                )
            except subprocess.TimeoutExpired:
                raise TooSlow("jishi quarantine list") from None
        return [row for row in json.loads(done.stdout) if row["shop_id"] == shop_id]
