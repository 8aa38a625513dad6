"""From the write-ahead log to Kafka: in order, without a gap, as long as it takes.

The producer is idempotent and never gives up on a message, so the order within a partition (and so of a key) is the order of
the write-ahead log, also through a broker that is away for minutes. The position is saved after delivery: a crash makes the
next run send some entries again, with the same ``(collector_id, seq)``, and readers count those once. What Kafka has taken and
lost is sent again from the kept segments (``collector.lost_tail``), a record that it refuses for its size goes to quarantine
(``collector.sizes``), and entries that cannot be read any more are set aside (``collector.wal.damage``): none of them stops the
others. Segments that Kafka has had for a while are deleted.
"""

from __future__ import annotations

import logging
import signal
import threading
import time
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import orjson
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from collector.lost_tail import RedeliveryFailed, lost_entries, lost_tails, send_again
from collector.progress import DeliveryProgress, load_offsets, load_position, save_position
from collector.retire import retire_segments
from collector.sizes import quarantined, topic_limit
from collector.ticks import Ticks
from collector.traces import ForwardedTraces
from collector.wal.damage import noted_damage, set_aside
from collector.wal.durable import read_durable
from collector.wal.lock import lock
from collector.wal.reader import Damage, WalChunk, read_chunk
from collector.wal.segments import Position
from jishi import topics
from jishi.heartbeat import beat
from jishi.kafka import KafkaCluster
from jishi.paths import Paths
from jishi.settings import Settings
from jishi.tracing import open_tracer

log = logging.getLogger("collector.forward")

# Pauses between looks at a log to which nothing was added: from the first to the last, each twice as long as the one before.
IDLE_S = 0.01
LONG_IDLE_S = 0.08
REPORT_S = 0.01  # how long reports of what is under way are waited for
SAVE_EVERY_S = 0.25
BEAT_EVERY_S = 1.0
RETIRE_EVERY_S = 5.0
PAUSE_S = 2.0
UNDER_WAY = 20_000
UNDER_WAY_BYTES = 64 * 2**20
BATCH_BYTES = 1_000_000


class DeliveryFailed(RuntimeError):
    """Kafka refused an entry, or the producer cannot go on; forwarding starts again at the saved position."""


def producer_config(kafka: KafkaCluster, batch_bytes: int = BATCH_BYTES) -> dict[str, Any]:
    """Configuration of the producer: nothing lost, nothing reordered, small delay."""
    return {
        **kafka.client_options(),
        "enable.idempotence": True,
        "acks": "all",
        "compression.type": "zstd",
        "partitioner": "murmur2",  # the one of Java clients: other writers of the topic put a key where we do
        "linger.ms": 5,
        "message.timeout.ms": 0,  # never give up: the entry is acknowledged, so it has to arrive
        "message.max.bytes": topics.MAX_RECORD_BYTES,
        "batch.size": batch_bytes,
        "queue.buffering.max.kbytes": 2 * UNDER_WAY_BYTES // 1024,
        "reconnect.backoff.ms": 100,
        "reconnect.backoff.max.ms": 2_000,
        "socket.nagle.disable": True,
        "log_level": 2,  # connection troubles are logged once by _Link, not on every try
    }


