"""Each database forgets its old rows wherever it is: in a file, on a server, written by a part of another image."""

from __future__ import annotations

import sqlite3
import subprocess
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from jishi.settings import Settings
from ops.retention import applying


def platform(folder: Path, *environments: str, **values: str) -> Settings:
    """Settings of a state folder whose environments, besides main's, are only these."""
    for name in environments:
        python = folder / "envs" / name / "bin" / "python"
        python.parent.mkdir(parents=True)
        python.touch()
    (folder / "var").mkdir()
    return Settings(_env_file=None, var=folder / "var", envs=folder / "envs", **values)  # type: ignore[arg-type]


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What is started instead of being run."""
    started: list[list[str]] = []

    def note(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        started.append(command)
        return subprocess.CompletedProcess(command, 0, "done\n", "")

    monkeypatch.setattr(subprocess, "run", note)
    return started


def test_airflow_forgets_its_runs_where_postgresql_has_them(tmp_path: Path, commands: list[list[str]]) -> None:
    settings = platform(tmp_path, "airflow", airflow_database_url="postgresql+psycopg2://jishi@nowhere/airflow")
    applying.retain_rows(settings, print)
    assert [command[3:5] for command in commands] == [["ops.airflow_database", "forget"]]


def test_without_airflow_there_is_nothing_to_forget(tmp_path: Path, commands: list[list[str]]) -> None:
    applying.retain_rows(platform(tmp_path, "airflow"), print)
    assert commands == []


def test_an_image_without_airflow_leaves_its_runs_to_one_that_has_it(tmp_path: Path, commands: list[list[str]]) -> None:
    lines: list[str] = []
    applying.retain_rows(platform(tmp_path, airflow_database_url="postgresql+psycopg2://jishi@nowhere/airflow"), lines.append)
    assert commands == []
    assert lines == [
        "airflow/airflow.db: left to a machine or container with the environment airflow, where the DAG maintenance runs"
    ]


def test_supersets_log_is_forgotten_by_an_image_without_superset(tmp_path: Path) -> None:
    settings, now = platform(tmp_path), datetime.now(UTC)
    database = settings.var / "superset" / "superset.db"
    database.parent.mkdir()
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("create table logs (dttm text)")
        for day in (1, 100):
            connection.execute("insert into logs values (?)", [f"{now - timedelta(days=day):%Y-%m-%d %H:%M:%S.%f}"])
    lines: list[str] = []
    applying.retain_rows(settings, lines.append)
    assert lines == ["superset/superset.db: 1 rows of who looked at what"]
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("select count(*) from logs").fetchone() == (1,)
