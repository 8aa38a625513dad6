"""``jishi backfill`` runs what the DAG ``daily`` runs, for a range of days, in an order that the DAG allows."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

from ops.backfill import Backfill, backfill_steps

RANGE = Backfill(date(2026, 11, 19), date(2026, 11, 20), ("a",))
SHOP = r"{% for shop in params.shops %}(.*?){{ shop }}{% endfor %}"


def command_of(task: Any, day: date) -> list[str]:
    """A task's command for a day with Airflow's places filled in by hand, without what only a night of its own needs."""
    text = task.bash_command.removeprefix(".venv/bin/python -m ")
    text = (
        re.sub(SHOP, r"\1a", text)
        .replace("$SHOPS", "--shop a")
        .replace(" --at {{ (dag_run.start_date or dag_run.run_after).isoformat() }}", "")
    )
    text = text.replace("{{ dag.dag_id }}.{{ run_id }}@{{ ti.max_tries }}", "R").replace(" --restate", "")
    text = re.sub(r"{{ macros.ds_format\(.*?\) }}", str(day), text)
    words: list[str] = re.sub(r"{{ macros.ds_add\(.*?, 1\) }}", "2026-11-21", text).split()
    return words


def test_the_steps_are_those_of_the_dag_and_days_come_oldest_first(dags: dict[str, Any]) -> None:
    dag = dags["daily"]
    steps = backfill_steps(RANGE, ["a", "b"], 0)
    # A backfill is asked for by a person: alerts of days that are over, events of lineage and a report are left out.
    assert {step.name.partition(" ")[0] for step in steps} == set(dag.task_ids) - {"groups", "alerts", "lineage", "report"}
    for step in steps:
        name, _, day = step.name.partition(" ")
        expected = command_of(dag.get_task(name), date.fromisoformat(day) if day else RANGE.first)
        if name == "silver":
            expected += ["--to", "live-2026-11-20"]
        given = ["R" if word.startswith("backfill.") else word for word in step.arguments]
        assert sorted(given) == sorted(expected), step.name
    names = [step.name for step in steps]
    assert [name for name in names if name.startswith("complete")] == ["complete 2026-11-19", "complete 2026-11-20"]
    place = {name.partition(" ")[0]: number for number, name in enumerate(names)}
    for name in place:
        for upstream in dag.get_task(name).upstream_task_ids & place.keys():
            assert place[upstream] < place[name], (upstream, name)


def test_a_backfill_of_marts_ends_with_them() -> None:
    only = Backfill(RANGE.first, RANGE.last, (), only_marts=True)
    names = {step.name.partition(" ")[0] for step in backfill_steps(only, ["a"], 0)}
    assert names == {"complete", "silver", "decisions", "marts", "reconcile"}
    assert only.run_id != RANGE.run_id
