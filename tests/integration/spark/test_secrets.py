"""No secret stands on the command line of Spark's JVM, which every user of the machine can read, and the session has it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from jishi.settings import PROJECT_ROOT

pytestmark = pytest.mark.integration
_LOOK = """
import json, sys
from pathlib import Path
import psutil
from jishi.paths import Paths
from jishi.settings import Settings
from spark_jobs.session import open_session
settings = Settings(_env_file=None, **json.loads(sys.argv[1]))
session = open_session(settings, Paths.of(settings), "secrets")
children = [child for child in psutil.Process().children(recursive=True) if child.status() != psutil.STATUS_ZOMBIE]
commands = [" ".join(child.cmdline()) for child in children]
options = [f"spark.sql.catalog.lake.{name}" for name in ("jdbc.password", "s3.secret-access-key")]
print(json.dumps([commands, [session.conf.get(option) for option in options]]))
"""


def test_secrets_of_the_lake_are_not_on_the_command_line(tmp_path: Path) -> None:
    values = {
        "var": str(tmp_path / "var"),
        "lake_catalog_uri": "postgresql://who:hush-database@127.0.0.1:1/lake",
        "lake_warehouse": "s3://bucket/lake",
        "lake_s3_access_key": "name",
        "lake_s3_secret_key": "hush-store",
        "spark_driver_memory": "512m",
        "spark_master": "local[1]",
    }
    # The test's own command line has them for the moment of its start; its children must not.
    command = [sys.executable, "-c", _LOOK, json.dumps(values)]
    done = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    commands, options = json.loads(done.stdout.splitlines()[-1])
    assert any("SparkSubmit" in text for text in commands)
    assert not [text for text in commands if "hush" in text]
    assert options == ["hush-database", "hush-store"]
