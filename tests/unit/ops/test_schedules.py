"""DAGs that somebody has switched off are named with what to do, and the demo gives those back that it held."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlparse

import pytest

from jishi.paths import Paths
from jishi.settings import PROJECT_ROOT, Settings
from ops import doctor
from ops.ailments import ailments
from ops.airflow import admin_password_file, write_secrets
from ops.demo.airflow_api import AirflowApi
from tests.lake import settings_in


class DagSwitchboard(ThreadingHTTPServer):
    """Airflow's answers about its DAGs; ``paused`` has each, and whether it is off."""

    def __init__(self, password: str) -> None:
        super().__init__(("127.0.0.1", 0), DagAnswers)
        self.password = password
        self.paused = {"daily": True, "watch": False, "hourly": True}
        threading.Thread(target=self.serve_forever, daemon=True).start()


class DagAnswers(BaseHTTPRequestHandler):
    """The three questions that are asked."""

    server: DagSwitchboard

    def _body(self) -> Any:
        return json.loads(self.rfile.read(int(self.headers["Content-Length"])))

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def do_POST(self) -> None:
        is_admin = self._body() == {"username": "admin", "password": self.server.password}
        self._answer(201 if is_admin else 401, {"access_token": "token"})

    def do_GET(self) -> None:
        asked = parse_qs(urlparse(self.path).query)["paused"][0].lower() == "true"
        dags = [{"dag_id": dag_id} for dag_id, is_paused in self.server.paused.items() if is_paused == asked]
        self._answer(200 if self.headers["Authorization"] == "Bearer token" else 401, {"dags": dags})

    def do_PATCH(self) -> None:
        self.server.paused[self.path.rsplit("/", 1)[1]] = self._body()["is_paused"]
        self._answer(200, {})

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def airflow(tmp_path: Path) -> Iterator[tuple[Settings, DagSwitchboard]]:
    settings = settings_in(tmp_path)
    write_secrets(Paths.of(settings))
    server = DagSwitchboard(admin_password_file(Paths.of(settings)).read_text().strip())
    yield settings.model_copy(update={"airflow_url": f"http://127.0.0.1:{server.server_port}"}), server
    server.shutdown()


def test_a_dag_that_is_off_is_named_and_one_that_is_off_at_first_is_not(airflow: tuple[Settings, DagSwitchboard]) -> None:
    settings, server = airflow
    [ailment] = ailments(settings, datetime.now(UTC))
    assert ailment.runbook == "dag-off"
    assert re.search(rf"the DAG daily is off.*{settings.airflow_url}/dags/daily", ailment.says), ailment.says
    assert "## dag-off\n" in (PROJECT_ROOT / doctor.RUNBOOKS).read_text()
    server.paused["daily"] = False
    assert ailments(settings, datetime.now(UTC)) == []


def test_an_airflow_that_does_not_answer_or_is_somebody_elses_is_no_finding(airflow: tuple[Settings, DagSwitchboard]) -> None:
    settings, server = airflow
    server.password = "another"
    assert ailments(settings, datetime.now(UTC)) == []
    nowhere = settings.model_copy(update={"airflow_url": "http://127.0.0.1:9"})
    assert ailments(nowhere, datetime.now(UTC)) == []


def test_what_the_demo_holds_is_given_back_and_nothing_else(airflow: tuple[Settings, DagSwitchboard]) -> None:
    settings, server = airflow
    before, api = dict(server.paused), AirflowApi(settings.airflow_url, "admin", server.password)
    held = api.hold()
    assert set(server.paused.values()) == {True}
    api.release(held)
    assert server.paused == before
