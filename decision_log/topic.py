"""Read what the topic of decisions has that the lake has not: by offsets, from where the lake's own records end.

The lake names the last record of each partition that it holds, and says so in the same commit as it holds it, so nothing is
read twice or left out whatever dies. A topic that was made anew has other records at those offsets and is read from its start.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from jishi import topics
from jishi.kafka import KafkaCluster

AT_ONCE = 5_000
LINGER_S = 0.1  # so long a batch waits to become full


class TopicUnreachable(ConnectionError):
    """The broker does not answer, or stopped answering; the message says where it was looked for."""


class LogRecord(NamedTuple):
    """A record as it stands in the log; ``logged_at_ms`` is the broker's clock."""

    partition: int
    offset: int
    logged_at_ms: int
    key: bytes | None
    value: bytes | None


@dataclass(frozen=True)
class Landed:
    """The last record of a partition that the lake holds."""

    offset: int
    logged_at_ms: int


@dataclass
class TopicReader:
    """The topic on a broker. ``lost`` counts records that the broker dropped by age before the lake had them.
    An answer of the broker is waited for ``wait_s``.
    """

    kafka: KafkaCluster
    wait_s: float = 10.0
    lost: int = 0

    def records_after(self, landed: Mapping[int, Landed]) -> Iterator[list[LogRecord]]:
        """Records after those, up to where the topic ends now, a batch at a time. Raises TopicUnreachable."""
        options = {**self.kafka.client_options(), "group.id": "jishi-decision-log", "log_level": 0}
        consumer = Consumer({**options, "enable.auto.commit": False, "enable.partition.eof": True})
        try:
            yield from self._read(consumer, landed)
        except KafkaException as error:
            raise TopicUnreachable(f"{topics.DECISIONS.name} at {self.kafka.bootstrap}: {error.args[0].str()}") from error
        finally:
            consumer.close()

    def _read(self, consumer: Consumer, landed: Mapping[int, Landed]) -> Iterator[list[LogRecord]]:
        ends: dict[int, int] = {}
        starts = []
        for partition in self._partitions(consumer):
            low, high = consumer.get_watermark_offsets(TopicPartition(topics.DECISIONS.name, partition), self.wait_s)
            start = self._start(consumer, partition, low, high, landed.get(partition))
            if start < high:
                ends[partition] = high
                starts.append(TopicPartition(topics.DECISIONS.name, partition, start))
        if not starts:
            return
        consumer.assign(starts)
        heard_at = time.monotonic()
        while ends:
            messages = consumer.consume(AT_ONCE, LINGER_S)
            if messages:
                heard_at = time.monotonic()
            elif time.monotonic() - heard_at > self.wait_s:
                raise TopicUnreachable(f"{topics.DECISIONS.name} at {self.kafka.bootstrap}: no record within {self.wait_s:g} s")
            yield [record for message in messages if (record := _record(message, ends)) is not None]

    def _partitions(self, consumer: Consumer) -> list[int]:
        known = consumer.list_topics(topics.DECISIONS.name, self.wait_s).topics[topics.DECISIONS.name]
        if known.error is not None and known.error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            return []  # no answer was ever logged
        return sorted(known.partitions)

    def _start(self, consumer: Consumer, partition: int, low: int, high: int, last: Landed | None) -> int:
        if last is None:
            return low
        if low <= last.offset < high:
            there = _at(consumer, partition, last.offset, self.wait_s)
            return last.offset + 1 if there == last.logged_at_ms else low
        if last.offset < low:
            self.lost += low - last.offset - 1
        return last.offset + 1 if last.offset + 1 == high else low


def _at(consumer: Consumer, partition: int, offset: int, wait_s: float) -> int | None:
    """When the record at an offset was logged; None where none is."""
    consumer.assign([TopicPartition(topics.DECISIONS.name, partition, offset)])
    message = consumer.poll(wait_s)
    return None if message is None or message.error() is not None else int(message.timestamp()[1])


def _record(message: Message, ends: dict[int, int]) -> LogRecord | None:
    """The record of a message, unless it is behind the end that was asked for; partitions that are read leave ``ends``."""
    partition, error = _number(message.partition()), message.error()
    if error is not None:
        if error.code() != KafkaError._PARTITION_EOF:
            raise KafkaException(error)
        ends.pop(partition, None)
        return None
    offset = _number(message.offset())
    end = ends.get(partition, 0)
    if offset + 1 >= end:
        ends.pop(partition, None)
    key, value = _bytes(message.key()), _bytes(message.value())
    return LogRecord(partition, offset, int(message.timestamp()[1]), key, value) if offset < end else None


def _number(value: int | None) -> int:
    return -1 if value is None else value


def _bytes(value: Any) -> bytes | None:
    return value.encode() if isinstance(value, str) else value
