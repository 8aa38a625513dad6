"""CPU seconds of a task: its child's, those of a process that outlives it, and of a task that fails."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from jishi.files import append_line
from jishi.paths import Paths
from jishi.task_usage import metered, usage_on

# ``burn`` works until it has used so much of a CPU, however long that takes on a busy machine.
BURN = "import time\nwhile time.process_time() < {seconds}: pass"
# In a process of its own, since being told of orphans stays with a process.
METER = """
import subprocess, sys
from pathlib import Path
from jishi.paths import Paths
from jishi.task_usage import metered
with metered(Paths(Path(sys.argv[1]), Path(sys.argv[1])), "daily.run", "silver", 3):
    subprocess.run([sys.executable, "-c", sys.argv[2]], check=True)
"""
LEAVE_BEHIND = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', {burn!r}])"


def usages(folder: Path) -> list[tuple[str, str, int, float]]:
    today, paths = datetime.now(UTC).date(), Paths(folder, folder)
    every = [*usage_on(paths, today - timedelta(days=1)), *usage_on(paths, today)]  # it may be midnight
    return [(usage.run_id, usage.task, usage.part, usage.cpu_s) for usage in every]


@pytest.mark.parametrize("child", [BURN.format(seconds=0.5), LEAVE_BEHIND.format(burn=BURN.format(seconds=0.5))])
def test_what_a_child_or_its_orphan_uses_is_noted(tmp_path: Path, child: str) -> None:
    subprocess.run([sys.executable, "-c", METER, str(tmp_path), child], check=True)
    [(run_id, task, part, cpu_s)] = usages(tmp_path)
    assert (run_id, task, part) == ("daily.run", "silver", 3)
    assert cpu_s >= 0.5


def test_a_task_that_fails_is_noted_and_damaged_lines_are_left_out(tmp_path: Path) -> None:
    paths = Paths(tmp_path, tmp_path)
    with pytest.raises(KeyError), metered(paths, "daily.run", "marts"):
        raise KeyError("x")
    append_line(paths.runs / "daily.run" / "usage.txt", '{"run_id": "dai')
    assert [usage[:3] for usage in usages(tmp_path)] == [("daily.run", "marts", -1)]


def test_children_from_before_keep_their_exit_code_and_are_not_waited_for(tmp_path: Path) -> None:
    meter = """
import subprocess, sys
from pathlib import Path
from jishi.paths import Paths
from jishi.task_usage import metered
slow = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
quick = subprocess.Popen([sys.executable, "-c", "raise SystemExit(7)"])
with metered(Paths(Path(sys.argv[1]), Path(sys.argv[1])), "daily.run", "silver"):
    subprocess.run([sys.executable, "-c", "import time; time.sleep(1)"], check=True)
assert quick.wait() == 7
assert slow.poll() is None
slow.communicate(b"")
"""
    subprocess.run([sys.executable, "-c", meter, str(tmp_path)], check=True)
    assert [usage[:3] for usage in usages(tmp_path)] == [("daily.run", "silver", -1)]
