"""``jishi import --work-up`` runs what the DAG ``history`` runs: the same commands in an order that the DAG allows."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from ops.work_up import work_steps

NOW = datetime(2026, 11, 20, tzinfo=UTC)


def command_of(task: Any) -> list[str]:
    """A task's command with Airflow's places filled in by hand."""
    text = task.bash_command.removeprefix(".venv/bin/python -m ")
    text = re.sub(r"{% for shop in params.shops %}(.*?){{ shop }}{% endfor %}", r"\1a", text).replace("$SHOPS", "--shop a")
    text = text.replace("{{ dag.dag_id }}.{{ run_id }}@{{ ti.max_tries }}", "R")
    words: list[str] = text.replace("{{ dag_run.run_after.isoformat() }}", NOW.isoformat()).split()
    return words


def test_the_commands_are_those_of_the_dag(dags: dict[str, Any]) -> None:
    dag = dags["history"]
    steps = work_steps(["a"], "R", NOW)
    assert {step.name for step in steps} == set(dag.task_ids) - {"groups", "report"}
    for step in steps:
        assert sorted(step.arguments) == sorted(command_of(dag.get_task(step.name))), step.name
    place = {step.name: number for number, step in enumerate(steps)}
    for name in place:
        for upstream in dag.get_task(name).upstream_task_ids & place.keys():
            assert place[upstream] < place[name], (upstream, name)
