"""A class-data archive for Spark's JVM: the classes that silver needs, parsed and verified once at set-up, then only mapped.

A Spark job of a minute spends a good part of it on loading classes. ``python -m ops.class_archive`` runs silver over
a tiny simulated shop and lets the JVM write down what it loaded (dynamic class-data sharing, JEP 350). A JVM that finds the
archive made by another Java or for other jars leaves it alone.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from jishi.java import java_home
from jishi.paths import Paths
from jishi.settings import PROJECT_ROOT, Settings, get_settings

_TINY = ["--users", "20", "--days", "3"]


def make_archive(settings: Settings) -> str:
    """Write the archive anew; returns a sentence with what came of it. Raises RuntimeError when a step of the run failed."""
    home = java_home(settings.envs)
    if not (home / "lib" / "server" / "classes.jsa").exists():
        return f"no class archive for Spark: the Java in {home} has none of its own to build upon"
    archive, began = Paths.of(settings).spark_class_archive, time.monotonic()
    archive.parent.mkdir(parents=True, exist_ok=True)
    archive.unlink(missing_ok=True)
    fresh = archive.with_suffix(f".{os.getpid()}")
    with tempfile.TemporaryDirectory(prefix="jishi-archive-") as var:
        places = {"JISHI_VAR": var, "JAVA_HOME": str(home)}
        recording = {"JAVA_TOOL_OPTIONS": f"-XX:ArchiveClassesAtExit={fresh} -Xlog:cds*=off"}
        try:
            _run(places, "simulator", "--shop", "tiny", *_TINY, "--out", str(Path(var) / "landing" / "history"))
            _run(places, "imports", "history")
            _run(places | recording, "spark_jobs", "silver", "--batch", "history")
            if not fresh.exists():
                return f"no class archive for Spark: the Java in {home} wrote none"
            fresh.replace(archive)
        finally:
            fresh.unlink(missing_ok=True)
    return f"class archive for Spark made in {time.monotonic() - began:.0f} s"


def _run(environment: dict[str, str], *command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=PROJECT_ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"class archive: {' '.join(command[:2])} failed: {done.stdout[-2000:]}{done.stderr[-2000:]}")


if __name__ == "__main__":
    print(make_archive(get_settings()))
