"""The parts that carry an event from the door to the online store, started with the platform's own commands in a folder of
their own, on free ports.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from flink_jobs.rest_api import RestApi
from jishi.lake.table_creation import create_tables
from jishi.paths import Paths
from jishi.settings import PROJECT_ROOT, Settings
from jishi.shops import Shop, Shops
from jishi.tables import BRONZE_LIVE
from ops.kafka import create_topics_of, wait_for_port
from ops.lifecycle import common_environment
from ops.parts import parts
from ops.ports import free_ports

SHOP = "bench"
START_TIMEOUT_S = 180.0


def platform_settings(folder: Path, envs: Path, **changes: object) -> Settings:
    """Settings of a platform in ``folder``."""
    names = (
        *("kafka_controller_port", "collector_port", "flink_port", "feature_writer_port"),
        *("portal_port", "portal_metrics_port"),
    )
    kafka_port, *others = free_ports(len(names) + 1)
    ports = dict(zip(names, others, strict=True))
    return Settings(var=folder, envs=envs, kafka_bootstrap=f"127.0.0.1:{kafka_port}", **ports, **changes)  # type: ignore[arg-type]


def make_shop(paths: Paths) -> str:
    """Register the shop of the bench; returns its write key."""
    shops = Shops()
    shops.add(Shop(shop_id=SHOP, name=SHOP))
    key = shops.issue_key(SHOP, "write")
    shops.save(paths.shops_file)
    return key


@contextmanager
def running(settings: Settings, flink: list[str] | None = None) -> Iterator[None]:
    """Broker, collector, forwarder, Flink job and feature writer, from when all of them are ready until the block ends.

    ``flink`` is the command of another Flink job than the platform's. Raises RuntimeError naming what did not start.
    """
    paths = Paths.of(settings)
    commands = {part.name: part.command for part in parts(settings, paths)}
    if flink is not None:
        commands["flink"] = flink
    given = {f"JISHI_{name.upper()}": str(value) for name, value in settings.model_dump().items()}
    environment = os.environ | common_environment(settings, paths) | given | {"PYTHONPATH": str(PROJECT_ROOT)}
    started: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for name in ("kafka", "collector", "forwarder", "flink", "feature_writer"):
            paths.log.mkdir(parents=True, exist_ok=True)
            with (paths.log / f"{name}.log").open("ab") as log:
                started[name] = subprocess.Popen(
                    commands[name], stdout=log, stderr=log, cwd=PROJECT_ROOT, env=environment, start_new_session=True
                )
            if name == "kafka":
                wait_for_port(settings.host, settings.kafka_port, START_TIMEOUT_S)
                create_topics_of(settings)
                create_tables(settings, [BRONZE_LIVE])
        _wait_until_ready(settings, paths, started)
        yield
    finally:
        for process in reversed(started.values()):
            _stop(process)


def _wait_until_ready(settings: Settings, paths: Paths, started: dict[str, subprocess.Popen[bytes]]) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while not (_listens(settings) and _flink_runs(settings)):
        for name, process in started.items():
            if process.poll() is not None:
                raise RuntimeError(f"{name} ended with {process.returncode}: {tail(paths.log / f'{name}.log')}")
        if time.monotonic() > deadline:
            raise RuntimeError(f"not ready after {START_TIMEOUT_S:.0f} s; logs are in {paths.log}")
        time.sleep(0.5)


def _listens(settings: Settings) -> bool:
    ports = (settings.collector_port, settings.feature_writer_port)
    return all(wait_for_port(settings.host, port, 0.1) for port in ports)


def _flink_runs(settings: Settings) -> bool:
    base = f"http://{settings.host}:{settings.flink_port}"
    try:
        with urllib.request.urlopen(f"{base}/jobs", timeout=5) as answer:
            jobs = json.load(answer)["jobs"]
        return bool(jobs) and all(RestApi(base).all_tasks_run(job["id"]) for job in jobs)
    except OSError:
        return False


def tail(log: Path) -> str:
    """The last lines of a log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-20:])


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End a process and its children."""
    if process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(30)
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    process.wait()
