"""What a reviewer of a DAG would have to repeat, as rules; each failure says what to do."""

from __future__ import annotations

import ast
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

DAGS = Path(__file__).resolve().parents[3] / "dags"
FILES = sorted(DAGS.glob("*.py"))
WORKING_UP = ("daily", "history")
KNOWN_DAGS = {*WORKING_UP, "online_parity", "tables"}
TAGS = {"daily", "history", "quality", "jishi"}
AFTER = {
    **{"land": set(), "silver": {"land"}, "marts": {"silver"}, "features": {"marts"}},
    **{"train": {"silver"}, "evaluate": {"train"}, "gate": {"evaluate"}, "publish": {"gate"}},
}
# A DAG file is read every minute: what it calls at import may only declare.
DECLARING = {
    "Asset",
    "Param",
    "DAG",
    "CronTriggerTimetable",
    "BashOperator",
    "timedelta",
    "chain",
    "step",
    "model_steps",
    "work_up",
}
DECLARING |= {"str", "Path", "resolve"}
ALLOWED_IMPORTS = {"__future__", "airflow", "datetime", "pathlib", "steps", "jishi"}


def test_every_dag_is_listed(dags: dict[str, Any]) -> None:
    assert set(dags) == KNOWN_DAGS, "add the DAG to KNOWN_DAGS of this test and describe it in docs/operations/pipelines.md"


def test_documentation_is_the_files_docstring(dags: dict[str, Any]) -> None:
    for dag in dags.values():
        docstring = ast.get_docstring(ast.parse(Path(dag.fileloc).read_text()), clean=False)
        assert dag.doc_md == docstring, f"{dag.dag_id}: pass doc_md=__doc__, so that the page and the file say the same"
        assert len(dag.doc_md.split()) > 25, f"{dag.dag_id}: say in the docstring what it does, when, and how to repeat a run"


def test_tags_come_from_the_closed_set(dags: dict[str, Any]) -> None:
    for dag in dags.values():
        assert set(dag.tags) <= TAGS, f"{dag.dag_id}: tag {set(dag.tags) - TAGS} is not in TAGS; choose one of {sorted(TAGS)}"
        assert "jishi" in dag.tags, f"{dag.dag_id}: add the tag jishi"


def test_runs_do_not_pile_up(dags: dict[str, Any]) -> None:
    for dag in dags.values():
        assert dag.max_active_runs == 1, f"{dag.dag_id}: set max_active_runs=1; two runs would write the same partitions"
        assert not dag.catchup, f"{dag.dag_id}: set catchup=False; a repair names its date"


def test_every_task_has_owner_retries_and_an_end(dags: dict[str, Any]) -> None:
    for dag in dags.values():
        for task in dag.tasks:
            name = f"{dag.dag_id}.{task.task_id}"
            assert task.owner == "data-platform", f"{name}: set owner to a team that answers"
            assert task.retries >= 1, f"{name}: give it retries; engines fail for reasons that pass"
            assert task.retry_exponential_backoff, f"{name}: let the pauses grow"
            assert task.execution_timeout is not None, f"{name}: set execution_timeout; a hang must end"
            assert task.execution_timeout <= timedelta(hours=1), f"{name}: an hour is too long to notice a hang"


def test_every_task_says_how_to_repair_it(dags: dict[str, Any]) -> None:
    for dag in dags.values():
        for task in dag.tasks:
            assert task.doc_md, f"{dag.dag_id}.{task.task_id}: say what it does and why in doc_md"
            assert "**Repair.**" in task.doc_md, f"{dag.dag_id}.{task.task_id}: say in doc_md what to do when it failed"


def test_steps_run_one_after_the_other(dags: dict[str, Any]) -> None:
    for name in WORKING_UP:
        by_key = {task.task_id: task.upstream_task_ids for task in dags[name].tasks}
        assert by_key == AFTER, f"{name}: one task a step, each after what it reads: {AFTER}"


def test_the_step_that_writes_the_warehouse_has_its_pool(dags: dict[str, Any]) -> None:
    for name in WORKING_UP:
        assert dags[name].get_task("marts").pool == "warehouse", f"{name}.marts: use the pool warehouse; DuckDB has one writer"


def test_published_things_are_assets(dags: dict[str, Any]) -> None:
    publishing = {name: ("land", "silver", "marts", "features", "publish") for name in WORKING_UP}
    for name, task_ids in (publishing | {"online_parity": ("compare",), "tables": ("publish",)}).items():
        for task_id in task_ids:
            assert dags[name].get_task(task_id).outlets, f"{name}.{task_id}: name what it publishes as an outlet"


