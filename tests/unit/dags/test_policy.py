"""What a reviewer of a DAG would have to repeat, as rules; each failure says what to do."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

DAGS = Path(__file__).resolve().parents[3] / "dags"
FILES = sorted(DAGS.glob("*.py"))
WORKING_UP = ("daily", "history")
KNOWN_DAGS = {*WORKING_UP, "alerts", "hourly", "maintenance", "online_parity", "tables", "watch", "weekly"}
TAGS = {"daily", "history", "hourly", "weekly", "quality", "jishi"}
MODELS = {"evaluate": {"train"}, "judge": {"evaluate"}, "gate": {"judge"}, "publish": {"gate"}}
WHOLE = {"groups": set(), "marts": {"silver"}, "features": {"marts"}, "forecast": {"marts"}, "train": {"silver"}}
WHOLE |= {"report": {"features", "forecast", "publish"}}
AFTER = {  # besides groups, which every mapped task reads
    "daily": {
        "complete": set(),
        "silver": set(),
        **WHOLE,
        "groups": {"complete"},
        **MODELS,
        "decisions": {"silver"},
        "marts": {"decisions"},
        "reconcile": {"silver"},
        "alerts": {"marts"},
        "lineage": {"marts"},
        "report": {"features", "forecast", "alerts", "lineage", "publish", "reconcile"},
    },
    "alerts": {"alerts": set(), "report": {"alerts"}},
    "hourly": {
        **{"complete": set(), "groups": {"complete"}, "compare": {"complete"}, "silver": set(), "marts": {"silver"}},
        **{"report": {"marts", "compare"}},
    },
    "weekly": {
        **{"groups": set(), "digest": set(), "backtest": set(), "drift": set(), "maintain": {"backtest", "drift"}},
        **{"retain": {"maintain"}, "report": {"digest", "retain"}},
    },
    "history": {"land": set(), "silver": {"land"}, **WHOLE, **MODELS},
    "tables": {
        **{"groups": set(), "cooccurrence": set(), "als": {"cooccurrence"}, "candidates": {"als"}, "train": {"candidates"}},
        **{"report": {"publish"}, **MODELS},
    },
}
BY_GROUP = {"silver", "train", "evaluate", "judge", "gate", "publish"}
MAPPED = {
    "alerts": set(),
    "hourly": {"silver"},
    "weekly": {"digest"},
    "daily": BY_GROUP,
    "history": BY_GROUP | {"land"},
    "tables": {"cooccurrence", "als", "candidates", *BY_GROUP} - {"silver"},
}
# A DAG file is read every minute: what it calls at import may only declare.
DECLARING = {
    *(
        "Asset",
        "Param",
        "DAG",
        "CronTriggerTimetable",
        "MeteredBashOperator",
        "timedelta",
        "chain",
        "str",
        "Path",
        "resolve",
        "join",
    ),
    *("CronPartitionTimetable", "CommandSensor", "fromisoformat", "get", "wait_for_day"),
    *(
        "step",
        "model_steps",
        "list_groups",
        "build_silver",
        "build_marts",
        "reconcile_day",
        "join_decisions",
        "serve_features",
        "forecast_customers",
        "check_alerts",
        "send_digests",
        "report",
        "compact_lake",
        "send_lineage",
        "expire_files",
        "measure_drift",
        "backtest_forecasts",
        "compare_online",
        "done_within",
        "PartitionedAssetTimetable",
        "AsyncCallback",
        "DeadlineAlert",
    ),
    *("task_group", "each_group", "expand", "get_task"),
}
ALLOWED_IMPORTS = {"__future__", "airflow", "asyncio", "collections", "datetime", "json", "os", "pathlib", "typing"}
ALLOWED_IMPORTS |= {"callbacks", "metered", "sensors", "steps", "subprocess"}


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
        by_day = type(dag.timetable).__name__ == "CronPartitionTimetable"
        assert dag.catchup == by_day, f"{dag.dag_id}: a DAG of days catches up on those it missed, and no other does"


def test_dags_begin_switched_on(dags: dict[str, Any]) -> None:
    from ops.schedules import OFF_AT_FIRST

    begins_off = {dag_id for dag_id, dag in dags.items() if dag.is_paused_upon_creation is not False}
    assert begins_off == OFF_AT_FIRST, "say is_paused_upon_creation=False, or name it in ops.schedules, and in pipelines.md"


def test_every_task_has_owner_retries_and_an_end(dags: dict[str, Any]) -> None:
    for dag in dags.values():
        for task in dag.tasks:
            name = f"{dag.dag_id}.{task.task_id}"
            assert task.owner == "data-platform", f"{name}: set owner to a team that answers"
            # A report only says what failed before it.
            least = 0 if task.task_id == "report" else 1
            assert task.retries >= least, f"{name}: give it retries; engines fail for reasons that pass"
            assert task.retry_exponential_backoff, f"{name}: let the pauses grow"
            assert task.execution_timeout is not None, f"{name}: set execution_timeout; a hang must end"
            assert task.execution_timeout <= timedelta(hours=1), f"{name}: an hour is too long to notice a hang"


def test_operators_hear_of_every_failure_and_of_runs_that_take_too_long(dags: dict[str, Any]) -> None:
    for dag in dags.values():
        assert dag.deadline, f"{dag.dag_id}: say with deadline=done_within(hours) when it is too late"
        for task in dag.tasks:
            if task.task_id != "report":
                assert task.on_failure_callback, f"{dag.dag_id}.{task.task_id}: make it with steps.step, which tells"


def test_every_task_says_how_to_repair_it(dags: dict[str, Any]) -> None:
    for dag in dags.values():
        for task in dag.tasks:
            assert task.doc_md, f"{dag.dag_id}.{task.task_id}: say what it does and why in doc_md"
            assert "**Repair.**" in task.doc_md, f"{dag.dag_id}.{task.task_id}: say in doc_md what to do when it failed"


def test_each_step_comes_after_what_it_reads(dags: dict[str, Any]) -> None:
    for name, after in AFTER.items():
        assert {task.task_id: task.upstream_task_ids - {"groups"} for task in dags[name].tasks} == after, (
            f"{name}: one task a step, each after what it reads; change AFTER of this test when a step joins"
        )


def test_steps_that_work_shop_by_shop_are_mapped_over_groups(dags: dict[str, Any]) -> None:
    for name, mapped in MAPPED.items():
        for task in dags[name].tasks:
            group = next(iter(task.iter_mapped_task_groups()), None)
            assert (task.task_id in mapped) == (group is not None), f"{name}.{task.task_id}: map it over the groups of shops"
            assert (task.task_id in mapped) == ("$SHOPS" in task.bash_command), (
                f"{name}.{task.task_id}: give it its group's shops"
            )


def test_a_run_ends_with_a_report_that_waits_for_all_and_fails_when_anything_did(dags: dict[str, Any]) -> None:
    for name in AFTER:
        leaves = [task.task_id for task in dags[name].tasks if not task.downstream_task_ids]
        assert leaves == ["report"], (
            f"{name}: let report come after {set(leaves) - {'report'}}, or a failure there stays unseen"
        )
        report = dags[name].get_task("report")
        assert (report.trigger_rule, report.retries) == ("all_done", 0)


def test_a_group_that_failed_leaves_the_other_steps_going(dags: dict[str, Any]) -> None:
    for name in (*WORKING_UP, "hourly"):
        assert dags[name].get_task("marts").trigger_rule == "none_skipped", f"{name}.marts: one group's failure is not its end"
    for name in WORKING_UP:
        for task_id in ("train", "evaluate", "judge", "gate", "publish"):
            assert dags[name].get_task(task_id).trigger_rule == "all_done", (
                f"{name}.{task_id}: go on for the shops that are done"
            )


def test_retries_take_up_failed_shops_only(dags: dict[str, Any]) -> None:
    for name in AFTER:
        for task in dags[name].tasks:
            takes_shops = (
                "dashboard.digest",
                "alerts check",
                "models train",
                "imports history",
                "feature_repo",
                "spark_jobs silver",
            )
            if any(command in task.bash_command for command in takes_shops):
                assert " --run " in task.bash_command, f"{name}.{task.task_id}: add LEDGER, so that a retry knows what is done"


def test_steps_that_share_a_scarce_thing_have_its_pool(dags: dict[str, Any]) -> None:
    for name, dag in dags.items():
        for task in dag.tasks:
            pool = "spark" if " spark_jobs " in task.bash_command else "warehouse" if "ops.marts" in task.bash_command else None
            if pool:
                assert task.pool == pool, f"{name}.{task.task_id}: use the pool {pool}; it has one slot"


def test_every_asset_begins_what_follows_it_and_a_day_is_one_event(dags: dict[str, Any]) -> None:
    outlets = [(asset.uri, dag.dag_id, task) for dag in dags.values() for task in dag.tasks for asset in task.outlets]
    conditions = [dag.timetable.asset_condition for dag in dags.values()]
    begun = {condition.uri for condition in conditions if condition}  # each DAG follows one
    published = {uri for uri, _, _ in outlets}
    assert published == begun, (
        f"{published ^ begun}: let a DAG follow it with PartitionedAssetTimetable, or take the outlet away"
    )
    for uri, dag_id, task in outlets:
        assert next(iter(task.iter_mapped_task_groups()), None) is None, f"{dag_id}.{task.task_id}: {uri} once for each group"
        by_day = type(dags[dag_id].timetable).__name__ == "CronPartitionTimetable"
        assert by_day, f"{dag_id}.{task.task_id}: an asset's event is a day of {uri}, and the runs of this DAG are no days"


def test_a_day_is_named_and_never_read_from_the_clock(dags: dict[str, Any]) -> None:
    for name, first in (("daily", "complete"), ("daily", "silver"), ("online_parity", "compare"), ("weekly", "digest")):
        for task in dags[name].tasks:
            assert "now" not in task.bash_command, f"{name}.{task.task_id}: pass the date; a rerun must work on the same day"
        assert "params.date" in dags[name].get_task(first).bash_command


def _runs_in_tasks(node: ast.AST) -> bool:
    is_callback = isinstance(node, ast.FunctionDef) and node.name.startswith(("notify", "tell_of"))
    return is_callback or isinstance(node, ast.ClassDef | ast.AsyncFunctionDef)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_nothing_runs_at_import(file: Path) -> None:
    tree = ast.parse(file.read_text())
    # Operators and callbacks do their work in tasks.
    in_tasks = {id(part) for each in ast.walk(tree) if _runs_in_tasks(each) for part in ast.walk(each)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            # Every environment has jishi, but reading a DAG file must not wait for it.
            allowed = ALLOWED_IMPORTS | ({"jishi"} if id(node) in in_tasks else set())
            for module in modules:
                assert module.split(".")[0] in allowed, (
                    f"{file.name}:{node.lineno} imports {module}: a DAG submits; move the work into a part's entry point"
                )
        if isinstance(node, ast.Call) and id(node) not in in_tasks:
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "?")
            assert called in DECLARING, (
                f"{file.name}:{node.lineno} calls {called}() when the file is read; do it in a task, or add it to DECLARING "
                "when it only declares"
            )


READ_ALL = """
import importlib, json, sys
from pathlib import Path
import airflow.sdk
before = set(sys.modules)
sys.path.insert(0, sys.argv[1])
for file in sorted(Path(sys.argv[1]).glob("*.py")):
    importlib.import_module(file.stem)
