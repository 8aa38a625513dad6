"""Which Python ``scripts/setup`` takes."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from jishi.settings import PROJECT_ROOT


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "scripts").mkdir()
    shutil.copy(PROJECT_ROOT / "scripts" / "setup", tmp_path / "scripts" / "setup")
    (tmp_path / "bin").mkdir()
    for tool in ("bash", "dirname", "git"):
        (tmp_path / "bin" / tool).symlink_to(str(shutil.which(tool)))
    return tmp_path


def _python(checkout: Path, name: str, before: str = "") -> str:
    """One that does ``before`` first, notes that an environment is made with it, and fails to make it."""
    file = checkout / name
    note = f'[ "$1 $2" = "-m venv" ] && {{ echo {name} >> "{checkout}/made"; exit 1; }}'
    file.write_text(f'#!/bin/bash\n{note}\nexec "{sys.executable}" -c "{before}\n$2"\n')
    file.chmod(0o755)
    return str(file)


def _setup(checkout: Path, *pythons: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": str(checkout / "bin"), "JISHI_PYTHON": " ".join(pythons)}
    command = [str(checkout / "bin" / "bash"), "scripts/setup"]
    return subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, check=False)


def test_a_python_that_can_make_no_environment_is_passed_over_for_one_that_can(checkout: Path) -> None:
    bare = _python(checkout, "bare", "import sys; sys.modules['ensurepip'] = None")  # Debian's without python3-venv
    _setup(checkout, bare, _python(checkout, "whole", "import sys; sys.modules['ensurepip'] = sys"))
    assert (checkout / "made").read_text() == "whole\n"
    alone = _setup(checkout, bare)
    assert alone.returncode == 1
    assert "with venv and pip is missing" in alone.stderr


def test_where_uv_is_there_python_needs_neither(checkout: Path) -> None:
    (checkout / "bin" / "uv").symlink_to("/bin/false")
    bare = _python(checkout, "bare", "import sys; sys.modules['ensurepip'] = None")
    assert "is missing" not in _setup(checkout, bare).stderr