class Forwarder:
    """Forwards one write-ahead log; ``run`` returns after ``stop``."""

    def __init__(self, paths: Paths, kafka: KafkaCluster, keep_s: float, traces: ForwardedTraces | None = None) -> None:
        self._paths = paths
        self._keep_s = keep_s
        self._traces = traces
        self._wal: Path = paths.wal
        self._kafka = kafka
        self._stopping = threading.Event()
        self._failure: DeliveryFailed | None = None
        self._saved = load_position(self._wal)
        self._taken = load_offsets(self._wal)  # by partition the offset behind the last record that was delivered
        self._given_again: dict[int, int] = {}  # offsets that were given to a record although they were taken
        self._too_large: set[int] = set()  # seqs that go to quarantine
        self._refused: dict[int, int] = {}  # seqs that were refused for their size, with their bytes
        self._limit: int | None = None
        self._last_problem = ""
        self._lost = sum(note.next_seq - note.first_seq for note in noted_damage(self._wal))
        self._progress = DeliveryProgress(self._saved)
        self._bytes = 0
        self._is_connected: bool | None = None
        self._is_disk_error_logged = False
        self._last_save = self._last_beat = self._last_retired = 0.0

    def stop(self) -> None:
        """End soon: what is under way gets a few seconds to arrive."""
        self._stopping.set()

    def run(self) -> None:
        """Forward until ``stop``. Raises WalCorrupt when an acknowledged entry cannot be read."""
        while not self._stopping.is_set():
            try:
                self._forward()
            except (DeliveryFailed, RedeliveryFailed) as error:
                if isinstance(error, RedeliveryFailed):
                    self._is_connected = False
                if self._refused:
                    self._too_large.add(max(self._refused, key=self._refused.__getitem__))
                    self._refused = {}
                if str(error) != self._last_problem:
                    log.error("%s; trying again from seq %d every %.0f s", error, self._saved.seq, PAUSE_S)
                self._last_problem = str(error)
                self._beat(read_durable(self._wal) or self._saved, problem=str(error))
                self._stopping.wait(PAUSE_S)

    def _forward(self) -> None:
        """Send from the saved position with a producer of its own until ``stop``."""
        self._progress, self._failure, self._bytes = DeliveryProgress(self._saved), None, 0
        reading = self._saved
        if self._traces is not None:
            self._traces.start_anew()
        self._send_lost()
        self._check_limit()
        batch_bytes = min(BATCH_BYTES, self._limit or BATCH_BYTES)
        producer = Producer({**producer_config(self._kafka, batch_bytes), "error_cb": self._on_error})
        ticks = Ticks(producer, self._on_offset)
        idle_s = IDLE_S
        try:
            while not self._stopping.is_set():
                durable = read_durable(self._wal) or Position()
                chunk = WalChunk(reading) if self._is_full() else read_chunk(self._wal, reading, durable)
                entries, reading = chunk.entries, chunk.after
                self._send_chunk(producer, chunk)
                ticks.send_due(time.monotonic())
                is_idle = not entries and not self._progress
                producer.poll(0 if entries or is_idle else REPORT_S)
                if entries:
                    idle_s = IDLE_S
                elif is_idle:
                    self._stopping.wait(idle_s)
                    idle_s = min(2 * idle_s, LONG_IDLE_S)
                if self._failure is not None:
                    raise self._failure
                self._housekeep(durable)
            if self._progress:  # ticks are not waited for
                producer.flush(5)
        finally:
            producer.purge()
            producer.flush(1)
            self._save()
        self._beat(read_durable(self._wal) or Position())

    def _is_full(self) -> bool:
        return len(self._progress) >= UNDER_WAY or self._bytes >= UNDER_WAY_BYTES

    def _send_chunk(self, producer: Producer, chunk: WalChunk) -> None:
        damage = iter(chunk.damage)
        due = next(damage, None)
        for entry in chunk.entries:
            while due is not None and due.next_seq < entry.after.seq:
                self._pass_over(due)
                due = next(damage, None)
            self._send(producer, entry.body, entry.after)
        while due is not None:
            self._pass_over(due)
            due = next(damage, None)

    def _pass_over(self, damage: Damage) -> None:
        set_aside(self._wal, damage)
        self._lost = sum(note.next_seq - note.first_seq for note in noted_damage(self._wal))
        self._progress.sent(damage.after)
        self._progress.delivered(damage.after.seq - 1)

    def _send(self, producer: Producer, body: bytes, after: Position) -> None:
        key = _key(body)
        headers = None if self._traces is None else self._traces.sent(body, after.seq - 1)
        body = self._body(body, after.seq - 1)
        size = len(body)
        self._progress.sent(after)
        self._bytes += size
        report = partial(self._on_delivery, self._progress, after.seq - 1, size)
        while True:
            try:
                producer.produce(topics.EVENTS.name, body, key, on_delivery=report, headers=headers)
                return
            except BufferError:
                producer.poll(0.1)
            except KafkaException as error:
                if error.args[0].code() == KafkaError.MSG_SIZE_TOO_LARGE:
                    self._refused[after.seq - 1] = size
                raise DeliveryFailed(f"seq {after.seq - 1} ({size} bytes) was not taken: {_words(error.args[0])}") from None

    def _on_delivery(self, progress: DeliveryProgress, seq: int, size: int, error: KafkaError | None, message: Message) -> None:
        if progress is not self._progress:
            return  # a report of a producer that was given up
        self._bytes -= size
        if error is None:
            self._on_offset(message.partition() or 0, _offset(message))
            if self._given_again:
                return  # it lies where readers may have been already: it is sent once more, like all that is lost
            progress.delivered(seq)
            if self._traces is not None:
                self._traces.delivered(seq, message.partition() or 0, _offset(message))
            if self._is_connected is not True:
                log.info("Kafka at %s takes events", self._kafka.bootstrap)
                self._is_connected, self._last_problem = True, ""
        elif error.code() not in (KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT):
            if error.code() == KafkaError.MSG_SIZE_TOO_LARGE:
                self._refused[seq] = size
            if self._failure is None:
                self._failure = DeliveryFailed(f"seq {seq} ({size} bytes) was refused by {topics.EVENTS.name}: {_words(error)}")

    def _on_offset(self, partition: int, offset: int) -> None:
        """A record lies at this offset now. One that was given away before says that Kafka has lost what it had taken."""
        if offset < 0:
            return
        if offset < self._taken.get(partition, 0):
            self._given_again[partition] = min(offset, self._given_again.get(partition, offset))
            self._failure = DeliveryFailed(
                f"{topics.EVENTS.name} partition {partition} has lost its end (from offset {offset} on)"
            )
        else:
            self._taken[partition] = offset + 1

    def _send_lost(self) -> None:
        """Send again what Kafka has taken and lost. Raises RedeliveryFailed when it cannot be told or sent now."""
        tails = lost_tails(self._kafka, self._taken, self._given_again)
        if tails:
            collector_id = (self._wal / "collector_id").read_text(encoding="utf-8").strip()
            lost = lost_entries(self._kafka, self._wal, collector_id, tails, self._saved, self._keep_s)
            records = [(self._body(entry.body, entry.after.seq - 1), _key(entry.body)) for entry in lost]
            producer = Producer({**producer_config(self._kafka), "error_cb": self._on_error})
            self._taken = send_again(producer, tails, records, self._taken)
            save_position(self._wal, self._saved, self._taken)
        self._given_again = {}

    def _body(self, body: bytes, seq: int) -> bytes:
        return quarantined(body, self._wal / "refused") if seq in self._too_large else body

    def _check_limit(self) -> None:
        """Ask the topic how large a record may be, and say so when it takes less than may come."""
        self._limit = topic_limit(self._kafka) or self._limit
        if self._limit is not None and self._limit < topics.MAX_RECORD_BYTES:
            log.error(
                "max.message.bytes of %s is %d, records may have %d bytes; larger ones go to quarantine as too_large_for_log",
                *(topics.EVENTS.name, self._limit, topics.MAX_RECORD_BYTES),
            )

    def _on_error(self, error: KafkaError) -> None:
        if error.fatal():
            self._failure = DeliveryFailed(f"the producer cannot go on: {_words(error)}")
        elif error.code() == KafkaError._ALL_BROKERS_DOWN and self._is_connected is not False:
            log.warning("Kafka at %s is away; acknowledged events wait on disk", self._kafka.bootstrap)
            if self._is_connected:  # nothing new is sent before it is known whether the broker still has what it took
                self._failure = DeliveryFailed(f"Kafka at {self._kafka.bootstrap} is away")
            self._is_connected = False

    def _housekeep(self, durable: Position) -> None:
        now = time.monotonic()
        if now - self._last_save >= SAVE_EVERY_S:
            self._save()
            self._last_save = now
        if now - self._last_beat >= BEAT_EVERY_S:
            self._beat(durable)
        if now - self._last_retired >= RETIRE_EVERY_S:
            self._retire(durable)
            self._last_retired = now

    def _retire(self, durable: Position) -> None:
        try:
            count = retire_segments(self._wal, forwarded=self._saved, durable=durable, keep_s=self._keep_s, now_s=time.time())
        except OSError as error:  # the segments wait; only space is lost
            self._cannot_write(error)
        else:
            if count:
                log.info("deleted %d segments that Kafka has", count)

    def _save(self) -> None:
        if self._progress.position == self._saved:
            return
        try:
            save_position(self._wal, self._progress.position, self._taken)
        except OSError as error:  # costs only copies after a crash; a stop would cost the shop its freshness
            self._cannot_write(error)
        else:
            self._saved = self._progress.position
            self._is_disk_error_logged = False

    def _beat(self, durable: Position, problem: str | None = None) -> None:
        self._last_beat = time.monotonic()
        forwarded = self._progress.position.seq
        facts: dict[str, Any] = {"forwarded": forwarded, "lag": max(0, durable.seq - forwarded)}
        facts["kafka"] = "away" if self._is_connected is False else "connected"
        facts["damaged"] = self._lost
        if problem is not None:
            facts["problem"] = problem
        try:
            beat(self._paths, "forwarder", whose=self._collector_id(), **facts)
        except OSError as error:  # the missing life sign shows it
            self._cannot_write(error)

    def _collector_id(self) -> str:
        """Whose log this is; empty before the collector has begun it."""
        file = self._wal / "collector_id"
        return file.read_text(encoding="utf-8").strip() if file.exists() else ""

    def _cannot_write(self, error: OSError) -> None:
        if not self._is_disk_error_logged:
            log.error("%s: %s; forwarding goes on, its position is saved when the disk takes it", self._wal, error.strerror)
        self._is_disk_error_logged = True


