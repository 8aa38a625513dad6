"""The embedded event log: one Apache Kafka broker (KRaft) as a child process, and the topics of ``jishi.topics``.

``python -m ops.kafka`` runs the broker in the foreground on the settings' ports; ``… topics`` creates the topics.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from jishi import topics
from jishi.java import NEUTRAL_LOCALE, java_home
from jishi.json_logs import java_pattern
from jishi.kafka import KafkaCluster
from jishi.paths import Paths
from jishi.settings import Settings, get_settings

# One broker is one cluster for good; a fixed id lets a restart find its own data.
CLUSTER_ID = "amlzaGktZW1iZWRkZWQtMQ"
_LOG4J = f"""\
status = warn
shutdownHook = disable
appender.stdout.type = Console
appender.stdout.name = stdout
appender.stdout.layout.type = PatternLayout
appender.stdout.layout.pattern = {java_pattern("kafka")}
rootLogger.level = warn
rootLogger.appenderRef.stdout.ref = stdout
logger.server.name = kafka.server.KafkaRaftServer
logger.server.level = info
"""


@dataclass(frozen=True)
class EmbeddedBroker:
    """A broker with all its files below ``folder``, listening on ``host:port``."""

    folder: Path
    jars: Path
    java: Path
    host: str
    port: int
    controller_port: int
    heap: str = "512m"

    @property
    def bootstrap(self) -> str:
        """Address for clients."""
        return f"{self.host}:{self.port}"

    @property
    def command(self) -> list[str]:
        """The broker in the foreground; ``prepare`` first."""
        return [*self._java(), "kafka.Kafka", str(self.folder / "server.properties")]

    def prepare(self) -> None:
        """Write the configuration and, the first time, format the log folder."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "log4j2.properties").write_text(_LOG4J, encoding="utf-8")
        (self.folder / "server.properties").write_text(self._properties(), encoding="utf-8")
        if not (self.folder / "log" / "meta.properties").exists():
            format_log = ["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", str(self.folder / "server.properties")]
            done = subprocess.run([*self._java(), *format_log], capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise RuntimeError(f"could not format the broker's folder {self.folder / 'log'}: {done.stdout}{done.stderr}")

    def _java(self) -> list[str]:
        return [
            str(self.java / "bin" / "java"),
            f"-Xmx{self.heap}",
            f"-Xms{self.heap}",
            *NEUTRAL_LOCALE,
            "-XX:+UseG1GC",
            "-XX:TieredStopAtLevel=1",
            f"-Dlog4j2.configurationFile={self.folder / 'log4j2.properties'}",
            "-cp",
            f"{self.jars}/kafka/*",
        ]

    def _properties(self) -> str:
        lines = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@{self.host}:{self.controller_port}",
            "listeners": f"PLAINTEXT://{self.host}:{self.port},CONTROLLER://{self.host}:{self.controller_port}",
            "advertised.listeners": f"PLAINTEXT://{self.host}:{self.port}",
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "PLAINTEXT",
            "log.dirs": str(self.folder / "log"),
            "auto.create.topics.enable": "false",
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "4",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "transaction.state.log.num.partitions": "4",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
            "log.cleaner.dedupe.buffer.size": str(16 * 2**20),
            # One machine's broker: each thread wakes several times a second, also when nothing comes.
            "num.network.threads": "2",
            "num.io.threads": "2",
            "metadata.max.idle.interval.ms": "5000",
        }
        return "".join(f"{key}={value}\n" for key, value in lines.items())


def embedded_broker(paths: Paths, host: str, port: int, controller_port: int) -> EmbeddedBroker:
    """The broker of a platform."""
    return EmbeddedBroker(paths.kafka, paths.jars, java_home(paths.envs), host, port, controller_port)


def wait_for_port(host: str, port: int, timeout_s: float) -> bool:
    """Whether something listens on ``host:port`` within the time."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            probe.settimeout(1)
            with suppress(socket.gaierror):  # a machine that is not up has no name either
                if probe.connect_ex((host, port)) == 0:
                    return True
        time.sleep(0.1)
    return False


def create_topics(kafka: KafkaCluster, timeout_s: float = 30, *, replication: int = 1, min_isr: int = 1) -> list[str]:
    """Create the topics of ``jishi.topics`` that are missing; idempotent. Returns the names of those created.

    ``replication`` brokers hold each partition, ``min_isr`` of them before a record counts as written.

    Needs the main environment (confluent-kafka). Raises RuntimeError when the broker cannot be reached or refuses.
    """
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

    client = AdminClient({**kafka.client_options(), "log_level": 2})
    try:
        present = client.list_topics(timeout=timeout_s).topics
        missing = [topic for topic in topics.ALL if topic.name not in present]
        kept = {"min.insync.replicas": str(min_isr)}
        wanted = [
            NewTopic(t.name, num_partitions=t.partitions, replication_factor=replication, config=t.config | kept)
            for t in missing
        ]
        for future in (client.create_topics(wanted) if wanted else {}).values():
            future.result(timeout_s)
    except KafkaException as error:
        raise RuntimeError(f"could not create topics on {kafka.bootstrap}: {error}") from error
    return [topic.name for topic in missing]


def create_topics_of(settings: Settings) -> list[str]:
    """The same as the settings say."""
    return create_topics(KafkaCluster.of(settings), replication=settings.kafka_replication, min_isr=settings.kafka_min_isr)


@contextmanager
def running_broker(broker: EmbeddedBroker, log: Path) -> Iterator[EmbeddedBroker]:
    """A broker with its topics for the length of a block (tests, benches); stopped whatever happens in the block."""
    broker.prepare()
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out:
        process = subprocess.Popen(broker.command, stdout=out, stderr=out, start_new_session=True)
    try:
        if not wait_for_port(broker.host, broker.port, 60):
            raise RuntimeError(f"the broker did not come up on {broker.bootstrap}; see {log}")
        create_topics(KafkaCluster(broker.bootstrap))
        yield broker
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def main() -> None:
    """Become the broker, or create the topics."""
    parser = argparse.ArgumentParser(prog="python -m ops.kafka", description="Become the embedded broker.")
    parser.add_argument("command", nargs="?", choices=["topics"], help="topics: create the missing topics instead")
    chosen = parser.parse_args()
    settings = get_settings()
    if chosen.command == "topics":
        created = create_topics_of(settings)
        print(f"topics created: {', '.join(created) or 'none, all were there'}")
        return
    broker = embedded_broker(Paths.of(settings), settings.host, settings.kafka_port, settings.kafka_controller_port)
    broker.prepare()
    os.execv(broker.command[0], broker.command)


if __name__ == "__main__":
    main()
