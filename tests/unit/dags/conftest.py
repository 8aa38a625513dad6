"""The DAGs as Airflow's own processor parses them (airflow environment only)."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
DAGS = ROOT / "dags"


@pytest.fixture(scope="session")
def dags(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Every DAG by its id; a file that does not parse fails here with Airflow's own message."""
    home = tmp_path_factory.mktemp("airflow")
    os.environ |= {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
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
