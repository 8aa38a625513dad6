"""A minute of kills, as its command: whoever asks is answered, and nothing acknowledged is lost."""

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


def test_requests_are_answered_while_one_process_after_another_is_killed(tmp_path: Path) -> None:
    fetch_jars(Paths.of(get_settings()))
    command = [sys.executable, "-m", "chaos.kills", "--seconds", "60", "--rate", "60", "--pause", "2"]
    # A slow machine answers late; what counts here is that it answers.
    command += ["--patience", "60", "--folder", str(tmp_path / "var")]
    command += ["--store", "redis" if shutil.which("redis-server") else "sqlite"]
    for target in ("serving_worker", "serving", "collector", "forwarder"):
        command += ["--target", target]
    environment = os.environ | {"JISHI_ALLOWED_LATENESS_S": "5"}
    done = subprocess.run(command, cwd=PROJECT_ROOT, env=environment, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads((tmp_path / "var" / "run" / "chaos" / "result.json").read_text())
    assert result["requests"] > 1_000
    assert result["acknowledged"] > 500
    assert {each["target"] for each in result["kills"]} >= {"serving_worker", "serving", "collector"}
    assert all(finding["cases"] for finding in result["findings"])
