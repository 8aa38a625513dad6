"""What the triggerer gets of the DAGs works there: with the DAGs' folder on its path, and nothing else of the project."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from jishi.settings import PROJECT_ROOT

DAGS = PROJECT_ROOT / "dags"
RUN_TRIGGER = """
import asyncio, json, sys
from airflow._shared.module_loading import import_string
path, given = json.loads(sys.argv[1])
async def first():
    return [event.payload async for event in import_string(path)(**given).run()]
print(json.dumps(asyncio.run(first())))
"""
RUN_CALLBACK = """
import asyncio, json, sys
from airflow._shared.module_loading import import_string
path, given = json.loads(sys.argv[1])
asyncio.run(import_string(path)(**given, context={"dag_run": {"dag_id": "daily", "dag_run_id": "r1"}}))
"""


def in_triggerer(script: str, *given: Any, **variables: str) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= {"PYTHONPATH": str(DAGS), **variables}
    command = [sys.executable, "-c", script, json.dumps(given)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd="/")
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.strip().splitlines()[-1] if done.stdout.strip() else ""


def test_a_wait_asks_until_it_is_there(dags: dict[str, Any], tmp_path: Path) -> None:
    from sensors import CommandTrigger

    asked = tmp_path / "asked"
    command = f"echo x >> {asked}; echo partition 2; test $(wc -l < {asked}) -ge 3"
    given = CommandTrigger(command, str(tmp_path), pause_s=0.01, until=2e10).serialize()
    assert json.loads(in_triggerer(RUN_TRIGGER, *given)) == [[0, "partition 2"]]
    assert asked.read_text() == "x\nx\nx\n"
    given = CommandTrigger("echo partition 2; exit 1", str(tmp_path), pause_s=0.01, until=0).serialize()
    assert json.loads(in_triggerer(RUN_TRIGGER, *given)) == [[1, "partition 2"]], "the time is over"


def test_a_missed_deadline_reaches_the_operators(dags: dict[str, Any], tmp_path: Path) -> None:
    [alert] = dags["daily"].deadline
    in_triggerer(RUN_CALLBACK, alert.callback.path, alert.callback.kwargs, JISHI_VAR=str(tmp_path))
    [line] = (tmp_path / "log" / "operators.jsonl").read_text().splitlines()
    notice = json.loads(line)
    assert (notice["subject"], notice["title"]) == ("daily.deadline", "daily: not done after 8 hours")
