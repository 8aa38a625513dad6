"""A run whose time is over ends in order: what has not begun is left out, named and counted, and all else counts."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from jishi.settings import PROJECT_ROOT

TARGET = "tests/contracts/test_links.py"


@pytest.mark.parametrize(("seconds", "left_out"), [(-1, True), (3600, False)])
def test_what_has_not_begun_in_time_is_left_out_and_named(seconds: int, left_out: bool) -> None:
    environment = os.environ | {"JISHI_TESTS_UNTIL": f"{time.time() + seconds}", "CI": "true"}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", TARGET]
    done = subprocess.run(command, cwd=PROJECT_ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert ("left out: 1 tests" in done.stdout.splitlines()) == left_out
    assert (" 1 passed in" in done.stdout) != left_out
    assert (f"{TARGET}::" in done.stdout) == left_out
