"""The DAGs as Airflow's own processor parses them (airflow environment only)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jishi.paths import Paths
from jishi.settings import PROJECT_ROOT, get_settings
from ops.airflow_database import template_file

ROOT = Path(__file__).resolve().parents[3]
DAGS = ROOT / "dags"


@pytest.fixture(scope="session")
def dags(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Every DAG by its id; a file that does not parse fails here with Airflow's own message."""
    home = tmp_path_factory.mktemp("airflow")
    os.environ |= {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "JISHI_SCHEDULED_SINCE": "2026-11-20T00:00:00+00:00",
        "AIRFLOW__CORE__UNIT_TEST_MODE": "True",
        "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
    }
    from airflow.dag_processing.dagbag import DagBag

    sys.path.insert(0, str(DAGS))
    bag = DagBag(dag_folder=str(DAGS), bundle_path=DAGS)
    assert not bag.import_errors, f"fix what keeps these files from parsing: {bag.import_errors}"
    yield bag.dags
    sys.path.remove(str(DAGS))


@pytest.fixture(scope="module")
def airflow_home(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of an Airflow of its own: the database of a fresh platform, the DAGs of the project."""
    home = tmp_path_factory.mktemp("airflow")
    template = template_file(Paths.of(get_settings()))
    environment = os.environ | {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
        "JISHI_SCHEDULED_SINCE": "2026-11-20T00:00:00+00:00",
        "PYTHONPATH": f"{DAGS}:{PROJECT_ROOT}",
        "JISHI_VAR": str(home / "var"),
    }
    if template.exists():
        shutil.copyfile(template, home / "airflow.db")
    else:
        migrate = [str(Path(sys.executable).with_name("airflow")), "db", "migrate"]
        subprocess.run(migrate, env=environment, check=True, capture_output=True)
    return environment