print(json.dumps(sorted(set(sys.modules) - before)))
"""


def test_reading_the_dags_loads_little_besides_airflow(dags: dict[str, Any]) -> None:
    """A count instead of a clock: each of the processor's rounds and each task reads its file, which may cost two seconds."""
    command = [sys.executable, "-c", READ_ALL, str(DAGS)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ | {"PYTHONPATH": ""})
    loaded = json.loads(done.stdout.strip().splitlines()[-1])
    engines = {"duckdb", "jishi", "numpy", "ops", "pandas", "pyarrow", "pyspark", "quality"}
    assert not engines & {name.split(".")[0] for name in loaded}, "let the part's own process load its engine"
    assert len(loaded) < 150, f"{len(loaded)} modules for {len(FILES)} files; import in the task what only a task needs"


def _render(dag: Any, task_id: str, params: dict[str, Any], partition: str | None = None) -> str:
    """The command as the run would call it, rendered by Airflow's own template environment."""
    from airflow.sdk.execution_time import macros

    after, began = datetime(2026, 11, 24, 0, 15, tzinfo=UTC), datetime(2026, 11, 24, 0, 16, tzinfo=UTC)
    run = SimpleNamespace(run_after=after, start_date=began, partition_key=partition)
    instance = SimpleNamespace(max_tries=2, get_ti_count=lambda **asked: len(asked["states"]))
    context = {"params": params, "dag_run": run, "macros": macros, "dag": dag, "run_id": "manual__1+0", "ti": instance}
    return str(dag.get_template_env().from_string(dag.get_task(task_id).bash_command).render(context))


