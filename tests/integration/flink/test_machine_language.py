"""A machine whose language writes numbers with other digits: Flink plans as it does elsewhere."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration
_PLANNED_AND_READ = """
import sys
from pathlib import Path
from pyflink.table import PlanReference
from flink_jobs.engine import start_jvm, table_environment
from jishi.paths import Paths
from jishi.settings import Settings
settings = Settings(var=Path(sys.argv[1]))
start_jvm(Paths.of(settings), "-Xmx256m")
environment = table_environment({})
environment.execute_sql("CREATE TEMPORARY TABLE events (kind VARCHAR(27)) WITH ('connector' = 'datagen')")
environment.execute_sql("CREATE TEMPORARY TABLE kept (kind VARCHAR(27)) WITH ('connector' = 'blackhole')")
plan = environment.compile_plan_sql("INSERT INTO kept SELECT kind FROM events").as_json_string()
environment.load_plan(PlanReference.from_json_string(plan))
print("read", "VARCHAR(27)" in plan)
"""


def test_a_plan_is_read_again_in_any_language(tmp_path: Path) -> None:
    """spark 17655, arrow-java 1301: ``%d`` is ٢٧ in Egypt, and the job did not start."""
    environment = os.environ | {"JAVA_TOOL_OPTIONS": "-Duser.language=ar -Duser.country=EG"}
    environment.pop("PYFLINK_GATEWAY_DISABLED", None)  # left by a worker that an earlier test ran in this process
    command = [sys.executable, "-c", _PLANNED_AND_READ, str(tmp_path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1:] == ["read True"], done.stderr[-2000:]
