"""``make survive`` keeps what held for the state of the code: a second run does only the rest."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from jishi.settings import PROJECT_ROOT

PARTS = 13
# Stands for Python: notes how it was called, fails where the file "fails" says so, and writes no page.
PYTHON = """#!/bin/sh
echo "$*" >> calls
! grep -qF -e "$*" fails 2>/dev/null
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository with the script and nothing else."""
    (tmp_path / "scripts").mkdir()
    shutil.copy(PROJECT_ROOT / "scripts" / "survive", tmp_path / "scripts" / "survive")
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(PYTHON)
    python.chmod(0o755)
    (tmp_path / "code.py").write_text("old\n")
    git = ("git", "-c", "user.name=t", "-c", "user.email=t@example.org")
    for command in (("init", "-q"), ("add", "code.py"), ("commit", "-qm", "first")):
        subprocess.run((*git, *command), cwd=tmp_path, check=True)
    return tmp_path


def survive(project: Path, **settings: str) -> list[str]:
    """Run it; what it had Python do, without the page."""
    (project / "calls").unlink(missing_ok=True)
    environment = {name: value for name, value in os.environ.items() if name not in {"POINTS", "ONLY", "DAYS"}}
    subprocess.run(["bash", "scripts/survive"], cwd=project, env=environment | settings, check=False, capture_output=True)
    calls = (project / "calls").read_text().splitlines()
    return [call for call in calls if "crash_report" not in call]


def test_a_second_run_does_what_did_not_hold_and_no_more(project: Path) -> None:
    (project / "fails").write_text("-m chaos.pause --report\n")
    assert len(survive(project)) == PARTS
    assert survive(project) == ["-m chaos.pause --report"]
    (project / "fails").unlink()
    assert survive(project) == ["-m chaos.pause --report"]
    assert survive(project) == []


def test_other_code_or_other_settings_are_run_anew(project: Path) -> None:
    survive(project)
    assert survive(project, DAYS="3") == ["-m bench.backfill_days --days 3"]
    (project / "code.py").write_text("new\n")
    assert len(survive(project)) == PARTS


def test_parts_that_were_not_chosen_are_not_taken_for_held(project: Path) -> None:
    assert survive(project, ONLY="nothing grows") == ["-m chaos.soak --seconds 1200 --report"]
    assert len(survive(project)) == PARTS - 1
