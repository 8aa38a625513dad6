"""A command whose CPU seconds are noted in its run's folder, where ``jishi report`` reads them."""

from __future__ import annotations

from typing import Any

from airflow.providers.standard.operators.bash import BashOperator


class MeteredBashOperator(BashOperator):  # type: ignore[misc]
    """Runs as ``BashOperator`` does; what it used goes to the folder of the run's ledgers, failed or not."""

    def execute(self, context: Any) -> Any:
        """Run the command and note what it used."""
        from jishi.paths import Paths
        from jishi.settings import get_settings
        from jishi.task_usage import metered

        ti = context["ti"]
        with metered(Paths.of(get_settings()), f"{ti.dag_id}.{ti.run_id}", ti.task_id, ti.map_index):
            return super().execute(context)
