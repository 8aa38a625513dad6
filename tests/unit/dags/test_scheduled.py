"""What Airflow's scheduler starts by itself: nights that were missed, oldest first, each once; and what follows a day."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

NIGHTS = 2


@pytest.fixture(scope="module")
def scheduled(airflow_home: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The runs that a scheduler makes which was off for two nights."""
    output = tmp_path_factory.mktemp("scheduled") / "runs.json"
    last_midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    since = last_midnight - timedelta(days=NIGHTS - 1)
    script = str(Path(__file__).with_name("scheduling.py"))
    environment = airflow_home | {"JISHI_SCHEDULED_SINCE": since.isoformat()}
    done = subprocess.run(
        [sys.executable, script, str(output), "daily", "online_parity", "tables"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-5000:]
    return {"since": since} | json.loads(output.read_text())


def test_a_new_platforms_dags_are_on_and_what_somebody_switched_off_stays_off(scheduled: dict[str, Any]) -> None:
    assert scheduled["begins_off"] == ["hourly"]
    assert {"alerts", "maintenance", "watch", "weekly"} <= set(scheduled["off"]), "the files were read again since"


def test_missed_nights_are_run_each_once_the_oldest_first(scheduled: dict[str, Any]) -> None:
    runs = [run for run in scheduled["runs"] if run[0] == "daily" and run[2] == "scheduled"]
    days = [(scheduled["since"] + timedelta(days=night - 1)).date().isoformat() for night in range(NIGHTS)]
    assert [run[1] for run in runs][:NIGHTS] == days
    assert len(runs) - NIGHTS <= 1, "one more only when the test itself went over midnight"
    assert {run[3] for run in runs} == {"success"}


def test_no_two_days_are_worked_up_at_once(scheduled: dict[str, Any]) -> None:
    assert scheduled["at_once"] == 1


def test_what_follows_a_day_begins_with_it_and_once(scheduled: dict[str, Any]) -> None:
    days = sorted(run[1] for run in scheduled["runs"] if run[0] == "daily")
    for dag_id in ("online_parity", "tables"):
        followed = sorted((run[1], run[2]) for run in scheduled["runs"] if run[0] == dag_id)
        assert followed == [(day, "asset_triggered") for day in days], dag_id


def test_runs_have_deadlines_while_they_run(scheduled: dict[str, Any]) -> None:
    assert scheduled["deadlines"] == ["daily", "online_parity", "tables"]


def test_airflows_own_backfill_runs_the_days_of_a_range_the_oldest_first(scheduled: dict[str, Any]) -> None:
    runs = [(run[1], run[3]) for run in scheduled["runs"] if run[0] == "daily" and run[2] == "backfill"]
    assert runs == [("2026-03-01", "success"), ("2026-03-02", "success")]
