"""Follows a topic of Kafka in every process: no consumer group, from a given instant, record by record, with how far it is.

Every serving process needs every record, so nothing is committed: a reader starts where its caller says.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event as Signal

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from jishi.kafka import KafkaCluster

_BATCH = 1_000
_PASSING = (KafkaError._ALL_BROKERS_DOWN, KafkaError._TRANSPORT, KafkaError._PARTITION_EOF, KafkaError._RESOLVE)


@dataclass
class LogHealth:
    """How far the reader is; ``read_at`` is monotonic seconds of the last answer of the broker.

    ``has_caught_up``: everything that the topic held when the reader began is applied.
    """

    has_caught_up: bool = False
    waiting_for: str | None = "Kafka"
    lag: dict[int, int] = field(default_factory=dict)
    read_at: float | None = None

    def age_s(self) -> float | None:
        """Seconds since the broker last answered; None before it ever did."""
        return None if self.read_at is None else time.monotonic() - self.read_at


def follow_log(
    kafka: KafkaCluster,
    topic: str,
    apply: Callable[[Message], None],
    health: LogHealth,
    stop: Signal,
    start_ms: Callable[[], int | None],
) -> None:
    """Apply records until ``stop`` is set. Waits for broker and topic; ``start_ms`` (epoch ms; None: from the first record) is
    asked once, when both are there.
    """
    consumer = Consumer(
        {
            **kafka.client_options(),
            "group.id": "jishi-serving",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "log_level": 0,
        }
    )
    try:
        places = _wait_for_places(consumer, topic, start_ms, health, stop)
        if not places:
            return
        consumer.assign(places)
        looked_at, ends = 0.0, None
        while not stop.is_set():
            for message in consumer.consume(_BATCH, 0.1):
                error = message.error()
                if error is None:
                    apply(message)
                elif error.code() not in _PASSING:
                    raise KafkaException(error)
            if not health.has_caught_up:
                ends = ends or _ends(consumer, places)
                health.has_caught_up = ends is not None and _is_read(consumer, places, ends)
            if time.monotonic() - looked_at >= 1:
                looked_at = time.monotonic()
                _look(consumer, places, health)
    finally:
        consumer.close()


def _wait_for_places(
    consumer: Consumer, name: str, start_ms: Callable[[], int | None], health: LogHealth, stop: Signal
) -> list[TopicPartition]:
    """Where to start in each partition; empty when ``stop`` came first."""
    while not stop.is_set():
        try:
            metadata = consumer.list_topics(name, timeout=1).topics[name]
            if metadata.error is None and metadata.partitions:
                start = start_ms()
                places = first_places(consumer, name, sorted(metadata.partitions), start)
                health.waiting_for = None
                return places
            health.waiting_for = f"topic {name}"
        except KafkaException:
            health.waiting_for = "Kafka"
        stop.wait(0.5)
    return []


def first_places(consumer: Consumer, name: str, partitions: list[int], start_ms: int | None) -> list[TopicPartition]:
    """The offset of the first record of each partition since an instant (epoch ms; None: of all).

    Where none is that new it is the offset that the next record will get, and not Kafka's "at the end", which would be looked
    up when the first fetch begins and pass over what was written until then.
    """
    if start_ms is None:
        return [TopicPartition(name, number, 0) for number in partitions]
    ends = {number: consumer.get_watermark_offsets(TopicPartition(name, number), timeout=10)[1] for number in partitions}
    asked = [TopicPartition(name, number, start_ms) for number in partitions]
    begins = consumer.offsets_for_times(asked, timeout=10)
    return [
        TopicPartition(name, place.partition, place.offset if place.offset >= 0 else ends[place.partition]) for place in begins
    ]


def _ends(consumer: Consumer, places: list[TopicPartition]) -> dict[int, tuple[int, int]] | None:
    """First offset and the one after the last of each partition; None while the broker does not say."""
    try:
        return {place.partition: consumer.get_watermark_offsets(place, timeout=1) for place in places}
    except KafkaException:
        return None


def _is_read(consumer: Consumer, places: list[TopicPartition], ends: dict[int, tuple[int, int]]) -> bool:
    """Whether every partition was read up to its end; one without a record to read is."""
    return all(
        max(offset, low) >= high for partition, offset in _positions(consumer, places) for low, high in [ends[partition]]
    )


def _positions(consumer: Consumer, places: list[TopicPartition]) -> list[tuple[int, int]]:
    """Partition and offset of the next record; a consumer that has read nothing yet of one is where it began."""
    return [
        (position.partition, position.offset if position.offset >= 0 else place.offset)
        for place, position in zip(places, consumer.position(places), strict=True)
    ]


def _look(consumer: Consumer, places: list[TopicPartition], health: LogHealth) -> None:
    """Take down lag and age. A broker that does not answer shows as a growing age."""
    try:
        for partition, offset in _positions(consumer, places):
            low, high = consumer.get_watermark_offsets(TopicPartition(places[0].topic, partition), timeout=1)
            health.lag[partition] = max(0, high - max(offset, low))
        health.read_at = time.monotonic()
    except KafkaException:
        return
