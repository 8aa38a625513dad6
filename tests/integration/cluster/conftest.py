"""Servers as a cluster has them, from packages that tests have anyway: brokers, Flink, an object store, PostgreSQL."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition
from pyarrow.fs import S3FileSystem
from pyiceberg.table import Table

from flink_jobs.state_folder import StateFolder
from jishi.java import java_home
from jishi.kafka import KafkaCluster
from jishi.lake.catalog import identifier, open_catalog
from jishi.lake.table_creation import create_tables
from jishi.paths import Paths
from jishi.settings import PROJECT_ROOT, Settings, get_settings
from jishi.tables import BRONZE_LIVE
from jishi.topics import Topic
from ops.jars import fetch_jars
from ops.kafka import EmbeddedBroker, create_topics, wait_for_port
from ops.ports import free_ports
from tests.integration.conftest import Server, new_database
from tests.integration.stream.conftest import Stream, wait_until

HOST = "127.0.0.1"
BUCKET = "jishi"
BROKERS = 3
MIN_ISR = 2
# Servers that live for seconds: Java's quick compiler alone.
_QUICK = {"JVM_ARGS": "-XX:TieredStopAtLevel=1"}


@dataclass(frozen=True)
class ClusterBroker(EmbeddedBroker):
    """One of several brokers of a cluster, each of them a voter of its quorum."""

    node: int = 0
    voters: str = ""

    def _properties(self) -> str:
        lines = dict(line.split("=", 1) for line in super()._properties().splitlines())
        replicated = ("offsets.topic", "transaction.state.log", "share.coordinator.state.topic")
        lines |= {f"{topic}.replication.factor": str(BROKERS) for topic in replicated}
        lines |= {f"{topic}.min.isr": str(MIN_ISR) for topic in replicated if topic != "offsets.topic"}
        lines |= {"node.id": str(self.node), "controller.quorum.voters": self.voters, "min.insync.replicas": str(MIN_ISR)}
        return "".join(f"{key}={value}\n" for key, value in lines.items())


@dataclass
class Brokers:
    """Three brokers; each can be killed, lose its disk and come back."""

    members: list[ClusterBroker]
    processes: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def bootstrap(self) -> str:
        return ",".join(member.bootstrap for member in self.members)

    def start(self, *numbers: int) -> None:
        """Start brokers and wait until they listen; a folder without a log is formatted first."""
        members = [self.members[number] for number in numbers]
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda member: member.prepare(), members))
        for number, member in zip(numbers, members, strict=True):
            with (member.folder / "broker.log").open("ab") as out:
                self.processes[number] = subprocess.Popen(member.command, stdout=out, stderr=out, start_new_session=True)
        for member in members:
            assert wait_for_port(member.host, member.port, 90), (member.folder / "broker.log").read_text()

    def kill(self, number: int, *, with_disk: bool = False) -> None:
        """kill -9; ``with_disk``: what it had written is gone, too."""
        process = self.processes.pop(number)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if with_disk:
            shutil.rmtree(self.members[number].folder / "log")

    def stop(self) -> None:
        for number in list(self.processes):
            self.kill(number)


@contextmanager
def running_brokers(folder: Path) -> Iterator[Brokers]:
    """Three brokers with the topics as the cluster profile makes them."""
    paths = Paths.of(get_settings())
    fetch_jars(paths)
    java, ports = java_home(paths.envs), free_ports(2 * BROKERS)
    voters = ",".join(f"{node}@{HOST}:{ports[BROKERS + node - 1]}" for node in range(1, BROKERS + 1))
    members = [
        ClusterBroker(folder / str(n), paths.jars, java, HOST, ports[n], ports[BROKERS + n], "256m", node=n + 1, voters=voters)
        for n in range(BROKERS)
    ]
    built = Brokers(members)
    try:
        built.start(*range(BROKERS))
        create_topics(KafkaCluster(built.bootstrap), 60, replication=BROKERS, min_isr=MIN_ISR)
        yield built
    finally:
        built.stop()


def messages_of(bootstrap: str, topic: Topic) -> list[tuple[bytes | None, bytes | None]]:
    """Key and value of every message of a topic, partition by partition."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "t", "enable.auto.commit": False})
    messages = []
    for number in range(topic.partitions):
        place = TopicPartition(topic.name, number, 0)
        _, end = consumer.get_watermark_offsets(place, timeout=30)
        consumer.assign([place])
        next_offset = 0
        while next_offset < end:
            message = consumer.poll(30)
            assert message is not None
            assert message.error() is None
            messages.append((message.key(), message.value()))
            next_offset = (message.offset() or 0) + 1
    consumer.close()
    return messages


