"""What a day of a thousand small shops costs: tasks and JVMs, counted from the DAG and the groups that a run would get."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

import pytest

from jishi.settings import PROJECT_ROOT
from jishi.shops import Shop, Shops

SHOPS = 1000


@pytest.fixture(scope="module")
def groups(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, str]]:
    """What the task ``groups`` prints for a thousand registered shops, run as Airflow runs it."""
    var = tmp_path_factory.mktemp("platform") / "var"
    registry = Shops()
    for number in range(SHOPS):
        registry.add(Shop(shop_id=f"shop-{number:04}", name="x", time_zone="Asia/Tokyo", currency="JPY"))
    registry.save(var / "shops.json")
    command = [".venv/bin/python", "-m", "ops.cli", "shops", "groups"]
    environment = os.environ | {"JISHI_VAR": str(var)}
    done = subprocess.run(command, cwd=PROJECT_ROOT, env=environment, capture_output=True, text=True, check=True)
    result: list[dict[str, str]] = json.loads(done.stdout.strip().splitlines()[-1])
    return result


def test_every_shop_is_in_one_group(groups: list[dict[str, str]]) -> None:
    named = [word for group in groups for word in group["SHOPS"].split() if word != "--shop"]
    assert sorted(named) == [f"shop-{number:04}" for number in range(SHOPS)]
    assert [group["GROUP"][-6:] for group in groups] == [" (250)"] * 4


@pytest.mark.parametrize(("name", "most_tasks", "most_jvms"), [("daily", 60, 5), ("history", 60, 5)])
def test_tasks_and_jvms_grow_with_groups_and_not_with_shops(
    dags: dict[str, Any], groups: list[dict[str, str]], name: str, most_tasks: int, most_jvms: int
) -> None:
    tasks = jvms = 0
    for task in dags[name].tasks:
        instances = len(groups) if any(task.iter_mapped_task_groups()) else 1
        tasks += instances
        jvms += instances * task.bash_command.count(" spark_jobs ")
    assert (tasks <= most_tasks, jvms <= most_jvms) == (True, True), f"{tasks} tasks, {jvms} JVMs"


def test_a_groups_command_fits_a_command_line(groups: list[dict[str, str]]) -> None:
    # Linux takes 128 KiB a string; a shop id has at most 64 characters.
    assert max(len(group["SHOPS"].split()) // 2 for group in groups) * len(f"--shop {'x' * 64} ") < 128 * 1024
