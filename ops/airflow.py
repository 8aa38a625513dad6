"""Airflow's configuration as environment variables, made from settings in one place."""

from __future__ import annotations

import json
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path

from jishi.paths import Paths
from jishi.secret_files import write_once
from jishi.settings import PROJECT_ROOT, Settings
from ops.openlineage import airflow_variables

ADMIN = "admin"


def admin_password_file(paths: Paths) -> Path:
    """Where the password of Airflow's user ``admin`` lies."""
    return paths.airflow / "admin_password"


def write_secrets(paths: Paths) -> None:
    """Make Airflow's keys and the admin's password once, readable by the owner only."""
    for name in ("jwt_secret", "secret_key", "admin_password"):
        write_once(paths.airflow / name, secrets.token_urlsafe(32))
    password = admin_password_file(paths).read_text(encoding="utf-8").strip()
    write_once(paths.airflow / "passwords.json", json.dumps({ADMIN: password}))


def has_secrets(paths: Paths) -> bool:
    """Whether ``write_secrets`` was called, which a platform that was never started has not."""
    return (paths.airflow / "passwords.json").exists()


def _first_night(home: Path) -> datetime:
    """Since when nights are worked up, without a gap: the midnight (UTC) after the platform's first start."""
    first_start = datetime.fromtimestamp((home / "secret_key").stat().st_mtime, UTC)
    return first_start.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)


def airflow_environment(settings: Settings, paths: Paths) -> dict[str, str]:
    """Variables for every Airflow process. ``write_secrets`` first."""
    base = settings.airflow_address
    home = paths.airflow
    return {
        "AIRFLOW_HOME": str(home),
        "JISHI_SCHEDULED_SINCE": _first_night(home).isoformat(),
        "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT_ROOT / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        # At most two steps of a DAG run at once. A task that has ended may hold its worker for 5 s, so there is one more.
        "AIRFLOW__CORE__PARALLELISM": "3",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{base}/execution/",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{ADMIN}:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / "passwords.json"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": settings.airflow_database_url or f"sqlite:///{home / 'airflow.db'}",
        "AIRFLOW__API__BASE_URL": settings.airflow_public_address,
        "AIRFLOW__API__HOST": settings.host,
        "AIRFLOW__API__PORT": str(settings.airflow_port),
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API__SECRET_KEY": (home / "secret_key").read_text(encoding="utf-8").strip(),
        "AIRFLOW__API_AUTH__JWT_SECRET": (home / "jwt_secret").read_text(encoding="utf-8").strip(),
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "10",
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "300",  # a file that changed is read at once all the same
        "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(paths.log / "airflow"),
        "AIRFLOW__LOGGING__JSON_LOGS": "True",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
        "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK": "False",
        **airflow_variables(settings),
    }