@pytest.fixture(scope="package")
def brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Brokers]:
    """Three brokers for all who count only their own records."""
    with running_brokers(tmp_path_factory.mktemp("brokers")) as built:
        yield built


@pytest.fixture(scope="package")
def bucket(object_store: str) -> dict[str, str]:
    """Settings of an object store with an empty bucket."""
    keys = {"access_key": "key", "secret_key": "it's secret"}
    store = S3FileSystem(endpoint_override=object_store, region="us-east-1", allow_bucket_creation=True, **keys)
    store.create_dir(BUCKET)
    return {"lake_s3_endpoint": object_store} | {f"lake_s3_{name}": value for name, value in keys.items()}


@dataclass
class ClusterStream(Stream):
    """The job as a driver that submits it to a session cluster of this test's own."""

    values: dict[str, Any] = field(default_factory=dict)
    rpc_port: int = 0
    servers: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def settings(self) -> Settings:
        """The settings of every process of this platform."""
        given = self.values | {"var": self.paths.var, "envs": self.paths.envs}
        return Settings(_env_file=None, **given)  # type: ignore[call-arg]

    def start_server(self, role: str) -> None:
        """Start a server of the cluster."""
        options = {"jobmanager.rpc.port": self.rpc_port, "taskmanager.memory.process.size": "1536m"}
        given = [word for key, value in options.items() for word in ("-D", f"{key}={value}")]
        with (self.paths.var / f"{role}.log").open("ab") as log:
            self.servers[role] = subprocess.Popen(
                [str(self.paths.python("flink")), "-m", "flink_jobs.session_cluster", role, *given],
                cwd=PROJECT_ROOT,
                env=self.environment | _QUICK,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill_server(self, role: str) -> None:
        """kill -9 it."""
        process = self.servers.pop(role)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def ask(self, path: str) -> Any:
        """What the cluster's REST API says."""
        with urllib.request.urlopen(f"{self.settings.flink_address}{path}", timeout=10) as answer:
            return json.load(answer)

    def row_count(self) -> int:
        """How many rows bronze has, from the table's metadata alone."""
        snapshot = self._table.refresh().current_snapshot()
        return 0 if snapshot is None or snapshot.summary is None else int(snapshot.summary["total-records"] or 0)

    @cached_property
    def _table(self) -> Table:
        return open_catalog(self.settings).load_table(identifier(BRONZE_LIVE.name))

    def task_managers(self) -> int:
        """How many the JobManager knows; none while it does not answer."""
        with suppress(OSError):
            return int(self.ask("/overview")["taskmanagers"])
        return 0

    def server_logs(self) -> str:
        """The ends of what the servers printed."""
        return "\n".join(log.read_text()[-3000:] for log in sorted(self.paths.var.glob("*manager.log")))


@pytest.fixture(scope="module")
def more_settings() -> dict[str, Any]:
    """What a module's platform has beside brokers, Flink, lake and catalog; nothing, unless the module says so."""
    return {}


@pytest.fixture(scope="module")
def cluster_stream(
    brokers: Brokers,
    bucket: dict[str, str],
    postgres_server: Server,
    more_settings: dict[str, Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[ClusterStream]:
    """A session cluster with one TaskManager, and the job, not yet submitted; lake and state lie in the object store."""
    paths = Paths(var=tmp_path_factory.mktemp("cluster-stream"), envs=get_settings().envs)
    fetch_jars(paths, with_object_store=True)
    rest_port, rpc_port = free_ports(2)
    values = {
        **bucket,
        **more_settings,
        "host": HOST,
        "profile": "cluster",
        "kafka_bootstrap": brokers.bootstrap,
        "lake_catalog_uri": f"postgresql://jishi@{HOST}:{postgres_server.port}/{new_database(postgres_server)}",
        "flink_url": f"http://{HOST}:{rest_port}",
        "checkpoint_interval_ms": 1000,
    }
    variables = {f"JISHI_{name.upper()}": str(value) for name, value in values.items()}
    stream = ClusterStream(paths, brokers.bootstrap, variables=variables, values=values, rpc_port=rpc_port)
    create_tables(stream.settings, [BRONZE_LIVE])
    state = StateFolder.of(stream.settings, paths)
    state.files.delete_dir_contents(state.path, missing_dir_ok=True)  # an earlier module's job goes on nowhere
    with ExitStack() as ends:
        ends.callback(lambda: [stream.kill_server(role) for role in list(stream.servers)])
        for role in ("jobmanager", "taskmanager"):
            stream.start_server(role)
        wait_until(lambda: stream.task_managers() == 1, stream.server_logs, 120)
        yield stream
        if stream.process is not None and stream.process.poll() is None:
            stream.kill()
