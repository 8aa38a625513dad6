"""The embedded broker is a real Kafka: topics are declared once, and the log stamps when it knew an event."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType

from decision_log.topic import Landed, LogRecord, TopicReader, TopicUnreachable
from jishi import topics
from jishi.java import java_home
from jishi.kafka import KafkaCluster
from jishi.paths import Paths
from jishi.settings import get_settings
from ops.jars import fetch_jars
from ops.kafka import EmbeddedBroker, create_topics, running_broker
from ops.ports import free_port

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedBroker]:
    paths = Paths.of(get_settings())
    fetch_jars(paths)
    folder: Path = tmp_path_factory.mktemp("kafka")
    embedded_broker = EmbeddedBroker(
        folder, paths.jars, java_home(paths.envs), "127.0.0.1", free_port(), free_port(), heap="256m"
    )
    with running_broker(embedded_broker, folder / "broker.log"):
        yield embedded_broker


def test_topics_are_made_as_declared_and_only_once(broker: EmbeddedBroker) -> None:
    assert create_topics(KafkaCluster(broker.bootstrap)) == []
    admin = AdminClient({"bootstrap.servers": broker.bootstrap})
    known = admin.list_topics(timeout=60).topics
    for topic in topics.ALL:
        assert len(known[topic.name].partitions) == topic.partitions
        [future] = admin.describe_configs([ConfigResource(ResourceType.TOPIC, topic.name)]).values()
        result = future.result(10)
        assert {key: result[key].value for key in topic.config} == topic.config


def test_the_log_stamps_when_it_knew(broker: EmbeddedBroker) -> None:
    producer = Producer({"bootstrap.servers": broker.bootstrap, "enable.idempotence": True, "compression.type": "zstd"})
    before_ms = int(time.time() * 1000)
    producer.produce(topics.EVENTS.name, b"{}", key=b"a|p", timestamp=1)
    assert producer.flush(30) == 0
    consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "t", "auto.offset.reset": "earliest"})
    consumer.subscribe([topics.EVENTS.name])
    message = next(m for m in iter(lambda: consumer.poll(1), object()) if m is not None and m.error() is None)
    consumer.close()
    kind, stamp = message.timestamp()
    assert kind == 2  # TIMESTAMP_LOG_APPEND_TIME
    assert stamp >= before_ms


def test_decisions_are_read_by_offsets_each_once_and_a_topic_made_anew_from_its_start(broker: EmbeddedBroker) -> None:
    producer = Producer({"bootstrap.servers": broker.bootstrap})
    topic = TopicReader(KafkaCluster(broker.bootstrap))

    def send(*requests: str) -> None:
        for request in requests:
            producer.produce(topics.DECISIONS.name, b"{}", key=f"s|{request}".encode())
        assert producer.flush(30) == 0

    def read(landed: dict[int, Landed]) -> list[LogRecord]:
        return [record for records in topic.records_after(landed) for record in records]

    assert read({}) == []  # nobody has asked for a recommendation yet
    send(*map(str, range(20)))
    first = read({})
    assert sorted(record.key or b"" for record in first) == sorted(f"s|{number}".encode() for number in range(20))
    landed = {record.partition: Landed(record.offset, record.logged_at_ms) for record in first}
    assert len(landed) == topics.DECISIONS.partitions
    assert read(landed) == []
    send("a", "b", "c")
    assert {record.key for record in read(landed)} == {b"s|a", b"s|b", b"s|c"}
    of_another_topic = {partition: Landed(last.offset, last.logged_at_ms - 5) for partition, last in landed.items()}
    assert len(read(of_another_topic)) == 23
    assert len(read(dict.fromkeys(landed, Landed(1_000, 0)))) == 23
    assert topic.lost == 0


def test_a_broker_that_is_away_is_named() -> None:
    address = f"127.0.0.1:{free_port()}"
    with pytest.raises(TopicUnreachable, match=address):
        list(TopicReader(KafkaCluster(address), wait_s=0.5).records_after({}))
