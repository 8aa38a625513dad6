"""Runs of the DAGs as Airflow resolves them: mapped over groups, going on past a failed one, and red at the end for it.

The parts are replaced by a script in the place of their interpreter, which notes each call and ends as the test asks; what is
tested is Airflow's part: which commands it calls, for which shops, after which failures.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest

from jishi.settings import PROJECT_ROOT

INTERPRETER = """#!{python}
import json, os, pathlib, sys
root = pathlib.Path({root!r})
plan = json.loads((root / "plan.json").read_text())
command, shops = sys.argv[2:], [word for word in os.environ.get("SHOPS", "").split() if word != "--shop"]
with (root / "calls.jsonl").open("a") as calls:
    calls.write(json.dumps([command, shops]) + "\\n")
if command[:3] == ["ops.cli", "shops", "groups"]:
    groups = [(group[0], " ".join("--shop " + shop for shop in group)) for group in plan["groups"]]
    print(json.dumps([{{"SHOPS": shops, "GROUP": name}} for name, shops in groups]))
if command[:2] == ["ops.cli", "complete"]:
    answers = plan["complete"]
    (root / "plan.json").write_text(json.dumps(plan | {{"complete": answers[1:] or answers}}))
    print("partition 2 of the log: bronze lacks events from offset 7 on" if answers[0] else "bronze has all of it")
    sys.exit(answers[0])
if command[:3] == ["ops.cli", "shops", "report"]:
    sys.exit(1 if command[-1] != "0" else 0)
for name, shop, code in plan["ends"]:
    if name in " ".join(command) and shop in shops:
        sys.exit(code)
"""
RUN = """
import json, pathlib, sys
from datetime import timedelta
from airflow.dag_processing.dagbag import DagBag
project, scenarios = pathlib.Path(sys.argv[1]), json.loads(sys.argv[2])
bag = DagBag(dag_folder=str(project / "dags"), bundle_path=project / "dags")
assert not bag.import_errors, bag.import_errors
for name, (dag_id, groups, ends, *complete) in scenarios.items():
    (project / "plan.json").write_text(json.dumps({"groups": groups, "ends": ends, "complete": complete or [0]}))
    calls = project / "calls.jsonl"
    calls.unlink(missing_ok=True)
    dag = bag.dags[dag_id]
    dag.deadline = []  # of a DAG that is not synced to the database dag.test cannot forget them; test_scheduled has them
    for task in dag.tasks:
        task.retries = 0  # a pause is not what is tested
        if task.task_id == "complete":
            task.pause_s, task.at_most = 0.1, timedelta(seconds=0 if name == "behind" else 60)
    run = dag.test(run_conf={"date": "2026-11-20"} if dag_id == "daily" else {})
    states = {}
    for instance in run.get_task_instances():
        states.setdefault(instance.task_id, []).append((instance.map_index, str(instance.state)))
    result = [str(run.state), states, [json.loads(line) for line in calls.read_text().splitlines()]]
    (project / f"{name}.json").write_text(json.dumps(result))
"""
# DAG, groups of shops, and how commands end: a part of the command, a shop of its group, the exit code. Then how
# `jishi complete` ends each time that it is asked (0 if not said).
SCENARIOS = {
    "failures": ("daily", [["a", "b"], ["c"], ["d"]], [("spark_jobs silver", "b", 3), ("models gate", "c", 3)]),
    "no silver": ("daily", [["a"], ["b"]], [("spark_jobs silver", "a", 1), ("spark_jobs silver", "b", 1)]),
    "success": ("history", [["a"], ["b"]], []),
    "no shops": ("daily", [], []),
    "delayed": ("daily", [["a"]], [], 1, 3, 1, 0),
    "behind": ("daily", [["a"]], [], 1),
    "large shops": ("tables", [["new"], ["large"]], [("models cut", "new", 99)]),
}
Run = tuple[str, dict[str, dict[int, str]], list[tuple[str, list[str]]]]


@pytest.fixture(scope="module")
def runs(airflow_home: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """Each scenario, run: the run's state, states of tasks by map index, and the commands with their shops in their order."""
    folder = tmp_path_factory.mktemp("airflow")
    project = folder / "project"
    shutil.copytree(PROJECT_ROOT / "dags", project / "dags", ignore=shutil.ignore_patterns("__pycache__"))
    interpreter = project / ".venv" / "bin" / "python"
    interpreter.parent.mkdir(parents=True)
    interpreter.write_text(INTERPRETER.format(python=sys.executable, root=str(project)))
    interpreter.chmod(0o755)
    dags = str(project / "dags")
    environment = airflow_home | {"AIRFLOW__CORE__DAGS_FOLDER": dags, "PYTHONPATH": f"{dags}:{PROJECT_ROOT}"}
    command = [sys.executable, "-c", RUN, str(project), json.dumps(SCENARIOS)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-5000:]
    results = {}
    for name in SCENARIOS:
        state, states, calls = json.loads((project / f"{name}.json").read_text())
        by_task = {task: {index: state for index, state in instances} for task, instances in states.items()}
        results[name] = (state, by_task, [(" ".join(command), shops) for command, shops in calls])
    return results


