"""Start DAG runs through Airflow's REST API and watch their tasks, as a person at the web page would."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ops.demo.options import DemoFailed

PAUSE_S = 2
FINISHED = {"success", "failed", "skipped", "upstream_failed", "removed"}


@dataclass(frozen=True)
class TaskState:
    """A task of a run: its state and the seconds that it ran so far (None before it starts).

    ``map_index`` numbers the group that a mapped task is of; −1 for others.
    """

    task_id: str
    state: str
    seconds: float | None
    map_index: int = -1


class AirflowApi:
    """A client of one Airflow API server."""

    def __init__(self, base_url: str, user: str, password: str) -> None:
        import httpx

        self._http = httpx.Client(base_url=base_url, timeout=60)
        answer = self._http.post("/auth/token", json={"username": user, "password": password})
        answer.raise_for_status()
        self._http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def wait_for_dag(self, dag_id: str, timeout_s: float) -> None:
        """Wait until the DAG is known and switch it on. Raises DemoFailed when it does not appear, with import errors."""
        deadline = time.monotonic() + timeout_s
        while self._http.get(f"/api/v2/dags/{dag_id}").status_code != 200:
            if time.monotonic() > deadline:
                errors = self._http.get("/api/v2/importErrors").json()
                raise DemoFailed(f"Airflow does not know DAG {dag_id!r} after {timeout_s:.0f} s; import errors: {errors}")
            time.sleep(0.5)
        self._call("PATCH", f"/api/v2/dags/{dag_id}", {"is_paused": False})

    def hold(self) -> list[str]:
        """Switch off every DAG that is on, so that none begins by its schedule; returns their ids."""
        held = [str(dag["dag_id"]) for dag in self._call("GET", "/api/v2/dags?paused=false&limit=100")["dags"]]
        for dag_id in held:
            self._call("PATCH", f"/api/v2/dags/{dag_id}", {"is_paused": True})
        return held

    def release(self, dag_ids: list[str]) -> None:
        """Switch on again what ``hold`` has switched off."""
        for dag_id in dag_ids:
            self._call("PATCH", f"/api/v2/dags/{dag_id}", {"is_paused": False})

    def run(self, dag_id: str, conf: dict[str, Any], timeout_s: float, watch: Callable[[list[TaskState]], None]) -> str:
        """Start a run and wait for its end; ``watch`` gets the tasks' states every other second.

        Returns the run's id. Raises DemoFailed when it fails or takes longer.
        """
        created = self._call("POST", f"/api/v2/dags/{dag_id}/dagRuns", {"logical_date": None, "conf": conf})
        run_id = str(created["dag_run_id"])
        deadline = time.monotonic() + timeout_s
        while True:
            tasks = self.tasks(dag_id, run_id)
            watch(tasks)
            # Each question costs the server time that the tasks could use: the run has no end before its tasks have.
            if all(task.state in FINISHED for task in tasks):
                state = self._call("GET", f"/api/v2/dags/{dag_id}/dagRuns/{run_id}")["state"]
                if state == "success":
                    return run_id
                if state == "failed":
                    raise DemoFailed(self._why(dag_id, run_id))
            if time.monotonic() > deadline:
                raise DemoFailed(f"DAG {dag_id} run {run_id} did not end within {timeout_s:.0f} s")
            time.sleep(PAUSE_S)

    def tasks(self, dag_id: str, run_id: str) -> list[TaskState]:
        """States of the run's tasks in the order in which they started, waiting ones last."""
        instances = self._call("GET", f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances")["task_instances"]
        instances.sort(key=lambda task: (task["start_date"] or "9", task["task_id"]))
        return [
            TaskState(task["task_id"], task["state"] or "waiting", task["duration"], task["map_index"]) for task in instances
        ]

    def _why(self, dag_id: str, run_id: str) -> str:
        failed = [task for task in self.tasks(dag_id, run_id) if task.state == "failed"]
        parts = [f"DAG {dag_id} run {run_id} failed in {', '.join(task.task_id for task in failed)}"]
        for task in failed[:1]:
            url = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task.task_id}/logs/1?map_index={task.map_index}"
            answer = self._http.get(url, headers={"Accept": "application/json"})
            content = answer.json().get("content", []) if answer.status_code == 200 else []
            parts += [str(line.get("event", line)) if isinstance(line, dict) else str(line) for line in content[-25:]]
        return "\n".join(parts)

    def _call(self, method: str, url: str, body: dict[str, Any] | None = None) -> Any:
        answer = self._http.request(method, url, json=body)
        if answer.status_code >= 400:
            raise DemoFailed(f"Airflow answered {answer.status_code} to {method} {url}: {answer.text[:500]}")
        return json.loads(answer.text or "null")
