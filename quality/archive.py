"""How far bronze has the event log: up to an instant, when no partition has an event from before it that bronze lacks.

The end of a partition as of an instant is its first offset that was appended at or after it; where nothing was appended since,
the partition's end. The stream commits the records of a partition in their order, so that the newest row of a partition in
bronze says what bronze has; what follows up to the end is read, since ticks and values that are no record never come.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from jishi.kafka import KafkaCluster
from jishi.lake.live import LiveTail
from jishi.settings import Settings
from jishi.tables import LOG_RECORD
from jishi.topics import EVENTS, TICK_TYPE

if TYPE_CHECKING:
    from confluent_kafka import Consumer

TIMEOUT_S = 15.0
# What makes a value a row of bronze (flink_jobs.outcomes); a field of another type is read as missing.
_IDENTITY = ("collector_id", "seq", "shop_id", "line")
_LOOK_BACK = (timedelta(hours=1), timedelta(days=1))


class LogUnreachable(ConnectionError):
    """The event log does not answer; the message says where it was looked for."""


@dataclass(frozen=True)
class PartitionArchive:
    """One partition: its ``end`` as of the instant (an offset), and its first event before it that bronze lacks, None if none.

    ``missing_since`` is when that event became known (UTC).
    """

    partition: int
    end: int
    missing_from: int | None = None
    missing_since: datetime | None = None

    @property
    def is_complete(self) -> bool:
        """Whether bronze has every event of the partition before its end."""
        return self.missing_from is None


def end_of_day(day: date, zone: str, allowed_lateness_s: int) -> datetime:
    """The instant (UTC) up to which bronze must have the log for a day on the clock of ``zone`` to be complete."""
    midnight = datetime.combine(day + timedelta(days=1), datetime.min.time(), ZoneInfo(zone))
    return midnight.astimezone(UTC) + timedelta(seconds=allowed_lateness_s)


def archive_of(settings: Settings, until: datetime) -> list[PartitionArchive]:
    """Every partition of the log, sorted, as of ``until``, which must not lie in the future. Raises LogUnreachable."""
    from confluent_kafka import Consumer, KafkaException

    # A group without members or offsets: nothing is subscribed and nothing committed.
    consumer = Consumer(
        {
            **{**KafkaCluster.of(settings).client_options(), "group.id": "jishi-archive", "enable.auto.commit": False},
            **{"enable.partition.eof": True, "log_level": 2, "allow.auto.create.topics": False},
        }
    )
    try:
        return _archive_of(consumer, LiveTail(settings), until)
    except KafkaException as error:
        raise LogUnreachable(f"the event log at {settings.kafka_bootstrap} does not answer: {error}") from error
    finally:
        consumer.close()


def _archive_of(consumer: Consumer, live: LiveTail, until: datetime) -> list[PartitionArchive]:
    from confluent_kafka import TopicPartition

    topic = consumer.list_topics(EVENTS.name, TIMEOUT_S).topics[EVENTS.name]
    if topic.error is not None or not topic.partitions:
        return []  # nobody has made the topic yet, so nothing was acknowledged
    numbers = sorted(topic.partitions)
    bounds = {n: consumer.get_watermark_offsets(TopicPartition(EVENTS.name, n), TIMEOUT_S) for n in numbers}
    asked = [TopicPartition(EVENTS.name, n, _milliseconds(until)) for n in numbers]
    ends = {
        each.partition: each.offset if each.offset >= 0 else bounds[each.partition][1]
        for each in consumer.offsets_for_times(asked, TIMEOUT_S)
    }
    filled = [n for n in numbers if bounds[n][0] < ends[n]]
    # Rows from before the log's first record are of a log that was there earlier, whose offsets say nothing of this one.
    began = min((_first(consumer, n, bounds[n][0]) for n in filled), default=until)
    newest = _newest_offsets(live, filled, began, until)
    archives = []
    for n in numbers:
        start = max(newest.get(n, -1) + 1, bounds[n][0])
        missing = next(_events(consumer, n, start, ends[n]), None) if start < ends[n] else None
        archives.append(PartitionArchive(n, ends[n], *(missing or ())))
    return archives


def _newest_offsets(live: LiveTail, partitions: list[int], began: datetime, until: datetime) -> dict[int, int]:
    """The newest offset of each partition among the rows of bronze from ``began`` to ``until``; looks back as far as needed."""
    import pyarrow as pa

    newest: dict[int, int] = {}
    for back in (*_LOOK_BACK, until - began):
        since = max(began, until - back)
        where = f"received_at >= '{_text(since)}' and received_at < '{_text(until)}'"
        for batch in live.batches(("log_partition", "log_offset"), where):
            table = pa.Table.from_batches([batch]).group_by("log_partition").aggregate([("log_offset", "max")])
            for partition, offset in zip(*(table[c].to_pylist() for c in ("log_partition", "log_offset_max")), strict=True):
                newest[partition] = max(offset, newest.get(partition, -1))
        if since == began or all(n in newest for n in partitions):
            break
    return newest


def _first(consumer: Consumer, partition: int, low: int) -> datetime:
    return next((at for _, at, _ in _records(consumer, partition, low, low + 1)), datetime.fromtimestamp(0, UTC))


def _events(consumer: Consumer, partition: int, start: int, end: int) -> Iterator[tuple[int, datetime]]:
    """Offsets and times of the events in ``[start, end)``."""
    for offset, at, value in _records(consumer, partition, start, end):
        if is_event(value):
            yield offset, at


def is_event(value: bytes | None) -> bool:
    """Whether a value of the log becomes a row of bronze."""
    try:
        record = json.loads(value or b"")
    except ValueError:
        return False
    if not isinstance(record, dict) or record.get("type") == TICK_TYPE:
        return False
    kinds = {"int64": int, "string": str}
    return all(isinstance(record.get(name), kinds[LOG_RECORD.columns[name]]) for name in _IDENTITY)


def _records(consumer: Consumer, partition: int, start: int, end: int) -> Iterator[tuple[int, datetime, bytes | None]]:
    """Records in ``[start, end)`` of a partition. Raises KafkaException when the broker stops answering."""
    from confluent_kafka import KafkaError, KafkaException, TopicPartition

    consumer.assign([TopicPartition(EVENTS.name, partition, start)])
    while (message := consumer.poll(TIMEOUT_S)) is not None:
        if (error := message.error()) is not None:
            if error.code() == KafkaError._PARTITION_EOF:
                return  # the last offsets of a partition may hold no record
            raise KafkaException(error)
        offset = message.offset()
        if offset is None or offset >= end:
            return
        yield offset, datetime.fromtimestamp(message.timestamp()[1] / 1000, UTC), message.value()
        if offset + 1 >= end:
            return
    raise KafkaException(KafkaError(KafkaError._TIMED_OUT))


def _milliseconds(instant: datetime) -> int:
    return int(instant.timestamp() * 1000)


def _text(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")