RUN = ".venv/bin/python -m"
EVERY: dict[str, Any] = {"date": None, "shops": []}


def test_a_named_day_is_worked_up(dags: dict[str, Any]) -> None:
    params = {"date": "2026-11-20", "shops": ["a", "b"]}
    assert _render(dags["daily"], "groups", params) == f"{RUN} ops.cli shops groups --shop a --shop b"
    silver = f"{RUN} spark_jobs silver --batch live-2026-11-20 $SHOPS --run daily.manual__1+0@2 --restate"
    assert _render(dags["daily"], "silver", params) == silver
    features = f"{RUN} feature_repo daily --as-of 2026-11-21T00:00:00Z --shop a --shop b --run daily.manual__1+0@2"
    assert _render(dags["daily"], "features", params) == features


def test_without_a_day_it_is_the_day_before_the_run(dags: dict[str, Any]) -> None:
    assert "--batch live-2026-11-23 " in _render(dags["daily"], "silver", EVERY)
    assert "--as-of 2026-11-24T00:00:00Z --run" in _render(dags["daily"], "features", EVERY)


def test_a_partition_is_its_day_however_late_the_run_is(dags: dict[str, Any]) -> None:
    wait = f"{RUN} ops.cli complete --date 2026-11-19 --at 2026-11-24T00:16:00+00:00"
    assert _render(dags["daily"], "complete", EVERY, "2026-11-19") == wait
    assert "--batch live-2026-11-19 " in _render(dags["daily"], "silver", EVERY, "2026-11-19")
    assert "--as-of 2026-11-20T00:00:00Z --run" in _render(dags["daily"], "features", EVERY, "2026-11-19")
    with pytest.raises(ValueError, match="rm -rf"):
        _render(dags["daily"], "silver", EVERY, "2026-11-19; rm -rf x")


