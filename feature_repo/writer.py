"""The feature writer: consumes the feature topic and writes each value to the online store, newest wins; running values are
merged with what the store holds (``jishi.features.newest``).

Offsets are committed after the write, so a crash repeats messages and loses none; the guarded store makes the repetition
harmless. A message that cannot be read goes to ``dead_letter.jsonl`` with the reason before its offset is committed.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event

from confluent_kafka import Consumer, KafkaError, KafkaException, Message
from feast import FeatureStore, FeatureView

from feature_repo.expiry import expire
from feature_repo.monotonic import Row
from feature_repo.proto_rows import proto_row
from feature_repo.running_merge import merged_row
from feature_repo.store import online_store_of, view_of
from jishi import topics
from jishi.features import views
from jishi.features.message import BadMessage, FeatureRow, Views, parse
from jishi.features.newest import is_merged
from jishi.kafka import KafkaCluster

GROUP = "jishi-feature-writer"
BATCH_ROWS = 500
# One message must be readable at once: wait this long for company, not longer.
LINGER_S = 0.02
DEAD_LETTER = "dead_letter.jsonl"
_REPORT_EVERY_S = 1.0
EXPIRE_EVERY = timedelta(hours=1)


Say = Callable[[str], None]
log = logging.getLogger("feature_writer")


@dataclass
class WriterProgress:
    """What the writer did since it started; times are epoch seconds of this machine."""

    messages: int = 0
    written: int = 0
    refused_as_older: int = 0
    expired: int = 0
    dead: int = 0
    batches: int = 0
    failed_commits: int = 0
    last_write_at: float = 0.0
    waiting_for: str | None = "Kafka"
    lag: dict[int, int] = field(default_factory=dict)
    views: dict[str, int] = field(default_factory=dict)


class FeatureSink:
    """Takes messages to the online store and the dead-letter file; knows nothing of Kafka but positions."""

    def __init__(self, store: FeatureStore, folder: Path, progress: WriterProgress, definitions: Views | None = None) -> None:
        self._store = store
        self._online = online_store_of(store)
        self._dead_letter = folder / DEAD_LETTER
        self._progress = progress
        self._definitions = definitions if definitions is not None else views()
        self._tables: dict[str, FeatureView] = {}

    def write(self, messages: Iterable[tuple[int, int, bytes | None]]) -> None:
        """Write messages given as (partition, offset, payload); returns when all of them are in the store or the file."""
        rows: list[FeatureRow] = []
        dead: list[dict[str, object]] = []
        for partition, offset, payload in messages:
            self._progress.messages += 1
            try:
                rows.append(parse(payload, offset, self._definitions))
            except BadMessage as error:
                text = (payload or b"").decode("utf-8", "backslashreplace")
                dead.append({"partition": partition, "offset": offset, "error": str(error), "message": text})
        if dead:
            _append_durably(self._dead_letter, dead)
            self._progress.dead += len(dead)
        for view in sorted({row.view for row in rows}):
            self.put(view, [row for row in rows if row.view == view])

    def put(self, view: str, rows: list[FeatureRow]) -> None:
        """Write rows of one view."""
        before = (self._online.counts.written, self._online.counts.refused)
        if view not in self._tables:
            self._tables[view] = view_of(self._store, view)
        members = self._definitions[view]
        protos = [proto_row(row, members) for row in rows]
        if is_merged(members):
            protos = self._merged(view, protos)
            self._progress.refused_as_older += len(rows) - len(protos)
        self._online.online_write_batch(self._store.config, self._tables[view], protos, None)
        written = self._online.counts.written - before[0]
        self._progress.written += written
        self._progress.refused_as_older += self._online.counts.refused - before[1]
        self._progress.views[view] = self._progress.views.get(view, 0) + written
        self._progress.batches += 1
        self._progress.last_write_at = time.time()

    def expire(self, now: datetime, keep_days: int) -> int:
        """Take old rows out of the store; how many entities of a view lost theirs."""
        expired = sum(expire(self._store, now, keep_days, self._definitions).values())
        self._progress.expired += expired
        return expired

    def _merged(self, view: str, protos: list[Row]) -> list[Row]:
        """Rows merged with those that the store holds and with each other; what says nothing new is left out."""
        keys = {row[0].SerializeToString(): row[0] for row in protos}
        stored = self._online.online_read(self._store.config, self._tables[view], list(keys.values()))
        held = dict(zip(keys, stored, strict=True))
        changed: list[Row] = []
        for row in protos:
            key = row[0].SerializeToString()
            merged = merged_row(self._definitions[view], held[key], row)
            if merged is not None:
                changed.append(merged)
                held[key] = (merged[2], merged[1])
        return changed


def _append_durably(file: Path, entries: list[dict[str, object]]) -> None:
    with file.open("a", encoding="utf-8") as out:
        out.writelines(json.dumps(entry, ensure_ascii=False) + "\n" for entry in entries)
        out.flush()
        os.fsync(out.fileno())


def run_writer(
    kafka: KafkaCluster,
    open_sink: Callable[[], FeatureSink],
    progress: WriterProgress,
    stop: Event,
    say: Say = log.info,
    beat: Callable[[], None] = lambda: None,
    group: str = GROUP,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    keep_days: int = 30,
) -> None:
    """Consume until ``stop`` is set; every hour of ``now`` old rows leave the store (``feature_repo.expiry``). Waits for the
    broker and the topic; any other error of Kafka or the store is raised.
    """
    consumer = Consumer(
        {
            **kafka.client_options(),
            "group.id": group,
            # No instance id: two writers of one name would throw each other out, and there may be as many as there are
            # partitions, on one host or on several. One that was killed gives its partitions up after so long.
            "session.timeout.ms": 6_000,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "topic.metadata.refresh.interval.ms": 2_000,
            "log_level": 0,
        }
    )
    try:
        if not _wait_for_topic(consumer, progress, stop, say, beat):
            return
        sink = open_sink()
        consumer.subscribe([topics.FEATURES.name])
        say(f"consuming {topics.FEATURES.name} from {kafka.bootstrap}")
        reported, expired_at = 0.0, now()
        while not stop.is_set():
            if abs(now() - expired_at) >= EXPIRE_EVERY:  # also when the machine's clock was set back
                expired_at = now()
                sink.expire(expired_at, keep_days)
            messages = _next_batch(consumer)
            if messages:
                sink.write((_place(m.partition()), _place(m.offset()), m.value()) for m in messages)
                _commit(consumer, progress, say)
            if time.monotonic() - reported >= _REPORT_EVERY_S:
                reported = time.monotonic()
                progress.lag = _lag(consumer)
                beat()
    finally:
        consumer.close()


def _commit(consumer: Consumer, progress: WriterProgress, say: Say) -> None:
    """Commit what was written. A commit that fails costs a repetition, never a message: the next one covers it."""
    try:
        consumer.commit(asynchronous=False)
    except KafkaException as error:
        progress.failed_commits += 1
        say(f"could not commit, goes on: {error}")


def _place(value: int | None) -> int:
    return -1 if value is None else value


def _next_batch(consumer: Consumer) -> list[Message]:
    """The next messages: waits for one, then takes what arrives within ``LINGER_S``, at most ``BATCH_ROWS``."""
    first = consumer.poll(0.2)
    if first is None:
        return []
    polled = [first, *consumer.consume(BATCH_ROWS - 1, LINGER_S)]
    messages = []
    for message in polled:
        error = message.error()
        if error is None:
            messages.append(message)
        elif error.code() not in (
            KafkaError._PARTITION_EOF,
            KafkaError._ALL_BROKERS_DOWN,
            KafkaError._TRANSPORT,
            KafkaError.UNKNOWN_TOPIC_OR_PART,
        ):
            raise KafkaException(error)
    return messages


def _wait_for_topic(consumer: Consumer, progress: WriterProgress, stop: Event, say: Say, beat: Callable[[], None]) -> bool:
    """Whether the topic is there; False when ``stop`` came first. Says what it waits for, once for each reason."""
    reported = None
    while not stop.is_set():
        try:
            topic = consumer.list_topics(topics.FEATURES.name, timeout=1).topics[topics.FEATURES.name]
            missing = f"topic {topics.FEATURES.name}" if topic.error is not None or not topic.partitions else None
        except KafkaException:
            missing = "Kafka"
        progress.waiting_for = missing
        if missing is None:
            return True
        if missing != reported:
            reported = missing
            say(f"waiting for {missing}")
        beat()
        stop.wait(0.5)
    return False


def _lag(consumer: Consumer) -> dict[int, int]:
    """Messages not yet consumed, by partition; partitions whose end is not known yet are left out."""
    lag = {}
    for place in consumer.position(consumer.assignment()):
        low, high = consumer.get_watermark_offsets(place, cached=True)
        at = place.offset if place.offset >= 0 else low
        if high >= 0:
            lag[place.partition] = max(0, high - at)
    return lag
