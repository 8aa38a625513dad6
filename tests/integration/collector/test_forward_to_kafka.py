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
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from collector.accepted import count_accepted
from collector.wal.damage import noted_damage
from collector.wal.durable import read_durable
from collector.wal.segments import segment_starts
from jishi import topics
from jishi.heartbeat import last_beat
from jishi.java import java_home
from jishi.kafka import KafkaCluster
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
        create_topics(KafkaCluster(self.broker.bootstrap))

    def kill(self) -> None:
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def messages(self) -> list[Message]:
        """Everything in the topic but ticks, partition by partition."""
        return [message for message in self.everything() if message.value() != topics.TICK]

    def limit(self, max_bytes: int) -> None:
        """Let the topic take smaller records only."""
        entry = ConfigEntry("max.message.bytes", str(max_bytes), incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ResourceType.TOPIC, topics.EVENTS.name, incremental_configs=[entry])
        client = AdminClient({"bootstrap.servers": self.broker.bootstrap})
        client.incremental_alter_configs([resource])[resource].result(10)

    def ends(self) -> list[TopicPartition]:
        """The offset behind the last record of each partition."""
        consumer = Consumer({"bootstrap.servers": self.broker.bootstrap, "group.id": "t"})
        places = [TopicPartition(topics.EVENTS.name, number) for number in range(topics.EVENTS.partitions)]
        for place in places:
            place.offset = consumer.get_watermark_offsets(place, timeout=60)[1]
        consumer.close()
        return places

    def everything(self) -> list[Message]:
        """Everything in the topic, partition by partition."""
        consumer = Consumer({"bootstrap.servers": self.broker.bootstrap, "group.id": "t", "enable.auto.commit": False})
        partitions = [TopicPartition(topics.EVENTS.name, i, 0) for i in range(topics.EVENTS.partitions)]
        # Ticks come while this reads: each partition is read up to where it ended now.
        ends = {p.partition: consumer.get_watermark_offsets(p, timeout=60)[1] for p in partitions}
        consumer.assign(partitions)
        rows: list[Message] = []
        unread = {partition for partition, end in ends.items() if end}
        while unread:
            message = consumer.poll(10)
            assert message is not None
            assert message.error() is None
            partition, offset = message.partition() or 0, message.offset() or 0
            if offset < ends[partition]:
                rows.append(message)
            if offset >= ends[partition] - 1:
                unread.discard(partition)
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
        deadline = time.monotonic() + 180
        while forwarded() < count:
            assert time.monotonic() < deadline, (place.paths.var / "forward.log").read_text()
            time.sleep(0.1)

    with place.client() as client:  # the largest record that a request can make: every byte of it is quoted
        large = viewed("large") | {"note": '"' * 500_000}
        assert client.post("/v1/events", json=[large]).status_code == 200
        sent += 1
    forwarder = place.start("forward")  # before there is a broker: it waits
    post(10)
    deadline = time.monotonic() + 180
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
        assert key == topics.event_key("a", record["anonymous_id"], record["user_id"])
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
    deadline = time.monotonic() + 180
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


def test_what_kafka_loses_or_refuses_and_what_the_disk_spoils_stops_nobody_else(
    make_place: Callable[..., Any], viewed: Viewed, kafka: Kafka
) -> None:
    place = make_place(kafka_bootstrap=kafka.broker.bootstrap)
    place.serve()
    kafka.start()
    forwarder = place.start("forward")
    sent = 0

    def post(count: int, **changes: Any) -> None:
        nonlocal sent
        events = [viewed(f"e-{sent + i}", person=f"u-{(sent + i) % 7}") | changes for i in range(count)]
        with place.client() as client:
            assert client.post("/v1/events", json=events).status_code == 200
        sent += count

    def wait_until_forwarded() -> dict[str, Any]:
        deadline = time.monotonic() + 180
        while (beat := last_beat(place.paths, "forwarder")) is None or beat.facts["forwarded"] < sent or beat.facts["lag"]:
            assert time.monotonic() < deadline, (place.paths.var / "forward.log").read_text()
            time.sleep(0.1)
        return dict(beat.facts)

    def arrived() -> dict[int, dict[str, Any]]:
        return {record["seq"]: record for record in (orjson.loads(message.value() or b"") for message in kafka.messages())}

    # The machine of the broker dies, and the ends of the partitions were never on its disk.
    for _ in range(4):
        post(50)
    wait_until_forwarded()
    ends = {place.partition: place.offset for place in kafka.ends()}
    kafka.kill()
    for partition in range(topics.EVENTS.partitions):
        [file] = (kafka.broker.folder / "log" / f"{topics.EVENTS.name}-{partition}").glob("*.log")
        os.truncate(file, file.stat().st_size // 2)
    kafka.start()
    post(20)
    wait_until_forwarded()
    assert set(arrived()) == set(range(sent))
    for message in kafka.messages():
        if orjson.loads(message.value() or b"")["seq"] >= sent - 20:
            is_behind = (message.offset() or 0) >= ends[message.partition()]
            assert is_behind, "a new record lies where a reader may have been already"

    # The topic takes less than the collector: what is too large goes to quarantine, and all others arrive.
    kafka.limit(20_000)
    post(30)
    note = os.urandom(50_000).hex()  # the broker measures what is left after compression
    post(1, note=note)
    post(30)
    wait_until_forwarded()
    records = arrived()
    assert set(records) == set(range(sent))
    large = records[sent - 31]
    assert {seq for seq, record in records.items() if record["invalid_reason"] is not None} == {sent - 31}
    assert (large["invalid_reason"], large["event_id"], large["shop_id"]) == ("too_large_for_log", f"e-{sent - 31}", "a")
    kept = orjson.loads((place.paths.wal / "refused" / f"{large['collector_id']}-{sent - 31}.json").read_bytes())
    assert note in kept["line"]

    # One byte of an acknowledged entry changes before it was forwarded.
    forwarder.send_signal(signal.SIGTERM)
    forwarder.wait(20)
    post(5)
    [segment] = place.paths.wal.glob("segment-*.log")
    spoiled = f'"event_id":"e-{sent - 3}"'.encode()
    segment.write_bytes(segment.read_bytes().replace(spoiled, spoiled.replace(b"e-", b"x-")))
    place.start("forward")
    assert wait_until_forwarded()["damaged"] == 1
    assert set(arrived()) == set(range(sent)) - {sent - 3}
    assert [(note.first_seq, note.next_seq) for note in noted_damage(place.paths.wal)] == [(sent - 3, sent - 2)]
