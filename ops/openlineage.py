"""Where OpenLineage events of what runs go: into files, or to any URL that takes them (``JISHI_OPENLINEAGE``).

Airflow's own provider sends those of tasks (``airflow_variables``), dbt's own wrapper those of builds (``ops.dbt_events``).
"""

from __future__ import annotations

import json
from typing import Any

from jishi.paths import Paths
from jishi.settings import Settings

NAMESPACE = "jishi"
FILES = "file"


def transport(settings: Settings, part: str) -> dict[str, Any] | None:
    """Where a part's events go, as OpenLineage's clients configure it; None: nowhere."""
    if not settings.openlineage:
        return None
    if settings.openlineage == FILES:
        file = Paths.of(settings).log / "openlineage" / f"{part}.jsonl"
        file.parent.mkdir(parents=True, exist_ok=True)
        return {"type": "file", "log_file_path": str(file), "append": True}
    return {"type": "http", "url": settings.openlineage}


def airflow_variables(settings: Settings) -> dict[str, str]:
    """Configuration of Airflow's provider."""
    target = transport(settings, "airflow")
    if target is None:
        return {"AIRFLOW__OPENLINEAGE__DISABLED": "True"}
    return {"AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(target), "AIRFLOW__OPENLINEAGE__NAMESPACE": NAMESPACE}
