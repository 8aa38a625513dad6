"""Airflow with its metadata in PostgreSQL: its scheduler runs a DAG by itself, and goes on after the server has died.

The parts run as a platform's do, kept up by the supervisor; only the DAG is this test's. Minutes, so ``make survive`` runs it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from pg8000.exceptions import DatabaseError, InterfaceError
from pg8000.native import Connection

from jishi.paths import Paths
from jishi.settings import Settings, get_settings
from ops.airflow_database import POOLS, make_ready
from ops.health import health_of
from ops.parts import all_parts
from ops.ports import free_port
from ops.supervisor import start_part, start_supervisord, states, stop_supervisord, write_configuration
from tests.integration.conftest import Server, new_database
from tests.integration.stream.conftest import wait_until

pytestmark = [pytest.mark.integration, pytest.mark.survive, pytest.mark.timeout(1500)]
HOST = "127.0.0.1"
PARTS = ("airflow-api", "airflow-scheduler", "airflow-dags")
DAG = """
from datetime import UTC, datetime, timedelta
from pathlib import Path

from airflow.sdk import dag, task


@dag(schedule="* * * * *", start_date=datetime(2026, 1, 1, tzinfo=UTC), catchup=False, is_paused_upon_creation=False,
     max_active_runs=1, default_args={"retries": 3, "retry_delay": timedelta(seconds=5)})
def minutely():
    @task(pool="spark")
    def count():
        return 41

    @task
    def note(number, data_interval_end=None):
        with Path(NOTES).open("a") as notes:
            notes.write(f"{data_interval_end} {number + 1}\\n")

    note(count())


minutely()
"""


@dataclass(frozen=True)
class Airflow:
    """Airflow's parts, what their tasks noted, and the database that their metadata lies in."""

    paths: Paths
    notes: Path
    server: Server
    database: str

    def ask(self, sql: str) -> list[list[Any]]:
        with Connection("jishi", host=HOST, port=self.server.port, database=self.database) as connection:
            return [list(row) for row in connection.run(sql)]

    def runs(self) -> list[list[Any]]:
        """Kind and state of each run of the DAG, the oldest first; none while the server is away."""
        with suppress(DatabaseError, InterfaceError):
            return self.ask("select run_type, state from dag_run where dag_id = 'minutely' order by run_after")
        return []

    def wait_for_successes(self, count: int) -> None:
        wait_until(lambda: self.runs().count(["scheduled", "success"]) >= count, self.explained, 600)

    def explained(self) -> str:
        logs = [f"{name}: {(self.paths.log / f'{name}.log').read_text()[-1500:]}" for name in PARTS]
        return "\n".join([str(self.runs()), str(states(self.paths)), *logs])


@pytest.fixture(scope="module")
def airflow(postgres_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Airflow]:
    folder, database = tmp_path_factory.mktemp("airflow"), new_database(postgres_server)
    values = {
        "var": folder / "var",
        "envs": get_settings().envs.absolute(),
        "host": HOST,
        "profile": "cluster",
        "airflow_port": free_port(),
        "airflow_database_url": f"postgresql+psycopg2://jishi@{HOST}:{postgres_server.port}/{database}",
    }
    values["airflow_url"] = f"http://{HOST}:{values['airflow_port']}"
    settings = Settings(_env_file=None, **values)  # type: ignore[arg-type]
    paths = Paths.of(settings)
    assert make_ready(settings, paths).endswith("on its server")
    (folder / "dags").mkdir()
    (folder / "dags" / "minutely.py").write_text(DAG.replace("NOTES", repr(str(folder / "notes"))))
    ours = {"AIRFLOW__CORE__DAGS_FOLDER": str(folder / "dags")}
    parts = {part.name: replace(part, environment=part.environment | ours) for part in all_parts(settings, paths)}
    variables = {f"JISHI_{name.upper()}": str(value) for name, value in values.items()}
    start_supervisord(paths, write_configuration(paths, [parts[name] for name in PARTS], variables))
    try:
        for name in PARTS:
            start_part(paths, name)
        wait_until(
            lambda: all(health_of(parts[name], settings, paths, "RUNNING").is_healthy for name in PARTS),
            lambda: [health_of(parts[name], settings, paths, "RUNNING") for name in PARTS],
        )
        yield Airflow(paths, folder / "notes", postgres_server, database)
    finally:
        stop_supervisord(paths)


def test_a_run_is_scheduled_and_its_metadata_lie_in_postgresql(airflow: Airflow) -> None:
    airflow.wait_for_successes(1)
    tasks = airflow.ask("select task_id, state, pool from task_instance where dag_id = 'minutely' and state = 'success'")
    assert ["count", "success", "spark"] in tasks
    assert ["note", "success", "default_pool"] in tasks
    assert {name for name, _, _ in POOLS} <= {pool for (pool,) in airflow.ask("select pool from slot_pool")}
    assert airflow.ask("select distinct key from xcom where task_id = 'count'") == [["return_value"]]
    assert {line.split()[-1] for line in airflow.notes.read_text().splitlines()} == {"42"}
    assert not (airflow.paths.airflow / "airflow.db").exists()


def test_postgresql_dies_and_the_schedule_goes_on(airflow: Airflow) -> None:
    airflow.wait_for_successes(1)
    before = airflow.runs()
    airflow.server.kill()
    time.sleep(20)
    airflow.server.start()
    wait_until(lambda: airflow.runs()[: len(before)] != [], airflow.explained, 60)
    airflow.wait_for_successes(before.count(["scheduled", "success"]) + 2)
    after = airflow.runs()
    assert {state for _, state in after[:-1]} == {"success"}, "what the death cut short was tried again"
    noted = [line.rsplit(" ", 1)[0] for line in airflow.notes.read_text().splitlines()]
    assert len(set(noted)) >= len(after) - 1
