"""One demo of a small shop, run as a user runs it, in a state folder and on ports of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from jishi.paths import Paths
from jishi.settings import PROJECT_ROOT, Settings
from ops.demo.airflow_api import AirflowApi
from ops.ports import free_ports

PORTS = (
    *("kafka_controller_port", "collector_port", "serving_port", "flink_port", "feature_writer_port"),
    *("airflow_port", "superset_port", "docs_port", "portal_port", "portal_metrics_port", "exporter_port"),
)
SMALL = ["--shops", "journey,lanting", "--days", "16", "--users", "260", "--journey-households", "250"]
SMALL += ["--until", "2026-09-16"]  # the same tables on every day


@dataclass
class RunningDemo:
    """A platform after ``jishi demo``: its settings, what the command printed, and the command line with its environment."""

    settings: Settings
    paths: Paths
    environment: dict[str, str]
    printed: str = ""
    scheduled: list[str] = field(default_factory=list)

    def jishi(self, *arguments: str, timeout_s: float = 1800) -> subprocess.CompletedProcess[str]:
        """Run ``jishi`` as a user of this platform."""
        return self.module("ops.cli", *arguments, timeout_s=timeout_s)

    def module(self, *arguments: str, timeout_s: float = 1800) -> subprocess.CompletedProcess[str]:
        """Run a module of the project, as a DAG's step does."""
        command = [sys.executable, "-m", *arguments]
        return subprocess.run(
            command, capture_output=True, text=True, check=False, cwd=PROJECT_ROOT, env=self.environment, timeout=timeout_s
        )

    @property
    def summary(self) -> dict[str, Any]:
        """What the demo wrote for machines."""
        payload: dict[str, Any] = json.loads((self.paths.demo / "summary.json").read_text())
        return payload

    def keys(self, shop_id: str) -> dict[str, str]:
        """The demo's own plain keys of a shop."""
        result: dict[str, str] = json.loads(self.paths.client_keys_file.read_text())[shop_id]
        return result


@pytest.fixture(scope="package")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDemo]:
    """``jishi demo`` on a small shop; the platform is taken down at the end."""
    kafka_port, *ports = free_ports(len(PORTS) + 1)
    values: dict[str, Any] = dict(zip(PORTS, ports, strict=True))
    values |= {"var": tmp_path_factory.mktemp("demo") / "var", "kafka_bootstrap": f"127.0.0.1:{kafka_port}"}
    values |= {"served_values_rate": 1.0}
    settings = Settings(_env_file=None, **values)  # type: ignore[call-arg]
    environment = os.environ | {f"JISHI_{name.upper()}": str(value) for name, value in values.items()}
    running_demo = RunningDemo(settings, Paths.of(settings), environment)
    try:
        done = running_demo.jishi("demo", *SMALL)
        running_demo.printed = done.stdout + done.stderr
        assert done.returncode == 0, running_demo.printed[-6000:]
        password = (running_demo.paths.airflow / "admin_password").read_text().strip()
        airflow = AirflowApi(f"http://127.0.0.1:{settings.airflow_port}", "admin", password)
        running_demo.scheduled = airflow.hold()  # no schedule begins between two tests
        airflow.release(["history"])
        yield running_demo
    finally:
        running_demo.jishi("down", timeout_s=300)


def pids_naming(folder: Path) -> list[int]:
    """Processes whose environment or command line names the folder, found without the platform's own means."""
    pids = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            process_text = (entry / "environ").read_bytes() + (entry / "cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        if str(folder).encode() in process_text:
            pids.append(int(entry.name))
    return pids
