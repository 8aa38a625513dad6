"""Jobs of the demo: each end is told, a failure ends the demo with the job's last lines, and nothing is left running."""

from __future__ import annotations

import io
import os
import sys
import time
from pathlib import Path

import psutil
import pytest
from rich.console import Console

from ops.demo.options import DemoFailed
from ops.demo.processes import DemoJob, beside, run_together
from ops.parts import giving_way


def _job(title: str, code: str, folder: Path) -> DemoJob:
    return DemoJob(title, [sys.executable, "-c", code], folder / f"{title}.log")


def _console() -> Console:
    return Console(file=io.StringIO(), width=200)


def _printed(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_job_beside_a_body_is_waited_for(tmp_path: Path) -> None:
    console = _console()
    started, written = tmp_path / "started", tmp_path / "written"
    code = (
        f"import pathlib, time; pathlib.Path({str(started)!r}).touch(); time.sleep(0.5); pathlib.Path({str(written)!r}).touch()"
    )
    with beside(_job("pages", code, tmp_path), console):
        while not started.exists():
            time.sleep(0.01)
        assert not written.exists()
    assert written.exists()
    assert "✓ pages" in _printed(console)


def test_a_job_that_fails_beside_a_body_fails_it_with_its_last_lines(tmp_path: Path) -> None:
    job = _job("pages", "print('no room'); raise SystemExit(3)", tmp_path)
    with pytest.raises(DemoFailed, match=r"pages failed \(exit 3\), log .*pages.log:\nno room"), beside(job, _console()):
        pass


def test_a_body_that_fails_ends_the_job_beside_it(tmp_path: Path) -> None:
    before, started = set(psutil.Process().children()), []

    def body() -> None:
        started.extend(set(psutil.Process().children()) - before)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), beside(_job("pages", "import time; time.sleep(600)", tmp_path), _console()):
        body()
    assert len(started) == 1
    assert not started[0].is_running()


def test_of_jobs_side_by_side_the_one_that_fails_ends_the_others(tmp_path: Path) -> None:
    jobs = [
        _job("long", "import time; time.sleep(600)", tmp_path),
        _job("broken", "raise SystemExit('no such shop')", tmp_path),
    ]
    with pytest.raises(DemoFailed, match=r"broken failed \(exit 1\).*\n.*no such shop"):
        run_together(jobs, _console())


def test_a_job_that_gives_way_runs_at_a_lower_priority(tmp_path: Path) -> None:
    job = _job("history", "import os; print(os.nice(0))", tmp_path)
    run_together([DemoJob(job.title, giving_way(job.command), job.log)], _console())
    assert int(job.log.read_text()) == min(os.nice(0) + 10, 19)