def test_without_shops_it_is_every_shop_of_the_registry(dags: dict[str, Any]) -> None:
    assert _render(dags["daily"], "groups", EVERY) == f"{RUN} ops.cli shops groups"
    assert _render(dags["history"], "groups", EVERY) == f"{RUN} ops.cli shops groups --landed"
    assert _render(dags["tables"], "groups", EVERY) == f"{RUN} ops.cli shops groups --models-from tables --size 1"
    for name in AFTER:
        assert dags[name].params["shops"] == [], f"{name}: no shop stands in code"


def test_models_take_up_what_the_step_before_has_done(dags: dict[str, Any]) -> None:
    for name, source in (("daily", " --after silver"), ("history", " --after silver"), ("tables", " --from-tables")):
        ledger = f"$SHOPS --run {name}.manual__1+0@2"
        assert _render(dags[name], "train", EVERY) == f"{RUN} models train {ledger}{source}"
        assert _render(dags[name], "evaluate", EVERY) == f"{RUN} models evaluate {ledger} --after train"
        assert _render(dags[name], "gate", EVERY) == f"{RUN} models gate {ledger} --after judge"
        assert _render(dags[name], "judge", EVERY) == f"{RUN} serving.judge {ledger} --after evaluate"
        assert _render(dags[name], "publish", EVERY) == f"{RUN} models publish {ledger} --after gate"
        assert _render(dags[name], "report", EVERY) == f"{RUN} ops.cli shops report {name}.manual__1+0 --failed-tasks 2"


