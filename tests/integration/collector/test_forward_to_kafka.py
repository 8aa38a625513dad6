"""What was acknowledged reaches a real Kafka: every entry, in order per key, through kills of forwarder and broker."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME, Consumer, Message, TopicPartition

from collector.accepted import count_accepted
from collector.wal.durable import read_durable
from collector.wal.segments import segment_starts
from jishi import topics
from jishi.heartbeat import last_beat
from jishi.java import java_home
from jishi.paths import Paths
from jishi.settings import get_settings
from ops.jars import fetch_jars
from ops.kafka import EmbeddedBroker, create_topics, wait_for_port

pytestmark = pytest.mark.integration

Viewed = Callable[..., dict[str, Any]]


class Kafka:
    """A broker that a test may kill and start again."""

    def __init__(self, broker: EmbeddedBroker) -> None:
        self.broker = broker
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self.broker.folder / "broker.log").open("ab") as out:
            self.process = subprocess.Popen(self.broker.command, stdout=out, stderr=out, start_new_session=True)
        assert wait_for_port(self.broker.host, self.broker.port, 60)
        create_topics(self.broker.bootstrap)

    def kill(self) -> None:
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def messages(self) -> list[Message]:
        """Everything in the topic but ticks, partition by partition."""
        return [message for message in self.everything() if message.value() != topics.TICK]

    def everything(self) -> list[Message]:
        """Everything in the topic, partition by partition."""
        consumer = Consumer({"bootstrap.servers": self.broker.bootstrap, "group.id": "t", "enable.auto.commit": False})
        partitions = [TopicPartition(topics.EVENTS.name, i, 0) for i in range(topics.EVENTS.partitions)]
        left = sum(consumer.get_watermark_offsets(p, timeout=10)[1] for p in partitions)
        consumer.assign(partitions)
        rows: list[Message] = []
        while left:
            message = consumer.poll(10)
            assert message is not None
            assert message.error() is None
            rows.append(message)
            left -= 1
        consumer.close()
        return rows


@pytest.fixture
def kafka(tmp_path_factory: pytest.TempPathFactory, unused_ports: tuple[int, int]) -> Iterator[Kafka]:
    paths = Paths.of(get_settings())
    fetch_jars(paths)
    folder: Path = tmp_path_factory.mktemp("kafka")
    kafka = Kafka(EmbeddedBroker(folder, paths.jars, java_home(paths.envs), "127.0.0.1", *unused_ports, heap="256m"))
    kafka.broker.prepare()
    yield kafka
    kafka.kill()


def test_every_entry_arrives_in_order_through_kills(make_place: Callable[..., Any], viewed: Viewed, kafka: Kafka) -> None:
    place = make_place(wal_segment_bytes=64_000, kafka_bootstrap=kafka.broker.bootstrap)
    place.serve()
    sent = 0

    def post(batches: int) -> None:
        nonlocal sent
        with place.client() as client:
            for _ in range(batches):
                events = [viewed(f"e-{sent + i}", person=f"u-{i % 7}") for i in range(50)]
                if sent == 1:
                    events[0] = {"type": "item_viewed"}  # a quarantined one is forwarded too
                assert client.post("/v1/events", json=events).status_code == 200
                sent += len(events)

    def forwarded() -> int:
        beat = last_beat(place.paths, "forwarder")
        return 0 if beat is None else int(beat.facts["forwarded"])

    def wait_until_forwarded(count: int) -> None:
        deadline = time.monotonic() + 60
        while forwarded() < count:
            assert time.monotonic() < deadline, (place.paths.var / "forward.log").read_text()
            time.sleep(0.1)

    with place.client() as client:  # the largest record that a request can make: every byte of it is quoted
        large = viewed("large") | {"note": '"' * 500_000}
        assert client.post("/v1/events", json=[large]).status_code == 200
        sent += 1
    forwarder = place.start("forward")  # before there is a broker: it waits
    post(10)
    deadline = time.monotonic() + 30
    while (beat := last_beat(place.paths, "forwarder")) is None or beat.facts["lag"] < sent:
        assert time.monotonic() < deadline, (place.paths.var / "forward.log").read_text()
        time.sleep(0.1)
    assert forwarder.poll() is None
    assert (beat.facts["forwarded"], beat.facts["lag"]) == (0, sent)
    kafka.start()
    wait_until_forwarded(sent)

    for _ in range(2):  # kill the forwarder while it has work
        post(6)
        forwarder.send_signal(signal.SIGKILL)
        forwarder.wait()
        post(4)
        forwarder = place.start("forward")
    post(4)
    kafka.kill()  # and the broker
    post(10)
    kafka.start()
    wait_until_forwarded(sent)
    forwarder.send_signal(signal.SIGTERM)
    assert forwarder.wait(20) == 0

    ticks = [message for message in kafka.everything() if message.value() == topics.TICK]
    assert {message.partition() for message in ticks} == set(range(topics.EVENTS.partitions))
    acknowledged = place.stored()
    assert len(acknowledged) == sent
    durable = read_durable(place.paths.wal)
    assert durable is not None
    assert durable.segment > 0  # several segments were crossed
    copies = 0
    first_seqs: dict[bytes, list[int]] = defaultdict(list)
    seen: dict[int, bytes] = {}
    for message in kafka.messages():
        assert message.timestamp()[0] == TIMESTAMP_LOG_APPEND_TIME
        value, key = message.value(), message.key()
        assert value is not None
        assert isinstance(key, bytes)
        record = orjson.loads(value)
        assert key.decode() == f"a|{record['person_id'] or ''}"
        if record["seq"] in seen:
            assert seen[record["seq"]] == value  # a copy is the same acknowledgement
            copies += 1
            continue
        seen[record["seq"]] = value
        first_seqs[key].append(record["seq"])
    assert {seq: orjson.loads(value) for seq, value in seen.items()} == {r["seq"]: r for r in acknowledged}
    assert len(first_seqs) == 8
    assert all(seqs == sorted(seqs) for seqs in first_seqs.values())

    # Segments go when the broker has them; the count of accepted events stays, and nothing is sent again.
    place.settings.wal_keep_s = 0
    forwarder = place.start("forward")
    post(3)
    deadline = time.monotonic() + 60
    while len(segment_starts(place.paths.wal)) > 1:
        assert time.monotonic() < deadline, (place.paths.var / "forward.log").read_text()
        time.sleep(0.1)
    post(2)
    wait_until_forwarded(sent)
    forwarder.send_signal(signal.SIGTERM)
    assert forwarder.wait(20) == 0
    assert count_accepted(place.paths.wal) == {"a": sent}
    arrived = [orjson.loads(message.value() or b"")["seq"] for message in kafka.messages()]
    assert set(arrived) == set(range(sent))
    assert len(arrived) - len(set(arrived)) == copies
