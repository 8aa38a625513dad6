"""A bench runs in the user's folder, so that paths among its arguments mean what the user meant."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bench import user_path


def test_a_path_is_the_users_whatever_folder_later_processes_run_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = user_path("logs")
    monkeypatch.chdir("/")
    assert path == tmp_path / "logs"


def test_jishi_bench_finds_its_bench_from_any_folder(tmp_path: Path) -> None:
    command = [str(Path(sys.executable).parent / "jishi"), "bench", "ingest", "--help"]
    completed = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert "jishi bench ingest" in completed.stdout