def test_a_day_is_named_and_never_read_from_the_clock(dags: dict[str, Any]) -> None:
    for name, first in (("daily", "land"), ("online_parity", "compare")):
        for task in dags[name].tasks:
            assert "now" not in task.bash_command, f"{name}.{task.task_id}: pass the date; a rerun must work on the same day"
        assert "params.date" in dags[name].get_task(first).bash_command


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_nothing_runs_at_import(file: Path) -> None:
    tree = ast.parse(file.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            for module in modules:
                assert module.split(".")[0] in ALLOWED_IMPORTS, (
                    f"{file.name}:{node.lineno} imports {module}: a DAG submits; move the work into a part's entry point"
                )
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "?")
            assert called in DECLARING, (
                f"{file.name}:{node.lineno} calls {called}() when the file is read; do it in a task, or add it to DECLARING "
                "when it only declares"
            )


def _render(dag: Any, task_id: str, params: dict[str, Any]) -> str:
    """The command as the run would call it, rendered by Airflow's own template environment."""
    from airflow.sdk.execution_time import macros

    run = SimpleNamespace(run_after=datetime(2026, 11, 24, 0, 15, tzinfo=UTC))
    context = {"params": params, "dag_run": run, "macros": macros}
    return str(dag.get_template_env().from_string(dag.get_task(task_id).bash_command).render(context))


def test_a_named_day_is_worked_up(dags: dict[str, Any]) -> None:
    params = {"date": "2026-11-20", "shops": ["a", "b"]}
    assert _render(dags["daily"], "land", params) == ".venv/bin/python -m imports live --date 2026-11-20"
    assert _render(dags["daily"], "silver", params) == ".venv/bin/python -m spark_jobs silver --batch live-2026-11-20"
    assert "--as-of 2026-11-21T00:00:00Z" in _render(dags["daily"], "features", params)
    assert _render(dags["daily"], "train", params) == ".venv/bin/python -m models train --shop a --shop b"


def test_without_a_day_it_is_the_day_before_the_run(dags: dict[str, Any]) -> None:
    params = {"date": None, "shops": ["a"]}
    assert _render(dags["daily"], "land", params).endswith("--date 2026-11-23")
    assert "--as-of 2026-11-24T00:00:00Z" in _render(dags["daily"], "features", params)


def test_reads_are_compared_on_a_named_day_or_the_day_before(dags: dict[str, Any]) -> None:
    command = ".venv/bin/python -m ops.cli features online-parity --date "
    assert _render(dags["online_parity"], "compare", {"date": "2026-11-20"}) == command + "2026-11-20"
    assert _render(dags["online_parity"], "compare", {"date": None}) == command + "2026-11-23"


def test_tables_are_built_up_to_the_cut_and_of_all_acts_before_a_candidate_is_made_of_them(dags: dict[str, Any]) -> None:
    dag = dags["tables"]
    order = ["cooccurrence", "als", "candidates", "train", "evaluate", "gate", "publish"]
    upstream = {task.task_id: task.upstream_task_ids for task in dag.tasks}
    assert upstream == {name: {before} if before else set() for before, name in zip(["", *order], order, strict=False)}
    params = {"shops": ["a", "b"]}
    run = ".venv/bin/python -m"
    for task, options in (("cooccurrence", ["--within order ", "--within person "]), ("als", [""]), ("candidates", [""])):
        expected = ["set -e"]
        for shop in ("a", "b"):
            expected.append(f"cut=$({run} models cut --shop {shop})")
            for window in ("--before $cut ", ""):
                expected += [f"{run} spark_jobs {task} {window}{option}--shop {shop}" for option in options]
        assert _render(dag, task, params).splitlines() == expected
    assert _render(dag, "train", params) == f"{run} models train --from-tables --shop a --shop b"
    assert dag.schedule is None, "tables: large shops are few and known; whoever runs one names it"


def test_history_names_its_shops(dags: dict[str, Any]) -> None:
    params = {"shops": ["a", "b"]}
    assert _render(dags["history"], "land", params) == ".venv/bin/python -m imports history --shop a --shop b"
    assert "--as-of 2026-11-24T00:15:00+00:00" in _render(dags["history"], "features", params)


def test_a_shop_id_cannot_carry_a_command(dags: dict[str, Any]) -> None:
    from airflow.sdk.exceptions import ParamValidationError

    for name in (*WORKING_UP, "tables"):
        with pytest.raises(ParamValidationError):
            dags[name].params.get_param("shops").resolve(["a; rm -rf x"])
    for name in ("daily", "online_parity"):
        with pytest.raises(ParamValidationError):
            dags[name].params.get_param("date").resolve("2026-11-20; rm -rf x")
