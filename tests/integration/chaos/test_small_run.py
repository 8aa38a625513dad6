"""A short chaos run with chosen faults, as its command: nothing acknowledged is lost, and features are the log's."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from jishi.paths import Paths
from jishi.settings import PROJECT_ROOT, get_settings
from ops.jars import fetch_jars

pytestmark = pytest.mark.integration
STORE = "redis" if shutil.which("redis-server") else "sqlite"
FAULTS = ("stop:flink_jvm:6", "kill:flink_jvm", "damage:wal", f"stop:{STORE}:2", "stop:forwarder:3", "kill:forwarder")


def test_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    fetch_jars(Paths.of(get_settings()))
    of_machine = ["disk_full:collector:3", "clock_ahead:collector:2"] if shutil.which("gcc") or shutil.which("cc") else []
    faults = [*FAULTS, *of_machine]
    command = [sys.executable, "-m", "chaos", "--store", STORE, "--folder", str(tmp_path / "var")]
    for fault in faults:
        command += ["--fault", fault]
    # A lateness of a few seconds, so that a window is due within the test.
    environment = os.environ | {"JISHI_ALLOWED_LATENESS_S": "5"}
    done = subprocess.run(command, cwd=PROJECT_ROOT, env=environment, capture_output=True, text=True, check=False, timeout=400)
    assert done.returncode == 0, done.stdout + done.stderr
    payload = json.loads((tmp_path / "var" / "run" / "chaos" / "result.json").read_text())
    assert [fault["skipped"] for fault in payload["faults"]] == [None] * len(faults)
    assert payload["acknowledged"] > 500
    assert {"good", "late", "future", "invalid", "duplicate"} <= set(payload["outcomes"])
    assert payload["by_view"]["person_3600s_60s"] > 0
    assert payload["by_view"]["person_last_20"] > 0
    submitted = (tmp_path / "var" / "log" / "flink.log").read_text().count(" submitted from ")
    assert submitted == 2, "only the kill needs a new start, not the JVM that hung for some seconds"
    assert all(finding["cases"] for finding in payload["findings"])
