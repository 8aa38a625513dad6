"""Which of the platform's DAGs are off in Airflow. All but ``OFF_AT_FIRST`` begin on; what people switch off stays off."""

from __future__ import annotations

import httpx

from jishi.paths import Paths
from jishi.settings import Settings
from ops.airflow import ADMIN, admin_password_file

OFF_AT_FIRST = {"hourly"}  # a Spark job an hour, which not every platform is worth
TIMEOUT_S = 10


def dags_that_are_off(settings: Settings, paths: Paths) -> list[str]:
    """Ids of the DAGs that somebody has switched off; none while Airflow's server does not answer, which its health says."""
    file = admin_password_file(paths)
    if not file.exists():
        return []
    try:
        with httpx.Client(base_url=settings.airflow_address, timeout=TIMEOUT_S) as airflow:
            login = airflow.post("/auth/token", json={"username": ADMIN, "password": file.read_text(encoding="utf-8").strip()})
            bearer = {"Authorization": f"Bearer {login.raise_for_status().json()['access_token']}"}
            answer = airflow.get("/api/v2/dags", params={"paused": True, "limit": 100}, headers=bearer)
            return sorted({dag["dag_id"] for dag in answer.raise_for_status().json()["dags"]} - OFF_AT_FIRST)
    except httpx.HTTPError:
        return []
