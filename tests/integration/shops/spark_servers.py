"""Spark's standalone servers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ops.kafka import wait_for_port
from ops.ports import free_port

HOST = "127.0.0.1"


@dataclass
class SparkServers:
    """A master on ``port`` and its workers; a worker can be killed with the executors that it has started."""

    folder: Path
    port: int
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"spark://{HOST}:{self.port}"

    def start_worker(self, name: str, *, cores: int = 2) -> None:
        """One more, with 1 GB for each core; the master knows it a moment later."""
        resources = ["--cores", str(cores), "--memory", f"{cores}g", "--work-dir", str(self.folder / name)]
        self._start(name, "worker", [*resources, "--webui-port", str(free_port()), self.url])

    def start_master(self) -> None:
        """Start it and wait until it listens."""
        self._start("master", "master", ["--port", str(self.port), "--webui-port", str(free_port())])
        assert wait_for_port(HOST, self.port, 60), self.log("master")

    def kill(self, name: str) -> None:
        """kill -9 of the server and of all that it has started."""
        process = self.processes.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def stop(self) -> None:
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            process.wait()

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()

    def _start(self, name: str, role: str, arguments: list[str]) -> None:
        command = [str(Path(sys.executable).with_name("spark-class")), f"org.apache.spark.deploy.{role}.{role.title()}"]
        environment = os.environ | {"PYSPARK_PYTHON": sys.executable}  # whose Spark it is
        with (self.folder / f"{name}.log").open("wb") as log:
            self.processes[name] = subprocess.Popen(
                [*command, "--host", HOST, *arguments], env=environment, stdout=log, stderr=log, start_new_session=True
            )


@contextmanager
def spark_cluster(folder: Path) -> Iterator[SparkServers]:
    """A standalone master with one worker."""
    servers = SparkServers(folder, free_port())
    try:
        servers.start_master()
        servers.start_worker("worker")
        yield servers
    finally:
        servers.stop()
