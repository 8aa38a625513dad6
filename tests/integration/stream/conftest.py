"""A real broker and the job as its own process; runs in the main environment."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from jishi.heartbeat import last_beat
from jishi.java import java_home
from jishi.lake.live import LiveTail
from jishi.lake.table_creation import create_tables
from jishi.paths import Paths
from jishi.settings import PROJECT_ROOT, Settings, get_settings
from jishi.tables import BRONZE_LIVE
from ops.jars import fetch_jars
from ops.kafka import EmbeddedBroker, running_broker
from ops.ports import free_port

_WITH_VIEWS = """\
import sys
from flink_jobs import counter_topic, realtime
from jishi.features import live_views
wanted = {name: members for name, members in live_views().items() if name in sys.argv[1:]}
realtime.live_views = lambda: wanted
counter_topic.counter_inserts = lambda: []
sys.exit(realtime.main())
"""
_WITH_TTL = """\
import sys
from flink_jobs import plan, realtime
plan.DEDUPLICATION_TTL_S = int(sys.argv[1])
sys.exit(realtime.main())
"""


@dataclass
class Stream:
    """The job of one platform folder: start, stop and kill it, and read what it wrote."""

    paths: Paths
    bootstrap: str
    port: int = field(default_factory=free_port)
    variables: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """Variables of every process of this platform."""
        return os.environ | {
            "JISHI_VAR": str(self.paths.var),
            "JISHI_ENVS": str(self.paths.envs),
            "JISHI_KAFKA_BOOTSTRAP": self.bootstrap,
            "JISHI_FLINK_PORT": str(self.port),
            "JISHI_CHECKPOINT_INTERVAL_MS": "1000",
            **self.variables,
        }

    def start(self, *, views: Sequence[str] = (), ttl_s: int | None = None) -> None:
        """Start the job and wait until it runs; with ``views`` as it was when there were only these and no counters, with
        ``ttl_s`` for the memory of deliveries.
        """
        command = ["-c", _WITH_VIEWS, *views] if views else ["-m", "flink_jobs.realtime"]
        if ttl_s is not None:
            command = ["-c", _WITH_TTL, str(ttl_s)]
        started_at = time.time()
        with (self.paths.var / "realtime.log").open("ab") as log:
            self.process = subprocess.Popen(
                [str(self.paths.python("flink")), *command],
                cwd=PROJECT_ROOT,
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_until(lambda: self._runs_since(started_at), self.log_text)

    def log_text(self) -> str:
        """What the job printed."""
        return (self.paths.var / "realtime.log").read_text()

    def kill(self, *, spare_jvm: bool = False) -> None:
        """kill -9 the job's process group, driver and JVM, or the driver alone."""
        assert self.process is not None
        if spare_jvm:
            self.process.kill()
        else:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        """Ask the job to stop; returns its exit code."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(30)

    def archived(self) -> list[dict[str, Any]]:
        """Rows of bronze."""
        return self.live_events.rows().to_pylist()

    @cached_property
    def live_events(self) -> LiveTail:
        """Bronze as it is at each call."""
        return LiveTail(self.settings)

    @property
    def settings(self) -> Settings:
        """The settings of this platform's lake."""
        return Settings(var=self.paths.var, envs=self.paths.envs, _env_file=None)  # type: ignore[call-arg]

    def unreadable(self) -> list[dict[str, Any]]:
        """Rows of the committed files of unreadable values."""
        return committed_rows(self.paths.unreadable)

    def _runs_since(self, started_at: float) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log_text()
        beat = last_beat(self.paths, "flink")
        return beat is not None and time.time() - beat.age_s > started_at and beat.facts["state"] == "RUNNING"


def committed_rows(folder: Path) -> list[dict[str, Any]]:
    files = [file for file in folder.rglob("*") if file.is_file() and not file.name.startswith((".", "_"))]
    return [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()]


def wait_until(holds: Callable[[], bool], explain: Callable[[], object], timeout_s: float = 300) -> None:
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline, explain()
        time.sleep(0.2)


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stream]:
    """A broker with its topics and the job, not yet started."""
    paths = Paths(var=tmp_path_factory.mktemp("a stream"), envs=get_settings().envs)
    fetch_jars(paths)
    broker = EmbeddedBroker(paths.kafka, paths.jars, java_home(paths.envs), "127.0.0.1", free_port(), free_port(), heap="256m")
    with running_broker(broker, paths.var / "broker.log"):
        built = Stream(paths, broker.bootstrap)
        create_tables(built.settings, [BRONZE_LIVE])
        yield built
        if built.process is not None and built.process.poll() is None:
            built.stop()
            with suppress(ProcessLookupError):
                os.killpg(built.process.pid, signal.SIGKILL)
