"""Spark's class archive: used when it is there, and never in the way when it is not or is of no use."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from jishi.paths import Paths
from jishi.settings import Settings
from ops.class_archive import make_archive

_START = """
from jishi.paths import Paths
from jishi.settings import get_settings
from spark_jobs.session import open_session
settings = get_settings()
session = open_session(settings, Paths.of(settings), "archive test", is_short=True)
print(session.range(3).count(), session.conf.get("spark.driver.extraJavaOptions"))
"""


def test_spark_starts_without_an_archive_and_with_one_that_its_jvm_cannot_use(tmp_path: Path) -> None:
    envs = tmp_path / "envs"
    archive = Paths.of(Settings(envs=envs, var=tmp_path / "var")).spark_class_archive
    environment = os.environ | {"JISHI_ENVS": str(envs), "JISHI_VAR": str(tmp_path / "var")}
    done = subprocess.run([sys.executable, "-c", _START], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert str(archive) not in done.stdout
    archive.parent.mkdir(parents=True)
    archive.write_bytes(b"no archive at all")
    done = subprocess.run([sys.executable, "-c", _START], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("3 ")
    assert str(archive) in done.stdout


def test_a_java_without_an_archive_of_its_own_is_told_and_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "java"
    (home / "bin").mkdir(parents=True)
    (home / "bin" / "java").write_text("#!/bin/sh\necho 'openjdk version \"17.0.1\"' >&2\n")
    (home / "bin" / "java").chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(home))
    settings = Settings(envs=tmp_path / "envs")
    assert make_archive(settings) == f"no class archive for Spark: the Java in {home} has none of its own to build upon"
    assert not Paths.of(settings).spark_class_archive.exists()