def shops_of(calls: list[tuple[str, list[str]]], command: str) -> list[list[str]]:
    return sorted(shops for called, shops in calls if called.startswith(command))


def test_a_failed_group_leaves_the_others_going_and_the_run_is_red(runs: dict[str, Run]) -> None:
    state, states, calls = runs["failures"]
    assert states["silver"] == {0: "failed", 1: "success", 2: "success"}
    assert shops_of(calls, "spark_jobs silver --batch live-2026-11-20") == [["a", "b"], ["c"], ["d"]]
    for step in ("train", "evaluate", "judge", "gate", "publish"):
        assert states[step] == {0: "success", 1: "failed" if step == "gate" else "success", 2: "success"}
        command = "serving.judge" if step == "judge" else f"models {step}"
        assert shops_of(calls, command) == [["a", "b"], ["c"], ["d"]]
    assert [command for command, _ in calls if command.startswith("ops.marts")] == ["ops.marts build"]
    assert states["features"] == {-1: "success"}
    assert states["report"] == {-1: "failed"}
    assert state == "failed"
    assert calls[-1][0].endswith("--failed-tasks 2")


def test_without_any_new_silver_the_run_goes_to_its_report_and_is_red(runs: dict[str, Run]) -> None:
    """``ops.marts build`` itself sees that nothing was published; ``train --after silver`` finds no shop."""
    state, states, calls = runs["no silver"]
    assert states["silver"] == {0: "failed", 1: "failed"}
    assert states["marts"] == states["features"] == {-1: "success"}
    assert all("--after silver" in command for command, _ in calls if command.startswith("models train"))
    assert (states["report"], state) == ({-1: "failed"}, "failed")


def test_a_run_in_which_nothing_failed_is_green(runs: dict[str, Run]) -> None:
    state, states, calls = runs["success"]
    assert {each for of_task in states.values() for each in of_task.values()} == {"success"}
    assert state == "success"
    assert shops_of(calls, "imports history --shop") == [["a"], ["b"]]
    assert calls[-1][0].endswith("--failed-tasks 0")


def test_a_platform_without_shops_is_fine(runs: dict[str, Run]) -> None:
    state, states, calls = runs["no shops"]
    assert state == "success"
    assert [command for command, _ in calls if command.startswith(("spark_jobs", "models", "ops.marts", "feature_repo"))] == []
    assert states["marts"] == {-1: "skipped"}


def test_a_large_shop_with_too_little_for_a_cut_is_skipped_and_the_other_goes_on(runs: dict[str, Run]) -> None:
    state, states, calls = runs["large shops"]
    assert states["cooccurrence"] == states["train"] == states["publish"] == {0: "skipped", 1: "success"}
    assert shops_of(calls, "models train") == [["large"]]
    assert len(shops_of(calls, "spark_jobs")) == 8
    assert state == "success"


def test_a_lagging_stream_delays_the_day(runs: dict[str, Run]) -> None:
    state, states, calls = runs["delayed"]
    asked = [command for command, _ in calls if command.startswith("ops.cli complete")]
    assert len(asked) == 4
    assert set(asked) == {asked[0]}
    assert asked[0].startswith("ops.cli complete --date 2026-11-20 --at ")
    assert [command for command, _ in calls][4].startswith("ops.cli shops groups")
    assert state == "success"
    assert states["complete"] == {-1: "success"}


def test_a_day_that_does_not_come_fails_and_nothing_of_it_is_built(runs: dict[str, Run]) -> None:
    """Marts and features find the silver of the day before, which is built already."""
    state, states, calls = runs["behind"]
    assert (state, states["complete"], states["groups"]) == ("failed", {-1: "failed"}, {-1: "upstream_failed"})
    [sent] = [command for command, _ in calls if command.startswith("dashboard.operators --subject daily.complete ")]
    assert "complete failed" in sent
    assert [
        command for command, _ in calls if command.startswith(("spark_jobs", "models ", "serving", "ops.cli shops groups"))
    ] == []
