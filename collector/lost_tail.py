"""What Kafka had taken and has lost: found by its offsets, sent again from the kept segments.

A broker acknowledges what it has in memory; when its machine dies, the end of a partition may be gone. Then records get
offsets that were given away before, or the partition ends before the last one that was reported as delivered. Which entries are
gone is found by ``(collector_id, seq)``, over the segments that are kept (``JISHI_WAL_KEEP_S``). Ticks fill the partition up to
where it ended before, so that no reader that had come so far passes over a record which nobody has read.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import orjson
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from collector.wal.entries import seq_of
from collector.wal.reader import WalEntry, first_position, read_entries
from collector.wal.segments import Position
from jishi import topics
from jishi.kafka import KafkaCluster

log = logging.getLogger("collector.forward")

TIMEOUT_S = 3.0
PAD_BEYOND = 1_000  # ticks behind the offset that was known last: more may have been taken than was noted before a crash
# A topic that lost more was made anew; its readers are far behind its end and begin again by themselves.
PAD_MOST = 200_000
_CLOCK_MARGIN_MS = 10 * 60 * 1000


class RedeliveryFailed(RuntimeError):
    """The event log could not be compared or filled up; nothing is forgotten, it is tried again."""


@dataclass(frozen=True)
class LostTail:
    """A partition that has lost its end: offsets from ``kept`` on are gone or new, at ``taken`` it ended before."""

    partition: int
    kept: int
    taken: int


def lost_tails(kafka: KafkaCluster, taken: Mapping[int, int], given_again: Mapping[int, int]) -> list[LostTail]:
    """Partitions that end before what they had ``taken``, or gave offsets again, the first of them ``given_again``.

    Raises RedeliveryFailed while the broker is away.
    """
    tails: list[LostTail] = []
    if not taken:
        return tails
    for partition, end in _ends(kafka, taken).items():
        kept = min(end, given_again.get(partition, end))
        if kept < taken[partition]:
            tails.append(LostTail(partition, kept, max(taken[partition], end)))
    return tails


def lost_entries(
    kafka: KafkaCluster, folder: Path, collector_id: str, tails: list[LostTail], forwarded: Position, keep_s: float
) -> Iterator[WalEntry]:
    """The kept entries before ``forwarded`` that the event log does not have any more, in order."""
    start = first_position(folder)
    if start.seq >= forwarded.seq:
        return
    present = bytearray(forwarded.seq - start.seq)
    since_ms = int((time.time() - keep_s) * 1000)
    if entries := read_entries(folder, start, forwarded, 1):
        since_ms = min(since_ms, int(orjson.loads(entries[0].body).get("collected_at_ms", since_ms)))
    for body in _records(kafka, since_ms - _CLOCK_MARGIN_MS, {tail.partition: tail.kept for tail in tails}):
        if not body.startswith(b'{"collector_id":"%s",' % collector_id.encode()):
            continue
        at = seq_of(body) - start.seq
        if 0 <= at < len(present):
            present[at] = 1
    first = start.seq
    while entries := read_entries(folder, start, forwarded):
        yield from (entry for entry in entries if not present[entry.after.seq - 1 - first])
        start = entries[-1].after


def send_again(
    producer: Producer, tails: list[LostTail], records: list[tuple[bytes, bytes]], taken: Mapping[int, int]
) -> dict[int, int]:
    """Fill the partitions with ticks until they are longer than they were, then send the records (value and key).

    Returns the offsets behind what was taken, by partition. Raises RedeliveryFailed.
    """
    lost = ", ".join(f"offsets {tail.kept} to {tail.taken - 1} of partition {tail.partition}" for tail in tails)
    log.error("%s has lost %s; %d entries are sent again", topics.EVENTS.name, lost, len(records))
    anew = {tail.partition for tail in tails if tail.taken - tail.kept > PAD_MOST}
    redelivery = _Redelivery(producer, {partition: offset for partition, offset in taken.items() if partition not in anew})
    for tail in tails:
        absent = tail.taken - tail.kept
        for _ in range(absent + PAD_BEYOND if absent <= PAD_MOST else 0):
            redelivery.send(topics.TICK, None, tail.partition)
    redelivery.wait()
    for value, key in records:
        redelivery.send(value, key)
    redelivery.wait()
    return redelivery.taken


class _Redelivery:
    """Records that are sent again, and waited for."""

    def __init__(self, producer: Producer, taken: dict[int, int]) -> None:
        self._producer = producer
        self.taken = taken
        self._failure: KafkaError | None = None

    def send(self, value: bytes, key: bytes | None, partition: int = -1) -> None:
        """Hand one record to the producer. Raises RedeliveryFailed."""
        while True:
            try:
                self._producer.produce(topics.EVENTS.name, value, key, partition=partition, on_delivery=self._on_delivery)
            except BufferError:
                self._producer.poll(0.1)
            except KafkaException as error:
                raise RedeliveryFailed(str(error)) from None
            else:
                break
        self._producer.poll(0)
        self._check()

    def wait(self, timeout_s: float = 60) -> None:
        """Wait until all have arrived. Raises RedeliveryFailed."""
        if self._producer.flush(timeout_s):
            raise RedeliveryFailed("the broker does not take what is sent again")
        self._check()

    def _check(self) -> None:
        if self._failure is not None:
            raise RedeliveryFailed(self._failure.str())

    def _on_delivery(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self._failure = error
        elif (offset := message.offset()) is not None and offset >= 0:
            partition = message.partition() or 0
            self.taken[partition] = max(self.taken.get(partition, 0), offset + 1)


def _ends(kafka: KafkaCluster, partitions: Mapping[int, int]) -> dict[int, int]:
    consumer = _consumer(kafka)
    try:
        return {
            partition: consumer.get_watermark_offsets(TopicPartition(topics.EVENTS.name, partition), timeout=TIMEOUT_S)[1]
            for partition in partitions
        }
    except KafkaException as error:
        raise RedeliveryFailed(f"the ends of {topics.EVENTS.name} cannot be read: {error.args[0].str()}") from None
    finally:
        consumer.close()


def _records(kafka: KafkaCluster, since_ms: int, limits: Mapping[int, int]) -> Iterator[bytes]:
    """Values of the event log that were appended since then, of each partition those before its limit."""
    consumer = _consumer(kafka)
    try:
        for partition in range(topics.EVENTS.partitions):
            place = TopicPartition(topics.EVENTS.name, partition)
            low, end = consumer.get_watermark_offsets(place, timeout=TIMEOUT_S)
            end = min(end, limits.get(partition, end))
            [begin] = consumer.offsets_for_times([TopicPartition(topics.EVENTS.name, partition, since_ms)], timeout=TIMEOUT_S)
            at = max(low, begin.offset if begin.offset >= 0 else end)
            consumer.assign([TopicPartition(topics.EVENTS.name, partition, at)])
            while at < end:
                message = consumer.poll(TIMEOUT_S)
                if message is None or message.error() is not None:
                    raise RedeliveryFailed(f"{topics.EVENTS.name} partition {partition} cannot be read at offset {at}")
                at = (message.offset() or 0) + 1
                if at <= end and (value := message.value()) is not None:
                    yield value
    except KafkaException as error:
        raise RedeliveryFailed(f"{topics.EVENTS.name} cannot be read: {error.args[0].str()}") from None
    finally:
        consumer.close()


def _consumer(kafka: KafkaCluster) -> Consumer:
    options = {**kafka.client_options(), "group.id": "jishi-forwarder", "enable.auto.commit": False, "log_level": 2}
    return Consumer({**options, "auto.offset.reset": "earliest"})