def forward(settings: Settings, paths: Paths) -> None:
    """Forward until SIGTERM or SIGINT. Raises WalLocked when another forwarder runs, WalCorrupt when the log is damaged."""
    paths.wal.mkdir(parents=True, exist_ok=True)
    held = lock(paths.wal / "forwarder.lock")
    tracer = open_tracer(settings, "forwarder")
    traces = None if tracer is None else ForwardedTraces(tracer)
    forwarder = Forwarder(paths, KafkaCluster.of(settings), settings.wal_keep_s, traces)

    def leave(number: int, frame: FrameType | None) -> None:
        forwarder.stop()

    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGINT, leave)
    log.info("forwarding %s to %s at %s", paths.wal, topics.EVENTS.name, settings.kafka_bootstrap)
    try:
        forwarder.run()
    finally:
        held.close()
        if traces is not None:
            traces.close()
    log.info("stopped at seq %d", load_position(paths.wal).seq)


def _key(body: bytes) -> bytes:
    record = orjson.loads(body)
    return topics.event_key(record["shop_id"], record["anonymous_id"], record["user_id"])


def _offset(message: Message) -> int:
    offset = message.offset()
    return -1 if offset is None else offset


def _words(error: KafkaError) -> str:
    hint = ""
    if error.code() == KafkaError.MSG_SIZE_TOO_LARGE:
        hint = "; raise max.message.bytes of the topic"
    elif error.code() in (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC):
        hint = "; create the topics: python -m ops.kafka topics"
    return f"{error.str()}{hint}"