def test_reads_are_compared_on_a_named_day_or_the_day_before(dags: dict[str, Any]) -> None:
    command = f"{RUN} ops.cli features online-parity --date "
    assert _render(dags["online_parity"], "compare", {"date": "2026-11-20"}) == command + "2026-11-20"
    assert _render(dags["online_parity"], "compare", {"date": None}) == command + "2026-11-23"
    assert _render(dags["online_parity"], "compare", {"date": None}, "2026-11-19") == command + "2026-11-19"


def test_an_hour_is_of_the_day_in_which_its_run_began(dags: dict[str, Any]) -> None:
    at = "--date 2026-11-24 --at 2026-11-24T00:16:00+00:00"
    assert _render(dags["hourly"], "complete", EVERY) == f"{RUN} ops.cli complete {at}"
    assert _render(dags["hourly"], "silver", EVERY) == (
        f"{RUN} spark_jobs silver --batch live-2026-11-24 $SHOPS --run hourly.manual__1+0@2"
    )
    assert _render(dags["hourly"], "compare", EVERY) == f"{RUN} ops.cli features online-parity --date 2026-11-24"


def test_the_watch_tells_operators(dags: dict[str, Any]) -> None:
    assert _render(dags["watch"], "watch", EVERY) == f"{RUN} ops.cli watch --tell"


def test_a_week_is_that_of_the_named_day_or_the_one_before_the_run(dags: dict[str, Any]) -> None:
    command = f"{RUN} dashboard.digest --week {{}} --send $SHOPS --run weekly.manual__1+0@2"
    assert _render(dags["weekly"], "digest", EVERY) == command.format("2026-11-17")
    assert _render(dags["weekly"], "digest", EVERY | {"date": "2026-10-01"}) == command.format("2026-10-01")
    assert _render(dags["weekly"], "drift", EVERY) == f"{RUN} ops.cli drift --date 2026-11-17 --tell"
    for name in ("daily", "alerts"):
        named = _render(dags[name], "alerts", {"date": None, "shops": ["a", "b"]})
        assert named == f"{RUN} dashboard.portal.alerts check --shop a --shop b --run {name}.manual__1+0@2"


def test_tables_are_built_up_to_the_cut_and_of_all_acts_before_a_candidate_is_made_of_them(dags: dict[str, Any]) -> None:
    for task, options in (("cooccurrence", ["--within order ", "--within person "]), ("als", [""]), ("candidates", [""])):
        expected = ["set -e", f"cut=$({RUN} models cut $SHOPS)"]
        expected += [f"{RUN} spark_jobs {task} {window}{each}$SHOPS" for window in ("--before $cut ", "") for each in options]
        assert _render(dags["tables"], task, EVERY).splitlines() == expected


def test_history_lands_before_it_builds(dags: dict[str, Any]) -> None:
    assert _render(dags["history"], "land", EVERY) == f"{RUN} imports history $SHOPS --run history.manual__1+0@2"
    assert _render(dags["history"], "silver", EVERY).endswith("$SHOPS --run history.manual__1+0@2 --after history")
    assert "--as-of 2026-11-24T00:15:00+00:00" in _render(dags["history"], "features", EVERY)


def test_a_shop_id_cannot_carry_a_command(dags: dict[str, Any]) -> None:
    from airflow.sdk.exceptions import ParamValidationError

    for name in (*WORKING_UP, "alerts", "tables", "weekly"):
        with pytest.raises(ParamValidationError):
            dags[name].params.get_param("shops").resolve(["a; rm -rf x"])
    for name in ("daily", "online_parity", "weekly"):
        with pytest.raises(ParamValidationError):
            dags[name].params.get_param("date").resolve("2026-11-20; rm -rf x")
